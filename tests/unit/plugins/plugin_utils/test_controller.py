# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a module runs: where it runs a module, with which arguments, and what it lets out."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task
from ansible.plugins.loader import get_shell_plugin
from ansible.template import Templar

from ansible_collections.linkops.runbooks.plugins.action.run_record import ActionModule
from ansible_collections.linkops.runbooks.plugins.modules.run_record import MODULE
from ansible_collections.linkops.runbooks.plugins.plugin_utils import controller
from ansible_collections.linkops.runbooks.plugins.plugin_utils.controller import ControllerCall

SECRET = "hunter22"
OPENED = {
    "button": "rollback",
    "service": "servicelink-api",
    "system": "servicelink",
    "environment_name": "lab",
    "cluster": "lab",
    "namespace": "servicelink-production",
    "api_key": SECRET,
}


def action(args: dict[str, Any], transport: str = "local", **keywords: Any) -> ActionModule:
    """The action for one task on a connection."""
    loader = DataLoader()
    task = Task()
    settings = {"action": "linkops.runbooks.run_record", "args": args, "check_mode": True, **keywords}
    for keyword, value in settings.items():
        setattr(task, keyword, value)
    return ActionModule(
        task=task,
        connection=SimpleNamespace(transport=transport, become=None, _shell=get_shell_plugin(shell_type="sh")),
        play_context=PlayContext(),
        loader=loader,
        templar=Templar(loader=loader),
        shared_loader_obj=None,
    )


@pytest.mark.parametrize(
    ("case", "variables", "why"),
    [
        pytest.param({}, {}, "", id="local"),
        pytest.param({}, {"ansible_python_interpreter": "auto_silent"}, "", id="whichever interpreter"),
        pytest.param(
            {},
            {"ansible_python_interpreter": "/venv/python", "ansible_playbook_python": "/venv/python"},
            "",
            id="its own",
        ),
        pytest.param(
            {},
            {"ansible_python_interpreter": "/usr/bin/python3", "ansible_playbook_python": "/venv/python"},
            "the interpreter is /usr/bin/python3",
            id="another interpreter",
        ),
        pytest.param({"transport": "ssh"}, {}, "the connection is ssh", id="another machine"),
        pytest.param({"async_val": 60}, {}, "the task is asynchronous", id="asynchronous"),
    ],
)
def test_where_it_runs(case: dict[str, Any], variables: dict[str, str], why: str) -> None:
    assert action(OPENED, **case)._why_elsewhere(variables) == why


def test_another_user_is_a_reason_to_run_as_a_module() -> None:
    mine = action(OPENED)
    mine._play_context.become = True
    assert mine._why_elsewhere({}) == "the task becomes another user"


def test_a_controller_without_the_library_runs_the_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ActionModule, "missing", "No module named kubernetes")
    assert "cannot import kubernetes" in action(OPENED)._why_elsewhere({})


def test_runs_the_operation_and_hides_what_is_secret(capsys: pytest.CaptureFixture[str]) -> None:
    result = action({**OPENED, "reason": f"key {SECRET}"}).run(task_vars={"inventory_hostname": "servicelink-api"})
    assert result["run"]["button"] == "rollback"
    assert not result["changed"]
    assert result["invocation"]["module_args"]["state"] == "opened"
    assert SECRET not in str(result)
    assert "servicelink-api | rollback of servicelink-api | environment lab, cluster lab" in capsys.readouterr().out


def test_a_delegated_task_says_where_it_works(capsys: pytest.CaptureFixture[str]) -> None:
    action(OPENED, delegate_to="bastion").run(task_vars={"inventory_hostname": "servicelink-api"})
    assert capsys.readouterr().out.startswith("servicelink-api -> bastion | ")


def test_a_task_with_no_log_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    action(OPENED, no_log=True).run(task_vars={"inventory_hostname": "servicelink-api"})
    assert capsys.readouterr().out == ""


def test_a_refusal_is_a_result(tmp_path: Path) -> None:
    args = {**OPENED, "mandatory": {"cluster_uid": ""}, "directory": str(tmp_path)}
    result = action(args, check_mode=False).run(task_vars={})
    assert result["failed"]
    assert result["reason"] == "inventory_incomplete"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("args", "told"),
    [
        ({**OPENED, "revison": "5"}, "Unsupported parameters for (linkops.runbooks.run_record) module: revison"),
        ({**OPENED, "state": "ajar"}, "value of state must be one of"),
        ({"button": "rollback"}, "missing"),
        ({**OPENED, "facts": f"{SECRET}"}, "facts"),
    ],
    ids=["unsupported", "choice", "required", "type"],
)
def test_wrong_arguments_are_named_without_a_secret(args: dict[str, Any], told: str) -> None:
    with pytest.raises(AnsibleActionFail) as fault:
        action(args).run(task_vars={})
    assert told in str(fault.value)
    assert SECRET not in str(fault.value)


@pytest.mark.parametrize(
    ("given", "environment", "used"),
    [
        pytest.param({}, {}, None, id="nothing"),
        pytest.param({}, {"K8S_AUTH_HOST": "https://awx"}, "https://awx", id="from the environment"),
        pytest.param({"host": "https://mine"}, {"K8S_AUTH_HOST": "https://awx"}, "https://mine", id="the task's own"),
        pytest.param({"host": None}, {"K8S_AUTH_HOST": "https://awx"}, "https://awx", id="omitted"),
        pytest.param({}, {"K8S_AUTH_HOST": ""}, None, id="set to nothing"),
    ],
)
def test_options_that_come_from_the_environment(
    given: dict[str, Any], environment: dict[str, str], used: str | None
) -> None:
    arguments = dict(given)
    controller._from_environment(arguments, MODULE, environment)
    assert arguments.get("host") == used


def test_the_tasks_environment_comes_before_the_processs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("K8S_AUTH_HOST", "https://of-the-process")
    monkeypatch.setenv("K8S_AUTH_CONTEXT", "of-the-process")
    mine = action(OPENED, environment=[{"K8S_AUTH_HOST": "https://of-the-task"}])
    params = mine.run(task_vars={})["invocation"]["module_args"]
    assert (params["host"], params["context"]) == ("https://of-the-task", "of-the-process")


def test_a_terminal_that_is_gone_does_not_stop_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(_line: str) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(controller.display, "display", gone)
    call = ControllerCall({})
    call.say("1 of 3 updated")
    assert call.silent


def test_progress_hides_what_looks_like_a_secret(capsys: pytest.CaptureFixture[str]) -> None:
    call = ControllerCall({})
    call.host, call.secrets = "api", ("k3ym4st3r",)
    call.say("redis://:hunter22@cache refuses k3ym4st3r")
    assert capsys.readouterr().out == "api | redis://:[hidden]@cache refuses [hidden]\n"
