# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every module runs in the controller, as a real module and asynchronously, and its results are the same."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.harness.playing import ours, play
from tests.integration.harness.pressing import Press, Pressed
from tests.integration.harness.services import Service, Services

HERE, THERE, LATER = "api-controller", "api-interpreter", "api-background"
#: What differs between two runs of the same thing, and what Ansible itself adds to an asynchronous result.
OF_THE_WAY = ("invocation", "ansible_job_id", "results_file", "started", "finished", "stdout", "stderr", "_ansible")
OF_THE_MOMENT = {
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)": "TIME",
    r"\d{8}T\d{6}-[0-9a-f]{6}": "RUN",
    r"\bapi-[a-z0-9]{6,10}\b(-[a-z0-9]{5})?\b": "OBJECT",
    r"\b[0-9a-f]{64}\b": "HASH",
    r"head [0-9a-f]{12}": "head HASH",
    r"\d+\.\d+ s\b": "SECONDS",
    r'"seconds": \d+\.\d+': '"seconds": 0',
    r'"milliseconds": \d+': '"milliseconds": 0',
    r"\b\d+ ms\b": "TIME",
}


def on_workload(module: str, _more: dict[str, Any] | None = None, **options: Any) -> dict[str, Any]:
    """A task on the host's own workload, within the run."""
    where = {"namespace": "{{ kubernetes_namespace }}", "name": "{{ inventory_hostname }}"}
    return ours(module, _more, **where, run="{{ locked.run }}", **options)


def everything(records: Path) -> list[dict[str, Any]]:
    """A button's worth of tasks: each module, what changes, what stays, and what is refused."""
    failing = {"ignore_errors": True}
    health = {"endpoint": {"port": "{{ service_port }}", "expect": "{{ health_expect }}"}, "settle_seconds": 10}
    return [
        ours(
            "run_record", {"register": "opened"}, button="parity", service="{{ inventory_hostname }}",
            system="servicelink", environment_name="lab", cluster="lab", namespace="{{ kubernetes_namespace }}",
            operator="ada", reason="parity", directory=str(records),
        ),
        ours(
            "service_lock", {"register": "locked"}, namespace="{{ kubernetes_namespace }}",
            things=["{{ inventory_hostname }}"], run="{{ opened.run }}",
        ),
        on_workload("workload_info"),
        on_workload("pod_exec", {"check_mode": True}, pods="all", command=["node", "--version"]),
        on_workload("pod_exec", pods="one", command=["node", "-e", "console.log('a b'); process.exit(3)"]),
        on_workload("pod_logs", pattern="listening"),
        on_workload("workload_rollback", {"check_mode": True, "diff": True}, revision=1),
        on_workload("workload_rollback", revision=1),
        on_workload("workload_rollback", revision=1, prechecks=False),
        on_workload("workload_configure", {"check_mode": True, "diff": True}, memory_limit="512Mi"),
        on_workload("workload_configure", failing, memory_limit="2GB", environment={"API_TOKEN": "never shown"}),
        on_workload("service_health", **health),
        on_workload("workload_mark", good="active", reason="parity"),
        on_workload("workload_mark", good="active", reason="parity", migration=""),
        on_workload("workload_restart", {"check_mode": True}, key="INC-1"),
        on_workload("workload_rollback", failing, revision="latest"),
        on_workload("workload_restart", failing, key="", not_before="soon", method="evict"),
        on_workload("workload_rollback", failing, revision=77, image=""),
        on_workload("pod_exec", failing, pods="one", command=[], timeout_seconds=0),
        on_workload("pod_exec", failing, command=["node"]),
        on_workload("pod_logs", failing, pattern="(", lines=0),
        on_workload("workload_mark", failing),
        on_workload("workload_info", failing, nonsense=1),
        ours("workload_info", failing, namespace="{{ kubernetes_namespace }}"),
        ours("workload_info", failing, namespace="{{ kubernetes_namespace }}", name="nobody"),
        ours(
            "service_lock", state="released", namespace="{{ kubernetes_namespace }}",
            things=["{{ inventory_hostname }}"], run="{{ locked.run }}",
        ),
        ours("run_record", state="closed", run="{{ opened.run }}", status="pass", sentence="It is all the same"),
    ]  # fmt: skip


@pytest.fixture
def ways(service: Services, tmp_path: Path) -> list[Service]:
    """Three services alike: one for each way that a module may run.

    Ansible writes what an asynchronous module says below the home of the account, and looks for it below $HOME.
    """
    interpreter = next(each for each in Path(sys.executable).parent.glob("python*") if str(each) != sys.executable)
    here, there, later = (service(["v1.2.0", "v1.2.1"], name, wait=False) for name in (HERE, THERE, LATER))
    for each in (here, there, later):
        each.workload.wait_ready()
    return [
        here,
        there.having(ansible_python_interpreter=str(interpreter)),
        later.having(patience=60, ansible_async_dir=str(tmp_path)),
    ]


def told(pressed: Pressed, service: str) -> list[dict[str, Any]]:
    """The results of all tasks on a host, without what belongs to the way or the moment."""
    tasks = [task for task in pressed.tasks if task.host == service]
    return [{"task": task.name, "state": task.state, **bare(task.result)} for task in tasks]


def bare(result: dict[str, Any]) -> dict[str, Any]:
    """One result without what differs from run to run."""
    kept = {key: value for key, value in result.items() if not key.startswith(OF_THE_WAY)}
    if "rollout" in kept:
        kept["rollout"] = {k: v for k, v in kept["rollout"].items() if k not in ("timeline", "terminating")}
    text = json.dumps(kept, sort_keys=True)
    for name in (HERE, THERE, LATER):
        text = text.replace(name, "api")
    for pattern, instead in OF_THE_MOMENT.items():
        text = re.sub(pattern, instead, text)
    found: dict[str, Any] = json.loads(text)
    return found


def test_each_way_gives_the_same_results(press: Press, ways: list[Service], tmp_path: Path) -> None:
    """Task by task, failures included."""
    tasks = everything(tmp_path / "parity")
    pressed = press(play(tmp_path / "parity.yml", *tasks), *ways, options=["-vv"])
    assert pressed.rc == 0, pressed.output
    here, there, later = (told(pressed, service.name) for service in ways)
    assert len(here) == len(tasks)
    assert [each["state"] == "failed" for each in here] == ["ignore_errors" in task for task in tasks]
    for mine, module, background in zip(here, there, later, strict=True):
        assert module == mine
        assert background == mine
    assert "runs as a module: the interpreter is" in pressed.output
    assert "runs as a module: the task is asynchronous" in pressed.output


def test_what_only_looks_gives_the_same_results(press: Press, ways: list[Service], tmp_path: Path) -> None:
    """The modules behind the health page; a name that Ansible keeps for itself would show here."""
    says = "console.log(JSON.stringify({ok: false, code: 'ECONNREFUSED'}))"
    page = [{"line": "pods", "status": "pass", "reason": "2 of 2 ready"}]
    checks: dict[str, Any] = {"workload_environment": {}, "service_path": {}}
    tasks = [
        on_workload("service_path"),
        on_workload("workload_environment"),
        on_workload("pod_probe", command=["node", "-e", says], timeout_seconds=30),
        on_workload("service_checkup", checks=checks),
        on_workload("service_checkup", {"ignore_errors": True}, checks={"weather": {}}),
        ours("health_page", lines=page),
    ]
    pressed = press(play(tmp_path / "looking.yml", *tasks, vars={"locked": {"run": {}}}), *ways)
    here, there, later = (told(pressed, service.name) for service in ways)
    assert [each["state"] for each in here] == ["ok"] * 4 + ["failed", "ok"], pressed.output
    assert there == here
    assert later == here


def test_progress_is_shown_where_the_terminal_is(press: Press, ways: list[Service], tmp_path: Path) -> None:
    """In the controller each line names its host; a delegated task names where it went as well."""
    here, there, _later = ways
    locked = {"vars": {"locked": {"run": {}}}}
    task = on_workload("workload_rollback", {"check_mode": True}, revision=1)
    delegated = {**task, "delegate_to": "localhost"}
    shown = press(play(tmp_path / "shown.yml", task, delegated, **locked), here)
    hidden = press(play(tmp_path / "hidden.yml", {**task, "no_log": True}, **locked), here)
    module = press(play(tmp_path / "module.yml", task, **locked), there)
    assert {shown.rc, hidden.rc, module.rc} == {0}
    assert re.search(rf"^{HERE} \| .*servicelink/api:v1.2.0", shown.output, re.MULTILINE)
    assert re.search(rf"^{HERE} -> localhost \| .*servicelink/api:v1.2.0", shown.output, re.MULTILINE)
    for silent in (hidden, module):
        assert " | " not in silent.output
    assert "v1.2.0" not in hidden.output


def test_options_that_do_not_exist_are_named_with_those_that_do(
    press: Press, ways: list[Service], tmp_path: Path
) -> None:
    """One sentence, which names the module as the task does."""
    here = ways[0]
    task = ours("workload_info", namespace="{{ kubernetes_namespace }}", name="api", revison=5)
    pressed = press(play(tmp_path / "unknown.yml", task), here)
    assert pressed.rc != 0
    assert "linkops.runbooks.workload_info" in pressed.failure()
    assert "revison" in pressed.failure()
    assert "kubeconfig" in pressed.failure()
