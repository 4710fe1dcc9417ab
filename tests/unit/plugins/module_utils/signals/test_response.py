# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Health answers: a 200 alone is not health, and no answer is not unknown."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.signals.response import judge, judge_refusal

EXPECT = {"status": "ok", "checks.database": "connected"}
HEALTHY = {"status": "ok", "checks": {"database": "connected", "redis": "connected"}}


def body(content: Any) -> str:
    """An answer's body."""
    return content if isinstance(content, str) else json.dumps(content)


@pytest.mark.parametrize(
    ("status", "content", "expect", "verdict", "told"),
    [
        pytest.param(200, HEALTHY, EXPECT, "pass", "api is healthy", id="healthy"),
        pytest.param(204, "", {}, "pass", "healthy", id="nothing expected of the body"),
        pytest.param(
            200,
            {**HEALTHY, "checks": {"database": "disconnected"}},
            EXPECT,
            "fail",
            'answers 200, but checks.database is "disconnected", expected "connected"',
            id="200 with a dead database",
        ),
        pytest.param(200, {"status": "ok"}, EXPECT, "fail", "checks.database is missing", id="a dependency not shown"),
        pytest.param(200, {"checks": "x", "status": "ok"}, EXPECT, "fail", "is missing", id="another shape"),
        pytest.param(200, [1], EXPECT, "fail", "is missing", id="a list"),
        pytest.param(200, "<html>", EXPECT, "fail", "its body is not JSON", id="no JSON"),
        pytest.param(200, "null", EXPECT, "fail", "JSON", id="null"),
        pytest.param(503, "", EXPECT, "fail", "answers 503", id="503"),
        pytest.param(
            503,
            {"status": "ok", "checks": {"database": "disconnected"}},
            EXPECT,
            "fail",
            'answers 503 (checks.database is "disconnected", expected "connected")',
            id="503 with its reason",
        ),
        pytest.param(302, "", {}, "fail", "answers 302", id="a redirect"),
        pytest.param(0, "timed out", EXPECT, "fail", "gives no answer: timed out", id="no answer"),
        pytest.param(200, {"up": 1}, {"up": 2}, "fail", "up is 1, expected 2", id="a number"),
        pytest.param(200, {"up": "true"}, {"up": True}, "fail", 'up is "true", expected true', id="text is no boolean"),
    ],
)
def test_the_verdict_on_an_answer(status: int, content: Any, expect: dict[str, Any], verdict: str, told: str) -> None:
    judged = judge("api", status, body(content), expect)
    assert judged.status == verdict
    assert told in judged.reason
    assert judged.evidence["status"] == status


def test_all_that_is_wrong_is_told() -> None:
    assert judge("api", 200, "{}", EXPECT).reason.count("is missing") == 2


def test_the_evidence_is_short_and_without_secrets() -> None:
    answer = body({"url": "redis://:hunter22@cache", "password": "hunter22", "log": "x" * 10_000})
    judged = judge("api", 503, answer, {"password": "ok"})
    shown = json.dumps([judged.reason, judged.evidence])
    assert "redis://" in shown
    assert len(shown) < 1500
    assert "hunter22@" not in shown
    assert judge("api", 0, "redis://:hunter22@cache refused", {}).reason.count("hunter22") == 0


@pytest.mark.parametrize("path", ["password", "database.password", "redisToken"])
def test_the_value_of_a_secret_field_is_not_told(path: str) -> None:
    document: dict[str, Any] = {}
    inner = document
    *parents, last = path.split(".")
    for part in parents:
        inner = inner.setdefault(part, {})
    inner[last] = "hunter22"
    assert "hunter22" not in judge("api", 200, body(document), {path: "set"}).reason


@pytest.mark.parametrize(
    ("message", "verdict"),
    [
        ("error trying to reach service: dial tcp 10.0.0.7:3001: connect: connection refused", "fail"),
        ("error trying to reach service: EOF", "fail"),
        ("error trying to reach service: read: connection reset by peer", "fail"),
        ("error trying to reach service: malformed HTTP response", "fail"),
        ("error trying to reach service: dial tcp 10.0.0.7:3001: i/o timeout", "unknown"),
        ("no endpoints available", "unknown"),
        ("", "unknown"),
    ],
)
@pytest.mark.parametrize("wrapped", [True, False], ids=["as a status", "as text"])
def test_only_a_refusal_is_an_answer(message: str, verdict: str, wrapped: bool) -> None:
    content = {"kind": "Status", "apiVersion": "v1", "message": message} if wrapped else message
    judged = judge_refusal("pod api-1", 503, body(content))
    assert judged.status == verdict
    assert message in judged.reason


@pytest.mark.parametrize(("status", "verdict"), [(401, "pass"), (200, "fail"), (500, "fail"), (0, "fail")])
def test_an_endpoint_that_wants_a_key_refuses_in_health(status: int, verdict: str) -> None:
    assert judge("api", status, "", {}, [401]).status == verdict
