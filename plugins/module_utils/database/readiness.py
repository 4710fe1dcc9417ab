# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a database is ready for a migration: a way back, room on its disk, nobody in the way. Pure.

Each question is answered with C(None) where all is well, with a sentence to warn of, or with a C(Fault).
"""

from __future__ import annotations

from datetime import datetime
from typing import TypeAlias

from ..errors import Fault
from ..wording import duration, size
from .archives import Manifest
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


def replicas(row: Row, limit_seconds: float, server: str) -> list[Fault]:
    """Why the server's replication forbids to migrate."""
    faults = []
    if row["standby"]:
        faults.append(Fault("standby", f"{server} is a standby, which takes no migrations.", "Name the primary."))
    if row["lag_seconds"] > limit_seconds:
        faults.append(
            Fault(
                "replication_lag",
                f"A replica is {duration(row['lag_seconds'])} behind.",
                "Wait until it has caught up, or raise replication_lag_seconds.",
            )
        )
    return faults


def blocker(row: Row) -> str:
    """Who has been in a transaction for long, and what of it the migrations need."""
    on = f", and has locks on {', '.join(row['tables'])}, which the migrations need" if row["tables"] else ""
    return (
        f"Pid {row['pid']} ({row['application'] or 'no application name'}, {row['user']}, {row['state']}) has been in "
        f"a transaction for {duration(row['seconds'])}{on}."
    )
