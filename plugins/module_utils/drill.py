# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation behind M(linkops.runbooks.database_drill), where the database meets the run's Leases."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from .backup import input_faults
from .call import Call
from .database import archives, restoring
from .database.archives import Manifest
from .database.programs import Programs
from .database.session import DatabaseSession, opened
from .database.shelf import Shelf, chosen
from .deadline import Deadline
from .depot import at_hand, depot_of, sources
from .dumping import looking
from .errors import OperatorError, together
from .holding import Hold, held
from .verdict import Verdict
from .wording import duration

_SUFFIX = "_drill"
#: Dropping what was restored may take this long once the time of the drill itself is over.
_DROP_SECONDS = 60.0


def drill(call: Call) -> dict[str, Any]:
    """Restore a backup into a scratch database, compare, measure, drop it. What cannot be compared is a failure."""
    params = call.params
    faults = input_faults(call)
    with held(call) as hold, opened(call, *faults, database_name=params["maintenance_db"]) as session:
        shelf, depot = Shelf(params["directory"]), depot_of(call, params["database"])
        manifest = chosen(sources(shelf, depot), params["database"], params["backup"])
        found = checked(session, manifest)
        scratch = restoring.named(manifest.database, _SUFFIX)
        age = (datetime.now(UTC) - manifest.taken).total_seconds()
        if call.check_mode:
            sentence = f"would restore {manifest.name} ({duration(age)} old) into {scratch}, compare and drop it"
            verdict = Verdict("unknown", sentence)
            return {**_told(manifest, verdict, None), "changed": False}
        deadline = Deadline(60 * params["max_minutes"])
        look = looking(session, hold, deadline)
        at_hand(shelf, depot, manifest, look)
        verdict = intact(shelf, manifest, look)
        if verdict.passed:
            verdict = _tried(session, hold, manifest, str(shelf.archive(manifest)), found, scratch, deadline)
        result = _told(manifest, verdict, deadline.elapsed)
        call.journal.note("drill", backup=manifest.name, verdict=verdict.as_result(), seconds=result["seconds"])
        call.say(result["msg"])
        return {**result, "failed": not verdict.passed, "reason": "drill_failed"} if not verdict.passed else result


def checked(session: DatabaseSession, manifest: Manifest) -> Programs:
    """The programs to restore with. Raises C(OperatorError) with all that is in the way."""
    faults, warnings = restoring.unfit(session, manifest)
    with together(*faults):
        found = restoring.find(session, manifest)
    for sentence in warnings:
        session.call.warn(sentence)
    return found


def intact(shelf: Shelf, manifest: Manifest, look: restoring.Meanwhile) -> Verdict:
    """Whether the files are those that were written."""
    wrong = shelf.wrong(manifest, look)
    if wrong:
        return Verdict("fail", f"the backup's files are not those that were written: {'; '.join(wrong[:3])}")
    return Verdict("pass", "the backup's files are those that were written")


def _tried(
    session: DatabaseSession,
    hold: Hold,
    manifest: Manifest,
    archive: str,
    found: Programs,
    scratch: str,
    deadline: Deadline,
) -> Verdict:
    look = looking(session, hold, deadline)
    with session.another() as guard:
        restoring.alone(guard, scratch)
        hold.renew()
        try:
            restoring.create(session, scratch, manifest.entries["properties"], deadline, look)
            restoring.fill(session, found, archive, scratch, session.params["jobs"], deadline, look)
            session.call.say(f"restored into {scratch} after {deadline.elapsed:.1f} s; comparing")
            return archives.compared(manifest.content, restoring.counted(session, scratch, deadline, look))
        except OperatorError as fault:
            return Verdict("unknown", f"could not be verified: {fault.faults[0]}", {"reason": fault.reason})
        finally:
            _dropped(session, scratch)


def _dropped(session: DatabaseSession, scratch: str) -> None:
    """Drop the scratch database over a new connection: the session's own may be lost."""
    last = ""
    for _attempt in range(2):
        try:
            with session.another() as fresh:
                restoring.drop(DatabaseSession(session.call, fresh), scratch, Deadline(_DROP_SECONDS), lambda: None)
            return
        except OperatorError as fault:
            last = str(fault.faults[0])
    session.call.warn(f"The scratch database {scratch} is left ({last}); the next drill drops it.")


def _told(manifest: Manifest, verdict: Verdict, seconds: float | None) -> dict[str, Any]:
    took = "" if seconds is None else f" ({seconds:.1f} s)"
    return {
        "changed": False,
        "backup": manifest.described(),
        "seconds": None if seconds is None else round(seconds, 1),
        "verdict": verdict.as_result(),
        "msg": f"drill of {manifest.name}{took}: {verdict.status}: {verdict.reason}",
    }
