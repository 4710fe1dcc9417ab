# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where things live in the Kubernetes API (the REST paths of the built-in groups)."""

from __future__ import annotations

from urllib.parse import quote

_GROUPS = {
    "Deployment": ("apis/apps/v1", "deployments"),
    "StatefulSet": ("apis/apps/v1", "statefulsets"),
    "DaemonSet": ("apis/apps/v1", "daemonsets"),
    "ReplicaSet": ("apis/apps/v1", "replicasets"),
    "ControllerRevision": ("apis/apps/v1", "controllerrevisions"),
    "Pod": ("api/v1", "pods"),
    "Service": ("api/v1", "services"),
    "ConfigMap": ("api/v1", "configmaps"),
    "Secret": ("api/v1", "secrets"),
    "Event": ("api/v1", "events"),
    "Job": ("apis/batch/v1", "jobs"),
    "Lease": ("apis/coordination.k8s.io/v1", "leases"),
    "LimitRange": ("api/v1", "limitranges"),
    "ResourceQuota": ("api/v1", "resourcequotas"),
    "PodDisruptionBudget": ("apis/policy/v1", "poddisruptionbudgets"),
    "HorizontalPodAutoscaler": ("apis/autoscaling/v2", "horizontalpodautoscalers"),
    "ScaledObject": ("apis/keda.sh/v1alpha1", "scaledobjects"),
    "PodMetrics": ("apis/metrics.k8s.io/v1beta1", "pods"),
    "EndpointSlice": ("apis/discovery.k8s.io/v1", "endpointslices"),
    "Ingress": ("apis/networking.k8s.io/v1", "ingresses"),
}

KUBE_SYSTEM = "/api/v1/namespaces/kube-system"
NODES = "/api/v1/nodes"
NODE_METRICS = "/apis/metrics.k8s.io/v1beta1/nodes"
RULES_REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"


def plural(kind: str) -> str:
    """The resource name of a kind, as RBAC rules spell it."""
    return _GROUPS[kind][1]


def group(kind: str) -> str:
    """The API group of a kind, empty for the core group."""
    prefix = _GROUPS[kind][0].split("/")
    return prefix[1] if prefix[0] == "apis" else ""


def path(kind: str, namespace: str, name: str | None = None, subresource: str | None = None) -> str:
    """The path of a collection, an object, or a subresource such as C(log)."""
    prefix, resource = _GROUPS[kind]
    parts = [prefix, "namespaces", quote(namespace, safe=""), resource]
    if name is not None:
        parts.append(quote(name, safe=""))
    if subresource is not None:
        parts.append(subresource)
    return "/" + "/".join(parts)


def pod_proxy(namespace: str, pod: str, port: int | str, url_path: str) -> str:
    """The API server's proxy to one port of one pod."""
    return f"{path('Pod', namespace, pod)}:{port}/proxy/{url_path.lstrip('/')}"


def service_proxy(namespace: str, service: str) -> str:
    """The API server's proxy to one port of a Service, named C(NAME:PORT)."""
    return f"{path('Service', namespace, service)}/proxy".replace("%3A", ":")
