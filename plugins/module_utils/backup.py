# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation behind M(linkops.runbooks.database_backup), where the database meets the run's Leases."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from .call import Call
from .database import archives, contents, programs
from .database.archives import Manifest
from .database.backups import Backups, Source, backups, whole
from .database.connection import Row
from .database.session import DatabaseSession, opened
from .database.shelf import Shelf
from .deadline import Deadline
from .depot import depot_of, sources
from .dumping import Making, looking, made, streamed
from .errors import Fault, OperatorError
from .holding import Hold, held
from .verdict import Verdict
from .wording import counted, duration, size

#: A first backup's size is not known; the next one's is that of the one before, and something.
_GROWTH = 1.3
#: What killed runs left in the bucket goes after a day, as another server's run may be at it for longer than this one.
_SWEPT_AFTER_MINUTES = 24 * 60
_LOWEST = {"jobs": 1, "keep": 1, "keep_days": 0, "fresh_minutes": 0, "reserve_bytes": 0}


def backup(call: Call) -> dict[str, Any]:
    """Back a database up, unless a backup of it is young enough or nothing was written since."""
    with held(call) as hold, opened(call, *input_faults(call), *_stream_faults(call)) as session:
        server, state = _moment(session)
        making, known, last = _prepared(session, hold, server)
        now = datetime.fromtimestamp(server["epoch_seconds"], UTC)
        if last and (enough := _enough(last, state, now, call.params["fresh_minutes"])):
            return _content(making, known, last, f"{last.name} is enough: {enough}", now)
        if call.check_mode:
            return _planned(making, known, server, last, now)
        if call.params["format"] == "stream" and making.depot:
            manifest = streamed(making, making.depot, server["database_bytes"])
        else:
            manifest = made(making)
            _carried(making, manifest)
        place = f", in {making.depot}" if making.depot else ""
        return _kept(making, known, manifest, f"{summary(manifest)}{place}", now)


def _content(making: Making, known: Backups, last: Manifest, sentence: str, now: datetime) -> dict[str, Any]:
    """No new backup; the bucket gets the one that there is, if it lacks it."""
    if making.depot is None or whole(making.depot, last):
        return _told(making, last, sentence, changed=False)
    address = making.depot.address(last.name)
    if making.session.call.check_mode:
        return _told(making, last, f"{sentence}; would bring it to {address}", changed=True)
    _carried(making, last)
    return _kept(making, known, last, f"{sentence}; now in {address}", now)


def _planned(making: Making, known: Backups, server: Row, last: Manifest | None, now: datetime) -> dict[str, Any]:
    params, depot = making.params, making.depot
    straight = depot is not None and params["format"] == "stream"
    place = str(depot) if straight else f"{making.shelf}{f', and bring it to {depot}' if depot else ''}"
    sentence = (
        f"would dump {making.session.target.name} ({size(server['database_bytes'])}) into {place}"
        f" with pg_dump {making.programs.version}, at most about {size(_expected(server, last))}"
    )
    return {
        "changed": True,
        "wanted": True,
        "backup": None,
        "expired": _each_once(*_expired(making, known, now, archives.name_of(making.database, now)).values()),
        "verdict": Verdict("pass", sentence).as_result(),
        "msg": sentence,
    }


def _carried(making: Making, manifest: Manifest) -> None:
    """Bring a backup from the folder to the bucket, if there is one."""
    depot = making.depot
    if depot is None:
        return
    making.session.call.say(f"bringing {manifest.name} to {depot}")
    try:
        depot.carry(making.shelf, manifest, looking(making.session, making.hold, making.deadline))
    except OperatorError as fault:
        there = f"{manifest.name} is whole in {making.shelf}, and not in {depot}"
        raise OperatorError([Fault("not_carried", f"{there}.", "The next run brings it there."), *fault.faults]) from (
            fault
        )
    making.session.call.journal.note("carried", name=manifest.name, address=depot.address(manifest.name))


def _kept(making: Making, known: Backups, manifest: Manifest, sentence: str, now: datetime) -> dict[str, Any]:
    """The result, after what need not be kept was deleted, as there is a newer one."""
    gone = _expired(making, known, now)
    for place, names in gone.items():
        for name in names:
            place.delete(name)
    expired = _each_once(*gone.values())
    if making.depot:
        swept = making.depot.sweep(now - timedelta(minutes=max(_SWEPT_AFTER_MINUTES, making.params["max_minutes"])))
        sentence += f"; swept away {', '.join(swept)}, which killed runs left in the bucket" if swept else ""
    say = f"; {counted(len(expired), 'older backup')} deleted" if expired else ""
    return _told(making, manifest, f"{sentence}{say}", changed=True, expired=expired)


def summary(manifest: Manifest) -> str:
    """The backup in one sentence."""
    facts = manifest.described()
    return (
        f"backup {manifest.name}: {size(facts['bytes'])}, {counted(facts['rows'], 'row')} in"
        f" {counted(facts['tables'], 'table')}, newest migration {facts['newest_migration'] or 'none'},"
        f" taken in {facts['seconds']:g} s"
    )


def _told(
    making: Making, manifest: Manifest, sentence: str, changed: bool, expired: Sequence[str] = ()
) -> dict[str, Any]:
    shelf, depot, name = making.shelf, making.depot, manifest.name
    making.session.call.say(sentence)
    return {
        "changed": changed,
        "wanted": changed,
        "backup": {
            **manifest.described(),
            "folder": str(shelf.directory / name) if whole(shelf, manifest) else None,
            "address": depot.address(name) if depot and whole(depot, manifest) else None,
        },
        "expired": list(expired),
        "verdict": Verdict("pass", sentence).as_result(),
        "msg": sentence,
    }


def input_faults(call: Call) -> list[Fault]:
    """What is wrong with the options that all of backup, drill and restore have."""
    params = call.params
    faults = [
        Fault("input_invalid", f"{name} is {params[name]:g}, and must be at least {low}.", "Correct it.")
        for name, low in _LOWEST.items()
        if name in params and params[name] < low
    ]
    if params["max_minutes"] <= 0:
        faults.append(Fault("input_invalid", f"max_minutes is {params['max_minutes']:g}.", "Give more than 0."))
    return faults


def _stream_faults(call: Call) -> list[Fault]:
    if call.params["format"] != "stream" or call.params["s3"]:
        return []
    return [Fault("input_invalid", "format=stream goes straight to S3, and s3 names no bucket.", "Set backup_s3.")]


def _moment(session: DatabaseSession) -> tuple[Row, str | None]:
    with session.database.transaction(read_only=True) as ask:
        server = ask(contents.SERVER)[0]
        return server, ask(contents.STATE)[0]["state"] if server["tells_state"] else None


def _enough(newest: Manifest, state: str | None, now: datetime, fresh_minutes: float) -> str:
    """Why the newest backup need not be followed by another one, empty if it must."""
    age = max(0.0, (now - newest.taken).total_seconds())
    if state and newest.entries["state"] == state:
        return f"nothing was written since, {duration(age)} ago"
    if age < 60 * fresh_minutes:
        return f"it is {duration(age)} old, and fresh_minutes is {fresh_minutes:g}"
    return ""


def _prepared(session: DatabaseSession, hold: Hold, server: Row) -> tuple[Making, Backups, Manifest | None]:
    """What to dump with, the backups and the newest one. Raises C(OperatorError) with all that is in the way."""
    call, params, database = session.call, session.params, session.target.database
    shelf, depot, found, known, last = Shelf(params["directory"]), None, None, None, None
    straight = params["format"] == "stream"
    faults = [] if straight else shelf.faults()
    if session.target.pooled:
        faults.append(
            Fault(
                "pooled",
                "The URL leads through a pooler, and pg_dump needs the server itself.",
                "Give the server's own address (database_host and database_port in the inventory).",
            )
        )
    try:
        depot = depot_of(call, database)
        known = backups(session, sources(shelf, depot), database)
        last = known.newest()
    except OperatorError as fault:
        faults += fault.faults
    try:
        path = call.environment.get("PATH", "")
        found = programs.find(session.database.version // 10000, params["client_directory"], path)
        programs.compression(params["compress"], found)
    except OperatorError as missing:
        faults += missing.faults
    if not straight:
        full = archives.cramped(shelf.free_bytes, _expected(server, last), params["reserve_bytes"], str(shelf))
        faults += [full] if full else []
    if faults or found is None or known is None:
        raise OperatorError(faults)
    return Making(session, hold, shelf, found, Deadline(60 * params["max_minutes"]), depot), known, last


def _expected(server: Row, newest: Manifest | None) -> int:
    """How many bytes the next backup may have."""
    return int(newest.size_bytes * _GROWTH) if newest else int(server["database_bytes"])


def _expired(making: Making, known: Backups, now: datetime, *coming: str) -> dict[Source, list[str]]:
    """What need not be kept in the folder and the bucket, for each by what there is in it."""
    keep, days = making.params["keep"], making.params["keep_days"]
    return {place: known.expired(place, keep, days, now, *coming) for place in known.places}


def _each_once(*names: Iterable[str]) -> list[str]:
    return sorted(set().union(*names), reverse=True)
