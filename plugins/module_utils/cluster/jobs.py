# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Job that runs one command of a workload's image, with the workload's own environment, secrets and volumes. Pure.

Its name is made of what it does, so that a second start finds the first.
"""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import Fault, OperatorError
from . import revisions

#: What of a pod's spec holds for its Job; the rest is about serving.
_KEPT = (
    "affinity", "automountServiceAccountToken", "dnsConfig", "dnsPolicy", "enableServiceLinks", "hostAliases",
    "imagePullSecrets", "nodeSelector", "priorityClassName", "runtimeClassName", "securityContext",
    "serviceAccountName", "tolerations", "volumes",
)  # fmt: skip
_NOT_OF_A_JOB = ("livenessProbe", "readinessProbe", "startupProbe", "lifecycle", "ports", "args", "resizePolicy")
PURPOSE, WORKLOAD = "runbooks.linkops.io/purpose", "runbooks.linkops.io/workload"
#: What a Job was made for.
IMAGE, COMMAND, IDENTITY = (f"runbooks.linkops.io/{each}" for each in ("image", "command", "identity"))
CONTAINER = "work"
#: An ended Job is kept this long, so that a rerun finds how it ended.
KEPT_SECONDS = 24 * 3600
#: A program that ignores SIGTERM, as node does where it is PID 1, is killed after this; its Job ends with it.
ENDING_SECONDS = 5

Manifest = dict[str, Any]


def name_of(workload: str, purpose: str, *identity: str) -> str:
    """The Job's name, at most 52 characters, since its pods' names are longer."""
    digest = hashlib.sha256("\0".join(identity).encode()).hexdigest()[:12]
    stem = re.sub(r"[^a-z0-9-]+", "-", f"{workload}-{purpose}".lower())[:39].strip("-")
    return f"{stem}-{digest}"


def container_of(template: Mapping[str, Any], container: str) -> Mapping[str, Any] | None:
    """The container that bears the name; without one the default container, or the only one."""
    spec = template["spec"]["containers"]
    default = (template.get("metadata") or {}).get("annotations") or {}
    wanted = container or default.get("kubectl.kubernetes.io/default-container") or ""
    named = [each for each in spec if each["name"] == wanted]
    return named[0] if named else spec[0] if len(spec) == 1 and not container else None


def chosen(template: Mapping[str, Any], container: str, called: str) -> Mapping[str, Any]:
    """The container that a Job is made of. Raises C(OperatorError) where that is not clear."""
    found = container_of(template, container)
    if found is None:
        names = ", ".join(each["name"] for each in template["spec"]["containers"])
        said = f"{called} has no container {container}" if container else f"{called} has several containers"
        raise OperatorError(
            Fault("container_unknown", f"{said}; it has {names}.", "Name one (workload_container in the inventory).")
        )
    return found


def labels(workload: str, purpose: str) -> dict[str, str]:
    """What marks the Jobs of one purpose and workload."""
    ours = {"app.kubernetes.io/managed-by": "linkops.runbooks"}
    return {**ours, PURPOSE: purpose, WORKLOAD: workload[:63].rstrip("-._")}


def marks(image: str, command: str, identity: Sequence[str]) -> dict[str, str]:
    """The annotations that tell what a Job was made for."""
    return {IMAGE: image, COMMAND: command, IDENTITY: json.dumps(list(identity))}


def other(marked: Mapping[str, str], asked: Mapping[str, str]) -> str:
    """What a Job was made for where that is not what is asked for; empty where it does all that.

    It may have begun with its work: of C(identity) a part may be left that is asked for, and nothing else.
    """
    said = f"{marked.get(COMMAND)} in {marked.get(IMAGE)}"
    if any(marked.get(each) != asked[each] for each in (IMAGE, COMMAND)):
        return said
    lacking = set(json.loads(asked[IDENTITY])) - set(json.loads(marked.get(IDENTITY) or asked[IDENTITY]))
    return f"{said} without {', '.join(sorted(lacking))}" if lacking else ""


def manifest(
    workload: Mapping[str, Any],
    container: Mapping[str, Any],
    image: str,
    command: Sequence[str],
    name: str,
    purpose: str,
    seconds: int,
    annotations: Mapping[str, str] | None = None,
) -> Manifest:
    """The Job: one pod, started once, which bears none of the labels that a Service selects."""
    template = workload["spec"]["template"]
    marked = labels(workload["metadata"]["name"], purpose)
    work = {key: value for key, value in copy.deepcopy(dict(container)).items() if key not in _NOT_OF_A_JOB}
    work |= {"name": CONTAINER, "image": image or container["image"], "command": list(command)}
    work.setdefault("terminationMessagePolicy", "FallbackToLogsOnError")
    spec = {key: copy.deepcopy(template["spec"][key]) for key in _KEPT if key in template["spec"]}
    aside = {"sidecar.istio.io/inject": "false", "linkerd.io/inject": "disabled"}  # a proxy would outlive the work
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "namespace": workload["metadata"]["namespace"],
            "labels": marked,
            "annotations": dict(annotations or {}),
        },
        "spec": {
            "backoffLimit": 0,
            "completions": 1,
            "parallelism": 1,
            "activeDeadlineSeconds": seconds,
            "ttlSecondsAfterFinished": KEPT_SECONDS,
            "template": {
                "metadata": {"labels": {**marked, "sidecar.istio.io/inject": "false"}, "annotations": aside},
                "spec": {
                    **spec,
                    "restartPolicy": "Never",
                    "terminationGracePeriodSeconds": ENDING_SECONDS,
                    "containers": [work],
                },
            },
        },
    }


def condition(job: Mapping[str, Any]) -> tuple[str, str]:
    """How a Job ended: C(Complete), C(Failed) with the controller's reason, or empty while it goes on."""
    for each in (job.get("status") or {}).get("conditions") or []:
        if each.get("status") == "True" and each.get("type") in ("Complete", "Failed"):
            return str(each["type"]), str(each.get("reason") or "")
    return "", ""


def runs_image(pods: Sequence[Mapping[str, Any]], container: str, image: str) -> Mapping[str, Any] | None:
    """The oldest ready pod whose container runs the image."""
    fitting = [
        pod
        for pod in pods
        if revisions.pod_is_ready(pod)
        and any(each["name"] == container and each["image"] == image for each in pod["spec"]["containers"])
    ]
    return min(fitting, key=lambda pod: str(pod["metadata"].get("creationTimestamp") or ""), default=None)
