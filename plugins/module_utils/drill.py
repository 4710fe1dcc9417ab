# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation behind M(linkops.runbooks.database_drill), where the database meets the run's Leases."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from . import scratch
from .backup import input_faults
from .call import Call
from .database import archives, restoring
from .database.archives import Manifest
from .database.backups import backups
from .database.programs import Programs
from .database.session import DatabaseSession, opened
from .database.shelf import Shelf
from .deadline import Deadline
from .depot import at_hand, depot_of, sources
from .dumping import looking
from .errors import OperatorError
from .holding import Hold, held
from .verdict import Verdict
from .wording import duration

_SUFFIX = "_drill"


def drill(call: Call) -> dict[str, Any]:
    """Restore a backup into a scratch database, compare, measure, drop it. What cannot be compared is a failure."""
    params = call.params
    faults = input_faults(call)
    with held(call) as hold, opened(call, *faults, database_name=params["maintenance_db"]) as session:
        shelf, depot = Shelf(params["directory"]), depot_of(call, params["database"])
        manifest = backups(session, sources(shelf, depot), params["database"]).chosen(params["backup"])
        name = restoring.named(manifest.database, _SUFFIX)
        found = scratch.checked(session, manifest, name)
        age = (datetime.now(UTC) - manifest.taken).total_seconds()
        if call.check_mode:
            told = f"{manifest.name} ({duration(age)} old, of {manifest.origin})"
            sentence = f"would restore {told} into {name}, compare and drop it"
            verdict = Verdict("unknown", sentence)
            return _told(manifest, verdict, None)
        deadline = Deadline(60 * params["max_minutes"])
        look = looking(session, hold, deadline)
        at_hand(call, shelf, depot, manifest, look)
        verdict = scratch.intact(shelf, manifest, look)
        if verdict.passed:
            verdict = _tried(session, hold, shelf, manifest, found, name, deadline)
        result = _told(manifest, verdict, deadline.elapsed)
        call.journal.note("drill", backup=manifest.name, verdict=verdict.as_result(), seconds=result["seconds"])
        call.say(result["msg"])
        return {**result, "failed": not verdict.passed, "reason": "drill_failed"} if not verdict.passed else result


def _tried(
    session: DatabaseSession,
    hold: Hold,
    shelf: Shelf,
    manifest: Manifest,
    found: Programs,
    name: str,
    deadline: Deadline,
) -> Verdict:
    try:
        with scratch.restored(session, hold, shelf, manifest, found, name, deadline) as look:
            session.call.say(f"restored into {name} after {deadline.elapsed:.1f} s; comparing")
            return archives.compared(manifest.content, restoring.counted(session, name, deadline, look))
    except OperatorError as fault:
        return Verdict("unknown", f"could not be verified: {fault.faults[0]}", {"reason": fault.reason})


def _told(manifest: Manifest, verdict: Verdict, seconds: float | None) -> dict[str, Any]:
    took = "" if seconds is None else f" ({seconds:.1f} s)"
    return {
        "changed": False,
        "backup": manifest.described(),
        "seconds": None if seconds is None else round(seconds, 1),
        "verdict": verdict.as_result(),
        "msg": f"drill of {manifest.name}{took}: {verdict.status}: {verdict.reason}",
    }
