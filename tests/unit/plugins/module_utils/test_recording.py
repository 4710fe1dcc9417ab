# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run's first and last words: what is refused, what is kept, what is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.call import Call
from ansible_collections.linkops.runbooks.plugins.module_utils.errors import OperatorError
from ansible_collections.linkops.runbooks.plugins.module_utils.incident import chain, record
from ansible_collections.linkops.runbooks.plugins.module_utils.recording import run_record
from ansible_collections.linkops.runbooks.tests.unit.plugins.fixtures.disk import no_room

SECRET = "hunter22"


class Said(Call):
    """A call that keeps what it said."""

    def say(self, line: str) -> None:
        self.lines = [*getattr(self, "lines", []), line]


def opening(directory: Path, check_mode: bool = False, **changed: Any) -> Said:
    """A call that opens a run."""
    params = {
        "state": "opened",
        "button": "rollback",
        "service": "servicelink-api",
        "system": "servicelink",
        "environment_name": "production",
        "cluster": "prod-eu",
        "namespace": "servicelink-production",
        "mandatory": {"cluster_uid": "u1"},
        "inputs": {"revision": "5", "api_key": SECRET},
        "operator": None,
        "reason": "incident 7",
        "directory": str(directory),
        "record_sink": None,
        **changed,
    }
    return Said(params, check_mode=check_mode, environment={"AWX_USER_NAME": "eve"})


def closing(run: dict[str, Any], check_mode: bool = False, **changed: Any) -> Said:
    """A call that closes a run."""
    params = {
        "state": "closed",
        "run": run,
        "status": "pass",
        "sentence": "Revision 5 serves.",
        "facts": {"to_revision": 5},
        "record_sink": None,
        "services": 1,
        **changed,
    }
    return Said(params, check_mode=check_mode)


def test_the_first_line_names_environment_cluster_and_namespace(tmp_path: Path) -> None:
    call = opening(tmp_path)
    run = run_record(call)["run"]
    place = "environment production, cluster prod-eu, namespace servicelink-production"
    assert call.lines == [f"rollback of servicelink-api | {place}"]
    assert run["operator"] == "eve"
    assert Path(run["record"]).parent == tmp_path / "production/servicelink-api"
    (line,) = record.entries(Path(run["record"]))
    assert line["data"]["reason"] == "incident 7"
    assert line["data"]["inputs"] == {"revision": "5", "api_key": "[hidden]"}


def test_check_mode_says_so_and_keeps_nothing(tmp_path: Path) -> None:
    call = opening(tmp_path, check_mode=True)
    assert run_record(call)["run"]["record"] == ""
    assert "check mode, nothing is written" in call.lines[0]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("mandatory", "told"),
    [
        ({"cluster_uid": None, "a": "x"}, "does not set cluster_uid. Set it in"),
        ({"b": "", "a": None, "c": 0}, "does not set a, b. Set them in"),
    ],
)
def test_unset_values_of_the_inventory_are_named_before_anything_runs(
    tmp_path: Path, mandatory: dict[str, Any], told: str
) -> None:
    with pytest.raises(OperatorError) as fault:
        run_record(opening(tmp_path, mandatory=mandatory))
    assert fault.value.reason == "inventory_incomplete"
    assert told in str(fault.value)
    assert list(tmp_path.iterdir()) == []


def test_a_sink_that_is_no_address_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(OperatorError) as fault:
        run_record(opening(tmp_path, record_sink="elsewhere"))
    assert fault.value.reason == "record_sink_invalid"
    assert list(tmp_path.iterdir()) == []


def test_a_record_that_cannot_begin_stops_the_run_before_it_does_anything(tmp_path: Path) -> None:
    with no_room(), pytest.raises(OperatorError, match="nothing was done") as fault:
        run_record(opening(tmp_path))
    assert fault.value.reason == "record_unwritable"


def test_a_record_that_cannot_end_is_a_warning(tmp_path: Path) -> None:
    run = run_record(opening(tmp_path))["run"]
    call = closing(run)
    with no_room():
        assert run_record(call)["status"] == "pass"
    assert [each.split()[1] for each in call.warnings] == ["run", "report"]


def test_the_last_line_is_the_verdict_and_where_to_look(tmp_path: Path) -> None:
    run = run_record(opening(tmp_path))["run"]
    call = closing(run)
    result = run_record(call)
    assert result["status"] == "pass"
    assert result["record"] == run["record"]
    assert result["msg"] == call.lines[-1]
    assert "| pass: Revision 5 serves. It took " in result["msg"]
    assert f"record {run['record']} (head {result['head'][:12]})" in result["msg"]
    assert chain.verify(record.service_entries(Path(run["record"]).parent), result["head"]) == []
    page = (Path(run["record"]) / "report.html").read_text()
    assert "pass: Revision 5 serves." in page
    assert SECRET not in page


def test_one_service_hands_its_verdict_on(tmp_path: Path) -> None:
    run = run_record(opening(tmp_path))["run"]
    handed_on = run_record(closing(run, facts={"to_revision": 5, "password": SECRET}))["ansible_stats"]
    assert handed_on["aggregate"]
    assert not handed_on["per_host"]
    assert SECRET not in str(handed_on)
    assert handed_on["data"]["linkops_verdict"] == "pass"
    assert handed_on["data"]["linkops_facts"]["to_revision"] == 5
    assert "linkops_services" not in handed_on["data"]


def test_one_of_many_services_hands_on_its_line_of_the_table(tmp_path: Path) -> None:
    run = run_record(opening(tmp_path))["run"]
    result = run_record(closing(run, services=3, status="fail", facts={"changed": True}))
    (line,) = result["ansible_stats"]["data"].values()
    assert line.keys() == {"servicelink-api"}
    told = line["servicelink-api"]
    assert (told["verdict"], told["changed"], told["record"]) == ("fail", True, run["record"])
    assert told["sentence"].startswith("Revision 5 serves. It took ")


def test_a_plan_is_no_verdict_for_a_workflow_but_a_line_of_the_table(tmp_path: Path) -> None:
    run = run_record(opening(tmp_path, check_mode=True))["run"]
    assert run_record(closing(run, check_mode=True))["ansible_stats"]["data"] == {}
    assert "linkops_services" in run_record(closing(run, check_mode=True, services=2))["ansible_stats"]["data"]


def test_a_lock_that_cannot_be_given_back_changes_nothing_about_the_verdict(tmp_path: Path) -> None:
    run = run_record(opening(tmp_path))["run"] | {"leases": ["linkops-servicelink-api"], "lease_seconds": 30}
    call = closing(run, kubeconfig=str(tmp_path / "absent"))
    assert run_record(call)["status"] == "pass"
    (warning,) = call.warnings
    assert warning.startswith("The lock could not be given back and expires within 30 s: The kubeconfig")


def test_a_sentence_is_one_line_without_a_secret(tmp_path: Path) -> None:
    run = run_record(opening(tmp_path))["run"]
    said = run_record(closing(run, sentence="It failed:\n  redis://:hunter22@cache\nis down..."))["msg"]
    assert "\n" not in said
    assert SECRET not in said


def test_a_run_without_a_record_has_its_last_line_all_the_same(tmp_path: Path) -> None:
    run = run_record(opening(tmp_path, check_mode=True))["run"]
    result = run_record(closing(run, status="unknown", sentence="Nothing was done"))
    assert (result["record"], result["head"]) == ("", "")
    assert result["msg"].split("| ")[-1].startswith("unknown: Nothing was done. It took ")


@pytest.mark.parametrize(
    ("environment", "operator"),
    [
        ({"AWX_USER_NAME": "eve", "SUDO_USER": "ops"}, "eve"),
        ({"TOWER_USER_NAME": "eve"}, "eve"),
        ({"SUDO_USER": "ops"}, "ops"),
    ],
)
def test_who_pressed(tmp_path: Path, environment: dict[str, str], operator: str) -> None:
    call = opening(tmp_path)
    call.environment = environment
    assert run_record(call)["run"]["operator"] == operator


def test_who_pressed_without_any_hint_is_the_account_here(tmp_path: Path) -> None:
    call = opening(tmp_path)
    call.environment = {}
    assert "@" in run_record(call)["run"]["operator"]
    assert run_record(opening(tmp_path, operator="bob"))["run"]["operator"] == "bob"
