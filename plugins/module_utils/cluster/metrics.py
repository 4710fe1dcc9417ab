# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What pods use now, by the metrics API (metrics-server, or an adapter in its place)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import Fault, OperatorError
from . import paths
from .client import ApiFault, Cluster

with contextlib.suppress(ImportError):  # connect() reports it
    from kubernetes.utils.quantity import parse_quantity


@dataclass(frozen=True)
class Usage:
    """One container's use: C(cpu_cores), and C(memory_bytes) of its working set."""

    pod: str
    container: str
    cpu_cores: float
    memory_bytes: int


def read(cluster: Cluster, namespace: str, selector: str) -> list[Usage]:
    """The use of all containers that a label selector finds; C(metrics_missing) where there is no metrics API."""
    try:
        return usages(cluster.items(paths.path("PodMetrics", namespace), labelSelector=selector))
    except ApiFault as fault:
        if fault.status not in (403, 404, 503):
            raise
        why = "these credentials may not read it" if fault.status == 403 else "no metrics API answers"
        raise OperatorError(
            Fault(
                "metrics_missing",
                f"What the pods use is not known: {why} on {cluster.name} ({fault.message}).",
                "Install or repair metrics-server, or ask for the right to list pods.metrics.k8s.io.",
            )
        ) from fault


def usages(listed: Iterable[Mapping[str, Any]]) -> list[Usage]:
    """The containers of PodMetrics objects."""
    return [
        Usage(
            each["metadata"]["name"],
            container["name"],
            float(parse_quantity(container["usage"]["cpu"])),
            int(parse_quantity(container["usage"]["memory"])),
        )
        for each in listed
        for container in each.get("containers") or []
    ]
