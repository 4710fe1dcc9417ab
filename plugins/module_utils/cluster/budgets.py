# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""PodDisruptionBudgets: which of them guard a pod, and why they allow no eviction now. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..errors import Fault
from .revisions import Object


def guarding(budgets: Iterable[Object], labels: Mapping[str, str]) -> list[Object]:
    """The budgets whose selector matches these labels; an empty selector matches every pod (policy/v1)."""
    return [each for each in budgets if _selects((each.get("spec") or {}).get("selector"), labels)]


def refusal(budget: Object) -> str:
    """Why a budget allows no eviction now, empty where it allows one."""
    status = budget.get("status") or {}
    if int(status.get("disruptionsAllowed") or 0) > 0:
        return ""
    name = f"PodDisruptionBudget {budget['metadata']['name']}"
    if int(budget["metadata"].get("generation") or 0) > int(status.get("observedGeneration") or 0):
        return f"{name} was changed just now, and its controller has not counted the pods yet"
    conditions = {each.get("type"): each for each in status.get("conditions") or []}
    allowed = conditions.get("DisruptionAllowed") or {}
    if allowed.get("reason") == "SyncFailed":
        return f"{name} allows no eviction, since its controller cannot count the pods: {allowed.get('message')}"
    healthy, needed = int(status.get("currentHealthy") or 0), int(status.get("desiredHealthy") or 0)
    return f"{name} allows no eviction now: {healthy} of its pods are healthy, {needed} must be ({_asked(budget)})"


def too_many(guarding: Sequence[Object]) -> Fault | None:
    """The fault of pods that more than one budget guards: the eviction API refuses these for good."""
    if len(guarding) < 2:
        return None
    names = ", ".join(sorted(each["metadata"]["name"] for each in guarding))
    return Fault(
        "several_budgets",
        f"{len(guarding)} PodDisruptionBudgets select its pods ({names}), and the eviction API refuses such pods.",
        "Leave one of them, or press with method=rollout.",
    )


def _asked(budget: Object) -> str:
    spec = budget["spec"]
    asked = [f"{field} {spec[field]}" for field in ("minAvailable", "maxUnavailable") if spec.get(field) is not None]
    return ", ".join(asked) or "no number given"


def _selects(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool:
    if selector is None:
        return False
    alike = all(labels.get(key) == value for key, value in (selector.get("matchLabels") or {}).items())
    return alike and all(_satisfied(each, labels) for each in selector.get("matchExpressions") or [])


def _satisfied(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    value, values = labels.get(expression["key"]), expression.get("values") or []
    answers = {
        "In": value in values,
        "NotIn": value not in values,
        "Exists": value is not None,
        "DoesNotExist": value is None,
    }
    return answers[expression["operator"]]
