# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether one more pod of a template could be created: the API server is asked by a dry run, which persists nothing.

Admission answers as it would in earnest: LimitRange, ResourceQuota, Pod Security, webhooks without side effects
(https://kubernetes.io/docs/reference/using-api/api-concepts/#dry-run). Room on a node is not admission's to say.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from typing import Any

from ..errors import Fault
from ..verdict import Verdict
from . import paths
from .client import ApiFault, Cluster

with contextlib.suppress(ImportError):  # connect() has reported it
    from kubernetes.utils.quantity import parse_quantity

# The authorizer's words (kubernetes/apiserver:pkg/endpoints/handlers/responsewriters/errors.go); admission's differ.
# and those of a quota (kubernetes/apiserver:pkg/admission/plugin/resourcequota/controller.go).
_QUOTA = re.compile(r"exceeded quota: (?P<name>[^,]+), requested: (.+), used: (?P<used>.+), limited: (?P<limited>.+)$")
_NO_DRY_RUN = "does not support dry run"
_NO_RIGHT = re.compile(r'^pods is forbidden: User "')


def ask(cluster: Cluster, workload: Mapping[str, Any], template: Mapping[str, Any]) -> Verdict:
    """C(pass), C(fail) with admission's own reason, or C(unknown) where these credentials may not ask."""
    return tried(cluster, workload, template)[0]


def tried(
    cluster: Cluster, workload: Mapping[str, Any], template: Mapping[str, Any]
) -> tuple[Verdict, Mapping[str, Any]]:
    """The same, and the pod's spec as admission would leave it (with a LimitRange's defaults), else the template's."""
    metadata = workload["metadata"]
    spec: Mapping[str, Any] = template["spec"]
    try:
        admitted = cluster.create(paths.path("Pod", metadata["namespace"]), pod(workload, template), dryRun="All")
    except ApiFault as fault:
        if fault.status == 403 and _NO_RIGHT.match(fault.message):
            return Verdict("unknown", "whether its pods can be created was not asked: no right to create pods"), spec
        if _NO_DRY_RUN in fault.message:
            why = fault.message.rstrip(".")
            return Verdict("unknown", f"whether its pods can be created was not asked: {why}"), spec
        if fault.status in (400, 403, 422):
            return Verdict("fail", fault.message.rstrip(".")), spec
        raise
    return Verdict("pass", "its pods can be created"), admitted.get("spec") or spec


def in_place(verdict: Verdict) -> Verdict:
    """The verdict for pods that go before their replacements come: a quota that is full has room for these."""
    found = _QUOTA.search(verdict.reason) if verdict.status == "fail" else None
    if found is None:
        return verdict
    limits = _amounts(found["limited"])
    if any(amount > limits[name] for name, amount in _amounts(found["used"]).items() if name in limits):
        return verdict
    return Verdict(
        "unknown",
        f"quota {found['name']} is full (used {found['used']}): a replacement comes only once its predecessor is gone",
    )


def refusal(verdict: Verdict, name: str) -> Fault | None:
    """The fault of pods that would be refused."""
    if verdict.status != "fail":
        return None
    return Fault(
        "pods_refused",
        f"Pods of {name} would be refused: {verdict.reason}.",
        "Make room in the quota, or mend the template or the policy that refuses it; nothing was changed.",
    )


def pod(workload: Mapping[str, Any], template: Mapping[str, Any]) -> dict[str, Any]:
    """A pod of the template, as its controller would create it."""
    metadata = template.get("metadata") or {}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": f"{workload['metadata']['name']}-",
            "labels": metadata.get("labels") or {},
            "annotations": metadata.get("annotations") or {},
        },
        "spec": _with_claims(workload, template["spec"]),
    }


def _with_claims(workload: Mapping[str, Any], spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """A StatefulSet's pods mount volumes that its controller adds, one for each claim template."""
    names = [each["metadata"]["name"] for each in workload["spec"].get("volumeClaimTemplates") or []]
    if not names:
        return spec
    own = [each for each in spec.get("volumes") or [] if each["name"] not in names]
    return {**spec, "volumes": [*own, *({"name": n, "persistentVolumeClaim": {"claimName": n}} for n in names)]}


def _amounts(text: str) -> dict[str, Any]:
    """The amounts of a quota's message, such as C(pods=2,requests.cpu=40m)."""
    pairs = (each.split("=", 1) for each in text.split(","))
    return {name: parse_quantity(amount) for name, amount in pairs}
