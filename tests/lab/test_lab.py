# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab as its users meet it: healthy, quick to confirm, repaired after a kill, adopted by another checkout."""

from __future__ import annotations

import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest
import redis

from lab import component, plan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.site import Lab

pytestmark = pytest.mark.lab

CHECKOUT = Path(__file__).parents[2]
ABSENT_IMAGE = "servicelink/api:v9.9.9"


def run(*verb: str, checkout: Path = CHECKOUT) -> subprocess.CompletedProcess[str]:
    """Run a verb of the lab from a checkout."""
    return subprocess.run(
        (sys.executable, "-m", "lab", *verb), cwd=checkout, capture_output=True, text=True, check=False
    )


def pids(lab: Lab) -> dict[str, int | None]:
    """The pid of every component."""
    return {name: component.pid_of(lab, name) for name in plan.COMPONENTS}


def kubectl(lab: Lab, *arguments: str) -> str:
    """What kubectl answers, with the administrator's kubeconfig."""
    asked = (str(lab.kubectl), f"--kubeconfig={lab.kubeconfig}", *arguments)
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout


def eventually(ask: Any, seconds: float = 60) -> Any:
    """The first answer of ``ask`` that is true, or its last one."""
    deadline = time.monotonic() + seconds
    while not (answer := ask()) and time.monotonic() < deadline:
        time.sleep(0.2)
    return answer


@pytest.fixture(autouse=True)
def healthy_again() -> Iterator[None]:
    """Whatever a test breaks is whole for the next one."""
    yield
    repaired = run("up")
    assert repaired.returncode == 0, repaired.stderr


def test_every_component_is_healthy(lab: Lab) -> None:
    status = run("status")
    lines = {line.split()[0]: line for line in status.stdout.splitlines()}
    assert status.returncode == 0, status.stdout
    assert lines.keys() >= plan.COMPONENTS.keys()
    for name, pid in pids(lab).items():
        assert lines[name].split() == [name, str(pid), "healthy"]


def test_a_second_up_restarts_nothing(lab: Lab) -> None:
    before = pids(lab)
    again = run("up")
    assert again.returncode == 0, again.stderr
    assert pids(lab) == before
    assert None not in before.values()


@pytest.mark.parametrize("name", plan.COMPONENTS)
def test_a_killed_component_is_reported_and_brought_back(lab: Lab, name: str) -> None:
    before = pids(lab)
    os.kill(before[name] or 0, signal.SIGKILL)
    assert eventually(lambda: component.pid_of(lab, name) is None)
    status = run("status")
    assert status.returncode == 1
    assert f"{name} " in status.stdout
    assert "is not running" in status.stdout

    repaired = run("up")

    assert repaired.returncode == 0, repaired.stderr
    after = pids(lab)
    assert after[name] not in (None, before[name])
    assert {other: pid for other, pid in after.items() if other != name} == {
        other: pid for other, pid in before.items() if other != name
    }


def test_pods_outlive_containerd_and_kubelet(lab: Lab) -> None:
    def running() -> dict[str, str]:
        every = json.loads(kubectl(lab, "get", "pods", "-n", "servicelink-production", "-o", "json"))["items"]
        states = (state for pod in every for state in pod["status"].get("containerStatuses", []))
        return {state["containerID"]: state["state"]["running"]["startedAt"] for state in states if state["ready"]}

    before = running()
    assert before
    for name in ("containerd", "kubelet"):
        os.kill(component.pid_of(lab, name) or 0, signal.SIGKILL)
    assert run("up").returncode == 0
    assert eventually(lambda: before.items() <= running().items())


@pytest.mark.parametrize("delay", [0.1, 0.3, 0.5, 0.8, 1.5])
def test_up_that_is_killed_is_continued_by_the_next(lab: Lab, delay: float) -> None:
    for name in ("redis", "postgres", "kube-scheduler", "containerd", "kube-proxy"):
        os.kill(component.pid_of(lab, name) or 0, signal.SIGKILL)
    with subprocess.Popen(
        (sys.executable, "-m", "lab", "up"), cwd=CHECKOUT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as interrupted:
        time.sleep(delay)  # the point at which it is killed; any will do
        interrupted.kill()
    repaired = run("up")
    assert repaired.returncode == 0, repaired.stderr
    assert run("status").returncode == 0


def test_two_at_once_do_not_fight(lab: Lab) -> None:
    os.kill(component.pid_of(lab, "redis") or 0, signal.SIGKILL)
    command = (sys.executable, "-m", "lab", "up")
    both = [subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum("redis: started" in output for output in outputs) == 1


def test_another_checkout_adopts_the_lab_and_restarts_only_what_differs(lab: Lab, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    shutil.copytree(CHECKOUT / "lab", clone / "lab", ignore=shutil.ignore_patterns("__pycache__"))
    stores = clone / "lab" / "stores.py"
    stores.write_text(stores.read_text().replace('"maxmemory": "256mb"', '"maxmemory": "257mb"'))
    before = pids(lab)

    adopted = run("up", checkout=clone)

    assert adopted.returncode == 0, adopted.stderr
    after = pids(lab)
    assert [name for name in before if before[name] != after[name]] == ["redis"]
    assert "as another checkout defines it" in run("status").stdout
    shutil.rmtree(clone)
    assert run("status").returncode == 0, "nothing that runs needs the checkout it was started from"


def test_a_component_that_fails_ends_in_a_sentence_with_its_log(lab: Lab, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    shutil.copytree(CHECKOUT / "lab", clone / "lab", ignore=shutil.ignore_patterns("__pycache__"))
    stores = clone / "lab" / "stores.py"
    stores.write_text(stores.read_text().replace('"maxmemory": "256mb"', '"maxmemory": "plenty"'))
    failed = run("up", checkout=clone)
    assert failed.returncode == 1
    assert failed.stderr.startswith(f"redis did not get ready (it has ended); its log {lab.logs / 'redis.log'} ends:\n")
    assert "argument must be a memory value" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_env_is_what_a_shell_needs(lab: Lab) -> None:
    script = f'cd {CHECKOUT} && eval "$({sys.executable} -m lab env)" && kubectl get node -o name'
    asked = subprocess.run(("sh", "-c", script), capture_output=True, text=True, check=True)
    assert asked.stdout == f"node/{lab.node_name}\n"
    assert not [secret for secret in lab.secrets.values() if secret in run("env").stdout]


def test_logs_of_one_component(lab: Lab) -> None:
    shown = run("logs", "kubelet", "-n", "3").stdout.splitlines()
    assert shown[0] == f"==> {component.log_of(lab, 'kubelet')} <=="
    assert len(shown) == 4


@pytest.mark.parametrize("url", ["https://192.0.2.1:10250/pods", "https://127.0.0.1:16443/api/v1/nodes"])
def test_kubelet_and_api_server_show_a_verified_certificate_and_refuse_the_unknown(lab: Lab, url: str) -> None:
    context = ssl.create_default_context(cafile=str(lab.pki / "ca.crt"))
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(url, context=context)


def test_the_metrics_api_knows_the_node(lab: Lab) -> None:
    usage = eventually(lambda: json.loads(kubectl(lab, "get", "--raw", "/apis/metrics.k8s.io/v1beta1/nodes"))["items"])
    assert [node["metadata"]["name"] for node in usage] == [lab.node_name]


def test_an_image_that_does_not_exist_is_truly_not_found(lab: Lab) -> None:
    kubectl(lab, "delete", "pod", "absent", "--ignore-not-found", "--now")
    kubectl(lab, "run", "absent", f"--image={ABSENT_IMAGE}", "--restart=Never")

    def waiting() -> dict[str, str]:
        status = json.loads(kubectl(lab, "get", "pod", "absent", "-o", "json"))["status"]
        states = (state["state"].get("waiting", {}) for state in status.get("containerStatuses", []))
        return next((state for state in states if state.get("reason") == "ErrImagePull"), {})

    try:
        assert f"docker.io/{ABSENT_IMAGE}: not found" in eventually(waiting).get("message", "")
    finally:
        kubectl(lab, "delete", "pod", "absent", "--now")


def test_the_audit_log_holds_metadata_of_what_was_asked_once(lab: Lab) -> None:
    marker = f"audit-{time.monotonic_ns()}"
    kubectl(lab, "create", "configmap", marker, "--from-literal=password=hidden")
    kubectl(lab, "delete", "configmap", marker)

    def entries() -> list[dict[str, Any]]:
        lines = lab.audit_log.read_text().splitlines()
        return [json.loads(line) for line in lines if f'"name":"{marker}"' in line]

    assert eventually(lambda: len(entries()) >= 2)
    for entry in entries():
        assert (entry["level"], entry["stage"]) == ("Metadata", "ResponseComplete")
        assert "requestObject" not in entry
    assert [entry["verb"] for entry in entries()][:2] == ["create", "delete"]


@pytest.mark.parametrize("name", ["servicelink", "credlink"])
def test_each_database_has_its_role_and_extensions(lab: Lab, name: str) -> None:
    for address in ("127.0.0.1", lab.node_address):
        connection = psycopg2.connect(
            host=address, port=lab.postgres_port, dbname=name, user=name, password=lab.secrets[f"{name}_password"]
        )
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT extname FROM pg_extension")
            assert {"vector", "pg_stat_statements"} <= {row[0] for row in cursor.fetchall()}
            cursor.execute("SHOW max_connections")
            assert cursor.fetchone() == ("100",)
        connection.close()


def test_postgresql_refuses_a_wrong_password(lab: Lab) -> None:
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(host="127.0.0.1", port=lab.postgres_port, dbname="credlink", user="credlink", password="wrong")


def test_redis_never_evicts_and_wants_its_password(lab: Lab) -> None:
    with redis.Redis(lab.node_address, lab.redis_port, password=lab.secrets["redis_password"]) as known:
        assert known.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    with redis.Redis(lab.node_address, lab.redis_port) as unknown, pytest.raises(redis.AuthenticationError):
        unknown.ping()


def test_prometheus_scrapes_itself_the_node_and_the_services(lab: Lab) -> None:
    def up() -> set[str]:
        with urllib.request.urlopen(f"http://127.0.0.1:{lab.prometheus_port}/api/v1/query?query=up") as answer:
            results = json.load(answer)["data"]["result"]
        return {each["metric"]["job"] for each in results if each["value"][1] == "1"}

    assert eventually(lambda: up() >= {"prometheus", "containers", "services"}), up()
