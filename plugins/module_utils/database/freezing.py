# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How far a table is from the end of its transaction ids, and when it gets there. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

#: The server gives no new transaction ids when this many are left, and warns from the second number on
#: (postgres:src/backend/access/transam/varsup.c, SetTransactionIdLimit; since PostgreSQL 14).
STOP_LEFT, WARN_LEFT = 3_000_000, 40_000_000
WRAPAROUND = 2**31 - 1
#: A date that is farther away says nothing.
_FARTHEST = timedelta(days=365 * 20)


@dataclass(frozen=True)
class Rate:
    """Transaction ids taken per second, and what that rests on."""

    per_second: float
    basis: str


def rate(next_id: int, lifetime_seconds: float, earlier_id: int | None = None, seconds: float = 0.0) -> Rate:
    """The faster one of the average since initdb and of what was measured for at least ten seconds.

    C(next_id) is the 64-bit number that the next transaction gets. After pg_upgrade it is older than the cluster, so
    that the average is too high, which errs on the safe side.
    """
    average = Rate(next_id / max(1.0, lifetime_seconds), "average since initdb")
    if earlier_id is None or seconds < 10:
        return average
    return max(average, Rate((next_id - earlier_id) / seconds, "measured during this run"), key=lambda r: r.per_second)


def forecast(age: int, forced_at: int, now: datetime, speed: Rate) -> dict[str, int | str | None]:
    """Transaction ids left, and the dates of the forced autovacuum and of the server's stop, without any vacuum.

    C(age) is that of the oldest id in the table; a date farther away than 20 years is none.
    """
    left = max(0, WRAPAROUND - STOP_LEFT - age)
    return {
        "transactions_left": left,
        "forced_vacuum_at": _date(max(0, forced_at - age), now, speed),
        "stop_at": _date(left, now, speed),
    }


def _date(transactions: int, now: datetime, speed: Rate) -> str | None:
    if speed.per_second <= 0 or transactions / speed.per_second > _FARTHEST.total_seconds():
        return None
    return (now + timedelta(seconds=transactions / speed.per_second)).isoformat(timespec="minutes")
