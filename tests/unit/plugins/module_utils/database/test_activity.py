# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is busy, and who waits for whom."""

from __future__ import annotations

from typing import Any

from ansible_collections.linkops.runbooks.plugins.module_utils.database import statements
from ansible_collections.linkops.runbooks.plugins.module_utils.database.activity import MOST, blocking, busy

DEFAULTS = {
    "backend_type": "client backend", "user": "app", "application": "api", "database": "shop", "client": "10.0.0.1",
    "state": "active", "wait_event_type": None, "wait_event": None, "query": "SELECT 'canary'", "blocked_by": None,
    "query_seconds": 1.26, "transaction_seconds": 2.0, "state_seconds": -0.01,
}  # fmt: skip


def session(pid: int, **changes: Any) -> dict[str, Any]:
    """One row of queries.SESSIONS."""
    return {**DEFAULTS, "pid": pid, **changes}


def shape(trees: list[dict[str, Any]]) -> list[Any]:
    """Who waits for whom, by pid."""
    return [(tree["pid"], tree["waiting"], shape(tree["waiters"])) for tree in trees]


def test_the_oldest_transaction_comes_first_and_idle_ones_are_left_out() -> None:
    rows = [
        session(1, transaction_seconds=5.0),
        session(2, state="idle"),
        session(3, state="idle in transaction", transaction_seconds=90.0),
        session(4, backend_type="autovacuum worker"),
        session(5, backend_type=None, state=None),
    ]
    assert [(each["pid"], each["state"]) for each in busy(rows)] == [(3, "idle in transaction"), (1, "active")]


def test_a_session_is_shown_without_literals() -> None:
    (found,) = busy([session(1, wait_event_type="Lock", wait_event="relation")])
    assert found["query"] == "SELECT ?"
    assert found["waits_for"] == "Lock: relation"
    assert (found["query_seconds"], found["state_seconds"]) == (1.3, 0.0)


def test_at_most_a_hundred_are_listed() -> None:
    assert len(busy(session(pid) for pid in range(300))) == MOST


def test_a_chain_has_the_one_that_blocks_on_top() -> None:
    rows = [session(1, state="idle in transaction"), session(2, blocked_by=[1]), session(3, blocked_by=[2, 1])]
    assert shape(blocking(rows)) == [(1, 2, [(2, 1, [(3, 0, [])])])]


def test_the_largest_tree_comes_first() -> None:
    rows = [session(n) for n in (1, 2)] + [session(3, blocked_by=[1])] + [session(n, blocked_by=[2]) for n in (4, 5)]
    assert shape(blocking(rows)) == [(2, 2, [(4, 0, []), (5, 0, [])]), (1, 1, [(3, 0, [])])]


def test_a_ring_a_prepared_transaction_and_one_that_is_gone() -> None:
    assert shape(blocking([session(1, blocked_by=[2]), session(2, blocked_by=[1])])) == [(1, 1, [(2, 0, [])])]
    (prepared,) = blocking([session(1, blocked_by=[0])])
    assert prepared["kind"] == "prepared transaction"
    (gone,) = blocking([session(1, blocked_by=[99])])
    assert gone["kind"] == "gone"


def test_a_long_chain_is_no_recursion_without_end() -> None:
    rows = [session(0)] + [session(n, blocked_by=[n - 1]) for n in range(1, 300)]
    assert blocking(rows)[0]["waiting"] == 299


def test_nobody_blocks() -> None:
    assert blocking([session(1), session(2)]) == []


def test_times_are_milliseconds_under_both_names() -> None:
    assert statements.time_columns(["calls", "total_exec_time", "mean_exec_time"])[1] == "mean_exec_time"
    assert statements.time_columns(["calls", "total_time", "mean_time"])[1] == "mean_time"
    row = {"query": "SELECT 5", "user": None, "calls": 2, "total": 3.0, "mean": 1.5, "rows": 2, "hit_ratio": None}
    (shown,) = statements.described([row])
    assert (shown["query"], shown["mean_milliseconds"], shown["hit_ratio"]) == ("SELECT ?", 1.5, None)
    assert statements.described([{**row, "query": statements.HIDDEN}])[0]["query"] == ""
