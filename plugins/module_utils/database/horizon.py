# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What keeps VACUUM from removing dead rows and from freezing: old snapshots, whoever holds them. Pure.

Four hold the horizon back: sessions, prepared transactions, replication slots, standbys by their feedback
(PostgreSQL documentation, routine-vacuuming; postgres:src/backend/storage/ipc/procarray.c, ComputeXidHorizons).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..wording import counted, duration

#: A holder whose age in time is unknown counts as old from this many transactions on.
OLD_TRANSACTIONS = 100_000


@dataclass(frozen=True)
class Holder:
    """Who holds the horizon back: since when, and how many transactions have begun since.

    C(hidden): it is another role's session, and this role may not see since when.
    """

    name: str
    remedy: str
    transactions: int
    seconds: float | None
    forgotten: bool = False
    hidden: bool = False

    @property
    def sentence(self) -> str:
        """The holder and its age."""
        known = "for a time that this role may not see (pg_read_all_stats), " if self.hidden else ""
        age = known if self.seconds is None else f"for {duration(self.seconds)}, "
        return f"{self.name} holds a snapshot {age}{counted(self.transactions, 'transaction')} old"

    def is_old(self, old_seconds: float) -> bool:
        """Whether it is more than a statement that passes; what nothing was written after holds nothing back."""
        if self.transactions <= 0:
            return False
        if self.forgotten or self.transactions >= OLD_TRANSACTIONS:
            return True
        return self.seconds is not None and self.seconds >= old_seconds

    def may_precede(self, seconds: float, old_seconds: float) -> bool:
        """Whether it may be older than what was done C(seconds) ago; of a hidden age that is not asked for ever."""
        if self.transactions <= 0:
            return False
        if self.hidden:
            return seconds < old_seconds
        return self.seconds is not None and self.seconds > seconds

    def as_result(self) -> dict[str, Any]:
        """The holder as modules return it."""
        return {
            "name": self.name,
            "transactions": self.transactions,
            "seconds": None if self.seconds is None else round(self.seconds, 1),
            "remedy": self.remedy,
        }


def holders(rows: Iterable[Mapping[str, Any]]) -> list[Holder]:
    """Those who hold the horizon, the oldest first."""
    return sorted((_holder(row) for row in rows), key=lambda each: -each.transactions)


def _holder(row: Mapping[str, Any]) -> Holder:
    name, pid = row["name"], row["pid"]
    if row["kind"] == "slot":
        state = "active" if row["active"] else "inactive"
        return Holder(
            f"the {state} replication slot {name}",
            f"Bring its consumer back, or SELECT pg_drop_replication_slot('{name}').",
            row["transactions"],
            None,
            forgotten=not row["active"],
        )
    if row["kind"] == "prepared":
        return Holder(
            f"the prepared transaction {name}",
            "COMMIT PREPARED or ROLLBACK PREPARED it.",
            row["transactions"],
            row["seconds"],
        )
    who = f"{row['user'] or 'somebody'}, {row['application'] or 'no application name'}"
    if row["backend_type"] == "walsender":
        return Holder(
            f"the standby at {row['client'] or 'this host'} (pid {pid}, hot_standby_feedback)",
            "Look for a long query there.",
            row["transactions"],
            None,
        )
    state = row["state"] or "state hidden"
    return Holder(
        f"pid {pid} ({who}, {state})",
        f"Let it end, or SELECT pg_terminate_backend({pid}).",
        row["transactions"],
        row["seconds"],
        hidden=row["seconds"] is None,
    )
