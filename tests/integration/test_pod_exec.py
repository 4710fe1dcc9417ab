# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands in pods: no shell, bounded in time and memory, each pod named, nothing in check mode, no secret shown."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client import ApiClient, Configuration

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.client import ApiFault
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.client import Cluster as Client
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.connection import connect
from ansible_collections.linkops.runbooks.plugins.module_utils.deadline import Deadline
from lab.cluster import Manifest
from tests.integration.harness.credentials import kubeconfig, service_account
from tests.integration.harness.ground import Ground
from tests.integration.harness.playing import ours, play
from tests.integration.harness.pressing import Pressed
from tests.integration.harness.services import Service, container

PASSWORD = "Tr0ub4dor-lives-here"
EXEC = {"subresource": "exec"}
READ = ["get", "list", "watch"]
WITHOUT_EXEC = {"apps:deployments": READ, "apps:replicasets": READ, ":pods": READ}
FLOOD = "const line = 'x'.repeat(65536); const on = () => process.stdout.write(line, on); on()"


def plant(manifest: Manifest) -> None:
    """A database URL from a Secret, as services have it."""
    made = container(manifest["spec"]["template"])
    source = {"secretKeyRef": {"name": "vault", "key": "url"}}
    made["env"] = [*made.get("env", []), {"name": "LEGACY", "valueFrom": source}]


def with_sidecar(manifest: Manifest) -> None:
    """A second container that does nothing; neither is the default."""
    spec = manifest["spec"]["template"]["spec"]
    idle = {
        "name": "idle",
        "image": spec["containers"][0]["image"],
        "command": ["node", "-e", "setInterval(()=>{},9e9)"],
    }
    spec["containers"].append({**idle, "imagePullPolicy": "Never"})


@pytest.fixture(scope="module")
def api(shared: Ground) -> Service:
    """Two pods that know a password."""
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "vault"}}
    url = f"postgresql://app:{PASSWORD}@db:5432/app"
    shared.cluster.apply({**secret, "stringData": {"url": url}}, shared.namespace)
    return shared.service(["v1.2.1"], replicas=2, change=plant)


def run(ground: Ground, api: Service, folder: Path, *, options: tuple[str, ...] = (), **arguments: Any) -> Pressed:
    """One task that runs a command in the service's pods."""
    named = {"namespace": "{{ kubernetes_namespace }}", "name": "{{ inventory_hostname }}", **arguments}
    if "pod" not in named:
        named.setdefault("pods", "one")
    return ground.press(play(folder / "exec.yml", ours("pod_exec", **named)), api, options=options)


def answer(pressed: Pressed) -> dict[str, Any]:
    """The answer of the one pod that was asked."""
    assert pressed.rc == 0, pressed.output
    (result,) = pressed.results("pod_exec")[0]["results"]
    return dict(result)


def test_arguments_arrive_as_they_stand(shared: Ground, api: Service, tmp_path: Path) -> None:
    words = ["a  b", 'it\'s "quoted"', "$(touch /tmp/x)", "; exit 9", "`id`", "$HOME", "*", "", "two\nlines", "ü&=%20"]
    script = "console.log(JSON.stringify(process.argv.slice(1)))"
    told = answer(run(shared, api, tmp_path, command=["node", "-e", script, "--", *words]))
    assert json.loads(told["stdout"]) == words
    assert (told["rc"], told["status"], told["truncated"]) == (0, "pass", False)


@pytest.mark.parametrize(
    ("command", "code", "status", "words"),
    [
        (["node", "-e", "console.error('no such table'); process.exit(1)"], 1, "fail", "exit code 1: no such table"),
        (["node", "-e", "process.exit(127)"], 127, "fail", "exit code 127"),
        (["no-such-command"], None, "fail", "executable file not found"),
        (["node", "-e", "console.log('begun'); setInterval(() => {}, 1000)"], None, "unknown", "within 3 s"),
    ],
    ids=["rc-1", "rc-127", "not-found", "sleeps"],
)
def test_how_a_command_ends(
    shared: Ground, api: Service, tmp_path: Path, command: list[str], code: int | None, status: str, words: str
) -> None:
    pressed = run(shared, api, tmp_path, command=command, timeout_seconds=3)
    told = answer(pressed)
    assert told["rc"] == code
    assert told["status"] == status
    assert words in told["reason"]
    result = pressed.results("pod_exec")[0]
    assert result["verdict"]["status"] == status
    assert f"pod {told['pod']}: " in result["msg"]
    if words == "within 3 s":
        assert told["stdout"] == "begun\n"
        assert 3 <= told["seconds"] < 30


def test_a_flood_is_bounded_in_memory_and_in_time(shared: Ground, api: Service) -> None:
    client = Client(*connect({"kubeconfig": str(shared.cluster.lab.kubeconfig)}, {}))
    pod = api.workload.pods[0]["metadata"]["name"]
    tracemalloc.start()
    try:
        finite = client.executed(
            api.namespace, pod, "api", ["node", "-e", "process.stdout.write('x'.repeat(5e6))"], Deadline(60), 1000,
            threading.Event(),
        )  # fmt: skip
        endless = client.executed(
            api.namespace, pod, "api", ["node", "-e", FLOOD], Deadline(3), 1000, threading.Event()
        )
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (finite.stdout.total, finite.stdout.left_out, finite.lost == "") == (5_000_000, 4_999_000, False)
    assert b"Success" in finite.status
    assert finite.stdout.text() == "x" * 1000
    assert endless.stdout.total > 5_000_000
    assert "did not finish within 3 s" in endless.lost
    assert peak < 5_000_000


def test_what_is_left_out_is_said(shared: Ground, api: Service, tmp_path: Path) -> None:
    pressed = run(
        shared, api, tmp_path, command=["node", "-e", "process.stdout.write('x'.repeat(5e6))"], output_bytes=500
    )
    told = answer(pressed)
    assert (told["truncated"], told["left_out_bytes"], told["stdout"]) == (True, 4_999_500, "x" * 500)
    assert "4999500 bytes of output are left out" in pressed.results("pod_exec")[0]["msg"]


def test_all_pods_or_the_oldest(shared: Ground, api: Service, tmp_path: Path) -> None:
    pods = sorted(api.workload.pods, key=lambda pod: (pod["metadata"]["creationTimestamp"], pod["metadata"]["name"]))
    names = [pod["metadata"]["name"] for pod in pods]
    script = ["node", "-p", "os.hostname()"]
    every = run(shared, api, tmp_path, command=script, pods="all").results("pod_exec")[0]
    assert [each["pod"] for each in every["results"]] == sorted(names)
    assert [each["stdout"].strip() for each in every["results"]] == sorted(names)
    assert every["changed"] is True
    one = run(shared, api, tmp_path, command=script, read_only=True).results("pod_exec")[0]
    assert [each["stdout"].strip() for each in one["results"]] == names[:1]
    assert one["changed"] is False


def test_check_mode_runs_nothing(shared: Ground, api: Service, tmp_path: Path) -> None:
    with shared.audit.reading() as seen:
        checked = run(shared, api, tmp_path, command=["node", "-v"], pods="all", options=("--check",))
    result = checked.results("pod_exec")[0]
    assert checked.rc == 0, checked.output
    assert seen.requests
    assert [event for event in seen.requests if EXEC.items() <= event["objectRef"].items()] == []
    assert seen.writes == []
    assert result["results"] == []
    assert len(result["where"]) == 2
    assert result["msg"].endswith("nothing ran")
    with shared.audit.reading() as seen:
        assert run(shared, api, tmp_path, command=["node", "-v"], pods="all").rc == 0
    asked = [event for event in seen.requests if EXEC.items() <= event["objectRef"].items()]
    assert len({event["objectRef"]["name"] for event in asked}) == 2


def test_a_secret_is_shown_nowhere(shared: Ground, api: Service, tmp_path: Path) -> None:
    script = "console.log(process.env.LEGACY, new URL(process.env.LEGACY).password); console.error(process.env.LEGACY)"
    command = ["node", "-e", f"{script}; process.exit(1)"]
    opened = ours(
        "run_record", {"register": "opened"}, button="exec", service="api", system="servicelink",
        environment_name="lab", cluster="lab", namespace=api.namespace, directory=str(tmp_path / "kept"),
    )  # fmt: skip
    asking = ours(
        "pod_exec", {"register": "asked"}, namespace=api.namespace, name=api.name, pods="all", command=command,
        run="{{ opened.run }}",
    )  # fmt: skip
    path = play(tmp_path / "canary.yml", opened, asking, {"ansible.builtin.debug": {"var": "asked"}})
    pressed = shared.press(path, api, options=["-vvv"])
    kept = "".join(each.read_text() for each in (tmp_path / "kept").rglob("*") if each.is_file())
    told = pressed.results("pod_exec")[0]["results"]
    assert [each["stdout"].count("[hidden]") >= 2 for each in told] == [True, True], told
    assert '"event":"exec_ended"' in kept
    assert PASSWORD not in kept
    assert PASSWORD not in pressed.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"pod": "api-nobody"}, "Deployment api has no pod api-nobody; it has api-"),
        ({"container": "sidecar"}, "has no container sidecar; it has api"),
        ({"command": [], "timeout_seconds": 0}, "The command names no program"),
        ({"pod": "x", "pods": "one"}, "mutually exclusive"),
    ],
    ids=["pod", "container", "command", "both"],
)
def test_what_cannot_be_meant_is_refused(
    shared: Ground, api: Service, tmp_path: Path, arguments: dict[str, Any], words: str
) -> None:
    pressed = run(shared, api, tmp_path, **{"command": ["node", "-v"], **arguments})
    assert pressed.rc != 0
    assert words in pressed.failure()


def test_several_containers_must_be_told_apart(shared: Ground, tmp_path: Path) -> None:
    double = shared.service(["v1.2.1"], "double", change=with_sidecar)
    refused = run(shared, double, tmp_path, command=["node", "-v"])
    assert "several containers: api, idle" in refused.failure()
    named = run(shared, double, tmp_path, command=["node", "-v"], container="idle")
    assert answer(named)["container"] == "idle"
    annotation = {"kubectl.kubernetes.io/default-container": "api"}
    for pod in double.workload.pods:
        shared.cluster.patch(
            "Pod", double.namespace, pod["metadata"]["name"], {"metadata": {"annotations": annotation}}
        )
    assert answer(run(shared, double, tmp_path, command=["node", "-v"]))["container"] == "api"


def test_a_missing_right_is_named_before_anything_runs(shared: Ground, api: Service, tmp_path: Path) -> None:
    token = service_account(shared.cluster, shared.namespace, "reader", WITHOUT_EXEC)
    path = kubeconfig(shared.cluster.lab, tmp_path / "kubeconfig", token=token)
    pressed = run(shared, api.having(kubernetes_kubeconfig=str(path)), tmp_path, command=["node", "-v"])
    assert pressed.rc != 0
    assert "may not get pods/exec, create pods/exec" in pressed.failure()


def test_a_pod_that_dies_meanwhile_is_a_sentence(shared: Ground, tmp_path: Path) -> None:
    dying = shared.service(["v1.2.1"], "dying")
    (pod,) = dying.workload.pods
    arguments = {"command": ["node", "-e", "console.log('begun'); setInterval(() => {}, 1000)"], "pods": "one"}
    named = {"namespace": dying.namespace, "name": dying.name, **arguments, "timeout_seconds": 60}
    running = shared.press.start(play(tmp_path / "exec.yml", ours("pod_exec", **named)), dying)
    running.until("| exec: ", 60)
    threading.Event().wait(2)
    path = f"/api/v1/namespaces/{dying.namespace}/pods/{pod['metadata']['name']}"
    shared.cluster.request("DELETE", path, {"gracePeriodSeconds": 1})
    pressed = running.wait()
    told = answer(pressed)
    assert told["status"] != "pass"
    assert told["seconds"] < 60
    assert told["reason"]


def test_a_signal_ends_it_at_once(shared: Ground, api: Service, tmp_path: Path) -> None:
    endless = ["node", "-e", "setInterval(() => {}, 1000)"]
    named = {"namespace": api.namespace, "name": api.name, "pods": "all", "command": endless, "timeout_seconds": 200}
    running = shared.press.start(play(tmp_path / "exec.yml", ours("pod_exec", **named)), api)
    running.until("| exec: ", 60)
    threading.Event().wait(2)
    running.signal(signal.SIGTERM)
    assert running.wait(60).rc != 0


@contextlib.contextmanager
def listening(answer: bytes) -> Iterator[tuple[Any, list[bytes]]]:
    """An API client of a server that gives this answer, and then nothing more; and what it was asked."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection = server.accept()[0]
                    asked.append(connection.recv(65536))
                    connection.sendall(answer)
                    asked.append(connection.recv(65536))  # until the client goes

        threading.Thread(target=serve, daemon=True).start()
        configuration = Configuration(host=f"http://127.0.0.1:{server.getsockname()[1]}")
        configuration.api_key = {"authorization": "Bearer of-this-address-alone"}
        yield Client(ApiClient(configuration), "elsewhere"), asked


def test_a_server_that_is_silent_does_not_hold_the_run() -> None:
    with listening(b"") as (client, asked):
        ending = client.executed("default", "pod", "api", ["true"], Deadline(1), 1000, threading.Event())
    assert "may have run" in ending.lost
    assert ending.status == b""
    assert b"User-Agent: linkops.runbooks" in asked[0]


def test_a_redirect_does_not_get_the_credentials() -> None:
    with listening(b"") as (other, elsewhere):
        moved = f"HTTP/1.1 302 Found\r\nLocation: {other.host}/\r\nContent-Length: 0\r\n\r\n".encode()
        with listening(moved) as (client, asked):
            ending = client.executed("default", "pod", "api", ["true"], Deadline(5), 1000, threading.Event())
        assert b"of-this-address-alone" in asked[0]
        assert elsewhere == []
    assert ending.lost


def test_what_the_api_server_refuses_is_told_in_its_words() -> None:
    with (
        listening(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 4\r\n\r\noops") as (client, _asked),
        pytest.raises(ApiFault, match=r"answered 500 to GET .*/exec: oops"),
    ):
        client.executed("default", "pod", "api", ["true"], Deadline(5), 1000, threading.Event())
