# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The nodes that a workload's pods run on: their conditions, and what is used of what they can give. Pure.

What all pods of a node asked for together would take a list of pods of the whole cluster, which nobody asks for here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from typing import Any

from ..lines import WARNING
from ..verdict import Verdict
from ..wording import counted, share

with contextlib.suppress(ImportError):  # connect() reports it
    from kubernetes.utils.quantity import parse_quantity

Object = Mapping[str, Any]

PRESSURES = ("MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable")
RESOURCES = ("cpu", "memory")
MEMORY_WARNING_RATIO = 0.9


def verdict(
    nodes: Mapping[str, Object],
    usage: Mapping[str, Object],
    gone: Iterable[str] = (),
    unread: Mapping[str, str] | None = None,
) -> Verdict:
    """The verdict on nodes by name; C(usage) are their NodeMetrics by name, where these could be read.

    C(gone) are the names of nodes that are no longer there though pods are bound to them, C(unread) the reasons why
    others could not be read.
    """
    troubles = [f"node {name} is gone, and pods are still bound to it" for name in gone]
    troubles += [trouble for name, node in sorted(nodes.items()) for trouble in _troubles(name, node)]
    used = {name: _used(node, usage[name]) for name, node in sorted(nodes.items()) if name in usage}
    evidence = {
        "nodes": {
            name: {"allocatable": _allocatable(node), "used_ratio": used.get(name)}
            for name, node in sorted(nodes.items())
        }
    }
    if troubles:
        return Verdict("fail", "; ".join(troubles), evidence)
    if unread:
        words = "; ".join(f"node {name} cannot be asked: {reason}" for name, reason in unread.items())
        return Verdict("unknown", words, evidence)
    notes = [
        f"{name} takes no new pods (cordoned)"
        for name, node in sorted(nodes.items())
        if node["spec"].get("unschedulable")
    ]
    notes += [
        f"memory of {name} is used up to {share(each['memory'])}"
        for name, each in used.items()
        if each.get("memory", 0.0) >= MEMORY_WARNING_RATIO
    ]
    words = f"{counted(len(nodes), 'node')} ready without pressure"
    highest = {
        resource: max(known)
        for resource in RESOURCES
        if (known := [each[resource] for each in used.values() if resource in each])
    }
    if highest:
        shares = ", ".join(f"{resource} {share(ratio)}" for resource, ratio in highest.items())
        words += f", used at most: {shares} of allocatable"
    return Verdict("pass", f"{WARNING}{'; '.join(notes)}; {words}" if notes else words, evidence)


def _troubles(name: str, node: Object) -> list[str]:
    conditions = {each["type"]: each for each in (node.get("status") or {}).get("conditions") or []}
    ready = conditions.get("Ready") or {}
    found = []
    if ready.get("status") != "True":
        found.append(f"node {name} is not ready: {ready.get('message') or ready.get('reason') or 'it says no reason'}")
    found += [
        f"node {name} has {kind}: {conditions[kind].get('message')}"
        for kind in PRESSURES
        if (conditions.get(kind) or {}).get("status") == "True"
    ]
    return found


def _allocatable(node: Object) -> dict[str, str]:
    given = (node.get("status") or {}).get("allocatable") or {}
    return {resource: str(given.get(resource)) for resource in ("cpu", "memory", "pods")}


def _used(node: Object, usage: Object) -> dict[str, float]:
    """The used part by resource, without what the node does not give or nobody has measured."""
    given, taken = (node.get("status") or {}).get("allocatable") or {}, usage.get("usage") or {}
    return {
        resource: round(float(parse_quantity(taken[resource]) / whole), 3)
        for resource in RESOURCES
        if resource in taken and (whole := parse_quantity(given.get(resource) or "0"))
    }
