# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What pods ask for, whether quotas have room for more of them, and how many of them the load needs. Pure.

A pod's requests count as the scheduler and quotas count them
(https://kubernetes.io/docs/concepts/workloads/pods/init-containers/#resource-sharing-within-containers).
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal

from ..errors import Fault

with contextlib.suppress(ImportError):  # connect() reports it
    from kubernetes.utils.quantity import format_quantity, parse_quantity

Object = Mapping[str, Any]
Amounts = dict[str, Decimal]
_BARE = frozenset({"cpu", "memory", "ephemeral-storage"})  # a quota's short names of requests


def asked(spec: Object, which: Literal["requests", "limits"]) -> Amounts:
    """What one pod of this spec requests, or is limited to. A limit without a request is a request too."""
    before: list[Amounts] = []
    beside: list[Amounts] = []
    for each in spec.get("initContainers") or []:
        (beside if each.get("restartPolicy") == "Always" else before).append(_amounts(each.get("resources"), which))
    running = [_amounts(each.get("resources"), which) for each in spec.get("containers") or []]
    total = _sum([*running, *beside])
    for amounts in before:
        for name, amount in amounts.items():
            total[name] = max(total.get(name, Decimal(0)), amount)
    total |= _amounts(spec.get("resources"), which)  # the pod's own resources stand above its containers'
    overhead = {name: parse_quantity(each) for name, each in (spec.get("overhead") or {}).items()}
    return _sum([total, {name: each for name, each in overhead.items() if which == "requests" or name in total}])


def lacking(quotas: Iterable[Object], spec: Object, added: int) -> list[str]:
    """What each quota lacks for so many more pods of this spec, as sentences.

    Quotas for priority classes are left out: a dry run of one pod tells whether they concern it.
    """
    needs = _counted(spec)
    sentences = []
    for quota in quotas:
        if not _concerns(quota, spec):
            continue
        status = quota.get("status") or {}
        hard, used = status.get("hard") or {}, status.get("used") or {}
        for resource, limit in sorted(hard.items()):
            need = needs.get(resource)
            free = parse_quantity(limit) - parse_quantity(used.get(resource, "0"))
            if need and need * added > free:
                room = max(0, math.floor(free / need))
                each = "" if resource in ("pods", "count/pods") else f" of {_shown(resource, need)} each"
                sentences.append(
                    f"quota {quota['metadata']['name']} has {resource} {used.get(resource, '0')} of {limit} in use: "
                    f"room for {room} of {added} more pods{each}"
                )
    return sentences


def needed_for(used_cores: float, spec: Object) -> int | None:
    """How many pods of this spec the CPU in use keeps busy by their requests; C(None) where they request none."""
    request = asked(spec, "requests").get("cpu")
    return math.ceil(Decimal(str(used_cores)) / request) if request else None


def too_few(name: str, goal: int, needed: int | None, measured: str, allowed: str) -> tuple[list[Fault], list[str]]:
    """The fault, or where C(allowed) says why it goes down all the same the warning, of fewer pods than the load needs;
    C(measured) are the figures, or why there are none.
    """
    if needed is not None and needed <= goal:
        return [], []
    why = (
        f"the load needs {needed} pods ({measured})"
        if needed is not None
        else f"what its load needs is not known: {measured}"
    )
    if allowed:
        return [], [f"{name} goes down to {goal} {allowed}, though {why}."]
    reason = "load_too_high" if needed is not None else "load_unknown"
    other = f"Give -e replicas={needed} or more" if needed is not None else "Look at its load"
    return [Fault(reason, f"{name} is not scaled down to {goal}: {why}.", f"{other}, or -e force=true to go on.")], []


def full(sentences: Sequence[str], name: str) -> list[Fault]:
    """The fault of quotas that have no room for the pods wanted."""
    if not sentences:
        return []
    told = "; ".join(sentences)
    return [
        Fault(
            "quota",
            f"{name} cannot get that many pods: {told}.",
            "Raise the quota, or ask for fewer; nothing was changed.",
        )
    ]


def cpu_request(spec: Object) -> str:
    """What one pod of this spec requests of CPU, as an operator reads it."""
    return _shown("cpu", asked(spec, "requests").get("cpu", Decimal(0)))


def _concerns(quota: Object, spec: Object) -> bool:
    quota_spec = quota.get("spec") or {}
    if quota_spec.get("scopeSelector"):
        return False
    best_effort = not asked(spec, "requests") and not asked(spec, "limits")
    ends = spec.get("activeDeadlineSeconds") is not None
    holds = {
        "Terminating": ends,
        "NotTerminating": not ends,
        "BestEffort": best_effort,
        "NotBestEffort": not best_effort,
    }
    return all(holds.get(scope, False) for scope in quota_spec.get("scopes") or [])


def _counted(spec: Object) -> Amounts:
    """What a pod counts in a quota, by each of the names that the quota may use."""
    requests, limits = asked(spec, "requests"), asked(spec, "limits")
    return {
        "pods": Decimal(1),
        "count/pods": Decimal(1),
        **{name: amount for name, amount in requests.items() if name in _BARE},
        **{f"requests.{name}": amount for name, amount in requests.items()},
        **{f"limits.{name}": amount for name, amount in limits.items()},
    }


def _amounts(resources: Object | None, which: Literal["requests", "limits"]) -> Amounts:
    stated = resources or {}
    merged = stated.get("limits") or {}
    if which == "requests":
        merged = {**merged, **(stated.get("requests") or {})}
    return {name: parse_quantity(amount) for name, amount in merged.items()}


def _sum(parts: Iterable[Amounts]) -> Amounts:
    total: Amounts = {}
    for part in parts:
        for name, amount in part.items():
            total[name] = total.get(name, Decimal(0)) + amount
    return total


def _shown(resource: str, amount: Decimal) -> str:
    if resource.endswith("cpu"):
        return str(format_quantity(amount, "m"))
    return str(format_quantity(amount, "Mi")) if resource.endswith(("memory", "storage")) else str(amount.normalize())
