# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a probe inside a pod says, and what is made of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster import answers

SESSIONS = [
    {"application": "servicelink-api", "state": "idle", "count": 4},
    {"application": "", "state": "hidden", "count": 2},
]


def ran(stdout: Any, rc: int | None = 0, reason: str = "exit code 0") -> dict[str, Any]:
    """The answer of one pod."""
    text = stdout if isinstance(stdout, str) else json.dumps(stdout)
    return {"pod": "api-1", "rc": rc, "stdout": text, "reason": reason}


@pytest.mark.parametrize(
    ("answer", "status", "told"),
    [
        pytest.param(ran({"ok": True, "milliseconds": 12}), "pass", "pod api-1 is connected after 12 ms", id="well"),
        pytest.param(
            ran({"ok": True, "milliseconds": 1, "sessions": SESSIONS}), "pass",
            "it sees 6 other sessions (2 hidden, 4 idle)", id="sessions",
        ),
        pytest.param(ran('warning: x\n{"ok": true}\n'), "pass", "is connected", id="words before"),
        pytest.param(ran({"ok": False, "code": "ECONNREFUSED"}), "fail", "connection: ECONNREFUSED", id="refused"),
        pytest.param(ran({"ok": None, "code": "MODULE_NOT_FOUND"}), "unknown", "MODULE_NOT_FOUND", id="no library"),
        pytest.param(ran({}), "unknown", "no reason given", id="an empty object"),
        pytest.param(ran("[1]"), "unknown", "nothing readable", id="a list"),
        pytest.param(ran(""), "unknown", "nothing readable", id="nothing"),
        pytest.param(ran("", 1, "exit code 1: boom"), "unknown", "exit code 1: boom", id="it crashed"),
        pytest.param(ran("", None, "it did not finish within 2 s"), "unknown", "within 2 s", id="too slow"),
    ],
)  # fmt: skip
def test_answers(answer: dict[str, Any], status: str, told: str) -> None:
    verdict = answers.verdict(answer)
    assert (verdict.status, told in verdict.reason) == (status, True), verdict.reason


def test_nothing_but_the_known_fields_is_kept_and_no_secret() -> None:
    said = {
        "ok": False,
        "code": "postgresql://u:hunter2hunter2@h/d refused",
        "password": "hunter2hunter2",
        "sessions": [{"application": "a", "state": "idle", "count": 1, "query": "hunter2hunter2"}, "x", {"count": "1"}],
    }
    verdict = answers.verdict(ran(said))
    assert "hunter2" not in str(verdict)
    assert verdict.evidence["sessions"] == [{"application": "a", "state": "idle", "count": 1}]
