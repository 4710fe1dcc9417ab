# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a page says of a server and of the sessions in one of its databases."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.database import condition, connections
from ansible_collections.linkops.runbooks.plugins.module_utils.database.arguments import HEALTH
from ansible_collections.linkops.runbooks.plugins.module_utils.database.condition import Limits, Sessions
from ansible_collections.linkops.runbooks.plugins.module_utils.verdict import Verdict

LIMITS = Limits(**{name: option["default"] for name, option in HEALTH["limits"]["options"].items()})
DEFAULTS = {
    "backend_type": "client backend", "user": "app", "application": "api", "database": "shop", "client": "10.0.0.1",
    "state": "active", "wait_event_type": None, "wait_event": None, "query": "SELECT 'canary'", "blocked_by": None,
    "query_seconds": 5.0, "transaction_seconds": 5.0, "state_seconds": 5.0,
}  # fmt: skip


def session(pid: int, **changes: Any) -> dict[str, Any]:
    """One row of queries.SESSIONS."""
    return {**DEFAULTS, "pid": pid, **changes}


def hidden(pid: int, **changes: Any) -> dict[str, Any]:
    """A session of another role, of which this one may see neither kind nor state."""
    unseen = dict.fromkeys(("backend_type", "state", "query", "query_seconds", "transaction_seconds", "state_seconds"))
    return {**session(pid), **unseen, **changes}


def idle(pid: int, seconds: float, **changes: Any) -> dict[str, Any]:
    """A session that is idle in its transaction."""
    return session(pid, state="idle in transaction", state_seconds=seconds, transaction_seconds=seconds, **changes)


def of(*rows: dict[str, Any]) -> Sessions:
    """These sessions, seen from the database shop."""
    return Sessions(rows, "shop", "app")


def level(verdict: Verdict) -> str:
    """The status, or that it passes with a warning."""
    return "warning" if verdict.passed and verdict.reason.startswith("warning: ") else verdict.status


@pytest.mark.parametrize(("seconds", "said"), [(59, "pass"), (60, "warning"), (599, "warning"), (600, "fail")])
def test_idle_in_transaction_is_judged_by_the_longest(seconds: float, said: str) -> None:
    verdict = of(idle(1, 3), idle(2, seconds), session(3, state_seconds=9e9)).idle(LIMITS)
    assert level(verdict) == said
    assert [each["pid"] for each in verdict.evidence["sessions"]] == [2, 1]
    assert "canary" not in str(verdict)
    assert ("end_sessions=idle_in_transaction" in verdict.reason) == (said == "fail")


def test_the_sessions_of_other_databases_do_not_count_against_this_one() -> None:
    sessions = of(idle(1, 9000, database="other"), hidden(2, database="other"))
    assert sessions.idle(LIMITS) == Verdict("pass", "none", {"sessions": []})
    assert sessions.long(LIMITS, []).reason == "none open for 5 min"
    assert "pid 1" in sessions.busy().reason  # what is busy is listed wherever it is


def test_what_is_hidden_is_unknown_unless_something_fails() -> None:
    for verdict in (of(hidden(1)).idle(LIMITS), of(hidden(1)).busy(), of(hidden(1)).blocked(LIMITS)):
        assert verdict.status == "unknown"
        assert (
            "1 session of other roles has a state that app may not see: GRANT pg_read_all_stats TO app"
            in verdict.reason
        )
    assert of(hidden(1), idle(2, 3600)).idle(LIMITS).status == "fail"
    assert of(hidden(1, user=None)).idle(LIMITS).status == "pass"  # an autovacuum


def test_a_busy_session_is_told_with_all_that_one_looks_for() -> None:
    verdict = of(session(7), session(8, state="idle")).busy()
    assert verdict.reason == "1 not idle: pid 7 (app, api, 10.0.0.1) active for 5 s: SELECT ?"


@pytest.mark.parametrize(("seconds", "said"), [(299, "pass"), (300, "warning"), (3600, "fail")])
def test_long_transactions_are_active_idle_or_prepared(seconds: float, said: str) -> None:
    active = of(session(1, transaction_seconds=seconds)).long(LIMITS, [])
    prepared = of().long(LIMITS, [{"name": "half done", "user": "app", "seconds": seconds}])
    assert (level(active), level(prepared)) == (said, said)
    if said != "pass":
        assert "pid 1" in active.reason
        assert "the prepared transaction half done for" in prepared.reason


@pytest.mark.parametrize(("seconds", "said"), [(29, "warning"), (30, "fail")])
def test_a_tree_of_waiters_is_judged_by_the_longest_wait_in_it(seconds: float, said: str) -> None:
    waits = {"wait_event_type": "Lock", "wait_event": "relation"}
    verdict = of(
        idle(1, 90),
        session(2, blocked_by=[1], query="ALTER TABLE t ADD b int", **waits),
        session(3, blocked_by=[2], query_seconds=seconds, **waits),
    ).blocked(LIMITS)
    assert level(verdict) == said
    assert "pid 1 (app, api, 10.0.0.1) blocks 2: pid 2 for 5 s: ALTER TABLE t ADD b int [pid 3 for" in verdict.reason
    assert of(session(1)).blocked(LIMITS).reason == "nobody waits"


def test_connections_are_told_by_state_application_and_user_against_what_there_is() -> None:
    settings = {
        "max_connections": 13, "superuser_reserved": 3, "reserved": 0, "role_limit": -1, "database_limit": -1,
        "role_is_super": False,
    }  # fmt: skip
    rows = [session(pid, state="idle") for pid in range(6)] + [session(9, application="", user="dba")]
    census = connections.count(rows, settings, "app", "shop")
    verdict = condition.taken(census, LIMITS)
    assert level(verdict) == "pass"
    assert verdict.reason == (
        "7 of 10 connections are taken (6 idle, 1 active); by application: api 6, without a name 1;"
        " by user: app 6, dba 1"
    )
    assert level(condition.taken(census, dataclasses.replace(LIMITS, connections_warning=6))) == "warning"
    assert (
        "more than the 6 of the inventory"
        in condition.taken(census, dataclasses.replace(LIMITS, connections_warning=6)).reason
    )
    assert level(condition.taken(census, dataclasses.replace(LIMITS, connections_warning=7))) == "pass"
    assert level(condition.taken(census, dataclasses.replace(LIMITS, connections_warning_ratio=0.7))) == "warning"
    assert level(condition.taken(census, dataclasses.replace(LIMITS, connections_critical_ratio=0.7))) == "fail"


@pytest.mark.parametrize(("mean", "said"), [(99.9, "pass"), (100.0, "warning"), (1000.0, "fail")])
def test_slow_statements_are_told_in_milliseconds(mean: float, said: str) -> None:
    found = {"query": "SELECT ?", "user": "app", "calls": 1200, "mean_milliseconds": mean, "total_milliseconds": 1.0}
    verdict = condition.slow([found, {**found, "query": "", "mean_milliseconds": 1.0}], LIMITS)
    assert level(verdict) == said
    assert ("ms x 1,200: SELECT ?" in verdict.reason) == (said != "pass")


def test_a_cache_that_was_hardly_read_is_not_judged() -> None:
    figures = {"hit_blocks": 9000, "read_blocks": 999}
    assert condition.cache(figures, LIMITS).status == "unknown"
    assert condition.cache({**figures, "read_blocks": 0, "hit_blocks": 0}, LIMITS).status == "unknown"
    assert level(condition.cache({**figures, "read_blocks": 1000}, LIMITS)) == "warning"
    assert level(condition.cache({"hit_blocks": 99_000, "read_blocks": 1000}, LIMITS)) == "pass"


def test_a_server_that_started_just_now_deserves_a_look() -> None:
    described = {"version": "18.6", "in_recovery": True, "uptime_seconds": 599, "through_pooler": True}
    assert condition.server(described).reason == "warning: PostgreSQL 18.6, a standby, up for 9 min, through a pooler"
    assert level(condition.server({**described, "uptime_seconds": 600})) == "pass"


def test_sizes_name_what_is_largest() -> None:
    table = {"schema": "public", "table": "Quote", "total_bytes": 3 << 20}
    index = {"schema": "sales", "index": "i", "table": "Quote", "bytes": None}
    assert condition.sizes({"database_bytes": 5 << 20}, [table], [index]).reason == (
        '5 MiB; tables: "Quote" 3 MiB; indexes: sales.i 0 B'
    )
