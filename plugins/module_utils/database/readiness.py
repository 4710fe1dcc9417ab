# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a database is ready for a migration: a way back, room on its disk, nobody in the way. Pure.

Each question is answered with C(None) where all is well, with a sentence to warn of, or with a C(Fault).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import TypeAlias

from ..errors import Fault
from ..wording import duration, size
from .archives import Manifest
from .condition import concealed, unseen, unseen_sessions
from .connection import Row

Answer: TypeAlias = "Fault | str | None"  # as text: pylint knows no | for a dataclass


def way_back(
    newest: Manifest | None, now: datetime, database: str, directory: str, hours: float, required: bool
) -> Answer:
    """Whether the newest backup is young enough; C(now) is the server's clock, as is the backup's time."""
    if newest is None:
        said = f"There is no usable backup of the database {database} in {directory}."
    else:
        seconds = max(0.0, (now - newest.taken).total_seconds())
        if seconds <= 3600 * hours:
            return None
        said = f"The newest backup, {newest.name}, is {duration(seconds)} old; the limit is {hours:g} h."
    if not required:
        return f"{said} backup=true takes one first."
    return Fault("no_backup", said, "Press with -e backup=true, which takes one first, or press backup.yml.")


def room(free: float | None, unknown: str, touched_bytes: int, reserve_bytes: int) -> Answer:
    """Whether the server's disk has room. A rewritten table needs its own size once more until it is done."""
    if free is None:
        return f"How much space the server's disk has is unknown: {unknown}." if unknown else None
    if free < reserve_bytes:
        return Fault(
            "disk_full",
            f"The server's disk has {size(free)} free, and {size(reserve_bytes)} must stay free.",
            "Make room, or lower migrate_disk_reserve_bytes.",
        )
    if free - touched_bytes < reserve_bytes:
        return (
            f"The pending migrations touch tables of {size(touched_bytes)}, and the server's disk has {size(free)} "
            "free: it is full if they are rewritten."
        )
    return None


def replicas(row: Row, limit_seconds: float, server: str, user: str) -> list[Answer]:
    """What the server's replication says against migrating.

    C(row["hidden"]) is how many standbys C(user) may not see.
    """
    answers: list[Answer] = []
    if row["standby"]:
        answers.append(Fault("standby", f"{server} is a standby, which takes no migrations.", "Name the primary."))
    if row["lag_seconds"] > limit_seconds:
        answers.append(
            Fault(
                "replication_lag",
                f"A replica is {duration(row['lag_seconds'])} behind.",
                "Wait until it has caught up, or raise replication_lag_seconds.",
            )
        )
    if row["hidden"]:
        answers.append(f"How far replicas are behind is not all known: {unseen(row['hidden'], user, 'standby')}.")
    return answers


def blockers(rows: Iterable[Row], user: str) -> list[Answer]:
    """Who has been in a transaction for long, and that there are sessions of which C(user) may not see it."""
    seen, hidden = [], 0
    for row in rows:
        if concealed(row):
            hidden += 1
        elif row["seconds"] is not None:
            seen.append(blocker(row))
    blind = unseen_sessions(hidden, user)
    return [*seen, f"Who has been in a transaction for long is not all known: {blind}." if blind else None]


def blocker(row: Row) -> str:
    """Who has been in a transaction for long, and what of it the migrations need."""
    on = f", and has locks on {', '.join(row['tables'])}, which the migrations need" if row["tables"] else ""
    return (
        f"Pid {row['pid']} ({row['application'] or 'no application name'}, {row['user']}, {row['state']}) has been in "
        f"a transaction for {duration(row['seconds'])}{on}."
    )


_ASKED = re.compile(r"(?:-c\s*|--)lock[-_]timeout=(\S+)", re.IGNORECASE)
_TIME = re.compile(r"\s*([0-9]*\.?[0-9]+)\s*(us|ms|s|min|h|d)?\s*")
_MILLISECONDS = {"us": 0.001, "ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}


def patience(options: str, found: Row, role: str, database: str, user: str) -> Fault | None:
    """Whether the role that migrates waits for locks without an end.

    C(options) of its URL come first, then C(found["standing"]), which ALTER ROLE or ALTER DATABASE gave it, then
    C(found["session"]), which the server gives all; that is none where C(user), who asks, has one of its own.
    """
    if asked := _ASKED.findall(options):
        if bounded(asked[-1]):
            return None
        said = f"The URL that the migrations use sets lock_timeout={asked[-1]}, so they wait for locks without an end."
        remedy = "Take it out of the URL's options, or give a time such as 2s"
    else:
        value = found["session"] if found["standing"] is None else found["standing"]
        if value is not None and bounded(value):
            return None
        said = f"The role {role}, which migrates, waits for locks without an end, and all readers behind it."
        if value is None:
            said = (
                f"The role {role}, which migrates, has no lock_timeout of its own, and {user}, who asks, has one, "
                "which hides that of the server."
            )
        remedy = f'ALTER ROLE "{role}" IN DATABASE "{database}" SET lock_timeout = \'2s\''
    return Fault("no_lock_timeout", said, f"{remedy}; or give -e require_lock_timeout=false.")


def bounded(text: str) -> bool:
    """Whether a time as PostgreSQL reads it, in milliseconds without a unit, is a bound: 0 is none."""
    found = _TIME.fullmatch(text.strip("'\""))
    return found is not None and round(float(found[1]) * _MILLISECONDS[found[2] or "ms"]) > 0
