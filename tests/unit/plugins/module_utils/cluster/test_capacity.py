# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What pods ask for, what quotas have left, how many pods a load needs."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster import capacity


def box(requests: dict[str, str] | None = None, limits: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    """A container with these resources."""
    return {"name": "api", "resources": {"requests": requests or {}, "limits": limits or {}}, **more}


def quota(hard: dict[str, str], used: dict[str, str], **spec: Any) -> dict[str, Any]:
    """A quota of this size, so much of it in use."""
    return {"metadata": {"name": "tight"}, "spec": spec, "status": {"hard": hard, "used": used}}


@pytest.mark.parametrize(
    ("spec", "cpu"),
    [
        ({"containers": [box({"cpu": "20m"}), box({"cpu": "30m"})]}, "0.05"),
        ({"containers": [box({"cpu": "20m"})], "initContainers": [box({"cpu": "1"})]}, "1"),
        (
            {"containers": [box({"cpu": "20m"})], "initContainers": [box({"cpu": "10m"}, restartPolicy="Always")]},
            "0.03",
        ),
        ({"containers": [box(limits={"cpu": "2"})]}, "2"),
        ({"containers": [box({"cpu": "20m"})], "overhead": {"cpu": "5m"}}, "0.025"),
        ({"containers": [box({"cpu": "20m"})], "resources": {"requests": {"cpu": "1"}}}, "1"),
    ],
    ids=["sum", "init", "sidecar", "limit", "overhead", "pod"],
)
def test_what_a_pod_requests(spec: dict[str, Any], cpu: str) -> None:
    assert capacity.asked(spec, "requests")["cpu"] == Decimal(cpu)


SPEC = {"containers": [box({"cpu": "200m", "memory": "64Mi"}, {"memory": "256Mi"})]}


@pytest.mark.parametrize(
    ("hard", "used", "told"),
    [
        ({"pods": "10"}, {"pods": "3"}, ""),
        ({"pods": "9"}, {"pods": "3"}, "has pods 3 of 9 in use: room for 6 of 7 more pods"),
        ({"count/pods": "3"}, {"count/pods": "3"}, "has count/pods 3 of 3 in use: room for 0 of 7 more pods"),
        ({"requests.cpu": "2"}, {"requests.cpu": "600m"}, ""),
        ({"cpu": "1"}, {"cpu": "600m"}, "has cpu 600m of 1 in use: room for 2 of 7 more pods of 200m each"),
        (
            {"limits.memory": "1Gi"},
            {"limits.memory": "768Mi"},
            "has limits.memory 768Mi of 1Gi in use: room for 1 of 7 more pods of 256Mi each",
        ),
        ({"limits.cpu": "1", "requests.nvidia.com/gpu": "1"}, {}, ""),
        ({"pods": "1"}, {"pods": "3"}, "room for 0 of 7 more pods"),
    ],
)
def test_a_quota_that_has_no_room_says_for_how_many_it_has(
    hard: dict[str, str], used: dict[str, str], told: str
) -> None:
    sentences = capacity.lacking([quota(hard, used)], SPEC, 7)
    assert len(sentences) == bool(told)
    assert told in " ".join(sentences)


@pytest.mark.parametrize(
    ("spec", "scopes", "concerned"),
    [
        (SPEC, ["NotTerminating"], True),
        (SPEC, ["Terminating"], False),
        ({**SPEC, "activeDeadlineSeconds": 60}, ["Terminating"], True),
        (SPEC, ["NotBestEffort"], True),
        (SPEC, ["BestEffort"], False),
        ({"containers": [{"name": "api"}]}, ["BestEffort"], True),
        (SPEC, ["PriorityClass"], False),
    ],
)
def test_a_quota_of_other_pods_does_not_concern_these(spec: dict[str, Any], scopes: list[str], concerned: bool) -> None:
    full = quota({"pods": "1"}, {"pods": "1"}, scopes=scopes)
    assert bool(capacity.lacking([full], spec, 1)) is concerned


def test_a_quota_with_a_selector_is_the_dry_runs_to_answer() -> None:
    assert capacity.lacking([quota({"pods": "0"}, {}, scopeSelector={"matchExpressions": []})], SPEC, 1) == []


@pytest.mark.parametrize(("cores", "needed"), [(0.0, 0), (0.2, 1), (0.201, 2), (1.0, 5)])
def test_how_many_pods_a_load_needs(cores: float, needed: int) -> None:
    assert capacity.needed_for(cores, SPEC) == needed


def test_without_a_request_that_is_not_known() -> None:
    assert capacity.needed_for(1.0, {"containers": [{"name": "api"}]}) is None
    assert capacity.cpu_request(SPEC) == "200m"


@pytest.mark.parametrize(
    ("needed", "allowed", "reason", "warning"),
    [
        (2, "", "", []),
        (3, "", "", []),
        (4, "", "load_too_high", []),
        (None, "", "load_unknown", []),
        (4, "by force", "", ["api goes down to 3 by force, though the load needs 4 pods (figures)."]),
        (
            None,
            "as it stood before",
            "",
            ["api goes down to 3 as it stood before, though what its load needs is not known: figures."],
        ),
    ],
)
def test_fewer_pods_than_the_load_needs(needed: int | None, allowed: str, reason: str, warning: list[str]) -> None:
    faults, warnings = capacity.too_few("api", 3, needed, "figures", allowed)
    assert [fault.reason for fault in faults] == ([reason] if reason else [])
    assert warnings == warning
    if needed == 4 and faults:
        assert str(faults[0]) == (
            "api is not scaled down to 3: the load needs 4 pods (figures). "
            "Give -e replicas=4 or more, or -e force=true to go on."
        )


def test_all_that_is_full_is_one_fault() -> None:
    assert capacity.full([], "api") == []
    (fault,) = capacity.full(["quota a has no room", "quota b has none"], "api")
    assert "quota a has no room; quota b has none." in str(fault)
