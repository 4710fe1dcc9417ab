# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A StatefulSet that waits for a pod in vain: which one is freed, and when."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from ansible_collections.linkops.runbooks.tests.unit.plugins.fixtures.scenes import Scene, scene
from ansible_collections.linkops.runbooks.tests.unit.plugins.fixtures.watched import pod_of, seen, status, watched

NOW = datetime(2026, 3, 5, 12, tzinfo=UTC)
LONG_AGO, JUST_NOW = "2026-03-05T11:59:30Z", "2026-03-05T11:59:31Z"


def member(
    at: Scene, number: int, ordinal: int, how: str = "probe not passed", since: str = JUST_NOW
) -> dict[str, Any]:
    """A pod of the StatefulSet, not ready since that moment unless it is C(ready)."""
    pod = pod_of(at, number, f"credlink-vault-{ordinal}", how)
    if how != "ready":
        pod["status"]["conditions"] = [{"type": "Ready", "status": "False", "lastTransitionTime": since}]
    return pod


def stuck(
    number: int = 2,
    since: str = LONG_AGO,
    how: str = "probe not passed",
    last: str = "ready",
    partition: int = 0,
    start: int = 0,
    observed: bool = True,
    policy: str = "OrderedReady",
    without: int | None = None,
    **leaving: str,
) -> str:
    """The pod that is freed, of a StatefulSet whose pod 1 runs revision C(number) and is not ready since a moment.

    Pod 2 runs the target 3 in the state C(last), or is C(leaving); the pod C(without) is not there.
    """
    at = scene("statefulset")
    at.workload["spec"]["updateStrategy"]["rollingUpdate"]["partition"] = partition
    at.workload["spec"] |= {"ordinals": {"start": start}, "podManagementPolicy": policy}
    state = watched(at, 3)
    if observed:
        status(state, readyReplicas=1)
    pods = [member(at, 3, start, "ready"), member(at, number, start + 1, how, since), member(at, 3, start + 2, last)]
    pods[2]["metadata"] |= leaving
    seen(state, *(pod for each, pod in enumerate(pods) if each != without))
    found = state.stuck_pod(NOW)
    return found["metadata"]["name"] if found else ""


@pytest.mark.parametrize(
    ("case", "pod"),
    [
        pytest.param({}, "credlink-vault-1", id="not ready for its grace time"),
        pytest.param({"since": JUST_NOW}, "", id="a flap of a member"),
        pytest.param({"since": JUST_NOW, "how": "image not found"}, "credlink-vault-1", id="it cannot start"),
        pytest.param({"since": JUST_NOW, "how": "crash loop, one restart"}, "credlink-vault-1", id="it crashes"),
        pytest.param({"since": JUST_NOW, "how": "crash loop, running just now"}, "", id="it crashed before"),
        pytest.param({"last": "probe not passed"}, "", id="a peer of it is on its way"),
        pytest.param({"deletionTimestamp": "2026-03-05T12:00:30Z"}, "", id="a peer of it is on its way out"),
        pytest.param({"number": 3}, "", id="the targets own pods are waited for"),
        pytest.param({"observed": False}, "", id="not before the controller has seen the template"),
        pytest.param({"without": 2}, "credlink-vault-1", id="those above are not created before it is ready"),
        pytest.param({"without": 0}, "", id="those below are created first"),
        pytest.param({"without": 2, "policy": "Parallel"}, "", id="in parallel all are created"),
        pytest.param({"policy": "Parallel"}, "credlink-vault-1", id="in parallel all are there"),
        pytest.param({"partition": 1}, "credlink-vault-1", id="at the partition"),
        pytest.param({"partition": 2}, "", id="below the partition a pod keeps its version"),
        pytest.param({"partition": 2, "start": 5}, "", id="below the partition, counted from another start"),
        pytest.param({"partition": 1, "start": 5}, "credlink-vault-6", id="at the partition, from another start"),
    ],
)
def test_which_pod_is_freed(case: dict[str, Any], pod: str) -> None:
    assert stuck(**case) == pod


def test_of_several_that_are_stuck_one_is_freed_at_a_time_from_the_highest_ordinal_on() -> None:
    at = scene("statefulset")
    at.workload["spec"]["podManagementPolicy"] = "Parallel"
    state = watched(at, 3)
    status(state, readyReplicas=0)
    freed = []
    seen(state, *(member(at, 2, ordinal, since=LONG_AGO) for ordinal in (0, 1, 2)))
    for ordinal in (2, 1, 0):
        found = state.stuck_pod(NOW)
        assert found is not None
        freed.append(found["metadata"]["name"])
        leaving = member(at, 2, ordinal, since=LONG_AGO)
        leaving["metadata"]["deletionTimestamp"] = "2026-03-05T12:00:30Z"
        seen(state, leaving, how="MODIFIED")
        assert state.stuck_pod(NOW) is None
        seen(state, leaving, how="DELETED")
        assert state.stuck_pod(NOW) is None
        seen(state, member(at, 3, ordinal))
        assert state.stuck_pod(NOW) is None
        seen(state, member(at, 3, ordinal, "ready"), how="MODIFIED")
    assert freed == ["credlink-vault-2", "credlink-vault-1", "credlink-vault-0"]
    assert state.stuck_pod(NOW) is None


@pytest.mark.parametrize("kind", ["deployment", "on delete"])
def test_nothing_else_is_freed(kind: str) -> None:
    at = scene("deployment" if kind == "deployment" else "statefulset")
    if kind == "on delete":
        at.workload["spec"]["updateStrategy"] = {"type": "OnDelete"}
    numbers = [each.number for each in at.known]
    state = watched(at, numbers[0])
    status(state)
    seen(state, pod_of(at, numbers[-1], "credlink-vault-2", "image not found"))
    assert state.stuck_pod(NOW) is None
