# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the sessions of a server do, and who blocks whom. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .connections import CLIENT, state
from .text import without_literals

Row = Mapping[str, Any]
Session = dict[str, Any]

MOST = 100
_IDLE = ("idle", "hidden", "disabled", "starting")
_AGES = ("query_seconds", "transaction_seconds", "state_seconds")


def busy(sessions: Iterable[Row]) -> list[Session]:
    """The client sessions that are not idle, the oldest transaction first, at most 100 of them."""
    found = [row for row in sessions if row["backend_type"] == CLIENT and state(row) not in _IDLE]
    found.sort(key=lambda row: -(row["transaction_seconds"] or row["query_seconds"] or 0.0))
    return [described(row) for row in found[:MOST]]


def described(row: Row) -> Session:
    """One session, its query without literals."""
    waits = f"{row['wait_event_type']}: {row['wait_event']}" if row["wait_event_type"] else ""
    return {
        "pid": row["pid"],
        "kind": row["backend_type"] or "hidden",
        "user": row["user"] or "",
        "application": row["application"] or "",
        "database": row["database"] or "",
        "client": row["client"] or "",
        "state": state(row),
        "waits_for": waits,
        "query": without_literals(row["query"]) if row["query"] and row["backend_type"] else "",
        **{age: None if row[age] is None else round(max(0.0, row[age]), 1) for age in _AGES},
    }


def blocking(sessions: Iterable[Row]) -> list[dict[str, Any]]:
    """The trees of who blocks whom: each session that blocks and is not blocked itself, with those that wait for it.

    A session that waits for several is under the first of them; in a ring, which the server is about to break, the
    lowest pid stands on top. C(waiting) counts all that wait in the tree. A prepared transaction has the pid 0.
    """
    rows = {row["pid"]: row for row in sessions}
    above = {pid: sorted(set(row["blocked_by"] or ())) for pid, row in rows.items() if row["blocked_by"]}
    roots = sorted({pid for pids in above.values() for pid in pids} - above.keys())
    seen: set[int] = set()
    trees = [_tree(root, rows, above, seen) for root in roots]
    rings = (pid for pid in sorted(above) if pid not in seen)  # looked at one by one, as each tree adds what it saw
    trees.extend(_tree(pid, rows, above, seen) for pid in rings)
    return sorted(trees, key=lambda tree: -tree["waiting"])


def _tree(pid: int, rows: Mapping[int, Row], above: Mapping[int, list[int]], seen: set[int]) -> dict[str, Any]:
    seen.add(pid)
    below = []
    for waiter, blockers in above.items():
        if pid in blockers and waiter not in seen:
            below.append(_tree(waiter, rows, above, seen))
    session = (
        described(rows[pid]) if pid in rows else {"pid": pid, "kind": "prepared transaction" if not pid else "gone"}
    )
    return {**session, "waiting": sum(1 + each["waiting"] for each in below), "waiters": below}
