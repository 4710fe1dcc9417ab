# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PodDisruptionBudgets: which guard a pod, and what they say."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster import budgets

LABELS = {"app": "api", "tier": "web"}


def budget(selector: dict[str, Any] | None, **status: Any) -> dict[str, Any]:
    counted = {"disruptionsAllowed": 0, "currentHealthy": 2, "desiredHealthy": 2, "observedGeneration": 1}
    return {
        "metadata": {"name": "api", "generation": 1},
        "spec": {"minAvailable": 2, **({} if selector is None else {"selector": selector})},
        "status": {**counted, **status},
    }


@pytest.mark.parametrize(
    ("selector", "guards"),
    [
        ({"matchLabels": {"app": "api"}}, True),
        ({"matchLabels": {"app": "other"}}, False),
        ({}, True),
        (None, False),
        ({"matchExpressions": [{"key": "tier", "operator": "In", "values": ["web", "app"]}]}, True),
        ({"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["web"]}]}, False),
        ({"matchExpressions": [{"key": "tier", "operator": "Exists"}]}, True),
        ({"matchLabels": {"app": "api"}, "matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}, False),
    ],
)
def test_guarding(selector: dict[str, Any] | None, guards: bool) -> None:
    assert bool(budgets.guarding([budget(selector)], LABELS)) == guards


def test_refusals() -> None:
    assert budgets.refusal(budget({}, disruptionsAllowed=1)) == ""
    assert budgets.refusal(budget({})) == (
        "PodDisruptionBudget api allows no eviction now: 2 of its pods are healthy, 2 must be (minAvailable 2)"
    )
    assert "has not counted" in budgets.refusal(budget({}, observedGeneration=0))
    failed = {"type": "DisruptionAllowed", "status": "False", "reason": "SyncFailed", "message": "no scale"}
    assert "no scale" in budgets.refusal(budget({}, conditions=[failed]))


def test_more_than_one_is_refused_for_good() -> None:
    assert budgets.too_many([budget({})]) is None
    fault = budgets.too_many([budget({}), budget({})])
    assert fault is not None
    assert "method=rollout" in str(fault)
