# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A checkup: its input is refused as a whole, and one check that cannot be made leaves the others."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils import checking
from ansible_collections.linkops.runbooks.plugins.module_utils.call import Call
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.arguments import CONNECTION
from ansible_collections.linkops.runbooks.plugins.module_utils.errors import Fault, OperatorError
from ansible_collections.linkops.runbooks.plugins.module_utils.lines import Line, told
from ansible_collections.linkops.runbooks.plugins.module_utils.verdict import Verdict

Replace = Callable[[str, Callable[[Call], dict[str, Any]]], None]


def called(**checks: Any) -> Call:
    """A checkup of a workload."""
    return Call({**dict.fromkeys(CONNECTION), "namespace": "n", "kind": "Deployment", "name": "api", "checks": checks})


@pytest.fixture
def replace(monkeypatch: pytest.MonkeyPatch) -> Replace:
    """Puts another operation in the place of a check's."""

    def replaced(name: str, operation: Callable[[Call], dict[str, Any]]) -> None:
        monkeypatch.setitem(checking.CHECKS, name, dataclasses.replace(checking.CHECKS[name], operation=operation))

    return replaced


def passes(name: str) -> Callable[[Call], dict[str, Any]]:
    """An operation with one line."""
    return lambda _call: told([Line(name, Verdict("pass", "well"))])


def refuses(reason: str) -> Callable[[Call], dict[str, Any]]:
    """An operation that cannot be carried out."""

    def refused(_call: Call) -> dict[str, Any]:
        raise OperatorError(Fault(reason, f"It is {reason}.", "Mend it."))

    return refused


def test_all_faults_of_the_input_are_told_at_once() -> None:
    with pytest.raises(OperatorError) as fault:
        checking.checkup(
            called(weather={}, workload_vitals={"recent_minutes": "soon"}, database_info={"login_password": "hunter2"})
        )
    assert [each.reason for each in fault.value.faults] == ["input_invalid"] * 3
    assert "There is no check weather" in str(fault.value)
    assert "workload_vitals: " in str(fault.value)
    assert "database_info is given login_password in the open" in str(fault.value)
    assert "hunter2" not in str(fault.value)


def test_a_check_that_cannot_be_made_is_unknown_and_the_others_stand(replace: Replace) -> None:
    replace("workload_vitals", passes("pods"))
    replace("service_path", refuses("forbidden"))
    replace("workload_environment", lambda _call: {}["defect"])
    result = checking.checkup(called(workload_environment={}, service_path={}, workload_vitals={}))
    assert [(line["line"], line["status"]) for line in result["lines"]] == [
        ("service path", "unknown"), ("pods", "pass"), ("workload environment", "unknown"),
    ]  # fmt: skip
    assert "KeyError" in result["lines"][2]["reason"]
    assert result["verdict"]["status"] == "unknown"
    assert set(result["checked"]) == {"workload_vitals"}


def test_a_workload_that_is_not_there_is_one_sentence(replace: Replace) -> None:
    replace("workload_vitals", refuses("workload_unknown"))
    replace("service_path", refuses("workload_unknown"))
    with pytest.raises(OperatorError, match="It is workload_unknown"):
        checking.checkup(called(service_path={}, workload_vitals={}))
    replace("workload_vitals", refuses("unreachable"))
    assert len(checking.checkup(called(service_path={}, workload_vitals={}))["lines"]) == 2


def test_database_and_redis_become_lines_with_who_and_what(replace: Replace) -> None:
    by_application = [{"application": "api", "connections": 4}, {"application": "", "connections": 1}]
    verdict = Verdict("pass", "5 of 97 are taken").as_result()
    replace("database_info", lambda _call: {"verdict": verdict, "connections": {"by_application": by_application}})
    facts = {"maxmemory_policy": "noeviction", "commands_processed": 7}
    replace("cache_info", lambda _call: {"verdict": verdict, "facts": facts, "ping_milliseconds": 0.4})
    database, redis = checking.checkup(called(database_info={}, cache_info={}))["lines"]
    assert (database["line"], database["reason"]) == ("database", "5 of 97 are taken; api 4, without a name 1")
    assert redis["reason"] == "5 of 97 are taken; PING after 0.4 ms, noeviction, 7 commands processed"
    replace("cache_info", lambda _call: {"verdict": Verdict("unknown", "it is silent").as_result(), "reachable": False})
    assert checking.checkup(called(cache_info={}))["lines"][0]["reason"] == "it is silent"
