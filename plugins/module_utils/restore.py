# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation behind M(linkops.runbooks.database_restore), where the database meets the run's Leases."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from .backup import input_faults
from .call import Call
from .database import archives, clients, programs, queries, restoring, standing, swapping
from .database.archives import Manifest
from .database.backups import backups
from .database.programs import Programs
from .database.session import DatabaseSession, opened
from .database.shelf import Shelf
from .database.standing import Aside, Standing
from .deadline import Deadline
from .depot import at_hand, depot_of, sources
from .dumping import Making, looking, made
from .errors import Fault, OperatorError, together
from .holding import Hold, held
from .scratch import checked, intact
from .verdict import Verdict

_SUFFIX = "_restoring"
_TICK_SECONDS = 0.5


def restore(call: Call) -> dict[str, Any]:
    """Put a backup in the place of the database, which is set aside; or put that back."""
    params = call.params
    faults = input_faults(call)
    with held(call) as hold, opened(call, *faults, database_name=params["maintenance_db"]) as session:
        database = params["database"]
        before = swapping.look(session, database)
        if database == params["maintenance_db"]:
            raise OperatorError(
                Fault("input_invalid", f"{database} is the database to connect to meanwhile.", "Set maintenance_db.")
            )
        if params["state"] == "returned":
            return _returned(session, hold, before)
        return _restored(session, hold, before)


def _restored(session: DatabaseSession, hold: Hold, before: Standing) -> dict[str, Any]:
    call, params = session.call, session.params
    shelf, depot = Shelf(params["directory"]), depot_of(call, before.name)
    known = backups(session, sources(shelf, depot), before.name)
    manifest = known.chosen(params["backup"])
    last, making = before.last, restoring.named(before.name, _SUFFIX)
    done = last is not None and (last.mark.kind, last.mark.backup) == ("restored", manifest.name)
    if last and done and before.stands and not params["again"]:
        sentence = f"{before.name} was restored from {manifest.name} already; {last.name} is what it was before"
        return _told(before, manifest, f"{sentence}. Give again=true to restore it once more", last.name, changed=False)
    act = f"{known.told(manifest)}. {standing.loss(before, manifest.taken, datetime.now(UTC))}"
    faults = standing.refused(before, act, params["confirm"])
    with together(*faults):
        found = checked(session, manifest, making)
        if before.exists and params["safety_backup"]:
            programs.compression(params["compress"], found)
    if before.slots:
        call.warn(f"The logical slots {', '.join(before.slots)} stay with the database that is set aside.")
    call.say(act)
    if call.check_mode:
        return _told(before, manifest, f"would restore {manifest.name}. {act}", "", changed=True)
    deadline = Deadline(60 * params["max_minutes"])
    look = looking(session, hold, deadline)
    at_hand(call, shelf, depot, manifest, look)
    verdict = intact(shelf, manifest, look)
    if not verdict.passed:
        raise _kept(before, manifest, verdict)
    with _alone(session, before):
        if before.interrupted:
            swapping.reopen(session, before.name)
        safety = _safety(session, hold, shelf, before, found, deadline)
        try:
            hold.renew()
            created = restoring.make_roles(session, manifest) if params["create_roles"] else []
            restoring.create(session, making, manifest, deadline, look)
            restoring.fill(session, found, str(shelf.archive(manifest)), making, params["jobs"], deadline, look)
            call.say(f"restored into {making} after {deadline.elapsed:.1f} s; comparing")
            verdict = archives.compared(manifest.content, restoring.counted(session, making, deadline, look))
            if not verdict.passed:
                raise _kept(before, manifest, verdict)
            swapping.dress(session, making, manifest.entries, deadline, look)
            hold.renew()
            old = swapping.swap(session, before, making, "restored", manifest.name)
        except BaseException:
            _dropped(session, making, before.name)
            raise
    call.journal.note("restore", backup=manifest.name, safety=safety, aside=old, roles=created)
    away = _reconnected(session, hold, before)
    kept = f"; what it was before is {old}" if old else ""
    sentence = f"{before.name} is restored from {manifest.name}: {verdict.reason}{kept}"
    result = _told(before, manifest, sentence, old, changed=True, safety=safety, seconds=deadline.elapsed)
    return {**result, "roles": created, **away}


def _returned(session: DatabaseSession, hold: Hold, before: Standing) -> dict[str, Any]:
    """Put back what the last restore set aside."""
    params, last = session.params, before.last
    if last is None:
        raise OperatorError(
            Fault("nothing_aside", f"No restore of the database {before.name} set one aside.", "Restore a backup.")
        )
    if last.mark.kind == "returned":
        return _back_already(session, hold, before, last)
    backup = last.mark.backup
    act = f"The database {before.name} is replaced by {last.name}, which was set aside when {backup} came in"
    faults = standing.refused(before, act, params["confirm"])
    if faults:
        raise OperatorError(faults)
    if session.call.check_mode:
        return _told(before, None, f"would return. {act}", last.name, changed=True)
    hold.renew()
    with _alone(session, before):
        old = swapping.swap(session, before, last.name, "returned", backup)
    session.call.journal.note("return", to=last.name, aside=old)
    kept = f"; the restored one is {old}" if old else ""
    sentence = f"{before.name} is what it was before {backup} was restored{kept}"
    away = _reconnected(session, hold, before)
    return {**_told(before, None, sentence, old, changed=True), **away}


def _back_already(session: DatabaseSession, hold: Hold, before: Standing, last: Aside) -> dict[str, Any]:
    """Nothing was restored since the last return, but a restore that was killed may have closed the database."""
    fault = standing.closed(before)
    if not before.exists:
        fault = Fault(
            "nothing_aside",
            f"The database {before.name} was returned already, and does not exist any more.",
            f"Restore a backup; {last.name} is what the last restore had made.",
        )
    if fault:
        raise OperatorError(fault)
    sentence = f"{before.name} was returned already; {last.name} is what the restore had made"
    if before.interrupted:
        sentence += "; a restore that was killed had closed it, and it is opened"
    if before.interrupted and not session.call.check_mode:
        hold.renew()
        with _alone(session, before):
            swapping.reopen(session, before.name)
    return _told(before, None, sentence, last.name, changed=before.interrupted)


def _reconnected(session: DatabaseSession, hold: Hold, before: Standing) -> dict[str, Any]:
    """Wait until the services are back that were connected, or that the call names; who they are and who is away."""
    params, deadline = session.params, Deadline(session.params["reconnect_seconds"])
    wanted = clients.named(before.sessions, before.name) if params["clients"] is None else params["clients"]
    while away := clients.absent(wanted, session.database.read(queries.SESSIONS), before.name):
        if deadline.expired:
            session.call.warn(f"No session of {', '.join(away)} has come back within {deadline.seconds:g} s.")
            break
        hold.renew_if_due()
        time.sleep(_TICK_SECONDS)
    session.call.journal.note("reconnected", clients=wanted, away=away)
    return {"clients": wanted, "away": away}


@contextlib.contextmanager
def _alone(session: DatabaseSession, before: Standing) -> Iterator[None]:
    """While no other run restores or returns the database."""
    with session.another() as guard:
        restoring.alone(guard, restoring.named(before.name, _SUFFIX))
        yield


def _safety(
    session: DatabaseSession, hold: Hold, shelf: Shelf, before: Standing, found: Programs, deadline: Deadline
) -> str | None:
    """A backup of what is about to be replaced; its name."""
    if not before.exists or not session.params["safety_backup"]:
        return None
    with session.another(before.name) as live:
        inside = DatabaseSession(session.call, live)
        free = archives.cramped(
            shelf.free_bytes,
            live.read("SELECT pg_database_size(current_database()) AS bytes")[0]["bytes"],
            session.params["reserve_bytes"],
            str(shelf.directory),
        )
        if free:
            raise OperatorError(free)
        session.call.say(f"first a safety backup of {before.name}")
        return made(Making(inside, hold, shelf, found, deadline, safety=True)).name


def _dropped(session: DatabaseSession, name: str, of: str) -> None:
    """Drop what was being made; where that fails the next restore does."""
    try:
        with session.another() as fresh:
            restoring.drop(DatabaseSession(session.call, fresh), name, of, Deadline(60), lambda: None)
    except OperatorError as fault:
        session.call.warn(f"{name} is left ({fault.faults[0]}); the next restore drops it.")


def _kept(before: Standing, manifest: Manifest, verdict: Verdict) -> OperatorError:
    return OperatorError(
        Fault(
            "restore_unproved",
            f"{manifest.name} was not put in place: {verdict.reason}. {before.name} is as it was.",
            "Choose another backup.",
        ),
        verdict=verdict.as_result(),
    )


def _told(
    before: Standing,
    manifest: Manifest | None,
    sentence: str,
    aside: str,
    changed: bool,
    safety: str | None = None,
    seconds: float | None = None,
) -> dict[str, Any]:
    lost = None if manifest is None else max(0.0, (datetime.now(UTC) - manifest.taken).total_seconds() / 60)
    return {
        "changed": changed,
        "backup": manifest.described() if manifest else None,
        "lost_minutes": None if lost is None else round(lost, 1),
        "sessions": len(before.sessions),
        "clients": clients.named(before.sessions, before.name),
        "away": [],
        "set_aside": aside or None,
        "safety_backup": safety,
        "seconds": None if seconds is None else round(seconds, 1),
        "verdict": Verdict("pass", sentence).as_result(),
        "msg": sentence,
    }
