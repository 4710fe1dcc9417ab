# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What scales a workload by itself, and what keeps it from doing so."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster import autoscaling, overrides
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.autoscaling import Found

WORKLOAD = {"kind": "Deployment", "metadata": {"name": "api", "namespace": "production"}}
TEMPLATE = {"spec": {"containers": [{"name": "api", "resources": {"requests": {"cpu": "20m"}}}]}}
UTILISATION = {
    "type": "Resource",
    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}},
}


def horizontal(conditions: list[tuple[str, str, str]] = (), **spec: Any) -> dict[str, Any]:  # type: ignore[assignment]
    """A HorizontalPodAutoscaler of the workload, with conditions as (type, status, reason)."""
    return {
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "api", "resourceVersion": "7"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "api"},
            "minReplicas": 3,
            "maxReplicas": 10,
            **spec,
        },
        "status": {
            "currentReplicas": 3,
            "desiredReplicas": 3,
            "conditions": [{"type": t, "status": s, "reason": r, "message": "words"} for t, s, r in conditions],
        },
    }


def scaled(annotations: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    """KEDA's object of the workload."""
    return {
        "kind": "ScaledObject",
        "metadata": {"name": "api-queue", "resourceVersion": "9", "annotations": annotations},
        "spec": {"scaleTargetRef": {"name": "api"}, **spec},
    }


def described(*entries: dict[str, Any], template: dict[str, Any] | None = None) -> autoscaling.Autoscaler:
    """What scales the workload, which these objects say it is."""
    found = Found(
        [each for each in entries if each["kind"] == "HorizontalPodAutoscaler"],
        [each for each in entries if each["kind"] == "ScaledObject"],
    )
    autoscaler = autoscaling.describe(found, template or TEMPLATE)
    assert autoscaler
    return autoscaler


def test_nothing_scales_it() -> None:
    assert autoscaling.describe(Found(), TEMPLATE) is None


@pytest.mark.parametrize(
    ("reference", "meant"),
    [
        ({"apiVersion": "apps/v1", "kind": "Deployment", "name": "api"}, True),
        ({"name": "api"}, True),
        ({"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "api"}, False),
        ({"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}, False),
        ({"apiVersion": "argoproj.io/v1alpha1", "kind": "Deployment", "name": "api"}, False),
        ({}, False),
    ],
)
def test_whose_autoscaler_it_is(reference: dict[str, str], meant: bool) -> None:
    assert autoscaling.targets({"spec": {"scaleTargetRef": reference}}, WORKLOAD) is meant


def test_one_that_does_well_has_no_problem() -> None:
    entry = horizontal([("AbleToScale", "True", "ReadyForNewScale"), ("ScalingActive", "True", "ValidMetricFound")])
    autoscaler = described(entry)
    assert (autoscaler.minimum, autoscaler.maximum, autoscaler.current, autoscaler.desired) == (3, 10, 3, 3)
    assert (autoscaler.problems, autoscaler.limited, autoscaler.stabilisation_seconds) == ([], "", 300)


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        (("ScalingActive", "False", "FailedGetResourceMetric"), "it has no metrics and does not scale by load"),
        (("ScalingActive", "False", "ScalingDisabled"), "it is disabled, since the workload has 0 replicas"),
        (("ScalingActive", "False", "InvalidSelector"), "it does not scale (InvalidSelector: words)"),
        (("AbleToScale", "False", "FailedUpdateScale"), "it cannot scale (FailedUpdateScale: words)"),
    ],
)
def test_what_impedes_it_is_a_sentence(condition: tuple[str, str, str], told: str) -> None:
    (problem,) = described(horizontal([condition])).problems
    assert problem.startswith(told)
    assert "words" in problem


def test_at_its_maximum_it_is_limited_and_at_its_minimum_it_is_not() -> None:
    top = horizontal([("ScalingLimited", "True", "TooManyReplicas")])
    assert described(top).limited == "it stands at its maximum of 10 and wants more"
    assert described(horizontal([("ScalingLimited", "True", "TooFewReplicas")])).limited == ""


def test_a_minimum_that_is_not_set_is_one() -> None:
    assert described(horizontal(minReplicas=None)).minimum == 1


def test_two_of_them_are_named() -> None:
    other = horizontal()
    other["metadata"] = {"name": "api-too"}
    assert "(api, api-too), which work against each other" in described(horizontal(), other).problems[0]


def test_metrics_stand_beside_their_targets() -> None:
    entry = horizontal(
        metrics=[
            UTILISATION,
            {
                "type": "ContainerResource",
                "containerResource": {
                    "name": "memory", "container": "api", "target": {"type": "AverageValue", "averageValue": "1Gi"},
                },
            },
            {
                "type": "External",
                "external": {"metric": {"name": "jobs"}, "target": {"type": "Value", "value": "30"}},
            },
        ]
    )  # fmt: skip
    entry["status"]["currentMetrics"] = [
        {"type": ""},
        {"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 35, "averageValue": "7m"}}},
        {"type": "External", "external": {"metric": {"name": "jobs"}, "current": {"value": "12"}}},
    ]
    assert [str(each) for each in described(entry).metrics] == [
        "cpu 35 % of 70 %",
        "memory of api unknown of 1Gi",
        "jobs 12 of 30",
    ]


def test_utilisation_without_a_request_is_undefined() -> None:
    bare = {"spec": {"containers": [{"name": "api"}, {"name": "proxy", "resources": {"limits": {"cpu": "1"}}}]}}
    assert autoscaling.without_cpu_request(bare) == ["api"]
    problems = described(horizontal(metrics=[UTILISATION]), template=bare).problems
    assert problems == ["it scales by CPU utilisation, and api requests no CPU: the utilisation is undefined"]
    assert described(horizontal(), template=bare).problems == []
    assert autoscaling.without_cpu_request({"spec": {**bare["spec"], "resources": {"requests": {"cpu": "1"}}}}) == []


def test_a_sidecar_counts_and_an_init_container_does_not() -> None:
    spec = {"initContainers": [{"name": "once"}, {"name": "beside", "restartPolicy": "Always"}], "containers": []}
    assert autoscaling.without_cpu_request({"spec": spec}) == ["beside"]


def test_the_one_that_never_scales_down_and_the_one_that_does_at_once() -> None:
    never = described(horizontal(behavior={"scaleDown": {"selectPolicy": "Disabled"}}))
    at_once = described(horizontal(behavior={"scaleDown": {"stabilizationWindowSeconds": 0}}))
    assert (never.scales_down, never.stabilisation_seconds) == (False, 300)
    assert (at_once.scales_down, at_once.stabilisation_seconds) == (True, 0)


def test_keda_owns_the_floor() -> None:
    autoscaler = described(horizontal(), scaled(minReplicaCount=2))
    assert (autoscaler.kind, autoscaler.name) == ("ScaledObject", "api-queue")
    assert (autoscaler.minimum, autoscaler.maximum, autoscaler.current) == (2, 100, 3)
    assert described(scaled()).minimum == 0


@pytest.mark.parametrize(
    ("annotations", "still"),
    [
        ({overrides.PAUSED_REPLICAS: "0"}, f'{overrides.PAUSED_REPLICAS}: "0"'),
        ({overrides.PAUSED: "true"}, f'{overrides.PAUSED}: "true"'),
        ({overrides.PAUSED: "false"}, ""),
        (None, ""),
    ],
)
def test_keda_that_is_paused_says_by_what(annotations: dict[str, str] | None, still: str) -> None:
    entry = scaled(annotations)
    assert autoscaling.paused(entry) == still
    assert described(entry).problems == ([f"KEDA is paused by {still}"] if still else [])


def test_keda_that_is_not_ready_says_why() -> None:
    entry = {**scaled(), "status": {"conditions": [{"type": "Ready", "status": "False", "message": "no such queue"}]}}
    assert described(entry).problems == ["KEDA calls it not ready: no such queue"]


def test_the_sentence_has_all_of_it() -> None:
    entry = horizontal([("ScalingLimited", "True", "TooManyReplicas")], metrics=[UTILISATION])
    entry["status"]["desiredReplicas"] = 12
    assert str(described(entry)) == (
        "HorizontalPodAutoscaler api: 3 to 10, 3 pods, wants 12; cpu unknown of 70 %; "
        "it stands at its maximum of 10 and wants more"
    )
    assert described(entry).as_result()["sentence"] == str(described(entry))
