# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A restart pod by pod: who goes next, and what it waits for."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.feed import Change
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.turnover import Turnover
from ansible_collections.linkops.runbooks.tests.unit.plugins.fixtures.scenes import Scene
from ansible_collections.linkops.runbooks.tests.unit.plugins.fixtures.settled import NOW, pod_of, settled

NEW = "2026-03-05T12:00:00Z"
#: When the grace time of a pod on its way out ends.
LEAVING = {"deletionTimestamp": "2026-03-05T12:00:30Z"}


def turnover(at: Scene) -> Turnover:
    """The restart that began now."""
    state = Turnover(at.workload, at.known[-1], {at.workload["metadata"]["uid"]}, NOW, 2)
    for pod in at.pods:
        state.apply(Change("Pod", "ADDED", pod))
    return state


def names(pods: list[Any]) -> list[str]:
    return [pod["metadata"]["name"] for pod in pods]


def test_those_that_are_not_ready_go_first_then_the_oldest() -> None:
    at = settled("deployment")
    at.pods = [
        pod_of("deployment", "b", created="2026-03-05T08:00:00Z"),
        pod_of("deployment", "c", created="2026-03-05T07:00:00Z"),
        pod_of("deployment", "sick", "probe not passed", created="2026-03-05T09:00:00Z"),
        pod_of("deployment", "new", created=NEW),
    ]
    assert names(turnover(at).due()) == ["sick", "c", "b"]
    assert names(turnover(at).fresh()) == ["new"]


def test_one_goes_only_when_nothing_is_on_its_way() -> None:
    at = settled("deployment")
    state = turnover(at)
    assert state.waits_for(NOW) == ""

    state.apply(Change("Pod", "MODIFIED", pod_of("deployment", "servicelink-api-0", **LEAVING)))
    assert state.waits_for(NOW) == "servicelink-api-0 is on its way out"
    state.apply(Change("Pod", "DELETED", pod_of("deployment", "servicelink-api-0")))
    assert state.waits_for(NOW) == "2 of 3 pods are there"
    state.apply(Change("Pod", "ADDED", pod_of("deployment", "next", "probe not passed", created=NEW)))
    assert state.waits_for(NOW).startswith("next ")
    state.apply(Change("Pod", "MODIFIED", pod_of("deployment", "next", created=NEW)))
    assert state.waits_for(NOW) == ""
    assert names(state.due()) == ["servicelink-api-1", "servicelink-api-2"]


def test_a_replacement_that_the_api_server_refuses_is_named() -> None:
    at = settled("deployment")
    at.workload["status"]["conditions"] = [{"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"}]
    at.pods.pop()
    assert turnover(at).waits_for(NOW) == "2 of 3 pods are there (exceeded quota)"


def test_ready_counts_once_it_has_lasted() -> None:
    at = settled("deployment")
    at.workload["spec"]["minReadySeconds"] = 10
    at.pods[0] = pod_of("deployment", "new", created=NEW)
    at.pods[0]["status"]["conditions"] = [{"type": "Ready", "status": "True", "lastTransitionTime": NEW}]
    assert turnover(at).waits_for(NOW + timedelta(seconds=9)) == "new is not ready yet"
    assert turnover(at).waits_for(NOW + timedelta(seconds=10)) == ""


def test_pods_that_ended_for_good_do_not_count() -> None:
    at = settled("deployment")
    at.pods.append(pod_of("deployment", "gone", "evicted"))
    assert "gone" not in names(turnover(at).due())


def test_a_replacement_that_will_not_get_ready_stops_it_and_an_old_pod_does_not() -> None:
    at = settled("deployment")
    at.pods[0] = pod_of("deployment", "old", "crash loop, two restarts")
    assert turnover(at).fatal() is None
    state = turnover(at)
    state.apply(Change("Pod", "ADDED", pod_of("deployment", "new", "config key missing", created=NEW)))
    found = state.fatal()
    assert found is not None
    assert found.pod == "new"


def test_a_template_that_somebody_changes_is_seen() -> None:
    at = settled("deployment")
    state = turnover(at)
    foreign = settled("deployment").workload
    state.apply(Change("Deployment", "MODIFIED", foreign))
    assert not state.superseded
    foreign["spec"]["template"]["spec"]["containers"][0]["image"] = "other"
    assert state.superseded


def test_foreign_pods_are_not_counted() -> None:
    at = settled("deployment")
    at.pods.append(pod_of("deployment", "stranger", ownerReferences=[{"uid": "other", "controller": True}]))
    assert "stranger" not in names(turnover(at).alive)


def test_the_timeline_tells_old_from_new() -> None:
    at = settled("deployment")
    at.pods[0] = pod_of("deployment", "new", "probe not passed", created=NEW)
    state = turnover(at)
    state.record(1.5)
    state.record(2.5)
    number = state.target.number
    picture = {str(number): {"pods": 2, "ready": 2}, f"{number} restarted": {"pods": 1, "ready": 0}}
    assert state.timeline == [{"seconds": 1.5, "revisions": picture}]


def test_old_news_of_an_evicted_pod_does_not_bring_it_back() -> None:
    """The eviction API writes a condition first, and the watch may tell of that after the eviction was granted."""
    at = settled("deployment")
    state = turnover(at)
    state.send_away(at.pods[0])
    state.apply(Change("Pod", "MODIFIED", pod_of("deployment", "servicelink-api-0")))
    assert state.waits_for(NOW) == "servicelink-api-0 is on its way out"
    assert names(state.due()) == ["servicelink-api-1", "servicelink-api-2"]


def test_a_pod_that_stays_after_its_grace_time_is_awaited_only_where_this_run_evicted_it() -> None:
    """Such as one on a dead node, whose replacement runs long since."""
    at = settled("deployment")
    at.pods.append(pod_of("deployment", "stays", **LEAVING))
    state = turnover(at)
    assert state.waits_for(NOW + timedelta(seconds=29)) == "stays is on its way out"
    assert state.waits_for(NOW + timedelta(seconds=30)) == ""
    assert "stays" not in names(state.due())
    state.send_away(at.pods[-1])
    assert state.waits_for(NOW + timedelta(seconds=30)) == "stays is on its way out"


def test_a_watch_that_begins_anew_is_no_change() -> None:
    at = settled("deployment")
    state = turnover(at)
    state.apply(Change("Deployment", "RESET"))
    assert not state.superseded
    assert not state.deleted
    assert names(state.alive) == names(at.pods)
    state.apply(Change("Pod", "RESET"))
    assert state.alive == []
