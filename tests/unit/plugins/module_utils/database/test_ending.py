# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which sessions are ended on request."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.database import ending

DEFAULTS = {
    "started": "2026-11-22T09:00:00.000001Z", "backend_type": "client backend", "user": "app", "application": "api",
    "database": "shop", "client": "10.0.0.1", "state": "idle in transaction", "wait_event_type": None,
    "wait_event": None, "query": "UPDATE t SET a = 'canary'", "query_seconds": 700.0, "transaction_seconds": 700.0,
    "state_seconds": 650.0, "superuser": False, "endable": True,
}  # fmt: skip


def session(pid: int, **changes: Any) -> dict[str, Any]:
    """One row of queries.SESSIONS."""
    return {**DEFAULTS, "pid": pid, **changes}


@pytest.mark.parametrize(
    ("changes", "due"),
    [
        ({}, True),
        ({"state": "idle in transaction (aborted)"}, True),
        ({"state_seconds": 600.0}, True),
        ({"state_seconds": 599.9}, False),  # the transaction is old, and it has just done something
        ({"state": "active"}, False),
        ({"state": "idle"}, False),
        ({"database": "other"}, False),
        ({"backend_type": "walsender"}, False),
        ({"backend_type": "autovacuum worker"}, False),
    ],
)
def test_what_is_idle_in_its_transaction_for_long_is_due(changes: dict[str, Any], due: bool) -> None:
    planned = ending.plan([session(1, **changes)], "shop", 600)
    assert [row["pid"] for row in planned.due] == ([1] if due else [])
    assert (planned.spared, planned.hidden) == ([], 0)


def test_our_own_and_superusers_are_spared_and_named() -> None:
    rows = [session(1, application="linkops.runbooks"), session(2, superuser=True, user="postgres"), session(3)]
    planned = ending.plan(rows, "shop", 600)
    assert [row["pid"] for row in planned.due] == [3]
    assert ending.told(planned, 1, 0, 600, "app", check_mode=False) == (
        "ended 1 session idle in transaction; spared pid 1 (app, linkops.runbooks, 10.0.0.1), which is one of"
        " linkops.runbooks; spared pid 2 (postgres, api, 10.0.0.1), which is a superuser's"
    )


def test_a_pid_that_was_given_to_another_session_is_not_hit() -> None:
    listed = ending.plan([session(1), session(2)], "shop", 600).due
    later = [session(1, started="2026-11-22T09:30:00.000000Z"), session(2), session(3)]
    planned = ending.plan(later, "shop", 600, listed)
    assert [row["pid"] for row in planned.due] == [2]
    assert [(row["pid"], why) for row, why in planned.spared] == [
        (pid, "was not among those that were listed") for pid in (1, 3)
    ]
    assert ending.plan(later, "shop", 600, []).due == []
    assert ending.plan(later, "shop", 600, [{}]).due == []


def test_without_the_right_none_is_ended() -> None:
    planned = ending.plan([session(1), session(2, user="batch", endable=False)], "shop", 600)
    (fault,) = ending.refused(planned, "the database shop", "app")
    assert fault.reason == "privilege"
    assert "may not end 1 session of batch in the database shop: pid 2 (batch, api, 10.0.0.1)" in fault.message
    assert "GRANT pg_signal_backend TO app" in fault.remedy
    assert ending.refused(ending.plan([session(1)], "shop", 600), "", "") == []


def test_what_cannot_be_seen_is_counted_but_for_superusers_and_the_servers_own() -> None:
    unseen = {"backend_type": None, "state": None, "state_seconds": None}
    autovacuum = session(3, **{**unseen, "user": None})
    planned = ending.plan([session(1, **unseen), session(2, superuser=True, **unseen), autovacuum], "shop", 600)
    assert (planned.due, planned.hidden) == ([], 1)
    assert ending.told(planned, 0, 0, 600, "app", check_mode=False) == (
        "no session to end: none has been idle in its transaction for 10 min; 1 session of other roles has a state that"
        " app may not see: GRANT pg_read_all_stats TO app"
    )


@pytest.mark.parametrize("text", ["", "0s", "10", "ten minutes", "10 m", "1w", "-5m", "m"])
def test_a_duration_that_is_none_is_said(text: str) -> None:
    _seconds, (fault,) = ending.older_than(text)
    assert fault.reason == "input_invalid"


def test_durations_are_typed_with_their_unit() -> None:
    assert [ending.older_than(text) for text in ("90s", "10m", "1h", "1d")] == [
        (90, []), (600, []), (3600, []), (86400, []),
    ]  # fmt: skip


def test_a_session_is_printed_without_literals() -> None:
    assert ending.sentence(session(1)) == (
        "pid 1 (app, api, 10.0.0.1) idle in transaction for 10 min, transaction open for 11 min,"
        " after UPDATE t SET a = ?"
    )
