# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logs of all pods, merged by time: they end, what is left out is said, and no secret is in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lab.cluster import Manifest
from tests.integration.harness.credentials import kubeconfig, service_account
from tests.integration.harness.ground import Ground
from tests.integration.harness.playing import ours, play
from tests.integration.harness.pressing import Pressed
from tests.integration.harness.services import Service, container

PASSWORD = "Tr0ub4dor-lives-here"
LAST_WORDS = "cannot go on: disk is full"
READ = ["get", "list", "watch"]
WITHOUT_LOGS = {"apps:deployments": READ, "apps:replicasets": READ, ":pods": READ}

#: Serves its probe, and logs: numbers for ever, a password with and without its URL, and what is hard to show.
TALKATIVE = """
require('http').createServer((_, answer) => answer.end('{}')).listen(3001)
const url = process.env.LEGACY
console.log(`connecting to ${url}`)
console.log(`ERROR bare ${new URL(url).password} refused`)
console.log('-----BEGIN PRIVATE KEY-----\\nMIICdwIBADANBg\\n-----END PRIVATE KEY-----')
process.stdout.write(Buffer.from([0x62, 0x69, 0x6e, 0xff, 0xfe, 0x0a]))
console.log('\\x1b[31mred\\x1b[0m \\x07bell')
console.log('long ' + 'y'.repeat(50000))
let number = 0
setInterval(() => console.log(`number ${number++}`), 100)
"""
DIES = f"console.log('{LAST_WORDS}'); setTimeout(() => process.exit(1), 300)"


def saying(script: str) -> Any:
    """A change that makes a service of this script, with a database URL from a Secret."""

    def change(manifest: Manifest) -> None:
        made = container(manifest["spec"]["template"])
        made["command"] = ["node", "-e", script]
        source = {"secretKeyRef": {"name": "vault", "key": "url"}}
        made["env"] = [*made.get("env", []), {"name": "LEGACY", "valueFrom": source}]

    return change


@pytest.fixture(scope="module")
def api(shared: Ground) -> Service:
    """Three pods that talk."""
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "vault"}}
    url = f"postgresql://app:{PASSWORD}@db:5432/app"
    shared.cluster.apply({**secret, "stringData": {"url": url}}, shared.namespace)
    return shared.service(["v1.2.1"], replicas=3, change=saying(TALKATIVE))


def read(ground: Ground, api: Service, folder: Path, **arguments: Any) -> Pressed:
    """One task that reads the service's logs."""
    named = {"namespace": "{{ kubernetes_namespace }}", "name": "{{ inventory_hostname }}", **arguments}
    return ground.press(play(folder / "logs.yml", ours("pod_logs", **named)), api)


def result(pressed: Pressed) -> dict[str, Any]:
    """What the task returned."""
    assert pressed.rc == 0, pressed.output
    return dict(pressed.results("pod_logs")[0])


def test_lines_of_all_pods_are_merged_by_time(shared: Ground, api: Service, tmp_path: Path) -> None:
    told = result(read(shared, api, tmp_path, pattern="^number "))
    pods = sorted(pod["metadata"]["name"] for pod in api.workload.pods)
    assert told["pods"] == pods
    assert told["verdict"]["status"] == "pass"
    times = [line["time"] for line in told["lines"]]
    assert times == sorted(times)
    for pod in pods:
        numbers = [int(line["text"].split()[1]) for line in told["lines"] if line["pod"] == pod]
        assert numbers == list(range(len(numbers)))
        assert len(numbers) > 1
    turns = sum(one["pod"] != other["pod"] for one, other in zip(told["lines"], told["lines"][1:], strict=False))
    assert turns > len(pods), "the pods' lines are not interleaved"


def test_the_button_shows_the_last_lines_and_keeps_all(shared: Ground, api: Service) -> None:
    with shared.audit.reading() as seen:
        pressed = shared.press("logs", api, since_minutes=30, show_lines=3)
    assert pressed.rc == 0, pressed.output
    assert seen.writes == []
    assert "of 3 pods, of the last 30 minutes" in pressed.closing()
    kept = (pressed.folder() / "evidence/logs/merged.log").read_text()
    told = pressed.results("pod_logs")[0]
    assert kept.count("\n") == len(told["lines"])
    shown = [line for line in pressed.output.splitlines() if line.startswith("api | 20") and " api: " in line]
    assert [line.removeprefix("api | ") for line in shown] == kept.splitlines()[-3:]
    assert "bin\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}\n" in kept
    assert "red \\x07bell" in kept
    assert "MIICdwIBADANBg" not in kept
    assert "[... 33621 more bytes]" in kept
    assert kept.count("ERROR bare [hidden] refused") == 3
    for everything in (kept, pressed.output, str(told), (pressed.folder() / "record.jsonl").read_text()):
        assert PASSWORD not in everything


def test_check_mode_reads_and_writes_nothing(shared: Ground, api: Service) -> None:
    with shared.audit.reading() as seen:
        pressed = shared.press("logs", api, options=["--check"], pattern="number [0-9]")
    assert pressed.rc == 0, pressed.output
    assert seen.requests
    assert seen.writes == []
    assert len(pressed.results("pod_logs")[0]["lines"]) > 1
    assert pressed.results("run_record")[0]["run"]["record"] == ""


def test_a_hidden_value_is_not_found_by_its_pattern(shared: Ground, api: Service, tmp_path: Path) -> None:
    told = result(read(shared, api, tmp_path, pattern=PASSWORD))
    assert told["lines"] == []


def test_bounds_are_said_and_the_newest_lines_stay(shared: Ground, api: Service, tmp_path: Path) -> None:
    whole = result(read(shared, api, tmp_path, pattern="number"))
    bounded = result(read(shared, api, tmp_path, pattern="number", total_bytes=1000))
    assert whole["truncated"] is False
    assert bounded["truncated"] is True
    assert "older lines, beyond total_bytes=1000" in bounded["msg"]
    assert sum(len(line["text"]) + 64 for line in bounded["lines"]) <= 1000
    assert bounded["lines"][-1]["time"] > whole["lines"][-1]["time"]
    few = result(read(shared, api, tmp_path, lines=2, since_seconds=600))
    assert len(few["lines"]) == 6
    assert "before the last 2 of" in few["left_out"][0]


def test_one_pod_since_a_time(shared: Ground, api: Service, tmp_path: Path) -> None:
    pod = api.workload.pods[0]["metadata"]["name"]
    first = result(read(shared, api, tmp_path, pod=pod, pattern="^number"))
    middle = first["lines"][len(first["lines"]) // 2]["time"]
    since = f"{middle[:19]}Z"
    later = result(read(shared, api, tmp_path, pod=pod, since_time=since))
    assert {line["pod"] for line in later["lines"]} == {pod}
    assert min(line["time"] for line in later["lines"]) >= since[:19]
    assert later["lines"][0]["text"] != "number 0"


def test_what_a_container_said_before_it_crashed(shared: Ground, tmp_path: Path) -> None:
    crashing = shared.service(["v1.2.1"], "crashing", change=saying(DIES), wait=False)
    workload = crashing.workload

    def waits() -> bool:  # ten seconds and more, from the second crash on
        states = [each for pod in workload.pods for each in pod["status"].get("containerStatuses", [])]
        return any(each["restartCount"] and "waiting" in each["state"] for each in states)

    shared.cluster.until(waits, lambda: "the container did not restart", 60)
    told = result(read(shared, crashing, tmp_path, previous=True))
    assert [(line["text"], line["previous"]) for line in told["lines"]] == [(LAST_WORDS, True)]
    assert told["unread"] == []
    assert not [line for line in result(read(shared, crashing, tmp_path))["lines"] if line["previous"]]


def test_a_pod_without_a_log_yet_is_no_fault(shared: Ground, tmp_path: Path) -> None:
    waiting = shared.service(["v9.9.9"], "waiting", wait=False)
    shared.cluster.until(lambda: bool(waiting.workload.pods), lambda: "no pod", 60)
    told = result(read(shared, waiting, tmp_path))
    assert told["lines"] == []
    assert told["verdict"]["status"] == "pass"
    assert [each["waiting"] for each in told["unread"]] == [True]


def test_all_that_is_wrong_is_said_at_once(shared: Ground, api: Service, tmp_path: Path) -> None:
    said = read(shared, api, tmp_path, pattern="(", since_time="yesterday", lines=0).failure()
    assert "The pattern ( is no regular expression" in said
    assert "since_time is yesterday" in said
    assert "lines is 0" in said
    assert "has no container web; it has api" in read(shared, api, tmp_path, container="web").failure()


def test_a_missing_right_is_named(shared: Ground, api: Service, tmp_path: Path) -> None:
    token = service_account(shared.cluster, shared.namespace, "deaf", WITHOUT_LOGS)
    path = kubeconfig(shared.cluster.lab, tmp_path / "kubeconfig", token=token)
    pressed = shared.press("logs", api.having(kubernetes_kubeconfig=str(path)))
    assert pressed.rc != 0
    assert "may not get pods/log" in pressed.closing()
