# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a rehearsal of migrations showed: how long each took, whom it kept out, and whether all went well. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..verdict import Verdict
from ..wording import counted
from . import locks, migrations
from .locks import Span
from .migrations import Migration

Entry = Mapping[str, Any]


def entries(after: Sequence[Migration], names: Sequence[str], found: Sequence[Span]) -> list[Entry]:
    """What each of the migrations did; C(seconds) is C(None) where it did not come to its end."""
    known = {each.name: each for each in after}
    return [_entry(name, known.get(name), found) for name in names]


def _entry(name: str, migration: Migration | None, found: Sequence[Span]) -> Entry:
    row = migration.row if migration else None
    end = row.finished_at if row else None
    own = locks.between(found, row.started_at.timestamp(), end.timestamp() if end else None) if row else []
    return {
        "name": name,
        "state": migration.state if migration else "pending",
        "seconds": round((end - row.started_at).total_seconds(), 2) if row and end else None,
        "locks": locks.told(own),
        "said": locks.worst(own),
        "error": migration.error if migration else "",
    }


def judge(ended: Verdict, after: Sequence[Migration], rehearsed: Sequence[Entry], log: str) -> Verdict:
    """C(pass) only where the Job and Prisma's history say so; C(log) is what Prisma printed."""
    error = migrations.last_error(log)
    bad = next((each for each in after if each.state in ("failed", "partial", "running")), None)
    if bad:
        why = error or bad.error
        state = "applied in part" if bad.state == "partial" else bad.state
        return Verdict("fail", f"migration {bad.name} {state}{f' ({why})' if why else ''}; {ended.reason}")
    if not ended.passed:
        return Verdict(ended.status, f"{ended.reason}{f' ({error})' if error else ''}")
    pending = [each["name"] for each in rehearsed if each["seconds"] is None]
    if pending:
        return Verdict("fail", f"the Job ended well, and the history does not say so of {', '.join(pending)}")
    steps = [f"{each['name']} {each['seconds']:.1f} s ({each['said'] or 'nobody is kept out'})" for each in rehearsed]
    return Verdict("pass", f"{counted(len(steps), 'migration')} applied: {'; '.join(steps)}")
