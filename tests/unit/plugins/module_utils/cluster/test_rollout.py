# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a rollout is done, as kubectl says it, and when it has failed."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster import rollout
from ansible_collections.linkops.runbooks.tests.unit.plugins.fixtures.scenes import scene

DONE = {
    "deployment": {"replicas": 3, "updatedReplicas": 3, "availableReplicas": 3, "conditions": []},
    "statefulset": {},
    "daemonset": {},
}
TARGET = scene("deployment").numbered(6)


def state(name: str, spec: dict[str, Any] | None = None, **status: Any) -> str:
    """The state of a finished rollout with these changes."""
    workload = scene(name).workload
    workload["status"].update({**DONE[name], **status})
    workload["spec"].update(spec or {})
    return rollout.judge(workload).state


def partition(number: int) -> dict[str, Any]:
    """An update strategy with a partition."""
    return {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": number}}}


ON_DELETE = {"updateStrategy": {"type": "OnDelete"}}


@pytest.mark.parametrize(
    ("expected", "spec", "status"),
    [
        pytest.param("done", {}, {}, id="all updated and available"),
        pytest.param("waiting", {}, {"observedGeneration": 8}, id="not observed"),
        pytest.param("waiting", {}, {"observedGeneration": None}, id="never observed"),
        pytest.param("waiting", {}, {"updatedReplicas": 2}, id="one not updated"),
        pytest.param("waiting", {}, {"updatedReplicas": None}, id="none updated"),
        pytest.param("waiting", {}, {"replicas": 4}, id="an old one still there"),
        pytest.param("waiting", {}, {"availableReplicas": 2}, id="one not available"),
        pytest.param(
            "done",
            {"replicas": 0},
            {"replicas": 0, "updatedReplicas": 0, "availableReplicas": 0},
            id="scaled to nothing",
        ),
        pytest.param("done", {"replicas": 2}, {}, id="more updated than wanted any more"),
        pytest.param("done", {}, {"terminatingReplicas": 3}, id="terminating pods are not awaited"),
        pytest.param(
            "done",
            {"replicas": None},
            {"replicas": 1, "updatedReplicas": 1, "availableReplicas": 1},
            id="one by default",
        ),
    ],
)
def test_a_deployment(expected: str, spec: dict[str, Any], status: dict[str, Any]) -> None:
    assert state("deployment", spec, **status) == expected


@pytest.mark.parametrize(
    ("expected", "spec", "status"),
    [
        pytest.param("done", {}, {}, id="all updated and ready"),
        pytest.param("waiting", {}, {"observedGeneration": 3}, id="not observed"),
        pytest.param("waiting", {}, {"readyReplicas": 2}, id="one not ready"),
        pytest.param("waiting", {}, {"updatedReplicas": 2, "updateRevision": "other"}, id="one not updated"),
        # Back to the version that two of three pods still run: revisions are equal before the third pod is.
        pytest.param("waiting", {}, {"updatedReplicas": 2, "currentReplicas": 2}, id="one not back yet"),
        pytest.param("done", partition(2), {"updatedReplicas": 1, "updateRevision": "other"}, id="partition done"),
        pytest.param("waiting", partition(1), {"updatedReplicas": 1, "updateRevision": "other"}, id="partition"),
        pytest.param("done", partition(5), {"updatedReplicas": 0, "updateRevision": "other"}, id="partition above all"),
        pytest.param("done", ON_DELETE, {"updatedReplicas": 0, "updateRevision": "other"}, id="on delete"),
    ],
)
def test_a_stateful_set(expected: str, spec: dict[str, Any], status: dict[str, Any]) -> None:
    assert state("statefulset", spec, **status) == expected


@pytest.mark.parametrize(
    ("expected", "spec", "status"),
    [
        pytest.param("done", {}, {}, id="all updated and available"),
        pytest.param("waiting", {}, {"observedGeneration": 1}, id="not observed"),
        pytest.param("waiting", {}, {"updatedNumberScheduled": 1}, id="one not updated"),
        pytest.param("waiting", {}, {"numberAvailable": 1}, id="one not available"),
        pytest.param("done", {}, {"desiredNumberScheduled": 0}, id="no node wants it"),
        pytest.param("done", ON_DELETE, {"updatedNumberScheduled": 0}, id="on delete"),
    ],
)
def test_a_daemon_set(expected: str, spec: dict[str, Any], status: dict[str, Any]) -> None:
    assert state("daemonset", spec, **status) == expected


QUOTA = 'pods "{}-x2x4z" is forbidden: exceeded quota: compute, requested: cpu=1'


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        pytest.param(
            {
                "type": "ReplicaFailure",
                "status": "True",
                "reason": "FailedCreate",
                "message": QUOTA.format(TARGET.name),
            },
            "FailedCreate",
            id="its pods are refused",
        ),
        pytest.param(
            {
                "type": "ReplicaFailure",
                "status": "True",
                "reason": "FailedCreate",
                "message": QUOTA.format("servicelink-api-5b7c8d9f66"),
            },
            "",
            id="the pods of the one that is left are refused",
        ),
        pytest.param(
            {
                "type": "ReplicaFailure",
                "status": "True",
                "reason": "FailedCreate",
                "message": 'admission webhook "policy" denied the request',
            },
            "FailedCreate",
            id="a refusal that names no pod",
        ),
        pytest.param({"type": "ReplicaFailure", "status": "False", "message": "x"}, "", id="a refusal that is over"),
        pytest.param(
            {
                "type": "Progressing",
                "status": "False",
                "reason": "ProgressDeadlineExceeded",
                "message": f'ReplicaSet "{TARGET.name}" has timed out progressing.',
            },
            "ProgressDeadlineExceeded",
            id="it timed out",
        ),
        pytest.param(
            {
                "type": "Progressing",
                "status": "False",
                "reason": "ProgressDeadlineExceeded",
                "message": 'ReplicaSet "servicelink-api-5b7c8d9f66" has timed out progressing.',
            },
            "",
            id="the one that is left timed out",
        ),
        pytest.param(
            {
                "type": "Progressing",
                "status": "False",
                "reason": "ReplicaSetCreateError",
                "message": f'Failed to create new replica set "{TARGET.name}": quota',
            },
            "ReplicaSetCreateError",
            id="its replica set cannot be made",
        ),
        pytest.param(
            {"type": "Progressing", "status": "Unknown", "reason": "DeploymentPaused", "message": "paused"},
            "",
            id="paused",
        ),
    ],
)
def test_conditions_of_a_deployment_that_end_it(condition: dict[str, str], reason: str) -> None:
    workload = scene("deployment").workload
    workload["status"]["conditions"] = [condition]
    judged = rollout.judge(workload, TARGET)
    assert judged.reason == reason
    assert judged.state == ("failed" if reason else "waiting")
    if reason:
        assert condition["message"] in judged.detail


def test_without_a_target_any_timeout_counts() -> None:
    workload = scene("deployment").workload
    workload["status"]["conditions"] = [
        {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "timed out"}
    ]
    assert rollout.judge(workload).state == "failed"


def test_a_condition_counts_only_when_the_template_was_seen() -> None:
    workload = scene("deployment").workload
    workload["metadata"]["generation"] += 1
    workload["status"]["conditions"] = [{"type": "ReplicaFailure", "status": "True", "message": QUOTA}]
    assert rollout.judge(workload).state == "waiting"


def test_what_is_in_progress_is_told_and_what_is_done_is_not() -> None:
    assert rollout.in_progress(scene("deployment").workload) == "1 of 3 updated"
    assert rollout.in_progress(scene("daemonset").workload) == ""


@pytest.mark.parametrize(("name", "wanted"), [("deployment", 3), ("statefulset", 3), ("daemonset", 2)])
def test_how_many_pods_there_shall_be(name: str, wanted: int) -> None:
    assert rollout.desired_replicas(scene(name).workload) == wanted


def test_a_partition_of_nothing_is_no_note() -> None:
    assert rollout.strategy_notes(scene("statefulset").workload) == []
    assert rollout.strategy_notes(scene("deployment").workload) == []
