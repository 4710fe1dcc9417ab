# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab without root: simulated nodes beside the real lab, brought up by a user without rights, and taken down."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from lab import binaries, component, plan
from lab.component import UNPRIVILEGED
from lab.simulation import simulated
from lab.site import Lab

pytestmark = pytest.mark.lab

CHECKOUT = Path(__file__).parents[2]
OFFSET = 2000


@dataclass(frozen=True)
class Rootless:
    """A lab of the unprivileged user, in a folder of its own; its verbs run from a copy that this user may read."""

    folder: Path

    @property
    def site(self) -> Lab:
        return Lab(state=self.folder / "state", cache=self.folder / "cache", port_offset=OFFSET)

    def run(self, *verb: str) -> subprocess.CompletedProcess[str]:
        site = self.site
        environment = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.folder),
            "LINKOPS_LAB_STATE": str(site.state),
            "LINKOPS_LAB_CACHE": str(site.cache),
            "LINKOPS_LAB_PORT_OFFSET": str(OFFSET),
        }
        argv = (*_unprivileged(), _python(), "-m", "lab", *verb)
        return subprocess.run(argv, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        argv = (str(self.site.kubectl), f"--kubeconfig={self.site.kubeconfig}", *arguments)
        done = subprocess.run(argv, capture_output=True, text=True, check=False, input=stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def pids(self) -> dict[str, int | None]:
        return {name: component.pid_of(self.site, name) for name in plan.components(self.site)}


def _unprivileged() -> tuple[str, ...]:
    group = str(pwd.getpwnam(UNPRIVILEGED).pw_gid)
    return ("setpriv", f"--reuid={UNPRIVILEGED}", f"--regid={group}", "--clear-groups")


def _python() -> str:
    """A Python that the unprivileged user can run: this one may be below root's home."""
    for candidate in (sys.executable, "/usr/bin/python3"):
        if subprocess.run((*_unprivileged(), candidate, "-c", ""), capture_output=True, check=False).returncode == 0:
            return candidate
    pytest.fail(f"{UNPRIVILEGED} can run neither {sys.executable} nor /usr/bin/python3: install python3.")


def _processes(folder: Path) -> list[str]:
    """Command lines of living processes that name the folder."""
    lines = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(process.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return [line for line in lines if str(folder) in line]


def _deployment(name: str, replicas: int, **spec: object) -> str:
    template = {
        "metadata": {"labels": {"app": name}},
        "spec": {"containers": [{"name": "api", "image": "simulated/api:1"}], **spec},
    }
    manifest = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template},
    }
    return json.dumps(simulated(manifest))


class _Hello(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"hello from {self.path}".encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def rootless(lab: Lab) -> Iterator[Rootless]:
    """Up with five nodes; whatever a test leaves is taken down at the end."""
    folder = Path(tempfile.mkdtemp(prefix="linkops-rootless-"))  # pytest's own folders are for their maker alone
    here = Rootless(folder)
    shutil.copytree(CHECKOUT / "lab", folder / "lab", ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
    here.site.cache.mkdir()
    binaries.ensure_kwok(lab, lambda _: None)
    for program in (binaries.kwok(lab), binaries.kubernetes(lab)):
        (here.site.cache / program.name).symlink_to(program)
    component.give(folder, UNPRIVILEGED)
    before = {name: component.pid_of(lab, name) for name in plan.COMPONENTS}
    up = here.run("up", "--simulated-nodes", "5")
    try:
        assert up.returncode == 0, up.stdout + up.stderr
        assert up.stdout.startswith("Without root: control plane and simulated nodes; no real node")
        yield here
    finally:
        here.run("down")
        shutil.rmtree(folder)
    assert {name: component.pid_of(lab, name) for name in plan.COMPONENTS} == before, "the real lab was disturbed"


def test_simulated_pods_get_ready_and_roll(rootless: Rootless) -> None:
    rootless.kubectl("apply", "-f", "-", stdin=_deployment("api", replicas=12))
    rootless.kubectl("rollout", "status", "deployment/api", "--timeout=60s")
    before = json.loads(rootless.kubectl("get", "pods", "--selector=app=api", "-o", "json"))["items"]
    assert len(before) == 12
    assert {pod["spec"]["nodeName"] for pod in before} <= {f"simulated-{number}" for number in range(5)}

    rootless.kubectl("rollout", "restart", "deployment/api")
    rootless.kubectl("rollout", "status", "deployment/api", "--timeout=60s")

    rootless.kubectl("wait", "--for=delete", "--timeout=60s", *(f"pod/{pod['metadata']['name']}" for pod in before))
    after = json.loads(rootless.kubectl("get", "pods", "--selector=app=api", "-o", "json"))["items"]
    assert len(after) == 12
    assert {pod["status"]["phase"] for pod in after} == {"Running"}


def test_what_listens_here_answers_for_a_simulated_pod_of_the_host_network(rootless: Rootless) -> None:
    rootless.kubectl("apply", "-f", "-", stdin=_deployment("web", replicas=1, hostNetwork=True))
    rootless.kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    pod = rootless.kubectl("get", "pods", "--selector=app=web", "-o", "name").strip().removeprefix("pod/")
    with ThreadingHTTPServer(("0.0.0.0", 0), _Hello) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        path = f"/api/v1/namespaces/default/pods/{pod}:{server.server_port}/proxy/health"
        assert rootless.kubectl("get", "--raw", path) == "hello from /health"
        server.shutdown()


def test_an_ordinary_pod_does_not_land_on_a_simulated_node(rootless: Rootless) -> None:
    rootless.kubectl("run", "ordinary", "--image=simulated/api:1")
    rootless.kubectl("wait", "pod/ordinary", "--for=condition=PodScheduled=false", "--timeout=30s")
    pod = json.loads(rootless.kubectl("get", "pod", "ordinary", "-o", "json"))
    assert "nodeName" not in pod["spec"]
    assert "5 node(s) had untolerated taint" in pod["status"]["conditions"][0]["message"]


def test_nothing_of_it_runs_as_root(rootless: Rootless) -> None:
    account = pwd.getpwnam(UNPRIVILEGED).pw_uid
    pids = rootless.pids()
    assert None not in pids.values()
    assert {Path(f"/proc/{pid}").stat().st_uid for pid in pids.values()} == {account}
    assert rootless.run("status").returncode == 0


def test_a_second_up_restarts_nothing_and_keeps_the_nodes(rootless: Rootless) -> None:
    before = rootless.pids()
    again = rootless.run("up")
    assert again.returncode == 0, again.stderr
    assert rootless.pids() == before
    assert len(rootless.kubectl("get", "nodes", "-o", "name").splitlines()) == 5


def test_a_killed_kwok_is_reported_and_brought_back(rootless: Rootless) -> None:
    os.kill(rootless.pids()["kwok"] or 0, signal.SIGKILL)
    status = rootless.run("status")
    assert status.returncode == 1
    assert "is not running" in status.stdout
    assert rootless.run("up").returncode == 0
    assert rootless.run("status").returncode == 0


def test_nodes_come_and_go_by_their_number(rootless: Rootless) -> None:
    for number in (3, 6):
        changed = rootless.run("up", "--simulated-nodes", str(number))
        assert changed.returncode == 0, changed.stderr
        assert len(rootless.kubectl("get", "nodes", "-o", "name").splitlines()) == number


def test_down_leaves_nothing(rootless: Rootless) -> None:
    assert _processes(rootless.site.state), "the search is blind to a running lab"
    down = rootless.run("down")
    assert down.returncode == 0, down.stderr
    assert not rootless.site.state.exists()
    assert not _processes(rootless.site.state)
    assert rootless.run("down").returncode == 1, "without state and without root there is nothing to take down"
