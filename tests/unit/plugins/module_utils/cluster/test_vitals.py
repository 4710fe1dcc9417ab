# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How pods, containers, nodes and events are judged."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster import (
    event_groups,
    nodes,
    overrides,
    resources,
    vitals,
)
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.autoscaling import Found
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.metrics import Usage
from ansible_collections.linkops.runbooks.tests.unit.plugins.fixtures.scenes import pod, scene

NOW = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)
MIB = 1 << 20
THRESHOLDS = resources.Thresholds(0.8, 0.95, 0.7, 0.9)


def at(**ago: float) -> str:
    """A moment before now as the API writes it."""
    return (NOW - timedelta(**ago)).isoformat().replace("+00:00", "Z")


def ended(minutes: float, reason: str = "Error", code: int = 1, restarts: int = 1) -> dict[str, Any]:
    """A pod whose container ended and runs again."""
    made = pod("ready")
    made["status"]["containerStatuses"][0] |= {
        "restartCount": restarts,
        "lastState": {"terminated": {"reason": reason, "exitCode": code, "finishedAt": at(minutes=minutes)}},
    }
    return made


def workload(replicas: int = 1) -> dict[str, Any]:
    """A Deployment."""
    made = scene("deployment").workload
    made["spec"]["replicas"] = replicas
    return made


def running(limits: dict[str, str] | None = None, name: str = "api-1") -> dict[str, Any]:
    """A running pod with one container."""
    spec = {"containers": [{"name": "api", "resources": {"requests": {"cpu": "20m"}, "limits": limits or {}}}]}
    metadata = {"name": name, "uid": name, "creationTimestamp": at(minutes=10)}
    return {"metadata": metadata, "spec": spec, "status": {"phase": "Running"}}


@pytest.mark.parametrize(
    ("pods", "wanted", "status", "told"),
    [
        pytest.param([pod("ready")], 1, "pass", "1 of 1 ready", id="ready"),
        pytest.param([pod("ready")], 2, "fail", "1 of 2 ready", id="one is missing"),
        pytest.param([pod("probe not passed")], 1, "fail", "waits for its readiness: statuscode: 503", id="its probe"),
        pytest.param([pod("out of memory")], 1, "fail", "OOMKilled", id="out of memory"),
        pytest.param([pod("ready"), pod("image not found")], 1, "fail", "ErrImagePull", id="a fatal one beside"),
        pytest.param([pod("ready"), pod("starting")], 1, "pass", "1 of 1 ready", id="a surge pod starts"),
        pytest.param([], 0, "fail", "scaled to 0", id="scaled to nothing"),
        pytest.param([pod("ready"), pod("not admitted")], 1, "pass", "1 of 1 ready", id="one was replaced"),
        pytest.param([pod("ready"), pod("sysctl forbidden")], 1, "pass", "1 of 1 ready", id="long since replaced"),
        pytest.param([pod("sysctl forbidden")], 1, "fail", "SysctlForbidden", id="none is admitted"),
    ],
)
def test_pods(pods: list[dict[str, Any]], wanted: int, status: str, told: str) -> None:
    verdict = vitals.pods_verdict(workload(wanted), pods, 2, {"api-1": "statuscode: 503"})
    assert (verdict.status, told in verdict.reason) == (status, True), verdict.reason


@pytest.mark.parametrize(
    ("pods", "status", "told"),
    [
        pytest.param([pod("ready")], "pass", "none", id="never"),
        pytest.param([ended(5, "OOMKilled", 137)], "fail", "killed for memory: api of api-1 5 min ago", id="lately"),
        pytest.param(
            [ended(5)], "fail", "restarted: api of api-1 5 min ago (Error, exit code 1; 1 restart)", id="crash"
        ),
        pytest.param(
            [ended(300, "OOMKilled", 137, 4)], "pass", "warning: killed for memory: api of api-1 5 h", id="old"
        ),
        pytest.param([ended(3000)], "pass", "warning: restarted: api of api-1 2 d ago", id="older"),
    ],
)
def test_restarts(pods: list[dict[str, Any]], status: str, told: str) -> None:
    verdict = vitals.restarts_verdict(pods, NOW, 3600)
    assert (verdict.status, told in verdict.reason) == (status, True), verdict.reason


def test_a_restart_whose_end_kubelet_forgot_is_told() -> None:
    made = pod("ready")
    made["status"]["containerStatuses"][0]["restartCount"] = 3
    verdict = vitals.restarts_verdict([made], NOW, 3600)
    assert verdict.passed
    assert "at an unknown time (reason not kept; 3 restarts)" in verdict.reason


@pytest.mark.parametrize(
    ("limits", "cores", "memory", "status", "told"),
    [
        pytest.param({"memory": "100Mi"}, 0.01, 50, "pass", "memory 50 % of 100 MiB", id="half"),
        pytest.param({"memory": "100Mi"}, 0.01, 85, "pass", "warning: memory 85 %", id="warning"),
        pytest.param({"memory": "100Mi"}, 0.01, 96, "fail", "memory 96 % of 100 MiB", id="critical"),
        pytest.param({}, 0.01, 5000, "pass", "memory 4.88 GiB, no limit", id="no limit is said"),
        pytest.param({"memory": "0"}, 0.01, 50, "pass", "no limit", id="a limit of zero is none"),
        pytest.param({"cpu": "100m"}, 0.095, 50, "fail", "cpu 95 % of 100m", id="cpu critical"),
        pytest.param({"cpu": "100m"}, 0.075, 50, "pass", "warning: cpu 75 %", id="cpu warning"),
    ],
)
def test_resources(limits: dict[str, str], cores: float, memory: int, status: str, told: str) -> None:
    verdict = resources.verdict([running(limits)], [Usage("api-1", "api", cores, memory * MIB)], THRESHOLDS, NOW)
    assert (verdict.status, told in verdict.reason) == (status, True), verdict.reason
    assert "inf" not in str(verdict)


def test_a_pod_without_a_sample_is_unknown() -> None:
    usages = [Usage("api-1", "api", 0.01, 5 * MIB)]
    verdict = resources.verdict([running(), running(name="api-2")], usages, THRESHOLDS, NOW)
    assert verdict.status == "unknown"
    assert "no sample yet of api-2 (made 10 min ago)" in verdict.reason
    assert resources.verdict([], [], THRESHOLDS, NOW).status == "unknown"


def happened(reason: str, uid: str = "u1", kind: str = "Warning", minutes: float = 1, **more: Any) -> dict[str, Any]:
    """An event."""
    return {
        "type": kind, "reason": reason, "message": more.pop("message", f"{reason} happened"), "metadata": {},
        "involvedObject": {"uid": uid, "name": "api-1"}, "lastTimestamp": at(minutes=minutes), **more,
    }  # fmt: skip


def test_events_are_grouped_and_counted_warnings_first() -> None:
    events = [
        happened("Pulled", kind="Normal", minutes=0.1),
        happened("BackOff", count=4, minutes=9),
        happened("BackOff", uid="u2", count=3, minutes=3),
        happened("Unhealthy", series={"count": 12, "lastObservedTime": at(minutes=1)}),
        happened("FailedMount", uid="foreign"),
    ]
    groups = event_groups.grouped(events, {"u1", "u2"}, NOW)
    assert [(each.reason, each.count, each.objects) for each in groups] == [
        ("Unhealthy", 12, 1), ("BackOff", 7, 2), ("Pulled", 1, 1),
    ]  # fmt: skip
    verdict = event_groups.verdict(groups, left_out=False)
    assert verdict.passed
    assert "Unhealthy x12 (1 min ago), BackOff x7 (3 min ago)" in verdict.reason
    assert event_groups.verdict(groups, left_out=True).status == "unknown"
    assert event_groups.verdict([], left_out=False).reason == "none are kept"


def test_a_secret_in_an_event_is_hidden() -> None:
    said = "dial postgresql://u:hunter2hunter2@db/x failed"
    groups = event_groups.grouped([happened("Failed", message=said)], {"u1"}, NOW)
    assert "hunter2" not in str(event_groups.verdict(groups, left_out=False))
    assert "hunter2" not in str(event_groups.newest_warnings([happened("Failed", message=said)]))


def node(ready: str = "True", pressure: str = "False", cordoned: bool = False) -> dict[str, Any]:
    """A node with 2 cores and 1 GiB."""
    conditions = [
        {"type": "Ready", "status": ready, "message": "kubelet stopped posting"},
        {"type": "MemoryPressure", "status": pressure, "message": "little memory"},
    ]
    allocatable = {"cpu": "2", "memory": "1Gi", "pods": "110"}
    return {"spec": {"unschedulable": cordoned}, "status": {"conditions": conditions, "allocatable": allocatable}}


@pytest.mark.parametrize(
    ("given", "memory", "status", "told"),
    [
        pytest.param(node(), "512Mi", "pass", "cpu 25 %, memory 50 % of allocatable", id="well"),
        pytest.param(node(), "1000Mi", "pass", "warning: memory of n is used up to 98 %", id="full"),
        pytest.param(node(ready="Unknown"), "1Mi", "fail", "n is not ready: kubelet stopped", id="not ready"),
        pytest.param(node(pressure="True"), "1Mi", "fail", "n has MemoryPressure: little memory", id="pressure"),
        pytest.param(node(cordoned=True), "1Mi", "pass", "cordoned", id="cordoned"),
    ],
)
def test_nodes(given: dict[str, Any], memory: str, status: str, told: str) -> None:
    verdict = nodes.verdict({"n": given}, {"n": {"usage": {"cpu": "500m", "memory": memory}}})
    assert (verdict.status, told in verdict.reason) == (status, True), verdict.reason


@pytest.mark.parametrize(
    ("allocatable", "told"),
    [
        ({"cpu": "2", "memory": "0"}, "1 node ready without pressure, used at most: cpu 25 % of allocatable"),
        ({"cpu": "0"}, "1 node ready without pressure"),
        ({}, "1 node ready without pressure"),
    ],
)
def test_nodes_that_give_nothing_have_no_ratio(allocatable: dict[str, str], told: str) -> None:
    given = node()
    given["status"]["allocatable"] = allocatable
    assert nodes.verdict({"n": given}, {"n": {"usage": {"cpu": "500m", "memory": "1Mi"}}}).reason == told


def test_a_node_that_is_gone_or_hidden_does_not_hide_the_others() -> None:
    verdict = nodes.verdict({"n": node(ready="Unknown")}, {}, gone=["m"], unread={"o": "timed out"})
    assert verdict.status == "fail"
    assert (
        verdict.reason == "node m is gone, and pods are still bound to it; node n is not ready: kubelet stopped posting"
    )
    hidden = nodes.verdict({"n": node()}, {}, unread={"o": "timed out"})
    assert (hidden.status, hidden.reason) == ("unknown", "node o cannot be asked: timed out")


def test_nodes_without_figures_are_judged_by_their_conditions() -> None:
    assert nodes.verdict({"n": node()}, {}).reason == "1 node ready without pressure"


def autoscaler(active: str, reason: str) -> dict[str, Any]:
    """A HorizontalPodAutoscaler of the workload."""
    conditions = [{"type": "ScalingActive", "status": active, "reason": reason, "message": "no metrics"}]
    return {
        "kind": "HorizontalPodAutoscaler", "metadata": {"name": "api", "annotations": {}},
        "spec": {"minReplicas": 2, "maxReplicas": 5, "metrics": []},
        "status": {"currentReplicas": 2, "desiredReplicas": 2, "conditions": conditions},
    }  # fmt: skip


def test_autoscaling() -> None:
    of = workload()
    assert vitals.autoscaling_verdict(Found(), of).reason == "nothing scales it by itself"
    assert vitals.autoscaling_verdict(Found(horizontal=[autoscaler("True", "ValidMetricFound")]), of).passed
    broken = vitals.autoscaling_verdict(Found(horizontal=[autoscaler("False", "FailedGetResourceMetric")]), of)
    assert (broken.status, "FailedGetResourceMetric" in broken.reason) == ("fail", True)
    starting = Found(horizontal=[autoscaler("False", "FailedGetResourceMetric")])
    young = vitals.autoscaling_verdict(starting, of, vitals.youngest_seconds([running()], NOW) - 570)
    assert (young.status, "a pod is 30 s old" in young.reason) == ("unknown", True)
    assert vitals.youngest_seconds([], NOW) > vitals.YOUNG_SECONDS
    assert (
        vitals.autoscaling_verdict(Found(unread=["horizontalpodautoscalers may not be read (no)"]), of).status
        == "unknown"
    )
    assert vitals.autoscaling_verdict(Found(unread=["scaledobjects may not be read (no)"]), of).passed


def test_overrides_are_shown_and_due_ones_warn() -> None:
    entry = autoscaler("True", "ValidMetricFound")
    assert vitals.overrides_verdict([entry], NOW).reason == "none"
    standing = overrides.Override({"minReplicas": 2}, {"minReplicas": 8}, at(minutes=9), at(minutes=-9))
    entry["metadata"]["annotations"][overrides.ANNOTATION] = standing.written()
    assert "minReplicas 8 instead of 2" in vitals.overrides_verdict([entry], NOW).reason
    assert vitals.overrides_verdict([entry], NOW + timedelta(hours=1)).reason.startswith("warning: ")
