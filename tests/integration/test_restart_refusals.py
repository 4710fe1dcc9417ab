# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a restart refuses, each with the reason and what to do next; nothing is written for it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lab.cluster import Manifest
from lab.workloads import Workload
from tests.integration.harness.ground import Ground, Refused
from tests.integration.harness.policies import refusing
from tests.integration.harness.services import Service, one_per_node

pytestmark = pytest.mark.matrix

QUOTA = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "small"}, "spec": {"hard": {"pods": "2"}}}
LIMITS = {
    "apiVersion": "v1",
    "kind": "LimitRange",
    "metadata": {"name": "tiny"},
    "spec": {"limits": [{"type": "Container", "max": {"memory": "8Mi"}}]},
}
ENFORCED = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}


@pytest.fixture(scope="module")
def refused(shared: Ground) -> Refused:
    """Press for all of them at once."""
    cases: list[Callable[[Ground], Service]] = [
        _paused, _rolling, _single, _asleep, _timeless, _held, _only, _guarded,
    ]  # fmt: skip
    return shared.refused("restart", cases)


def _paused(ground: Ground) -> Service:
    service = ground.service(["v1.2.0"], "paused", wait=False)
    service.workload.patch({"spec": {"paused": True}})
    return service


def _rolling(ground: Ground) -> Service:
    return ground.service(["v1.2.0"], "rolling", then="v1.3.0")


def _single(ground: Ground) -> Service:
    def recreated(manifest: Manifest) -> None:
        manifest["spec"]["strategy"] = {"type": "Recreate"}

    return ground.service(["v1.2.0"], "single", change=recreated)


def _asleep(ground: Ground) -> Service:
    return ground.service(["v1.2.0"], "asleep", replicas=0)


def _timeless(ground: Ground) -> Service:
    return ground.service(["v1.2.0"], "timeless", replicas=0, not_before="soon", key="two\nlines")


def _held(ground: Ground) -> Service:
    def partitioned(manifest: Manifest) -> None:
        manifest["spec"]["updateStrategy"] = {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}

    return ground.service(["v1.2.0"], "held", kind="StatefulSet", change=partitioned)


def _only(ground: Ground) -> Service:
    return ground.service(["v1.2.0"], "only", method="evict")


def _guarded(ground: Ground) -> Service:
    for name in ("first", "second"):
        spec = {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "guarded"}}}
        budget = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": name}, "spec": spec}
        ground.cluster.create(budget, ground.namespace)
    return ground.service(["v1.2.0"], "guarded", method="evict", confirm="guarded")


@pytest.mark.parametrize(
    ("service", "sentences"),
    [
        ("paused", ["Deployment paused is paused, so a restart would be stored", "kubectl rollout resume"]),
        ("rolling", ["A rollout of Deployment rolling is in progress", "press rollback"]),
        ("single", ["would take its only pod down, an outage", "-e confirm=single"]),
        ("asleep", ["shall have 0 pods: there is nothing to restart", "Scale it up"]),
        ("held", ["would restart no pod: its partition is 1", "Press with -e method=evict"]),
        ("only", ["by method=evict would take its only pod down, an outage", "-e confirm=only"]),
        ("guarded", ["2 PodDisruptionBudgets select its pods (first, second)", "press with method=rollout"]),
        ("timeless", ["control characters", "-e key=INC-123", "not_before=soon is neither a time nor a duration"]),
    ],
)
def test_refused(refused: Refused, service: str, sentences: list[str]) -> None:
    said = refused.pressed.closing(service)
    assert [sentence for sentence in sentences if sentence not in said] == [], said


def test_nothing_is_written_for_a_refusal(refused: Refused) -> None:
    assert refused.pressed.rc != 0
    assert refused.seen.writes == []


def test_a_single_pod_goes_down_when_its_name_confirms_it(shared: Ground, refused: Refused) -> None:
    assert refused.pressed.rc != 0
    single = Service(Workload(shared.cluster, shared.namespace, "single"), "servicelink_lab", 3001)
    before = {pod["metadata"]["uid"] for pod in single.workload.pods}
    pressed = shared.press("restart", single, key="INC-1", confirm="single")
    assert pressed.rc == 0, pressed.output
    assert not {pod["metadata"]["uid"] for pod in single.workload.pods} & before


def test_pods_that_the_api_server_would_refuse(ground: Ground) -> None:
    """Quota, LimitRange, admission policies and Pod Security are asked before anything is written; a policy for the
    workload itself refuses the write.
    """
    api = ground.service(["v1.2.0"], replicas=2)
    before = api.workload.live["metadata"]["generation"]
    ground.cluster.apply(QUOTA, ground.namespace)
    ground.cluster.until(lambda: _counted(ground), lambda: "the quota was not counted")
    full = ground.press("restart", api, key="INC-1")
    assert full.rc != 0
    assert "would be refused: " in full.closing()
    assert "exceeded quota: small" in full.closing()

    # Evicted, each pod makes room for its replacement.
    planned = ground.press("restart", api, options=["--check"], key="INC-1", method="evict")
    assert planned.rc == 0, planned.output
    assert "a replacement comes only once its predecessor is gone" in planned.output

    ground.cluster.remove("ResourceQuota", ground.namespace, "small")
    ground.cluster.apply(LIMITS, ground.namespace)
    limited = ground.press("restart", api, key="INC-1")
    assert limited.rc != 0
    assert "maximum memory usage per Container is 8Mi" in limited.closing()

    ground.cluster.remove("LimitRange", ground.namespace, "tiny")
    pod = {"metadata": {"name": "probe"}, "spec": api.workload.live["spec"]["template"]["spec"]}
    with refusing(ground.cluster, ground.namespace, "Pod", "no pods on a Sunday", pod):
        policed = ground.press("restart", api, key="INC-1")
    assert policed.rc != 0
    assert "would be refused: " in policed.closing()
    assert "no pods on a Sunday" in policed.closing()
    live = api.workload.live
    deployment = {"metadata": {"name": "probe"}, "spec": live["spec"]}
    with refusing(ground.cluster, ground.namespace, "Deployment", "no changes on a Sunday", deployment):
        frozen = ground.press("restart", api, key="INC-1")
    assert frozen.rc != 0
    assert 'deployments.apps "api" is forbidden' in frozen.closing()
    assert "no changes on a Sunday. The API server refuses this content" in frozen.closing()

    ground.cluster.patch("Namespace", "", ground.namespace, ENFORCED)
    forbidden = ground.press("restart", api, key="INC-1")
    assert forbidden.rc != 0
    assert "violates PodSecurity" in forbidden.closing()
    assert api.workload.live["metadata"]["generation"] == before


def test_a_pod_that_finds_no_node_is_told_beforehand(ground: Ground) -> None:
    api = ground.service(["v1.2.0"], change=one_per_node)
    api.workload.scale(2)

    def waits() -> bool:
        found = [each for pod in api.workload.pods for each in pod["status"].get("conditions", [])]
        return any(each.get("reason") == "Unschedulable" for each in found)

    ground.cluster.until(waits, lambda: "The second pod found a node.")
    planned = ground.press("restart", api, options=["--check"], key="INC-1")
    assert planned.rc == 0, planned.output
    assert "finds no node now (0/1 nodes are available" in planned.output
    assert "new pods may have to wait for one" in planned.output


def _counted(ground: Ground) -> bool:
    live = ground.cluster.get("ResourceQuota", ground.namespace, "small") or {}
    return bool(live.get("status", {}).get("used", {}).get("pods") == "2")
