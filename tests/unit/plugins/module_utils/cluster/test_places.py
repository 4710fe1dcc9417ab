# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which pods and containers are asked, and the sentences where none can be meant."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster import places
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.places import Place
from ansible_collections.linkops.runbooks.plugins.module_utils.errors import OperatorError

RUNNING: dict[str, Any] = {"running": {}}
WAITING = {"waiting": {"reason": "CrashLoopBackOff"}}
ENDED = {"terminated": {"exitCode": 1, "reason": "Error"}}


def pod(
    name: str, *containers: str, ready: bool = True, age: int = 0, default: str = "", **states: Any
) -> dict[str, Any]:
    """A pod with these containers, all of which run unless their state is given as (state, restarts)."""
    names = containers or ("api",)
    statuses = []
    for each in names:
        state, restarts = states.get(each, (RUNNING, 0))
        statuses.append({"name": each, "state": state, "restartCount": restarts})
    return {
        "metadata": {
            "name": name,
            "creationTimestamp": f"2026-11-22T03:{59 - age:02d}:00Z",
            "annotations": {places.DEFAULT_CONTAINER: default} if default else {},
        },
        "spec": {"containers": [{"name": each} for each in names], "initContainers": [{"name": "migrate"}]},
        "status": {
            "conditions": [{"type": "Ready", "status": str(ready)}],
            "containerStatuses": statuses,
            "initContainerStatuses": [{"name": "migrate", "state": {"terminated": {"reason": "Completed"}}}],
        },
    }


PODS = [pod("c", age=1), pod("a", age=2), pod("b", ready=False, age=9)]


def run_in(pods: Any, name: str = "", which: str = "all", container: str = "") -> list[Place]:
    return places.to_run_in(pods, "Deployment api", name, which, container)


def faults(pods: Any, **meant: str) -> list[str]:
    with pytest.raises(OperatorError) as raised:
        run_in(pods, **meant)
    return [f"{fault.reason}: {fault}" for fault in raised.value.faults]


def test_all_means_the_ready_ones_by_name() -> None:
    assert run_in(PODS) == [Place("a", "api"), Place("c", "api")]


def test_one_means_the_oldest_that_is_ready() -> None:
    assert run_in(PODS, which="one") == [Place("a", "api")]
    assert run_in([pod("z"), pod("y")], which="one") == [Place("y", "api")]


def test_a_pod_that_is_named_need_not_be_ready() -> None:
    assert run_in(PODS, name="b") == [Place("b", "api")]


def test_without_a_ready_pod_those_there_are_named() -> None:
    (said,) = faults([PODS[2]])
    assert said.startswith("no_pod_ready: No pod of Deployment api is ready; it has b.")


def test_an_unknown_pod_is_told_from_those_there_are() -> None:
    (said,) = faults(PODS, name="x")
    assert said.startswith("pod_unknown: Deployment api has no pod x; it has a, b, c.")


@pytest.mark.parametrize(
    ("default", "container", "chosen"), [("", "proxy", "proxy"), ("api", "", "api"), ("api", "proxy", "proxy")]
)
def test_which_of_several_containers(default: str, container: str, chosen: str) -> None:
    assert run_in([pod("a", "proxy", "api", default=default)], container=container) == [Place("a", chosen)]


@pytest.mark.parametrize("default", ["", "gone"])
def test_several_containers_must_be_told_apart(default: str) -> None:
    said = faults([pod("a", "proxy", "api", default=default), pod("b", "proxy", "api")])
    assert said == [
        f"container_unnamed: Pod {name} has several containers: proxy, api. Name one of them as container."
        for name in ("a", "b")
    ]


def test_a_container_that_is_not_there_or_does_not_run() -> None:
    (unknown,) = faults(PODS, name="a", container="web")
    assert unknown.startswith("container_unknown: Pod a has no container web; it has api.")
    (crashed,) = faults([pod("a", api=(WAITING, 3))], name="a")
    assert crashed.startswith("container_not_running: Container api of pod a does not run (CrashLoopBackOff).")
    (over,) = faults(PODS, name="a", container="migrate")
    assert over.startswith("container_not_running: Container migrate of pod a does not run (Completed).")


def read_from(pods: Any, name: str = "", container: str = "", previous: bool = False) -> list[Place]:
    return places.to_read_from(pods, "Deployment api", name, container, previous)


def test_all_logs_are_read_whether_ready_or_not() -> None:
    assert read_from(PODS) == [Place(name, each) for name in "abc" for each in ("migrate", "api")]
    assert read_from(PODS, name="b", container="api") == [Place("b", "api")]
    assert read_from([]) == []


def test_a_container_need_not_be_in_every_pod() -> None:
    assert read_from([pod("a"), pod("b", "api", "proxy")], container="proxy") == [Place("b", "proxy")]
    with pytest.raises(OperatorError, match="Deployment api has no container web; it has api, migrate, proxy"):
        read_from([pod("a"), pod("b", "api", "proxy")], container="web")


@pytest.mark.parametrize(
    ("state", "restarts", "lives"),
    [
        (RUNNING, 0, [False]),
        (RUNNING, 2, [True, False]),
        (WAITING, 2, [True]),
        (ENDED, 2, [False]),
        (WAITING, 0, [False]),
    ],
)
def test_which_lives_of_a_container_have_a_log(state: dict[str, Any], restarts: int, lives: list[bool]) -> None:
    found = read_from([pod("a", api=(state, restarts))], container="api", previous=True)
    assert found == [Place("a", "api", life) for life in lives]
    assert read_from([pod("a", api=(state, restarts))], container="api") == [Place("a", "api")]
