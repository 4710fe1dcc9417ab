# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who else would write this workload: GitOps controllers, Helm, and the next kubectl apply."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .revisions import Revision, images

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def owners(workload: Mapping[str, Any], what: str, helm: str) -> list[str]:
    """Sentences naming each tool that would bring C(what) back, with the command that pauses it, or C(helm) to do.

    Labels and annotations are those that the tools document: Argo CD resource tracking, Flux kustomize and helm
    controllers, Helm 3 ownership metadata.
    """
    metadata = workload["metadata"]
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    sentences = []
    argo = annotations.get("argocd.argoproj.io/tracking-id", "").split(":")[0] or labels.get(
        "argocd.argoproj.io/instance"
    )
    if argo:
        sentences.append(
            f"Argo CD application {argo} owns it and will sync {what} back; pause it with: "
            f"argocd app set {argo} --sync-policy none"
        )
    if name := labels.get("kustomize.toolkit.fluxcd.io/name"):
        namespace = labels.get("kustomize.toolkit.fluxcd.io/namespace", "flux-system")
        sentences.append(
            f"Flux kustomization {name} owns it and will reconcile {what} back; pause it with: "
            f"flux suspend kustomization {name} -n {namespace}"
        )
    if name := labels.get("helm.toolkit.fluxcd.io/name"):
        namespace = labels.get("helm.toolkit.fluxcd.io/namespace", metadata["namespace"])
        sentences.append(
            f"Flux HelmRelease {name} owns it and will reconcile {what} back; pause it with: "
            f"flux suspend helmrelease {name} -n {namespace}"
        )
    elif name := annotations.get("meta.helm.sh/release-name"):
        namespace = annotations.get("meta.helm.sh/release-namespace", metadata["namespace"])
        command = helm.format(name=name, namespace=namespace)
        sentences.append(f"Helm release {name} owns it and its next upgrade brings {what} back; {command}")
    return sentences


def reverters(workload: Mapping[str, Any], target: Revision) -> list[str]:
    """Sentences naming each thing that would bring the left version back after a rollback to C(target)."""
    sentences = owners(workload, "the left version", "make Helm agree with: helm rollback {name} -n {namespace}")
    applied = _applied_images(workload)
    if applied and applied != {name: image for name, image in target.images.items() if name in applied}:
        shown = ", ".join(sorted(set(applied.values())))
        sentences.append(
            f"last-applied-configuration holds {shown}, and the next apply of that manifest brings it back; "
            f"before that, put the image of revision {target.number} into the manifest and check with: "
            "kubectl diff -f MANIFEST"
        )
    return sentences


def resetters(entry: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Sentences naming each thing that would set other values than those C(wanted) in the object's spec."""
    what = f"{entry['kind']} {entry['metadata']['name']}"
    sentences = owners(
        entry, f"the old values of {what}", "put the new ones into its values: helm get values {name} -n {namespace}"
    )
    applied = _applied_spec(entry)
    other = [f"{name} {applied[name]}" for name, value in wanted.items() if name in applied and applied[name] != value]
    if other:
        shown = ", ".join(other)
        sentences.append(f"last-applied-configuration of {what} holds {shown}, and its next apply brings that back")
    return sentences


def applied_template(workload: Mapping[str, Any]) -> dict[str, Any]:
    """The pod template of the manifest that kubectl applied last."""
    found = _applied_spec(workload).get("template")
    return found if isinstance(found, dict) else {}


def last_writers(workload: Mapping[str, Any]) -> str:
    """Who changed the object last, from managedFields (status writers left out): C(manager at time), newest first."""
    entries = [e for e in workload["metadata"].get("managedFields") or [] if e.get("subresource") != "status"]
    entries.sort(key=lambda entry: entry.get("time") or "", reverse=True)
    return (
        ", ".join(f"{entry.get('manager', 'unknown')} at {entry.get('time', 'unknown time')}" for entry in entries[:2])
        or "unknown"
    )


def _applied_images(workload: Mapping[str, Any]) -> dict[str, str]:
    """Image by container of an applied manifest."""
    try:
        applied = images(applied_template(workload))
        return {name: image for name, image in applied.items() if isinstance(image, str)}
    except (KeyError, TypeError, AttributeError):
        return {}


def _applied_spec(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The spec of the manifest that kubectl applied last; anybody may have edited it, so unreadable is none."""
    try:
        found = json.loads((entry["metadata"].get("annotations") or {})[LAST_APPLIED])["spec"]
    except (ValueError, KeyError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}
