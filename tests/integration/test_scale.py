# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scale button where nothing scales by itself: up, down, to nothing, until when, and what stands against it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lab.cluster import Cluster, Manifest
from tests.integration.harness import credentials
from tests.integration.harness.audit import AuditLog
from tests.integration.harness.autoscalers import OVERRIDE, horizontal, overdue, override
from tests.integration.harness.gateway import Gateway
from tests.integration.harness.ground import Ground
from tests.integration.harness.pressing import Press, Pressed, Running
from tests.integration.harness.services import Service, Services, container, one_per_node

pytestmark = pytest.mark.matrix

BOUND = 50.0  # seconds; the goal of 5 s is printed beside what it took
#: What the button needs here; it may neither create pods nor list quotas.
RULES = {
    "apps:deployments": ["get", "list", "watch", "patch"],
    "apps:replicasets": ["list", "get", "patch"],
    ":pods": ["list", "watch"],
    ":pods/log": ["get"],
    ":pods/proxy": ["get"],
    ":events": ["list"],
    "autoscaling:horizontalpodautoscalers": ["list"],
    "coordination.k8s.io:leases": ["get", "create", "patch"],
}


def done(pressed: Pressed, service: str = "") -> dict[str, Any]:
    """What the module said that acted."""
    return pressed.results("workload_scale", service)[-1]


def request(cpu: str) -> Callable[[Manifest], None]:
    """A manifest whose pods request so much CPU."""

    def change(manifest: Manifest) -> None:
        container(manifest["spec"]["template"])["resources"] = {"requests": {"cpu": cpu}}

    return change


def unmeasured(manifest: Manifest) -> None:
    """A manifest whose pods request no CPU to measure its use by."""
    container(manifest["spec"]["template"]).pop("resources")


def quota(api: Service, **hard: str) -> None:
    """A quota in the service's namespace, counted."""
    cluster = api.workload.cluster
    cluster.create({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "tight"}, "spec": {"hard": hard}},
                   api.namespace)  # fmt: skip

    def counted() -> bool:
        live = cluster.get("ResourceQuota", api.namespace, "tight") or {}
        return set(live.get("status", {}).get("used", {})) == set(hard)

    cluster.until(counted, lambda: "The quota is not counted.")


def test_up_and_back_and_each_a_second_time(service: Services, press: Press, audit: AuditLog) -> None:
    api = service(["v1.2.1"], node_port=True)
    with audit.reading() as seen:
        planned = press("scale", api, replicas=3, options=["--check", "--diff"])
    assert planned.rc == 0, planned.output
    assert seen.writes == [], seen.lines
    assert "Would set Deployment api: replicas 1 -> 3" in planned.closing()
    assert done(planned)["diff"]["after"] == {"Deployment api": {"replicas": 3}}

    up = press("scale", api, replicas=3, operator="ada", reason="launch")
    assert up.rc == 0, up.output
    assert "Set Deployment api: replicas 1 -> 3; 3 of 3 ready after" in up.closing()
    assert "all 3 pods and http://" in up.closing()
    assert len(api.workload.pods) == 3
    kept = override(api.workload)
    assert (kept["old"], kept["new"], kept["until"]) == ({"replicas": 1}, {"replicas": 3}, "")
    assert (kept["operator"], kept["reason"]) == ("ada", "launch")

    again = press("scale", api, replicas=3)
    assert again.rc == 0, again.output
    assert not done(again)["changed"]
    assert override(api.workload) == kept

    down = press("scale", api, state="returned")
    assert down.rc == 0, down.output
    assert api.workload.live["spec"]["replicas"] == 1
    assert len(api.workload.pods) == 1
    assert override(api.workload) == {}
    nothing = press("scale", api, state="returned")
    assert nothing.rc == 0
    assert "api has no override that could be returned" in nothing.closing()
    assert nothing.results("service_lock") == []


def test_the_first_old_values_come_back_when_they_are_due(service: Services, press: Press) -> None:
    """A run that vanishes after its write has lost nothing; what is not due stays; what is due returns with its
    schedule, though what the load needs is not known, and whatever becomes of the group's others.
    """
    api = service(["v1.2.1"], lock_duration_seconds=3, change=unmeasured)
    gone = service(["v1.2.1"], "a-gone", replicas=0, wait=False, workload_name="nobody")
    daemon = service(["v1.2.1"], "a-daemon", kind="DaemonSet", wait=False)
    running = press.start("scale", api, replicas=2, for_minutes=60)
    running.until("replicas 1 -> 2 is written")
    running.vanish()
    until = override(api.workload)["until"]
    rerun = press("scale", api, replicas=2, for_minutes=60)
    assert rerun.rc == 0, rerun.output
    assert not done(rerun)["changed"]
    assert "2 of 2 ready" in rerun.closing()
    assert f"due at {until}" in rerun.closing()

    more = press("scale", api, replicas=3)
    assert more.rc == 0, more.output
    kept = override(api.workload)
    assert (kept["old"], kept["new"], kept["until"]) == ({"replicas": 1}, {"replicas": 3}, until)

    early = press("scale", api, state="expired")
    assert early.rc == 0, early.output
    assert not done(early)["changed"]
    assert f"api has no override that is due; the next is at {until}" in early.closing()
    assert api.workload.live["spec"]["replicas"] == 3

    text = api.workload.live["metadata"]["annotations"][OVERRIDE]
    api.workload.patch({"metadata": {"annotations": {OVERRIDE: overdue(text)}}})
    due = press("scale", gone, daemon, api, state="expired", environment={"ANSIBLE_FORKS": "1"})
    assert "pass: Set Deployment api: replicas 3 -> 1; 1 of 1 ready" in due.closing("api")
    assert "api goes down to 1 as it stood before, though what its load needs is not known" in due.output
    assert "pass: a-daemon has no override that is due" in due.closing("a-daemon")
    assert "fail: " in due.closing("a-gone")
    assert due.rc != 0
    assert override(api.workload) == {}


def test_what_the_load_needs_is_not_taken_away_unless_forced(service: Services, press: Press) -> None:
    """By its requests two pods of the one are busy; the other's requests say that one would do."""
    busy = service(["v1.2.1"], "busy", replicas=2, change=request("1m"))
    idle = service(["v1.2.1"], "idle", replicas=2, change=request("100m"))
    mute = service(["v1.2.1"], "mute", replicas=2, change=unmeasured)
    cluster = busy.workload.cluster

    def settled() -> bool:
        path = f"/apis/metrics.k8s.io/v1beta1/namespaces/{busy.namespace}/pods"
        found = cluster.request("GET", path, query={"labelSelector": "app in (busy,idle)"})["items"]
        return len(found) == 4

    cluster.until(settled, lambda: "The metrics API does not see the pods.")
    running = [press.start("scale", each, replicas=1) for each in (busy, idle, mute)]
    refused, fine, unknown = map(Running.wait, running)
    assert refused.rc != 0
    assert "busy is not scaled down to 1: the load needs" in refused.closing()
    assert "2 pods use" in refused.closing()
    assert "each requests 1m" in refused.closing()
    assert "force=true to go on" in refused.closing()
    assert busy.workload.live["spec"]["replicas"] == 2
    assert fine.rc == 0, fine.output
    assert unknown.rc != 0
    assert "what its load needs is not known: api requests no CPU" in unknown.closing()

    forced = press("scale", busy, replicas=1, force="true")
    assert forced.rc == 0, forced.output
    assert "busy goes down to 1 by force, though" in forced.output  # what it needs, or that this is not known now


def test_what_a_quota_has_no_room_for_is_told_in_figures(service: Services, press: Press, audit: AuditLog) -> None:
    api = service(["v1.2.1"], change=request("20m"))
    quota(api, pods="3", **{"requests.cpu": "1"})
    with audit.reading() as seen:
        pressed = press("scale", api, replicas=5)
    assert pressed.rc != 0
    assert "quota tight has pods 1 of 3 in use: room for 2 of 4 more pods" in pressed.closing()
    assert "requests.cpu" not in pressed.closing()
    assert seen.writes == [], seen.lines
    assert press("scale", api, replicas=3).rc == 0


def test_connections_that_the_database_has_no_room_for(service: Services, press: Press, audit: AuditLog) -> None:
    """Two pods more would open more connections than the lab's server has; a service without a pool is not asked."""
    api = service(["v1.2.1"], database_pool_size=60)
    with audit.reading() as seen:
        refused = press("scale", api, replicas=3)
    assert refused.rc != 0
    assert "api is not scaled up: 2 more pods open up to 120 connections, 60 each, and" in refused.closing()
    assert "ignore_connections=true" in refused.closing()
    assert seen.writes == [], seen.lines
    planned = press("scale", api, replicas=3, ignore_connections="true", options=["--check"])
    assert planned.rc == 0, planned.output
    assert "its connections:" in planned.closing()
    assert press("scale", api.having(database_pool_size=0), replicas=2).results("database_info") == []
    unasked = press("scale", api.having(database_host=""), replicas=3, options=["--check"])
    assert unasked.rc == 0, unasked.output
    assert "its connections: unknown, the inventory has no database_host" in unasked.closing()


def test_some_more_are_better_than_none_and_none_are_put_back(ground: Ground, cluster: Cluster, tmp_path: Path) -> None:
    """Where room is not to be asked for beforehand, the wait ends at the refusal: what got ready stays."""
    token = credentials.service_account(cluster, ground.namespace, "clerk", RULES)
    clerk = {"kubernetes_kubeconfig": str(credentials.kubeconfig(cluster.lab, tmp_path / "clerk", token=token))}
    api = ground.service(["v1.2.1"], change=request("20m"), **clerk)
    quota(api, pods="2")
    some = ground.press("scale", api, replicas=4)
    assert some.rc != 0
    assert "api did not get its 4 pods: 2 of 4 ready; no more pods can be created" in some.closing()
    assert "exceeded quota: tight" in some.closing()
    assert "Nothing was taken back: 2 pods are ready, 1 were before" in some.closing()
    assert "no right to list resourcequotas" in some.output
    assert some.seconds < BOUND
    assert api.workload.live["spec"]["replicas"] == 4
    assert {"pods.json", "events.json"} <= set(done(some)["evidence"])

    assert ground.press("scale", api, replicas=2, force="true").rc == 0
    before = override(api.workload)
    none = ground.press("scale", api, replicas=4)
    assert none.rc != 0
    assert "Not one more pod got ready, so what stood before was put back" in none.closing()
    assert api.workload.live["spec"]["replicas"] == 2
    assert override(api.workload) == before


def test_a_pod_that_finds_no_node_is_waited_for_and_named(service: Services, press: Press) -> None:
    pressed = press("scale", service(["v1.2.1"], change=one_per_node, rollout_deadline_seconds=6), replicas=2)
    assert pressed.rc != 0
    assert "not done after 6 s: 1 of 2 ready; pod api-" in pressed.closing()
    assert "Unschedulable: 0/1 nodes are available" in pressed.closing()
    assert "what stood before was put back" in pressed.closing()


def test_down_to_nothing_needs_its_name_and_up_from_there(service: Services, press: Press) -> None:
    api = service(["v1.2.1"], replicas=2, node_port=True)
    refused = [press.start("scale", api, replicas=0), press.start("scale", api, replicas=0, confirm="web")]
    for pressed in map(Running.wait, refused):
        assert pressed.rc != 0
        assert "replicas=0 stops every pod of api, so that nobody is served" in pressed.closing()
        assert "press again with -e confirm=api" in pressed.closing()
    assert "confirm=web is not its name" in pressed.closing()
    assert api.workload.live["spec"]["replicas"] == 2

    stopped = press("scale", api, replicas=0, confirm="api", for_minutes=30)
    assert stopped.rc == 0, stopped.output
    assert "replicas 2 -> 0; no pods left" in stopped.closing()
    assert api.workload.pods == []
    again = press("scale", api, replicas=0, confirm="api", for_minutes=30)
    assert again.rc == 0, again.output
    assert not done(again)["changed"]

    back = press("scale", api, replicas=2)
    assert back.rc == 0, back.output
    assert "2 of 2 ready" in back.closing()
    assert override(api.workload) == {}


def test_a_stateful_set_and_the_daemon_set_that_has_no_number(service: Services, press: Press) -> None:
    ordered = service(["v1.2.1"], "ordered", kind="StatefulSet")
    daemon = service(["v1.2.1"], "daemon", kind="DaemonSet")
    pressed = press("scale", ordered, daemon, replicas=2)
    assert "pass: Set StatefulSet ordered: replicas 1 -> 2; 2 of 2 ready" in pressed.closing("ordered")
    assert {pod["metadata"]["name"] for pod in ordered.workload.pods} == {"ordered-0", "ordered-1"}
    assert "fail: DaemonSet daemon has no replicas: it runs one pod on each node" in pressed.closing("daemon")


def test_two_operators_at_once(service: Services, press: Press) -> None:
    """The one who acts is told to the other, and what one wrote the other does not touch."""
    api = service(["v1.2.1"], behaviour="slow-start")
    first = press.start("scale", api, replicas=2, operator="ada")
    first.until("replicas 1 -> 2 is written")
    second = press("scale", api, replicas=3, operator="grace")
    assert second.rc != 0
    assert "locked: scale by ada" in second.closing()
    assert first.wait().rc == 0
    assert api.workload.live["spec"]["replicas"] == 2


def test_a_number_that_somebody_else_sets_meanwhile_is_theirs(service: Services, press: Press) -> None:
    api = service(["v1.2.1"], behaviour="slow-start")
    running = press.start("scale", api, replicas=3)
    running.until("replicas 1 -> 3 is written")
    api.workload.scale(2)
    pressed = running.wait()
    assert pressed.rc != 0
    assert "unknown: Set Deployment api: replicas 1 -> 3; then the number of replicas was set to 2" in pressed.closing()
    assert api.workload.live["spec"]["replicas"] == 2


@dataclass(frozen=True)
class Case:
    """What an operator gets wrong, and the words that tell it."""

    told: tuple[str, ...]
    given: dict[str, Any] = field(default_factory=dict)


CASES = [
    Case(("How many pods are wanted is not said", "Give -e replicas=NUMBER")),
    Case(("replicas=-1 will not do", "a whole number from 0 to 1000"), {"replicas": "-1"}),
    Case(("replicas=2.5 will not do",), {"replicas": "2.5"}),
    Case(("replicas=10000 will not do",), {"replicas": "10000"}),
    Case(("replicas=ten will not do",), {"replicas": "ten"}),
    Case(("for_minutes=soon will not do", "from 0 to 10080"), {"replicas": 2, "for_minutes": "soon"}),
    Case(
        ("replicas=-1 will not do", "for_minutes=-5 will not do", "no context prod"),
        {"replicas": "-1", "for_minutes": "-5", "kubernetes_context": "prod"},
    ),
    Case(("Both state=expired and replicas= were given", "Leave replicas out"), {"state": "expired", "replicas": 3}),
    Case(("state must be one of",), {"state": "gone"}),
    Case(("has no Deployment nobody; it has api",), {"replicas": 2, "workload_name": "nobody"}),
]


def test_bad_input_is_told_in_one_sentence(service: Services, press: Press, audit: AuditLog) -> None:
    api = service(["v1.2.1"], replicas=0, wait=False)
    with audit.reading() as seen:
        for few in _threes(CASES):
            running = [press.start("scale", api, **case.given) for case in few]
            for case, pressed in zip(few, map(Running.wait, running), strict=True):
                print(f"{case.given}: {pressed.seconds:.1f} s")
                sentence = pressed.closing() or pressed.failure()
                assert pressed.rc != 0, pressed.output
                for word in case.told:
                    assert word in sentence, f"no {word!r} in: {sentence}\n{pressed.output}"
                assert "\n" not in sentence.strip()
                assert "Traceback" not in pressed.output
                assert pressed.seconds < BOUND
    assert seen.writes == [], seen.lines


def test_without_the_metrics_api_a_step_down_is_not_known_to_be_safe(
    ground: Ground, cluster: Cluster, tmp_path: Path
) -> None:
    """The account may not read metrics, or the API server has none; force goes on."""
    token = credentials.service_account(cluster, ground.namespace, "clerk", RULES)
    clerk = {"kubernetes_kubeconfig": str(credentials.kubeconfig(cluster.lab, tmp_path / "clerk", token=token))}
    gateway = Gateway(cluster.lab, tmp_path)
    gateway.hidden = "metrics.k8s.io"
    api = ground.service(["v1.2.1"], replicas=2, change=request("50m"), **clerk)
    bare = ground.service(["v1.2.1"], "bare", replicas=2, wait=False, change=request("50m"),
                          kubernetes_kubeconfig=str(gateway.kubeconfig))  # fmt: skip
    refused = ground.press("scale", api, bare, replicas=1)
    gateway.close()
    assert "what its load needs is not known: What the pods use is not known: these" in refused.closing("api")
    assert "what its load needs is not known: What the pods use is not known: no metrics" in refused.closing("bare")
    assert "bare is not scaled down to 1" in refused.closing("bare")
    assert "force=true to go on" in refused.closing("bare")
    assert refused.seconds < BOUND
    assert ground.press("scale", api, replicas=1, force="true").rc == 0


def test_two_autoscalers_or_one_that_may_not_be_read(ground: Ground, cluster: Cluster, tmp_path: Path) -> None:
    rules = {name: verbs for name, verbs in RULES.items() if not name.startswith("autoscaling")}
    token = credentials.service_account(cluster, ground.namespace, "blind", rules)
    blind = {"kubernetes_kubeconfig": str(credentials.kubeconfig(cluster.lab, tmp_path / "blind", token=token))}
    unread = ground.service(["v1.2.1"], "unread", replicas=0, wait=False, **blind)
    two = ground.service(["v1.2.1"], "two", replicas=0, wait=False)
    for name in ("two", "second"):
        horizontal(two, 1, 3, name=name)
    with ground.audit.reading() as seen:
        refused = ground.press("scale", two, unread, replicas=2)
    assert "2 HorizontalPodAutoscalers scale two and work against each other: second, two" in refused.closing("two")
    assert "Delete all but one" in refused.closing("two")
    assert "list horizontalpodautoscalers" in refused.closing("unread")
    assert seen.writes == [], seen.lines


def _threes(cases: list[Case]) -> Iterator[list[Case]]:
    for first in range(0, len(cases), 3):
        yield cases[first : first + 3]
