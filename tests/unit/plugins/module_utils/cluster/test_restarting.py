# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Planning a restart: what is due, what stands against it, and how many pods come and go at a time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster import restarting
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.restarting import (
    KEY,
    STARTED,
    Method,
    Pace,
    Restart,
    Wish,
)
from ansible_collections.linkops.runbooks.plugins.module_utils.errors import OperatorError
from ansible_collections.linkops.runbooks.tests.unit.plugins.fixtures.scenes import Scene
from ansible_collections.linkops.runbooks.tests.unit.plugins.fixtures.settled import MORNING, NOW, pod_of, settled

RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
FOREIGN = {"pod-template-hash": "54d6b7c8f9", "controller-revision-hash": "before"}


def planned(at: Scene, **wish: Any) -> Restart:
    """The plan for a wish."""
    return restarting.plan(at.workload, at.known, at.pods, Wish(**{"key": "INC-1", **wish}), NOW)


def refused(at: Scene, **wish: Any) -> dict[str, str]:
    """The sentences of the refusal, by reason."""
    with pytest.raises(OperatorError) as fault:
        planned(at, **wish)
    return {each.reason: str(each) for each in fault.value.faults}


def marked(at: Scene, key: str) -> Scene:
    """The same workload with the key on its template, and so on its active revision."""
    for holder in (at.workload["spec"], at.history[2]["spec"]):
        holder["template"]["metadata"].setdefault("annotations", {})[KEY] = key
    return at


def evicted(at: Scene, key: str, started: str) -> Scene:
    """The same workload with key and start of evictions on it."""
    at.workload["metadata"].setdefault("annotations", {}).update({KEY: key, STARTED: started})
    return at


def test_a_rolling_restart_writes_what_kubectl_writes_and_the_key() -> None:
    at = settled("deployment")
    plan = planned(at)
    version, template = plan.patch
    assert version == {"op": "replace", "path": "/metadata/resourceVersion", "value": "48211"}
    assert template["value"]["metadata"]["annotations"] == {RESTARTED_AT: "2026-03-05T12:00:00Z", KEY: "INC-1"}
    assert template["value"]["spec"] == at.workload["spec"]["template"]["spec"]
    assert (plan.source and plan.source.number, plan.target) == (7, None)
    assert plan.due == ["servicelink-api-0", "servicelink-api-1", "servicelink-api-2"]
    assert plan.surge_pods == 1
    assert plan.acts


def test_a_key_on_the_template_changes_nothing_even_while_its_rollout_goes_on() -> None:
    at = marked(settled("deployment", updatedReplicas=1, replicas=4), "INC-1")
    plan = planned(at)
    assert not plan.acts
    assert plan.target is plan.source
    assert plan.settled == "key INC-1 was restarted already"


def test_another_key_restarts_again() -> None:
    plan = planned(marked(settled("deployment"), "INC-1"), key="INC-2")
    assert plan.patch[1]["value"]["metadata"]["annotations"][KEY] == "INC-2"


def test_evictions_write_key_and_start_on_the_workload_alone() -> None:
    at = settled("statefulset")
    plan = planned(at, method="evict")
    assert [each["path"] for each in plan.patch] == ["/metadata/resourceVersion", "/metadata/annotations"]
    annotations = plan.patch[1]["value"]
    assert annotations == {"example.com/team": "credentials", KEY: "INC-1", STARTED: "2026-03-05T12:00:00Z"}
    assert plan.since == NOW
    assert plan.target is plan.source
    assert plan.surge_pods == 0


def test_evictions_go_on_where_a_run_of_the_same_key_was_killed() -> None:
    at = evicted(settled("statefulset"), "INC-1", "2026-03-05T11:00:00Z")
    at.pods[2] = pod_of("statefulset", "credlink-vault-2", created="2026-03-05T11:00:00Z")
    plan = planned(at, method="evict")
    assert plan.patch == []
    assert plan.due == ["credlink-vault-0", "credlink-vault-1"]
    assert plan.since == datetime.fromisoformat("2026-03-05T11:00:00Z")
    assert plan.acts


def test_evictions_of_a_key_that_is_done_change_nothing() -> None:
    at = evicted(settled("statefulset"), "INC-1", MORNING)
    plan = planned(at, method="evict")
    assert not plan.acts
    assert plan.settled == "key INC-1 was restarted already"


@pytest.mark.parametrize("method", ["rollout", "evict"])
def test_young_pods_are_left_alone(method: Method) -> None:
    at = settled("deployment")
    at.pods[0] = pod_of("deployment", "young", created="2026-03-05T11:50:00Z")
    plan = planned(at, method=method, not_before=NOW - timedelta(minutes=30))
    old = ["servicelink-api-1", "servicelink-api-2"]
    assert plan.due == (old if method == "evict" else ["young", *old]), "a rolling restart cannot leave out one"

    plan = planned(at, method=method, not_before=datetime.fromisoformat("2026-03-05T05:00:00Z"))
    assert not plan.acts
    assert plan.settled == "all 3 pods are younger than not_before"


def test_all_that_stands_against_it_is_said_at_once() -> None:
    at = settled("deployment", replicas=1)
    at.workload["spec"].update(paused=True, strategy={"type": "Recreate"})
    assert set(refused(at)) == {"paused", "unconfirmed"}


def test_nothing_to_restart() -> None:
    assert "there is nothing to restart" in refused(settled("deployment", replicas=0))["scaled_to_zero"]
    empty = settled("deployment")
    empty.pods = []
    assert planned(empty, method="evict").settled == "there is no pod to evict"
    assert planned(empty).acts, "what keeps its pods from being created is asked by a dry run"


def test_a_key_of_the_other_method_is_told() -> None:
    at = evicted(settled("deployment"), "INC-1", MORNING)
    assert "method=evict" in refused(at)["key_used"]
    at = marked(settled("deployment"), "INC-1")
    assert "method=rollout" in refused(at, method="evict")["key_used"]


@pytest.mark.parametrize(
    ("kind", "status", "foreign", "why"),
    [
        pytest.param("deployment", {"updatedReplicas": 1, "replicas": 4}, 3, "1 of 4 updated", id="new and old pods"),
        pytest.param("deployment", {"observedGeneration": 8}, 0, "not seen the new template", id="not seen yet"),
        pytest.param("statefulset", {"updatedReplicas": 1}, 2, "1 of 3 updated", id="a StatefulSet half way"),
        pytest.param(
            "statefulset", {"readyReplicas": 2, "currentRevision": "before"}, 0, "2 of 3 ready", id="its last pod"
        ),
        pytest.param("daemonset", {"updatedNumberScheduled": 1}, 2, "1 of 3 updated", id="a DaemonSet half way"),
    ],
)
def test_a_rollout_in_progress(kind: str, status: dict[str, Any], foreign: int, why: str) -> None:
    at = settled(kind, **status)
    for pod in at.pods[:foreign]:
        pod["metadata"]["labels"].update(FOREIGN)
    assert why in refused(at)["rollout_in_progress"]


def test_the_key_of_the_restart_in_progress_is_named() -> None:
    at = marked(settled("deployment", updatedReplicas=1, replicas=4), "INC-1")
    at.pods[0]["metadata"]["labels"].update(FOREIGN)
    assert "-e key=INC-1" in refused(at, key="INC-2")["rollout_in_progress"]


@pytest.mark.parametrize(
    ("kind", "state", "status"),
    [
        pytest.param("deployment", "probe not passed", {"availableReplicas": 0}, id="ready once, not now"),
        pytest.param("deployment", "crash loop, two restarts", {"availableReplicas": 0}, id="crash loop"),
        pytest.param("statefulset", "probe not passed", {"readyReplicas": 0}, id="a StatefulSet that hangs"),
        pytest.param("daemonset", "probe not passed", {"numberAvailable": 0}, id="a DaemonSet that hangs"),
        pytest.param(
            "statefulset",
            "crash loop, two restarts",
            {"readyReplicas": 0, "currentRevision": "before"},
            id="a rollout that crashed to its end",
        ),
    ],
)
def test_pods_that_fail_are_what_a_restart_is_for(kind: str, state: str, status: dict[str, Any]) -> None:
    at = settled(kind, **status)
    at.pods = [pod_of(kind, f"pod-{number}", state) for number in range(3)]
    assert planned(at).acts


def test_a_rollout_whose_pod_a_node_rejected_goes_on() -> None:
    at = settled("statefulset", readyReplicas=1, currentRevision="before")
    at.pods[0] = pod_of("statefulset", "pod-0", "not admitted")
    assert "1 of 3 ready" in refused(at)["rollout_in_progress"]


def test_a_rollout_that_failed_for_good_is_restarted_only_without_others() -> None:
    at = settled("deployment", availableReplicas=0)
    exceeded = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "too long"}
    at.workload["status"]["conditions"] = [exceeded]
    assert planned(at).acts
    at.pods[0]["metadata"]["labels"].update(FOREIGN)
    assert "too long" in refused(at)["rollout_in_progress"]


@pytest.mark.parametrize(
    ("kind", "strategy", "replicas", "pace"),
    [
        ("deployment", {"maxSurge": "25%", "maxUnavailable": "25%"}, 1, Pace(1, 0)),
        ("deployment", {"maxSurge": "25%", "maxUnavailable": "25%"}, 4, Pace(1, 1)),
        ("deployment", {"maxSurge": "25%", "maxUnavailable": "25%"}, 5, Pace(2, 1)),
        ("deployment", {"maxSurge": 0, "maxUnavailable": "25%"}, 3, Pace(0, 1)),
        ("deployment", {"maxSurge": 0, "maxUnavailable": "100%"}, 3, Pace(0, 3)),
        ("deployment", {"maxSurge": 10, "maxUnavailable": 0}, 3, Pace(3, 0)),
        ("deployment", {}, 10, Pace(3, 2)),
        ("statefulset", {}, 3, Pace(0, 1)),
        ("statefulset", {"maxUnavailable": "34%"}, 3, Pace(0, 2)),
        ("daemonset", {"maxUnavailable": "10%"}, 3, Pace(0, 1)),
        ("daemonset", {"maxSurge": "10%", "maxUnavailable": 0}, 3, Pace(1, 0)),
    ],
)
def test_pace(kind: str, strategy: dict[str, Any], replicas: int, pace: Pace) -> None:
    at = settled(kind, replicas)
    field = "strategy" if kind == "deployment" else "updateStrategy"
    at.workload["spec"][field] = {"type": "RollingUpdate", "rollingUpdate": strategy}
    assert restarting.pace(at.workload, "rollout") == pace
    assert restarting.pace(at.workload, "evict") == Pace(0, 1)


@pytest.mark.parametrize(
    ("kind", "replicas", "method", "strategy"),
    [
        ("deployment", 3, "rollout", {"type": "Recreate"}),
        ("deployment", 1, "evict", {}),
        ("deployment", 2, "rollout", {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 2}}),
        ("statefulset", 1, "rollout", {}),
        ("daemonset", 1, "rollout", {}),
    ],
)
def test_an_outage_must_be_confirmed(kind: str, replicas: int, method: Method, strategy: dict[str, Any]) -> None:
    at = settled(kind, replicas)
    at.workload["spec"]["strategy" if kind == "deployment" else "updateStrategy"] = strategy
    name = at.workload["metadata"]["name"]
    assert f"-e confirm={name}" in refused(at, method=method)["unconfirmed"]
    assert "unconfirmed" in refused(at, method=method, confirm="other")
    assert planned(at, method=method, confirm=name).acts


@pytest.mark.parametrize("strategy", [{"type": "OnDelete"}, {"rollingUpdate": {"partition": 3}}])
def test_a_strategy_that_would_restart_nothing(strategy: dict[str, Any]) -> None:
    at = settled("statefulset")
    at.workload["spec"]["updateStrategy"] = strategy
    assert "method=evict" in refused(at)["strategy_holds_back"]
    assert planned(at, method="evict").acts


def test_on_delete_pods_of_an_older_revision_are_evicted_to_get_the_new_template() -> None:
    at = settled("statefulset", updatedReplicas=0)
    at.workload["spec"]["updateStrategy"] = {"type": "OnDelete"}
    for pod in at.pods:
        pod["metadata"]["labels"].update(FOREIGN)
    assert len(planned(at, method="evict").due) == 3


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("", None),
        ("90s", "2026-03-05T11:58:30Z"),
        ("30m", "2026-03-05T11:30:00Z"),
        ("2h", "2026-03-05T10:00:00Z"),
        ("1d", "2026-03-04T12:00:00Z"),
        ("2026-03-05T11:00:00+01:00", "2026-03-05T10:00:00Z"),
    ],
)
def test_not_before(text: str, meant: str | None) -> None:
    assert restarting.moment(text, NOW) == (meant and datetime.fromisoformat(meant))


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("soon", "neither a time nor a duration"),
        ("30", "neither a time nor a duration"),
        ("-5m", "neither a time nor a duration"),
        ("2026-03-05T11:00:00", "has no time zone"),
        ("2026-03-05T13:00:00Z", "lies in the future"),
        ("999999d", "neither a time nor a duration"),
    ],
)
def test_not_before_that_means_nothing(text: str, wrong: str) -> None:
    with pytest.raises(OperatorError, match=wrong):
        restarting.moment(text, NOW)


@pytest.mark.parametrize(("key", "right"), [("INC-123", True), ("größer #1", True), ("", False), ("a\nb", False)])
def test_keys(key: str, right: bool) -> None:
    assert (restarting.input_faults(key, "") == []) == right


def test_all_faults_of_the_input_at_once() -> None:
    assert [fault.reason for fault in restarting.input_faults("x" * 129, "soon")] == [
        "key_invalid",
        "not_before_invalid",
    ]


def test_a_pod_that_finds_no_node_is_a_warning() -> None:
    at = settled("deployment", availableReplicas=2)
    at.pods[0] = pod_of("deployment", "pending", "unschedulable")
    assert "Pod pending finds no node now" in " ".join(planned(at).warnings)
    assert planned(settled("deployment")).warnings == []
