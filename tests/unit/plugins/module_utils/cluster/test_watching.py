# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rollout as it is watched: what each change makes of it."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.feed import Change
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.leases import Held
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.watching import CALM_SECONDS, watch
from ansible_collections.linkops.runbooks.plugins.module_utils.deadline import Deadline
from ansible_collections.linkops.runbooks.tests.unit.plugins.fixtures.scenes import scene
from ansible_collections.linkops.runbooks.tests.unit.plugins.fixtures.watched import (
    Silence,
    pod_of,
    seen,
    status,
    watched,
)

FINISHED = {"replicas": 3, "updatedReplicas": 3, "availableReplicas": 3, "readyReplicas": 3}


def test_from_the_first_look_to_the_end() -> None:
    at = scene("deployment")
    state = watched(at, 6)
    assert state.judge(0)[0].detail == "the controller has not seen the new template yet"
    status(state, replicas=4, updatedReplicas=1, availableReplicas=3, readyReplicas=3)
    seen(state, pod_of(at, 6, "api-1", "probe not passed"), pod_of(at, 8, "api-0", "image not found"))
    assert state.judge(1)[0].state == "waiting"
    seen(state, *(pod_of(at, 6, f"api-{number}") for number in (1, 2, 3)), how="MODIFIED")
    status(state, **FINISHED)
    judged, finding = state.judge(2)
    assert (judged.state, finding) == ("done", None)


def test_a_status_that_is_ahead_of_the_pods_waits_for_them() -> None:
    at = scene("deployment")
    state = watched(at, 6)
    status(state, **FINISHED)
    assert state.judge(0)[0].state == "waiting"


@pytest.mark.parametrize(
    ("number", "state_of_pod", "reason"),
    [
        pytest.param(6, "image not found", "ErrImagePull", id="a fatal reason of the target"),
        pytest.param(6, "crash loop, two restarts", "CrashLoopBackOff", id="a crash loop of the target"),
        pytest.param(6, "crash loop, one restart", None, id="one restart"),
        pytest.param(6, "unschedulable", None, id="unschedulable is waited for"),
        pytest.param(8, "image not found", None, id="a fatal reason of what is left"),
        pytest.param(4, "crash loop, two restarts", None, id="a crash loop of another revision"),
        pytest.param(6, "not admitted", None, id="a node that rejected it"),
        pytest.param(6, "sysctl forbidden", "SysctlForbidden", id="rejected for what the template asks"),
    ],
)
def test_only_the_targets_pods_end_a_rollout(number: int, state_of_pod: str, reason: str | None) -> None:
    at = scene("deployment")
    state = watched(at, 6)
    status(state, replicas=4, updatedReplicas=1, availableReplicas=3)
    seen(state, pod_of(at, number, "api-1", state_of_pod))
    judged, finding = state.judge(1)
    assert (judged.state, judged.reason) == (("failed", reason) if reason else ("waiting", ""))
    assert (finding.reason if finding else None) == reason


def test_a_strangers_pod_is_not_seen() -> None:
    at = scene("deployment")
    state = watched(at, 6)
    seen(state, {**pod_of(at, 6, "api-1", "image not found"), "metadata": {"name": "x", "uid": "x"}})
    assert state.pods == {}


def test_pods_that_a_node_rejected_are_replaced_and_do_not_count() -> None:
    at = scene("deployment")
    state = watched(at, 6)
    seen(state, pod_of(at, 6, "api-0", "not admitted"), *(pod_of(at, 6, f"api-{n}") for n in (1, 2, 3)))
    status(state, **FINISHED)
    assert state.judge(1)[0].state == "done"
    assert [pod["metadata"]["name"] for pod in state.pods_of_target()] == ["api-1", "api-2", "api-3"]


def test_restarts_from_before_are_history_and_new_ones_are_not() -> None:
    at = scene("deployment")
    state = watched(at, 6)
    pod = pod_of(at, 6, "api-1", "crash loop, running just now")
    seen(state, pod)
    assert state.judge(0)[0].state == "waiting"
    pod["status"]["containerStatuses"][0]["restartCount"] += 2
    seen(state, pod, how="MODIFIED")
    assert state.judge(1)[0].state == "failed"


def test_a_pod_of_the_same_name_has_a_history_of_its_own() -> None:
    at = scene("statefulset")
    state = watched(at, 2)
    seen(state, pod_of(at, 2, "credlink-vault-2", "crash loop, running just now"))
    seen(state, pod_of(at, 2, "credlink-vault-2", "crash loop, two restarts", uid="another"))
    assert state.judge(1)[0].state == "failed"


def test_a_rollout_with_a_restart_is_done_only_after_a_calm_time() -> None:
    at = scene("deployment")
    state = watched(at, 6)
    pods = [pod_of(at, 6, f"api-{number}") for number in (1, 2, 3)]
    seen(state, *pods)
    status(state, **FINISHED)
    assert state.judge(1)[0].state == "done"
    pods[0]["status"]["containerStatuses"][0]["restartCount"] = 1
    seen(state, pods[0], seconds=5, how="MODIFIED")
    assert state.judge(5)[0].state == "waiting"
    assert state.judge(5 + CALM_SECONDS - 0.1)[0].state == "waiting"
    assert state.judge(5 + CALM_SECONDS)[0].state == "done"


def test_a_list_that_begins_anew_is_no_restart() -> None:
    at = scene("deployment")
    state = watched(at, 6)
    pods = [pod_of(at, 6, f"api-{number}") for number in (1, 2, 3)]
    seen(state, *pods)
    status(state, **FINISHED)
    pods[2]["status"]["containerStatuses"][0]["restartCount"] = 1
    seen(state, pods[2], seconds=5, how="MODIFIED")
    state.apply(Change("Pod", "RESET"), 60)
    seen(state, *pods, seconds=60)
    assert state.judge(60)[0].state == "done"


@pytest.mark.parametrize(("ready", "ended"), [(3, "done"), (2, "timeout")])
def test_before_time_is_up_it_looks_once_more(ready: int, ended: str) -> None:
    at = scene("deployment")
    state = watched(at, 6)
    state.workload["metadata"] |= {"namespace": "prod", "resourceVersion": "5"}
    finished = {**FINISHED, "availableReplicas": ready, "readyReplicas": ready}
    generation = at.workload["metadata"]["generation"]
    now = {**state.workload, "status": {"observedGeneration": generation, **finished}}
    pods = [pod_of(at, 6, f"api-{number}") for number in range(ready)]
    for pod in pods:
        pod["metadata"]["namespace"] = "prod"
    server: Any = Silence(now, pods)
    seen_through = watch(server, state, Deadline(0.05), Held(server, None), lambda _line: None)
    assert seen_through.state == ended, seen_through.detail
    assert len(seen_through.pods) == ready


def test_an_init_container_that_came_through_long_ago_needs_no_calm_time() -> None:
    at = scene("deployment")
    state = watched(at, 6)
    seen(state, *(pod_of(at, 6, f"api-{n}", "init container came through after a restart") for n in (1, 2, 3)))
    status(state, **FINISHED)
    assert state.judge(1)[0].state == "done"


def test_another_template_is_somebody_elses_rollout() -> None:
    at = scene("deployment")
    state = watched(at, 6)
    changed = scene("deployment").workload
    state.apply(Change("Deployment", "MODIFIED", changed), 1)
    judged, finding = state.judge(1)
    assert (judged.state, judged.reason, finding) == ("failed", "superseded", None)


def test_defaults_that_the_server_adds_to_metadata_are_no_change() -> None:
    at = scene("deployment")
    state = watched(at, 6)
    same = {**at.workload, "spec": {**at.workload["spec"], "replicas": 5}}
    same["spec"]["template"] = {**same["spec"]["template"]}
    same["spec"]["template"]["metadata"] = {"creationTimestamp": None, "labels": {"app": "servicelink-api"}}
    state.apply(Change("Deployment", "MODIFIED", same), 1)
    assert state.judge(1)[0].reason == ""


def test_a_workload_that_is_deleted_is_no_rollout_any_more() -> None:
    at = scene("deployment")
    state = watched(at, 6)
    state.apply(Change("Deployment", "DELETED", at.workload), 1)
    judged, _finding = state.judge(1)
    assert (judged.state, judged.reason) == ("failed", "deleted")


@pytest.mark.parametrize(
    ("event", "with_pods", "failed"),
    [
        pytest.param({"type": "Warning", "reason": "FailedCreate", "message": "quota"}, False, True, id="refused"),
        pytest.param(
            {"type": "Warning", "reason": "FailedCreate", "message": "quota"}, True, False, id="one came through"
        ),
        pytest.param(
            {"type": "Warning", "reason": "Unhealthy", "message": "probe"}, False, False, id="another warning"
        ),
        pytest.param({"type": "Normal", "reason": "SuccessfulCreate", "message": "x"}, False, False, id="no warning"),
    ],
)
def test_a_stateful_set_tells_by_events_that_no_pod_can_be_made(
    event: dict[str, Any], with_pods: bool, failed: bool
) -> None:
    at = scene("statefulset")
    state = watched(at, 2)
    status(state, readyReplicas=2, updatedReplicas=0)
    if with_pods:
        seen(state, pod_of(at, 2, "credlink-vault-2", "probe not passed"))
    state.apply(Change("Event", "ADDED", event), 1)
    assert state.judge(1)[0].reason != "FailedCreate", "one may be about the template before"
    state.apply(Change("Event", "MODIFIED", event), 1)
    judged, _finding = state.judge(1)
    assert (judged.reason == "FailedCreate") == failed
    assert not failed or "quota" in judged.detail


def test_a_list_that_begins_anew_forgets_the_pods_that_are_gone() -> None:
    at = scene("deployment")
    state = watched(at, 6)
    seen(state, pod_of(at, 6, "api-1"), pod_of(at, 6, "api-2"))
    seen(state, pod_of(at, 6, "api-2"), how="DELETED")
    assert list(state.pods) == ["api-1"]
    state.apply(Change("Deployment", "RESET"), 1)
    assert list(state.pods) == ["api-1"]
    state.apply(Change("Pod", "RESET"), 1)
    assert list(state.pods) == []


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("ready", ""),
        ("probe not passed", "api-1 is not ready yet"),
        ("unschedulable", "pod api-1: Unschedulable: 0/1 nodes are available: 1 Insufficient cpu."),
    ],
)
def test_what_it_waits_for(name: str, told: str) -> None:
    at = scene("deployment")
    state = watched(at, 6)
    seen(state, pod_of(at, 6, "api-1", name))
    assert state.waiting_for() == told


def test_it_waits_for_a_probe_by_its_path() -> None:
    at = scene("deployment")
    state = watched(at, 8)
    seen(state, pod_of(at, 8, "api-1", "probe not passed"))
    assert state.waiting_for() == "api-1 waits for its readiness probe GET :3001/health"


def test_the_timeline_has_a_point_for_each_change() -> None:
    at = scene("deployment")
    state = watched(at, 6)
    state.record(0)
    seen(state, pod_of(at, 8, "api-0"), pod_of(at, 6, "api-1", "probe not passed"))
    state.record(0.5)
    state.record(1)
    seen(state, pod_of(at, 6, "api-1"), how="MODIFIED")
    seen(state, pod_of(at, 8, "api-0", deletionTimestamp="2026-03-05T10:00:00Z"), how="MODIFIED")
    state.record(1.234)
    assert state.timeline == [
        {"seconds": 0, "revisions": {}},
        {"seconds": 0.5, "revisions": {"8": {"pods": 1, "ready": 1}, "6": {"pods": 1, "ready": 0}}},
        {"seconds": 1.23, "revisions": {"6": {"pods": 1, "ready": 1}}},
    ]
    assert state.terminating() == 1


def test_a_pod_of_a_revision_that_nobody_knows_is_drawn_all_the_same() -> None:
    at = scene("deployment")
    state = watched(at, 6)
    pod = pod_of(at, 6, "api-1")
    pod["metadata"]["labels"] = {"pod-template-hash": "new"}
    seen(state, pod)
    state.record(0)
    assert state.timeline[0]["revisions"] == {"?": {"pods": 1, "ready": 1}}
