# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's API server, spoken to in plain dictionaries."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kubernetes import client, config
from kubernetes.client.exceptions import ApiException

from lab.site import Lab, LabError

Manifest = dict[str, Any]
PATHS = {
    "Namespace": "/api/v1/namespaces",
    "ConfigMap": "/api/v1/namespaces/{}/configmaps",
    "Secret": "/api/v1/namespaces/{}/secrets",
    "Service": "/api/v1/namespaces/{}/services",
    "Pod": "/api/v1/namespaces/{}/pods",
    "ResourceQuota": "/api/v1/namespaces/{}/resourcequotas",
    "LimitRange": "/api/v1/namespaces/{}/limitranges",
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "ReplicaSet": "/apis/apps/v1/namespaces/{}/replicasets",
    "StatefulSet": "/apis/apps/v1/namespaces/{}/statefulsets",
    "DaemonSet": "/apis/apps/v1/namespaces/{}/daemonsets",
    "Job": "/apis/batch/v1/namespaces/{}/jobs",
    "CronJob": "/apis/batch/v1/namespaces/{}/cronjobs",
    "HorizontalPodAutoscaler": "/apis/autoscaling/v2/namespaces/{}/horizontalpodautoscalers",
    "PodDisruptionBudget": "/apis/policy/v1/namespaces/{}/poddisruptionbudgets",
    "NetworkPolicy": "/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies",
    "Lease": "/apis/coordination.k8s.io/v1/namespaces/{}/leases",
}
FOREGROUND = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Foreground"}
BACKGROUND = {**FOREGROUND, "propagationPolicy": "Background"}
OWNERS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job")  # of pods
DEADLINE = 90.0  # seconds that a workload has to get where it should be on a busy machine


@dataclass(frozen=True)
class Cluster:
    """A connection to the API server as the lab's administrator."""

    lab: Lab
    api: client.ApiClient

    @classmethod
    def of(cls, lab: Lab) -> Cluster:
        """Raises LabError when the lab has no kubeconfig yet."""
        if not lab.kubeconfig.exists():
            raise LabError(f"The lab has no {lab.kubeconfig}: run `python -m lab up`.")
        return cls(lab, config.new_client_from_config(str(lab.kubeconfig), context=lab.context))

    def request(self, method: str, path: str, body: object = None, query: Mapping[str, str] | None = None,
                content_type: str = "application/json") -> Manifest:  # fmt: skip
        """The answer as a dictionary. Raises kubernetes' ApiException."""
        call = self.api.param_serialize(
            method, path, query_params=list((query or {}).items()), body=body, auth_settings=["BearerToken"],
            header_params={"Accept": "application/json", "Content-Type": content_type},
        )  # fmt: skip
        answer = self.api.call_api(*call)
        text = answer.read().decode()
        if not 200 <= answer.status < 300:
            raise ApiException.from_response(http_resp=answer, body=text, data=None)
        found: Manifest = json.loads(text)
        return found

    def get(self, kind: str, namespace: str, name: str) -> Manifest | None:
        """The object, or None where there is none."""
        try:
            return self.request("GET", f"{PATHS[kind].format(namespace)}/{name}")
        except ApiException as refusal:
            if refusal.status == 404:
                return None
            raise

    def list(self, kind: str, namespace: str, selector: str = "") -> list[Manifest]:
        """Objects of one kind, by label selector."""
        items: list[Manifest] = self.request("GET", PATHS[kind].format(namespace), query={"labelSelector": selector})[
            "items"
        ]
        return items

    def create(self, manifest: Manifest, namespace: str, manager: str = "lab", *, unless_there: bool = False) -> None:
        """Create the object; with ``unless_there`` one of that name may exist and stays as it is."""
        try:
            self.request("POST", PATHS[manifest["kind"]].format(namespace), manifest, {"fieldManager": manager})
        except ApiException as refusal:
            if not (unless_there and refusal.status == 409):
                raise

    def apply(self, manifest: Manifest, namespace: str) -> Manifest:
        """Create the object, or bring it to the manifest (server-side apply, as its only manager)."""
        path = f"{PATHS[manifest['kind']].format(namespace)}/{manifest['metadata']['name']}"
        query = {"fieldManager": "lab", "force": "true"}
        return self.request("PATCH", path, manifest, query, "application/apply-patch+yaml")

    def patch(self, kind: str, namespace: str, name: str, change: Manifest, manager: str = "lab") -> Manifest:
        """A strategic merge patch, as kubectl's own commands send it."""
        path = f"{PATHS[kind].format(namespace)}/{name}"
        return self.request("PATCH", path, change, {"fieldManager": manager}, "application/strategic-merge-patch+json")

    def clear(self, namespace: str, kinds: Iterable[str]) -> None:
        """Delete all objects of these kinds, and wait until pods and what makes them are gone (at most DEADLINE)."""
        kinds = tuple(kinds)
        spared = {"fieldSelector": "metadata.name!=kube-root-ca.crt"}
        for kind in kinds:
            self.request("DELETE", PATHS[kind].format(namespace), FOREGROUND if kind in OWNERS else BACKGROUND, spared)
        for kind in (*OWNERS, "Pod"):
            self._await_none(kind, namespace)

    def _await_none(self, kind: str, namespace: str) -> None:
        self.until(
            lambda: not self.list(kind, namespace),
            lambda: f"Objects of kind {kind} in namespace {namespace} do not go away: look for finalizers.",
        )

    def remove(self, kind: str, namespace: str, name: str) -> None:
        """Delete one object with all that it owns and wait until it is gone; none there is fine."""
        if self.get(kind, namespace, name) is None:
            return
        self.request("DELETE", f"{PATHS[kind].format(namespace)}/{name}", FOREGROUND)
        self.until(
            lambda: self.get(kind, namespace, name) is None,
            lambda: f"{kind} {namespace}/{name} does not go away: look for finalizers and for pods that do not end.",
        )

    def until(self, reached: Callable[[], bool], complaint: Callable[[], str], deadline: float = DEADLINE) -> None:
        """Wait until ``reached``; raises LabError with the complaint after ``deadline`` seconds."""
        end = time.monotonic() + deadline
        while not reached():
            if time.monotonic() > end:
                raise LabError(complaint())
            time.sleep(0.05)
