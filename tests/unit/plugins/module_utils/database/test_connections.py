# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which sessions count, against which limits, and when more fit."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.database.connections import (
    Census,
    count,
    judge,
    lack,
)

SETTINGS = {
    "max_connections": 100, "superuser_reserved": 3, "reserved": None, "role_limit": -1, "database_limit": -1,
    "role_is_super": False,
}  # fmt: skip


def session(
    kind: str | None = "client backend", state: str | None = "idle", user: str = "app", application: str = "api"
) -> dict[str, Any]:
    """One row of queries.SESSIONS."""
    return {"backend_type": kind, "state": state, "user": user, "application": application, "database": "shop"}


def census(*rows: dict[str, Any], **settings: Any) -> Census:
    """The count of these sessions, for the role app."""
    return count(rows, {**SETTINGS, **settings}, "app", "shop")


def verdict(found: Census, more: int = 0) -> str:
    """The judgement with servicelink's ratios."""
    return judge(found, more, 0.7, 0.9).status


def test_only_client_backends_count() -> None:
    background = [session(kind, None) for kind in ("autovacuum worker", "parallel worker", "walsender", "io worker")]
    found = census(session(), session(state="idle in transaction"), *background)
    assert found.server.taken == 2
    assert found.by_state == {"idle": 1, "idle in transaction": 1}


@pytest.mark.parametrize(("reserved", "limit"), [(None, 97), (0, 97), (7, 90)])
def test_what_is_reserved_is_for_nobody_else(reserved: int | None, limit: int) -> None:
    assert census(session(), reserved=reserved).server.allowed == limit


def test_applications_with_the_most_connections_come_first() -> None:
    rows = [session(application="worker"), session(), session(state="active"), session(user="other")]
    found = census(*rows).by_application
    assert [(each["application"], each["user"], each["connections"]) for each in found] == [
        ("api", "app", 2),
        ("api", "other", 1),
        ("worker", "app", 1),
    ]
    assert found[0]["by_state"] == {"idle": 1, "active": 1}


@pytest.mark.parametrize(
    ("taken", "more", "fits", "judged"),
    [
        (10, 0, True, "pass"),
        (80, 7, True, "pass"),  # 89.7 %
        (80, 8, True, "fail"),  # 90.7 %: critical
        (80, 17, True, "fail"),  # fits, though critical
        (80, 18, False, "fail"),
        (97, 0, True, "fail"),
        (98, 0, False, "fail"),
    ],
)
def test_more_connections(taken: int, more: int, fits: bool, judged: str) -> None:
    found = census(*[session()] * taken)
    assert found.as_result(more)["fits"] is fits
    assert verdict(found, more) == judged


@pytest.mark.parametrize(
    ("taken", "hidden", "more", "fits", "judged"),
    [
        (10, 10, 10, True, "pass"),  # fits whatever they are
        (10, 80, 0, True, "unknown"),  # 10 or 90 of 97
        (10, 90, 0, None, "unknown"),
        (95, 1, 5, False, "fail"),  # does not fit, whatever they are
    ],
)
def test_hidden_sessions_count_only_as_a_bound(taken: int, hidden: int, more: int, fits: Any, judged: str) -> None:
    found = census(*[session()] * taken, *[session(None, None, "other")] * hidden)
    assert found.as_result(more)["fits"] is fits
    assert verdict(found, more) == judged
    assert f"{taken} to {taken + hidden} of 97" in judge(found, more, 0.7, 0.9).reason


def test_the_role_and_the_database_may_be_narrower() -> None:
    rows = [session(), session(), session(user="other")]
    assert census(*rows, role_limit=3).fits(1)
    assert not census(*rows, role_limit=3).fits(2)
    assert not census(*rows, database_limit=3).fits(1)
    assert census(*rows, role_limit=0, role_is_super=True).fits(1)
    judged = judge(census(*rows, role_limit=3), 2, 0.7, 0.9)
    assert judged.status == "fail"
    assert "the role app may have 3 and has 2: 2 more do not fit, 1 more would" in judged.reason


def test_the_reason_names_states_and_the_ratio_from_the_warning_on() -> None:
    assert judge(census(*[session()] * 5), 0, 0.7, 0.9).reason == "5 of 97 connections are taken (5 idle)"
    assert judge(census(*[session()] * 70), 2, 0.7, 0.9).reason.endswith("(70 idle), and 2 more: 74%")
    assert judge(census(), 0, 0.7, 0.9).reason == "0 of 97 connections are taken"


LACKING = {
    "verdict": {"status": "fail", "reason": "12 of 97 connections are taken: 100 more do not fit, 85 more would"},
    "connections": {
        "fits": False,
        "by_application": [{"application": "api", "connections": 9}, {"application": "", "connections": 3}],
    },
    "activity": [
        {"application": "script", "pid": 7, "user": "app", "transaction_seconds": 2.4, "state": "idle in transaction"},
        {"application": "api", "pid": 8, "user": "app", "transaction_seconds": 1.0, "state": "active"},
    ],
}


def test_a_lack_of_connections_is_refused_with_those_who_have_them() -> None:
    refused = lack(LACKING, "2 pods more", "Ask for fewer.")
    assert str(refused) == (
        "2 pods more 12 of 97 connections are taken: 100 more do not fit, 85 more would."
        " By application: api 9, unnamed 3. Idle in a transaction: script (pid 7, app, for 2 s); end these first by"
        " database_health.yml -e end_sessions=idle_in_transaction. Ask for fewer."
    )


def test_a_server_without_a_connection_left_is_refused_though_it_cannot_be_asked() -> None:
    verdict = {"status": "fail", "reason": "The server has no connection left."}
    assert str(lack({"verdict": verdict}, "2 pods more:", "")) == "2 pods more: The server has no connection left."


@pytest.mark.parametrize(
    "found",
    [
        pytest.param({**LACKING, "connections": {"fits": True}}, id="they fit, though the ratio is critical"),
        pytest.param({"verdict": {"status": "unknown", "reason": "no route"}}, id="not known"),
    ],
)
def test_what_fits_or_is_not_known_is_not_refused(found: dict[str, Any]) -> None:
    assert lack(found, "2 pods more", "") is None
