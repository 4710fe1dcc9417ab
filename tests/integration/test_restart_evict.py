# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A restart pod by pod through the eviction API: budgets waited for and named, young pods left alone."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from lab.cluster import Manifest
from tests.integration.harness.ground import Ground
from tests.integration.harness.services import Service
from tests.integration.harness.watcher import Watcher

pytestmark = pytest.mark.matrix

KEY = "runbooks.linkops.io/restart-key"
STARTED = "runbooks.linkops.io/restart-started"


def test_a_stateful_set_pod_by_pod(ground: Ground, watcher: Callable[[str], Watcher]) -> None:
    store = ground.service(["v1.2.0"], "store", kind="StatefulSet", replicas=2)
    before, pods = _uids(store), watcher("Pod")

    pressed = ground.press("restart", store, key="INC-2", method="evict")
    assert pressed.rc == 0, pressed.output
    assert "pass: Restarted 2 pods (key INC-2, revision 1), one by one" in pressed.closing()
    assert not _uids(store) & before
    assert KEY not in store.workload.live["spec"]["template"]["metadata"].get("annotations", {})
    annotations = store.workload.live["metadata"]["annotations"]
    assert (annotations[KEY], annotations[STARTED][-1]) == ("INC-2", "Z")
    assert _most_away(pods, store) == 1

    # The same key again: no pod is older than its start.
    after = _uids(store)
    again = ground.press("restart", store, key="INC-2", method="evict")
    assert again.rc == 0, again.output
    assert "Nothing was restarted: key INC-2 was restarted already" in again.closing()
    assert "changed=0" in again.output.rpartition("PLAY RECAP")[2]
    assert _uids(store) == after

    # And it stands for this method alone.
    other = ground.press("restart", store, key="INC-2")
    assert other.rc != 0
    assert "Key INC-2 stands for a restart of StatefulSet store by method=evict" in other.closing()
    assert _uids(store) == after


def test_a_budget_is_named_waited_for_and_honoured(ground: Ground) -> None:
    api = ground.service(["v1.2.0"], replicas=2)
    before = _uids(api)
    _guard(ground, api, 2)
    planned = ground.press("restart", api, options=["--check"], key="INC-1", method="evict")
    assert planned.rc == 0, planned.output
    assert "Would restart 2 pods, one by one" in planned.closing()
    assert "PodDisruptionBudget api allows no eviction now" in planned.output

    running = ground.press.start("restart", api, key="INC-1", method="evict")
    running.until("2 of its pods are healthy, 2 must be (minAvailable 2)")
    assert _uids(api) == before
    _guard(ground, api, 1)
    pressed = running.wait()
    assert pressed.rc == 0, pressed.output
    assert not _uids(api) & before


def test_a_budget_that_is_never_free_ends_at_the_deadline(ground: Ground) -> None:
    api = ground.service(["v1.2.0"], replicas=2, rollout_deadline_seconds=5)
    before = _uids(api)
    _guard(ground, api, 2)
    pressed = ground.press("restart", api, key="INC-1", method="evict")
    assert pressed.rc != 0
    assert "no progress for 5 s" in pressed.closing()
    assert "PodDisruptionBudget api allows no eviction now" in pressed.closing()
    assert "2 of 2 pods ready, 2 not restarted" in pressed.closing()
    assert _uids(api) == before

    # The same key goes on from there.
    _guard(ground, api, 1)
    again = ground.press("restart", api.having(rollout_deadline_seconds=90), key="INC-1", method="evict")
    assert again.rc == 0, again.output
    assert not _uids(api) & before


def test_killed_in_the_middle_it_goes_on_with_the_older_pods_alone(ground: Ground) -> None:
    api = ground.service(["v1.2.0"], replicas=2, change=_unhurried, lock_duration_seconds=3)
    before = _uids(api)
    first = ground.press.start("restart", api, key="INC-1", method="evict", operator="ada")
    first.until("1 still due")
    second = ground.press("restart", api, key="INC-1", method="evict", operator="grace")
    first.vanish()
    assert second.rc != 0
    assert "is locked: restart by ada" in second.closing()
    api.workload.wait_ready()
    between = _uids(api)

    again = ground.press("restart", api, key="INC-1", method="evict")
    assert again.rc == 0, again.output
    assert "Restarted 1 pod (" in again.closing()
    assert len(_uids(api) & between - before) == 1, "the pod that was restarted already stays"
    assert not _uids(api) & before


def test_young_pods_are_left_alone(ground: Ground) -> None:
    api = ground.service(["v1.2.0"])
    old = _uids(api)
    time.sleep(5)
    api.workload.scale(2)
    api.workload.wait_ready()
    young = _uids(api) - old
    since = next(p["metadata"]["creationTimestamp"] for p in api.workload.pods if p["metadata"]["uid"] in young)
    pressed = ground.press("restart", api, key="INC-1", method="evict", not_before=since)
    assert pressed.rc == 0, pressed.output
    assert "Restarted 1 pod (" in pressed.closing()
    assert young < _uids(api)
    assert not old & _uids(api)


def test_on_delete_gets_its_new_template_pod_by_pod(ground: Ground) -> None:
    strategy = {"type": "OnDelete"}
    store = ground.service(
        ["v1.2.0"], "store", kind="StatefulSet", replicas=2,
        change=lambda manifest: manifest["spec"].update(updateStrategy=strategy),
    )  # fmt: skip
    store.deploy("servicelink/api:v1.2.1")
    refused = ground.press("restart", store, key="INC-1")
    assert refused.rc != 0
    assert "its update strategy is OnDelete" in refused.closing()
    pressed = ground.press("restart", store, key="INC-1", method="evict")
    assert pressed.rc == 0, pressed.output
    images = {pod["spec"]["containers"][0]["image"].rpartition(":")[2] for pod in store.workload.pods}
    assert images == {"v1.2.1"}


def test_a_replacement_that_does_not_get_ready_stops_it(ground: Ground) -> None:
    """The image that the next pods get does not work: one pod is lost, and no other one is evicted."""
    store = ground.service(
        ["v1.2.0"], "store", kind="StatefulSet", replicas=2,
        change=lambda manifest: manifest["spec"].update(updateStrategy={"type": "OnDelete"}),
    )  # fmt: skip
    store.deploy("servicelink/api:v0.0.0-absent")
    before = _uids(store)
    pressed = ground.press("restart", store, key="INC-1", method="evict")
    assert pressed.rc != 0
    assert "The restart stopped after 1 of 2 evictions" in pressed.closing()
    assert "ErrImage" in pressed.closing()
    assert "1 of 2 pods ready, 1 not restarted" in pressed.closing()
    assert len(_uids(store) & before) == 1
    assert any((pressed.folder() / "evidence").iterdir())


def _unhurried(manifest: Manifest) -> None:
    """Have each replacement take a while."""
    manifest["spec"]["minReadySeconds"] = 15


def _guard(ground: Ground, service: Service, least: int) -> None:
    """A budget of this many pods, seen by its controller."""
    budget = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": service.name},
        "spec": {"minAvailable": least, "selector": {"matchLabels": {"app": service.name}}},
    }
    ground.cluster.apply(budget, ground.namespace)

    def counted() -> bool:
        live = ground.cluster.get("PodDisruptionBudget", ground.namespace, service.name) or {}
        status = live.get("status", {})
        seen = status.get("observedGeneration") == live["metadata"]["generation"]
        return bool(seen and status["currentHealthy"] == len(service.workload.pods))

    ground.cluster.until(counted, lambda: "the budget was not counted")


def _uids(service: Service) -> set[str]:
    return {pod["metadata"]["uid"] for pod in service.workload.pods}


def _most_away(pods: Watcher, service: Service) -> int:
    """How many of the pods were away or not ready at the same time, at most."""
    ready = {pod["metadata"]["name"] for pod in service.workload.pods}
    wanted, most = len(ready), 0
    for pod in pods.states(lambda pod: pod["metadata"]["name"].startswith(service.name)):
        serves = "deletionTimestamp" not in pod["metadata"] and any(
            c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", [])
        )
        ready = ready | {pod["metadata"]["name"]} if serves else ready - {pod["metadata"]["name"]}
        most = max(most, wanted - len(ready))
    return most
