# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading a workload with all that decisions need, once: the workload, its history, its pods, its configuration."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import Fault, OperatorError
from . import fingerprint, paths, revisions, rights
from .client import ApiFault, Cluster
from .fingerprint import Reference
from .revisions import Revision

_HISTORY = {"Deployment": "ReplicaSet", "StatefulSet": "ControllerRevision", "DaemonSet": "ControllerRevision"}


@dataclass(frozen=True)
class Snapshot:
    """One moment of a workload. C(pods) are its own pods only, whatever else the selector finds."""

    workload: dict[str, Any]
    history: Sequence[Mapping[str, Any]]
    pods: Sequence[Mapping[str, Any]]
    revisions: list[Revision]


@dataclass(frozen=True)
class Fingerprints:
    """Fingerprints by C(Kind/name), and whether the key Secret is C(present), C(absent) or C(forbidden)."""

    by_name: dict[str, str]
    key: str


def history_kind(kind: str) -> str:
    """The kind that keeps the revisions of a workload kind."""
    return _HISTORY[kind]


def read(cluster: Cluster, namespace: str, kind: str, name: str, with_pods: bool = True) -> Snapshot:
    """Read a workload, its revisions and pods: three requests at most, bounded by the workload's label selector."""
    try:
        workload = {**cluster.get(paths.path(kind, namespace, name)), "kind": kind}
    except ApiFault as fault:
        if fault.status == 404:
            raise _not_found(cluster, namespace, kind, name) from fault
        raise
    selector = selector_text(workload["spec"]["selector"])
    history = [
        {**each, "kind": _HISTORY[kind]}
        for each in cluster.items(paths.path(_HISTORY[kind], namespace), labelSelector=selector)
    ]
    owners = {each["metadata"]["uid"] for each in revisions.owned(history, workload)} | {workload["metadata"]["uid"]}
    listed = cluster.items(paths.path("Pod", namespace), labelSelector=selector) if with_pods else []
    pods = [{**pod, "kind": "Pod"} for pod in listed if belongs(pod, owners)]
    return Snapshot(workload, history, pods, revisions.revisions(workload, history, pods))


def belongs(entry: Mapping[str, Any], owners: Iterable[str]) -> bool:
    """Whether an object is controlled by one of these uids."""
    return any(ref.get("uid") in owners for ref in entry["metadata"].get("ownerReferences") or [])


def selector_text(selector: Mapping[str, Any]) -> str:
    """A label selector object as the query parameter spells it."""
    terms = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for each in selector.get("matchExpressions") or []:
        key, operator, values = each["key"], each["operator"], ",".join(each.get("values") or [])
        terms.append(
            {"In": f"{key} in ({values})", "NotIn": f"{key} notin ({values})", "Exists": key}.get(operator, f"!{key}")
        )
    return ",".join(terms)


def read_fingerprints(cluster: Cluster, namespace: str, template: Mapping[str, Any]) -> Fingerprints:
    """Fingerprint what a template uses; an object that is not there has none.

    Without a key nothing is read: there is no fingerprint to compare with, since the first mark makes the key.
    """
    used = fingerprint.references(template)
    key, state = _key(cluster, namespace) if used else (None, "absent")
    if state == "absent":
        return Fingerprints({}, state)
    return Fingerprints(fingerprints(cluster, namespace, used, key), state)


def fingerprints(cluster: Cluster, namespace: str, used: Iterable[Reference], key: bytes | None) -> dict[str, str]:
    """The fingerprint of each object that is there, by C(Kind/name)."""
    found = {}
    for reference in used:
        entry = _configuration(cluster, namespace, reference)
        if entry is not None:
            found[fingerprint.label(reference)] = fingerprint.fingerprint(entry, key)
    return found


def check_cluster(cluster: Cluster, cluster_uid: str | None) -> Fault | None:
    """The fault if this is not the cluster that the inventory pins by the uid of its kube-system namespace."""
    if not cluster_uid:
        return None
    try:
        actual = cluster.get(paths.KUBE_SYSTEM)["metadata"]["uid"]
    except ApiFault as fault:
        return Fault(
            "cluster_unverified",
            f"The inventory pins cluster_uid, but {cluster.name} hides the uid of kube-system: {fault.message}.",
            "Grant get on the namespace kube-system to these credentials.",
        )
    if actual == cluster_uid:
        return None
    return Fault(
        "wrong_cluster",
        f"{cluster.name} is not the cluster of this inventory: kube-system has uid {actual}, pinned is {cluster_uid}.",
        "Check context and inventory; nothing was changed.",
    )


def check_rights(cluster: Cluster, namespace: str, needed: Iterable[rights.Needed]) -> Fault | None:
    """The fault if the credentials lack a needed right in the namespace."""
    lacking = rights.missing(cluster.create(paths.RULES_REVIEW, rights.review(namespace)), needed)
    return rights.fault(lacking, namespace, cluster.name) if lacking else None


def unfit(cluster: Cluster, params: Mapping[str, Any], needed: Iterable[rights.Needed]) -> list[Fault]:
    """What stands against working in this cluster and namespace at all."""
    checked = check_cluster(cluster, params["cluster_uid"]), check_rights(cluster, params["namespace"], needed)
    return [fault for fault in checked if fault]


def _not_found(cluster: Cluster, namespace: str, kind: str, name: str) -> OperatorError:
    try:
        cluster.get(f"/api/v1/namespaces/{namespace}")
    except ApiFault as fault:
        if fault.status == 404:
            return OperatorError(
                Fault(
                    "namespace_unknown",
                    f"{cluster.name} has no namespace {namespace}.",
                    "Check kubernetes_namespace in the inventory and that this is the right cluster.",
                )
            )
    others = sorted(each["metadata"]["name"] for each in cluster.items(paths.path(kind, namespace)))
    return OperatorError(
        Fault(
            "workload_unknown",
            f"Namespace {namespace} of {cluster.name} has no {kind} {name}; it has {', '.join(others[:20]) or 'none'}.",
            "Check workload_name and workload_kind in the inventory.",
        )
    )


def _key(cluster: Cluster, namespace: str) -> tuple[bytes | None, str]:
    try:
        secret = cluster.get(paths.path("Secret", namespace, fingerprint.KEY_SECRET))
    except ApiFault as fault:
        return None, "forbidden" if fault.status == 403 else "absent"
    return base64.b64decode((secret.get("data") or {}).get("key", "")) or None, "present"


def _configuration(cluster: Cluster, namespace: str, reference: Reference) -> dict[str, Any] | None:
    try:
        return cluster.get(paths.path(reference[0], namespace, reference[1]))
    except ApiFault as fault:
        if fault.status == 403:
            return {}
        if fault.status == 404:
            return None
        raise
