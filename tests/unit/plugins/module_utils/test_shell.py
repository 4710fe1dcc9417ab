# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where Ansible meets the engine: whatever an operation raises becomes a result with stable fields."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.call import Call
from ansible_collections.linkops.runbooks.plugins.module_utils.errors import Fault, Interrupted, OperatorError
from ansible_collections.linkops.runbooks.plugins.module_utils.incident import record
from ansible_collections.linkops.runbooks.plugins.module_utils.incident.record import RunRecord
from ansible_collections.linkops.runbooks.plugins.module_utils.shell import perform
from ansible_collections.linkops.runbooks.tests.unit.plugins.fixtures.disk import no_room

SECRET = "hunter22"
FAULTS = (Fault("paused", "It is paused.", "Resume it."), Fault("locked", "redis://:pa55@cache holds it."))


def raising(fault: BaseException) -> Any:
    """An operation that ends with this fault."""

    def operation(_call: Call) -> dict[str, Any]:
        raise fault

    return operation


@pytest.fixture
def call(tmp_path: Path) -> Call:
    """A call within a run that keeps a record."""
    kept = RunRecord(tmp_path / "r1", "r1")
    kept.create()
    return Call({"run": {"id": "r1", "record": str(kept.folder)}})


def events(call: Call) -> list[dict[str, Any]]:
    """The lines of the call's record."""
    return list(record.entries(Path(call.params["run"]["record"])))


def test_a_result_passes_through() -> None:
    assert perform(lambda _call: {"changed": True, "msg": "done"}, Call({})) == {"changed": True, "msg": "done"}


def test_all_faults_are_told_at_once_and_details_join_the_result() -> None:
    result = perform(raising(OperatorError(FAULTS, revisions=[5])), Call({}))
    assert result["failed"]
    assert not result["changed"]
    assert result["reason"] == "paused"
    assert result["revisions"] == [5]
    assert result["msg"] == "It is paused. Resume it. redis://:[hidden]@cache holds it."
    assert [each["reason"] for each in result["faults"]] == ["paused", "locked"]
    assert "pa55" not in json.dumps(result)


@pytest.mark.parametrize(
    "defect", [ValueError(f"bad {SECRET}"), KeyError("spec"), SystemExit(3), RuntimeError()], ids=repr
)
def test_anything_else_is_one_sentence_that_names_its_type(defect: BaseException) -> None:
    result = perform(raising(defect), Call({}), (SECRET,))
    assert result["failed"]
    assert result["reason"] == "defect"
    assert type(defect).__name__ in result["msg"]
    assert "Look at the service before you press again" in result["msg"]
    assert SECRET not in json.dumps(result)
    assert "Traceback" not in json.dumps(result)


def test_secrets_that_ansible_knows_are_hidden_in_every_field_of_a_failure() -> None:
    fault = Fault("refused", f"The server refuses {SECRET}.", f"Renew {SECRET}.")
    assert SECRET not in json.dumps(perform(raising(OperatorError(fault)), Call({}), (SECRET,)))


@pytest.fixture
def quiet() -> Iterator[list[int]]:
    """Handlers that take the passed on signal."""
    seen: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: seen.append(number))
    yield seen
    signal.signal(signal.SIGTERM, before)


def test_an_interruption_passes_through(quiet: list[int]) -> None:
    def operation(_call: Call) -> dict[str, Any]:
        os.kill(os.getpid(), signal.SIGTERM)
        return {}

    with pytest.raises(Interrupted):
        perform(operation, Call({}))
    assert quiet == [signal.SIGTERM]


def test_ctrl_c_that_was_no_signal_of_ours_passes_through() -> None:
    with pytest.raises(KeyboardInterrupt):
        perform(raising(KeyboardInterrupt()), Call({}))


def test_the_record_of_the_run_is_the_journal(call: Call) -> None:
    def operation(call: Call) -> dict[str, Any]:
        call.journal.note("plan", target=5)
        call.warn("Mind the schema.")
        call.warn("Mind the schema.")
        return {"changed": False}

    perform(operation, call)
    assert [each["event"] for each in events(call)] == ["plan", "warning"]
    assert call.warnings == ["Mind the schema."]


def test_a_failure_is_the_records_last_line(call: Call) -> None:
    perform(raising(OperatorError(FAULTS)), call, (SECRET,))
    (line,) = events(call)
    assert line["event"] == "failed"
    assert line["data"]["reason"] == "paused"
    assert "pa55" not in json.dumps(line)


def test_a_result_that_failed_is_recorded_too(call: Call) -> None:
    perform(lambda _call: {"failed": True, "msg": "The rollout failed."}, call)
    assert events(call)[0]["data"] == {"reason": "", "message": "The rollout failed."}


def test_a_record_that_cannot_be_written_does_not_hide_the_failure(call: Call) -> None:
    with no_room():
        assert perform(raising(OperatorError(FAULTS)), call)["reason"] == "paused"
    assert "has a gap" in call.warnings[0]


def test_a_record_that_cannot_be_written_does_not_stop_the_work(call: Call) -> None:
    def operation(call: Call) -> dict[str, Any]:
        call.journal.note("write", revision=5)
        return {"changed": True}

    with no_room():
        assert perform(operation, call) == {"changed": True}
    assert len(call.warnings) == 1


@pytest.mark.parametrize(
    "run", [None, {}, {"id": "r1", "record": ""}, {"id": "r1", "record": "/no/such/folder"}], ids=str
)
def test_without_a_record_nothing_is_kept(run: dict[str, str] | None) -> None:
    assert perform(lambda call: {"journal": type(call.journal).__name__}, Call({"run": run})) == {
        "journal": "NoJournal"
    }
