# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One button at a time: the lock is told, renewed, given back, taken over from the dead, and broken with a reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.cluster import Cluster, Manifest
from tests.integration.harness.leases import PATH, alive
from tests.integration.harness.pressing import Press, Running
from tests.integration.harness.services import Service, Services
from tests.integration.harness.watcher import Watcher

DURATION = 3  # seconds that a lock of these tests counts without being renewed
LOCK = "linkops-api"


@pytest.fixture
def api(service: Services) -> Service:
    """A service whose rollouts take a while, since a pod counts as available only some seconds after it is ready."""
    return service(["v1.2.0", "v1.2.1"], change=unhurried, lock_duration_seconds=DURATION)


def unhurried(manifest: Manifest) -> None:
    """Have a rollout outlast several renewals of the lock."""
    manifest["spec"]["minReadySeconds"] = 3 * DURATION


def lease(api: Service, name: str = LOCK) -> Manifest:
    """The lock as it is now."""
    found = api.workload.cluster.get("Lease", api.namespace, name)
    assert found is not None
    return found


def begun(press: Press, api: Service, **given: Any) -> Running:
    """A run that has written its template and waits for the rollout."""
    running = press.start("rollback", api, revision=1, operator="ada", reason="users see errors", **given)
    running.until("template of revision 1")
    return running


def test_the_second_operator_is_told_who_is_at_it(
    press: Press, api: Service, watcher: Callable[[str], Watcher]
) -> None:
    """Holder, button and since when; the first one is not disturbed, renews while it waits, and gives the lock back."""
    seen = watcher("Lease")
    first = begun(press, api)
    second = press("rollback", api, revision=2, operator="grace")
    ended = first.wait()
    run = ended.entries("opened")[0]["run"]
    since = seen.wait(held_by(run))["spec"]["acquireTime"]
    assert second.rc != 0
    assert f"{LOCK} is locked: rollback by ada since {since} (run {run}), and that run is alive" in second.closing()
    assert "break_lock=true and a reason" in second.closing()
    assert second.entries("write") == []
    assert ended.rc == 0, ended.output
    renewed = {held["spec"]["renewTime"] for held in seen.states(held_by(run))}
    assert len(renewed) > 4, "a run that only waits renews its lock"
    assert lease(api)["spec"]["holderIdentity"] == ""


def test_the_lock_of_a_killed_run_is_taken_over(press: Press, api: Service) -> None:
    """It stays unchanged for its duration, so nobody lives behind it; the second run converges."""
    first = begun(press, api)
    first.vanish()
    dead = lease(api)["spec"]["holderIdentity"]
    assert dead
    second = press("rollback", api, revision=1, operator="grace")
    assert second.rc == 0, second.output
    assert f"lock {LOCK} is held: rollback by ada since" in second.output
    assert f"watching for up to {DURATION} s" in second.output
    assert lease(api)["spec"]["holderIdentity"] == ""
    assert lease(api)["spec"]["leaseTransitions"] == 1


def test_a_broken_lock_stops_the_run_that_had_it(press: Press, api: Service) -> None:
    """Only with a reason; then the one who breaks it acts, and the other one stops before its next write."""
    unsaid = press("rollback", api, revision=2, operator="grace", break_lock="true")
    assert unsaid.rc != 0
    assert "break_lock was given without a reason" in unsaid.closing()
    first = begun(press, api)
    second = press.start("rollback", api, revision=1, operator="grace", break_lock="true", reason="ada went home")
    stopped, acted = first.wait(), second.wait()
    assert acted.rc == 0, acted.output
    assert acted.entries("lock")[0]["data"]["broken"] is True
    assert stopped.rc != 0
    assert f"This run lost its lock {LOCK} (rollback by grace since" in stopped.closing()
    assert len(stopped.entries("write")) == 1
    assert stopped.entries("mark") == []
    assert acted.entries("write") == [], "it watches what the other one wrote"


def test_a_lock_that_is_deleted_is_lost(press: Press, api: Service) -> None:
    """The run says so and stops; what it wrote stays, watched by nobody."""
    first = begun(press, api)
    api.workload.cluster.request("DELETE", f"{PATH.format(api.namespace)}/{LOCK}")
    ended = first.wait()
    assert ended.rc != 0
    assert f"This run lost its lock {LOCK} (nobody holds it now), so it stops" in ended.closing()
    assert ended.entries("mark") == []


def test_a_failed_run_gives_its_lock_back(press: Press, service: Services) -> None:
    """The next one need not wait."""
    api = service(["v9.9.9", "v1.2.1"], lock_duration_seconds=DURATION)
    failed = press("rollback", api, revision=1)
    assert failed.rc != 0
    assert len(failed.entries("write")) == 2, "the template, and the way back"
    assert lease(api)["spec"]["holderIdentity"] == ""


def test_two_things_are_locked_together_or_not_at_all(
    press: Press, service: Services, cluster: Cluster, tmp_path: Path
) -> None:
    """The first of two is given back when the second one is somebody else's."""
    api = service(["v1.2.0"], replicas=0, wait=False)
    run = {"id": "run-of-ada", "button": "rollback", "operator": "ada", "namespace": api.namespace}
    lock = {"namespace": api.namespace, "things": ["zebra", "ant"], "seconds": DURATION, "run": run}
    playbook = tmp_path / "lock.yml"
    task = {"name": "Lock", "linkops.runbooks.service_lock": lock}
    playbook.write_text(yaml.safe_dump([{"hosts": api.name, "gather_facts": False, "tasks": [connected(task)]}]))
    with alive(cluster, api.namespace, "linkops-zebra"):
        refused = press(str(playbook), api)
    assert refused.rc != 0
    assert "linkops-zebra is locked: migration by grace" in refused.failure()
    assert lease(api, "linkops-ant")["spec"]["holderIdentity"] == ""
    granted = press(str(playbook), api)
    assert granted.rc == 0, granted.output
    assert {lease(api, f"linkops-{thing}")["spec"]["holderIdentity"] for thing in ("ant", "zebra")} == {run["id"]}


def connected(task: dict[str, Any]) -> dict[str, Any]:
    """The task with the inventory's connection, as the buttons give it to their modules."""
    options = {"kubeconfig": "{{ kubernetes_kubeconfig }}", "context": "{{ kubernetes_context }}"}
    return {**task, "module_defaults": {"group/linkops.runbooks.cluster": options}}


def held_by(run: str) -> Callable[[Manifest], bool]:
    """Whether a Lease is this run's."""
    return lambda seen: bool(seen["spec"].get("holderIdentity") == run)
