# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A number of pods as it is watched: what each change makes of it."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.counting import REFUSED_SECONDS, ScaleWatch
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.feed import Change
from ansible_collections.linkops.runbooks.tests.unit.plugins.fixtures.scenes import Scene, load, scene


def counted(at: Scene, goal: int, exact: bool = True, broken: tuple[str, ...] = ()) -> ScaleWatch:
    """The watch after the number was written and seen by the controller."""
    at.workload["spec"]["replicas"] = goal
    at.workload["status"] = {"observedGeneration": at.workload["metadata"]["generation"]}
    return ScaleWatch(at.workload, at.numbered(8), at.known, 2, goal, exact, broken)


def pods(state: ScaleWatch, at: Scene, *statuses: str) -> None:
    """The watch sees pods api-1, api-2 ... in states of pods.yml; a state C(leaving) is on its way out."""
    for number, status in enumerate(statuses, 1):
        metadata: dict[str, Any] = {
            "name": f"api-{number}", "uid": f"u{number}", "labels": {"pod-template-hash": at.numbered(8).certified},
            "ownerReferences": [{"uid": at.numbered(8).uid, "controller": True}],
        }  # fmt: skip
        if status == "leaving":
            metadata["deletionTimestamp"] = "2026-11-22T12:00:00Z"
        content = {"phase": "Failed"} if status == "ended" else load("pods")["ready" if status == "leaving" else status]
        state.apply(Change("Pod", "ADDED", {"metadata": metadata, "status": content}), 0)


def condition(state: ScaleWatch, kind: str, message: str) -> None:
    """The controller says that something is so."""
    status = {**state.workload["status"], "conditions": [{"type": kind, "status": "True", "message": message}]}
    state.apply(Change("Deployment", "MODIFIED", {**state.workload, "status": status}), 0)


@pytest.mark.parametrize(
    ("goal", "exact", "statuses", "ended", "told"),
    [
        (2, True, ["ready"], "waiting", "1 of 2 ready"),
        (2, True, ["ready", "probe not passed"], "waiting", "1 of 2 ready"),
        (2, True, ["ready", "ready"], "done", "2 of 2 ready"),
        (2, True, ["ready", "ready", "ready"], "waiting", "3 ready of 2 wanted, 1 still to go"),
        (2, True, ["ready", "ready", "leaving"], "done", "2 of 2 ready"),
        (2, True, ["ready", "ready", "ended"], "done", "2 of 2 ready"),
        (0, True, ["ended"], "done", "no pods left"),
        (2, False, ["ready", "ready", "ready"], "done", "3 ready of 2 wanted"),
        (2, False, ["ready", "ready", "probe not passed"], "done", "2 of 2 ready"),
        (0, True, ["leaving"], "waiting", "1 pods left"),
        (0, True, [], "done", "no pods left"),
    ],
)
def test_how_many_are_ready(goal: int, exact: bool, statuses: list[str], ended: str, told: str) -> None:
    at = scene("deployment")
    state = counted(at, goal, exact)
    pods(state, at, *statuses)
    judged, finding = state.judge(1)
    assert (judged.state, judged.detail, finding) == (ended, told, None)


def test_a_number_that_the_controller_has_not_seen_is_waited_for() -> None:
    at = scene("deployment")
    state = counted(at, 1)
    pods(state, at, "ready")
    state.workload["metadata"]["generation"] += 1
    assert state.judge(0)[0].detail == "1 of 1 ready, the controller has not seen the number yet"


def test_a_pod_that_fails_for_good_ends_it_unless_it_did_before() -> None:
    at = scene("deployment")
    state = counted(at, 3)
    pods(state, at, "ready", "image not found")
    judged, finding = state.judge(1)
    assert (judged.state, judged.reason) == ("failed", "ErrImagePull")
    assert finding
    assert finding.pod == "api-2"
    at = scene("deployment")
    before = counted(at, 3, broken=("api-2",))
    pods(before, at, "ready", "image not found")
    assert before.judge(1)[0].state == "waiting"


def test_pods_that_are_refused_end_it_once_that_stands() -> None:
    at = scene("deployment")
    state = counted(at, 3)
    pods(state, at, "ready")
    condition(state, "ReplicaFailure", "exceeded quota: tight")
    assert state.judge(1)[0].state == "waiting"
    judged, _finding = state.judge(1 + REFUSED_SECONDS)
    assert (judged.state, judged.reason) == ("failed", "FailedCreate")
    assert judged.detail == "1 of 3 ready; no more pods can be created: exceeded quota: tight"


def test_a_refusal_waits_for_the_pods_that_were_created() -> None:
    at = scene("deployment")
    state = counted(at, 3)
    pods(state, at, "ready", "probe not passed")
    condition(state, "ReplicaFailure", "exceeded quota: tight")
    assert state.judge(1)[0].state == "waiting"
    assert state.judge(1 + 2 * REFUSED_SECONDS)[0].state == "waiting"
    pods(state, at, "ready", "ready")
    judged, _finding = state.judge(2 + 2 * REFUSED_SECONDS)
    assert judged.detail == "2 of 3 ready; no more pods can be created: exceeded quota: tight"


def test_a_refusal_that_was_left_over_is_none() -> None:
    at = scene("deployment")
    state = counted(at, 3)
    pods(state, at, "ready")
    condition(state, "ReplicaFailure", "exceeded quota: tight")
    assert state.judge(1)[0].state == "waiting"
    condition(state, "Progressing", "on it")
    assert state.judge(2)[0].state == "waiting"
    condition(state, "ReplicaFailure", "exceeded quota: tight")
    assert state.judge(1 + REFUSED_SECONDS)[0].state == "waiting"


@pytest.mark.parametrize("exact", [True, False])
def test_another_number_is_somebodys_unless_an_autoscaler_decides(exact: bool) -> None:
    at = scene("deployment")
    state = counted(at, 3, exact)
    other = {**state.workload, "spec": {**state.workload["spec"], "replicas": 5}}
    state.apply(Change("Deployment", "MODIFIED", other), 0)
    judged = state.judge(1)[0]
    assert (judged.reason == "superseded") is exact


def test_another_template_and_a_deletion_end_it() -> None:
    at = scene("deployment")
    state = counted(at, 3)
    template = at.numbered(6).template
    state.apply(
        Change("Deployment", "MODIFIED", {**state.workload, "spec": {**state.workload["spec"], "template": template}}),
        0,
    )
    assert state.judge(1)[0].reason == "superseded"
    state.apply(Change("Deployment", "DELETED", state.workload), 0)
    assert state.judge(1)[0].reason == "deleted"
