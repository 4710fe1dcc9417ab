# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Autoscalers in a test's namespace. KEDA itself does not run in the lab: only its definition is there, for a while."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from kubernetes.client.exceptions import ApiException

from lab.cluster import Cluster, Manifest
from lab.workloads import Workload
from tests.integration.harness.services import Service

OVERRIDE = "runbooks.linkops.io/scale-override"
PAUSED_REPLICAS = "autoscaling.keda.sh/paused-replicas"
MERGE = "application/merge-patch+json"
HORIZONTAL = "/apis/autoscaling/v2/namespaces/{}/horizontalpodautoscalers"
SCALED = "/apis/keda.sh/v1alpha1/namespaces/{}/scaledobjects"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
#: What of KEDA's definition the collection reads and writes; all else is kept as it comes.
DEFINITION: Manifest = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "scaledobjects.keda.sh"},
    "spec": {
        "group": "keda.sh",
        "names": {"kind": "ScaledObject", "plural": "scaledobjects", "singular": "scaledobject"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1alpha1", "served": True, "storage": True, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}  # fmt: skip


@dataclass(frozen=True)
class Autoscaler:
    """An object that scales a service, in the cluster."""

    cluster: Cluster
    path: str

    @property
    def live(self) -> Manifest:
        """The object as it is now."""
        return self.cluster.request("GET", self.path)

    @property
    def spec(self) -> dict[str, Any]:
        """What it says now, without what it scales and by what."""
        return {name: value for name, value in self.live["spec"].items() if name.startswith(("min", "max"))}

    @property
    def annotations(self) -> dict[str, str]:
        """Its annotations."""
        return dict(self.live["metadata"].get("annotations") or {})

    def change(self, change: Manifest) -> None:
        """Change it as somebody else would."""
        self.cluster.request("PATCH", self.path, change, {"fieldManager": "eve"}, MERGE)

    def condition(self, kind: str) -> dict[str, str]:
        """A condition of its status."""
        listed = self.live.get("status", {}).get("conditions", [])
        return next((dict(each) for each in listed if each["type"] == kind), {})

    def until(self, kind: str, reason: str) -> None:
        """Wait until a condition has this reason; the controller looks every 5 s in the lab."""
        self.cluster.until(
            lambda: self.condition(kind).get("reason") == reason,
            lambda: f"{kind} of {self.path} is {self.condition(kind)}, not {reason}.",
        )

    def overdue(self) -> None:
        """Turn its override back in time, until it is due."""
        self.change({"metadata": {"annotations": {OVERRIDE: overdue(self.annotations[OVERRIDE])}}})


def horizontal(service: Service, low: int, high: int, average: str = "500m", name: str = "") -> Autoscaler:
    """A HorizontalPodAutoscaler of the service by CPU, as CredLink's."""
    cluster, path = service.workload.cluster, HORIZONTAL.format(service.namespace)
    name = name or service.name
    target = {"type": "AverageValue", "averageValue": average}
    cluster.request("POST", path, {
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": name},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": service.workload.kind, "name": service.name},
            "minReplicas": low, "maxReplicas": high,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
        },
    })  # fmt: skip
    return Autoscaler(cluster, f"{path}/{name}")


def scaled_object(service: Service, low: int, high: int) -> Autoscaler:
    """KEDA's object of the service."""
    cluster, path = service.workload.cluster, SCALED.format(service.namespace)
    cluster.request("POST", path, {
        "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": {"name": f"{service.name}-queue"},
        "spec": {"scaleTargetRef": {"name": service.name}, "minReplicaCount": low, "maxReplicaCount": high},
    })  # fmt: skip
    return Autoscaler(cluster, f"{path}/{service.name}-queue")


@contextlib.contextmanager
def keda(cluster: Cluster) -> Iterator[None]:
    """KEDA's definition in the cluster, unless it is there; taken away again."""
    try:
        cluster.request("POST", DEFINITIONS, DEFINITION)
    except ApiException as refusal:
        if refusal.status != 409:
            raise
    name = DEFINITION["metadata"]["name"]

    def served() -> bool:
        with contextlib.suppress(ApiException):
            cluster.request("GET", SCALED.format("default"))
            return True
        return False

    cluster.until(served, lambda: f"{name} is not served.")
    try:
        yield
    finally:
        cluster.request("DELETE", f"{DEFINITIONS}/{name}")


def overdue(text: str) -> str:
    """An override's text with its end an hour ago."""
    ended = datetime.now(UTC) - timedelta(hours=1)
    return json.dumps({**json.loads(text), "until": ended.isoformat(timespec="seconds")})


def override(workload: Workload) -> dict[str, Any]:
    """The override that a workload bears, empty if it bears none."""
    text = (workload.live["metadata"].get("annotations") or {}).get(OVERRIDE)
    return dict(json.loads(text)) if text else {}
