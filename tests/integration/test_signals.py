# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that is stopped by a signal gives its lock back and says so in its record; the next run converges."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.cluster import Manifest
from lab.site import Lab
from tests.integration.harness.gateway import Fault, Gateway
from tests.integration.harness.pressing import Press, Pressed
from tests.integration.harness.services import Service, Services

pytestmark = pytest.mark.matrix
DURATION = 3  # seconds that a lock of these tests counts without being renewed
SILENCE = Fault(503, seconds=30.0)


@pytest.fixture
def api(service: Services) -> Service:
    """A service whose rollouts take a while, since a pod counts as available only some seconds after it is ready."""
    return service(["v1.2.0", "v1.2.1"], change=unhurried, lock_duration_seconds=DURATION)


@pytest.fixture
def gateway(lab: Lab, tmp_path: Path) -> Iterator[Gateway]:
    """A gateway in front of the lab's API server."""
    opened = Gateway(lab, tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """A folder for the temporary files of a run."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


def left_in(folder: Path) -> list[str]:
    """The files below a folder."""
    return [str(path) for path in folder.rglob("*") if path.is_file()]


def unhurried(manifest: Manifest) -> None:
    """Have a rollout last long enough to be interrupted."""
    manifest["spec"]["minReadySeconds"] = 6


def held(api: Service) -> str:
    """Who has the lock, empty if nobody."""
    lease = api.workload.cluster.get("Lease", api.namespace, f"linkops-{api.name}")
    return str(lease["spec"]["holderIdentity"]) if lease else ""


def released(api: Service) -> None:
    """The lock is given back; ansible-playbook does not wait for the worker that does so."""
    api.workload.cluster.until(lambda: not held(api), lambda: f"the lock is still held by {held(api)}", 20.0)


def interruptions(press: Press, api: Service) -> list[str]:
    """The lines about a signal in all records of the service."""
    lines = (press.records / "lab" / api.name).glob("*/record.jsonl")
    return [line for each in lines for line in each.read_text().splitlines() if '"event":"interrupted"' in line]


def stopped(pressed: Pressed) -> None:
    """The run ended by the signal and left no traceback on the screen."""
    assert pressed.rc != 0
    assert "Traceback" not in pressed.output, pressed.output


@pytest.mark.parametrize(
    "signals",
    [(signal.SIGINT,), (signal.SIGINT, signal.SIGINT), (signal.SIGTERM,)],
    ids=["Ctrl-C", "Ctrl-C twice", "SIGTERM"],
)
def test_a_run_is_stopped_in_the_middle_of_a_rollout(
    press: Press, api: Service, signals: tuple[signal.Signals, ...], temporary: Path
) -> None:
    """The lock is given back, not left to expire, the record tells, and the second run takes the rollout to its end.

    Neither leaves a temporary file: what a kubeconfig holds of certificates and keys goes through such files.
    """
    environment = {"TMPDIR": str(temporary)}
    running = press.start("rollback", api, revision=1, environment=environment)
    running.until("template of revision 1")
    for each in signals:
        running.signal(each)
    stopped(running.wait())
    released(api)
    assert len(interruptions(press, api)) == 1
    api.workload.cluster.until(lambda: not left_in(temporary), lambda: f"left: {left_in(temporary)}", 20.0)
    second = press("rollback", api, revision=1, environment=environment)
    assert second.rc == 0, second.output
    assert "is held" not in second.output
    assert second.entries("write") == []
    assert left_in(temporary) == []


def test_a_run_is_stopped_while_it_plans(press: Press, api: Service, gateway: Gateway) -> None:
    """The API server is silent and the operator loses patience: nothing is locked, nothing is written."""
    gateway.policy = lambda request: SILENCE if "replicasets" in request else None
    running = press.start("rollback", api, revision=1, kubernetes_kubeconfig=gateway.kubeconfig)
    gateway.until("replicasets")
    running.signal(signal.SIGINT)
    stopped(running.wait())
    assert held(api) == ""
    assert not any(request.startswith(("PATCH", "PUT")) for request in gateway.requests)
    second = press("rollback", api, revision=1)
    assert second.rc == 0, second.output


def test_a_killed_run_is_followed_by_one_that_converges(press: Press, api: Service) -> None:
    """Nothing can be cleaned up then; the lock expires, and what was written is watched and verified."""
    running = press.start("rollback", api, revision=1)
    running.until("template of revision 1")
    running.vanish()
    assert held(api)
    second = press("rollback", api, revision=1)
    assert second.rc == 0, second.output
    assert second.entries("write") == []
    assert "was active already" in second.closing()
    assert held(api) == ""
