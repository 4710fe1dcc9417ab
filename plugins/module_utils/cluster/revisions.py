# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The revisions of a workload: what each of them is, which one is active, which one a number means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from . import marks, quantities

REVISION = "deployment.kubernetes.io/revision"
REVISION_HISTORY = "deployment.kubernetes.io/revision-history"
CHANGE_CAUSE = "kubernetes.io/change-cause"
RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
#: The key of a restart: on the pod template of a rolling restart, on the workload where its pods were evicted.
RESTART_KEY = "runbooks.linkops.io/restart-key"
#: Since when pods are evicted: those created before it are due.
RESTART_STARTED = "runbooks.linkops.io/restart-started"
TEMPLATE_HASH = "pod-template-hash"
CONTROLLER_REVISION_HASH = "controller-revision-hash"

Object = Mapping[str, Any]


@dataclass(frozen=True)
class Revision:
    """One revision: C(name) of its ReplicaSet or ControllerRevision, C(certified) the hash that a mark must name."""

    number: int
    earlier: tuple[int, ...]
    name: str
    uid: str
    certified: str
    template: dict[str, Any]
    annotations: dict[str, str]
    created: str
    replicas: int
    ready: int
    active: bool
    mark: marks.Mark | None

    @property
    def images(self) -> dict[str, str]:
        """Image by container, init containers included."""
        return images(self.template)

    @property
    def change_cause(self) -> str:
        """What the deployer wrote, or how kubectl's restart shows itself."""
        restarted = ((self.template.get("metadata") or {}).get("annotations") or {}).get(RESTARTED_AT)
        return self.annotations.get(CHANGE_CAUSE) or (f"restarted at {restarted}" if restarted else "")

    @property
    def migration(self) -> str:
        """The newest migration recorded for it, empty if none was."""
        return (self.mark.migration if self.mark else "") or self.annotations.get(marks.MIGRATION, "")

    def as_result(self) -> dict[str, Any]:
        """The revision as modules list it."""
        return {
            "revision": self.number,
            "earlier_revisions": list(self.earlier),
            "name": self.name,
            "images": self.images,
            "created": self.created,
            "change_cause": self.change_cause,
            "replicas": self.replicas,
            "ready": self.ready,
            "active": self.active,
            "mark": self.mark.verdict if self.mark else "",
            "marked_since": self.mark.since if self.mark else "",
            "fingerprint": dict(self.mark.fingerprint) if self.mark else {},
            "migration": self.migration,
        }


def containers(pod: Object) -> list[Object]:
    """The containers of a pod or of a pod template; those that prepare it, or run beside it as sidecars, come first."""
    spec = pod.get("spec") or {}
    return [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]


def images(template: Object) -> dict[str, str]:
    """Image by container name of a pod template."""
    return {c["name"]: c.get("image", "") for c in containers(template)}


def serving_images(template: Object) -> dict[str, str]:
    """Image by container name of a pod template, without those that only prepare its pods."""
    return {c["name"]: c.get("image", "") for c in (template.get("spec") or {}).get("containers") or []}


def bare_template(template: Object) -> dict[str, Any]:
    """A pod template without what controllers add (hash label, patch directive, nulls), fit to compare and to write.

    kubectl deletes the hash label before it compares or patches back
    (kubernetes/kubectl:pkg/polymorphichelpers/rollback.go).
    """
    bare = {key: value for key, value in template.items() if key != "$patch"}
    metadata = {key: value for key, value in (bare.get("metadata") or {}).items() if value is not None}
    labels = {key: value for key, value in (metadata.get("labels") or {}).items() if key != TEMPLATE_HASH}
    return {**bare, "metadata": {**metadata, "labels": labels}}


def comparable(template: Object) -> dict[str, Any]:
    """A bare template with the resources of its containers as numbers.

    The API server keeps "268435456" and "256Mi" as they were written, and a Deployment's controller takes them for the
    same (kubernetes/kubernetes:pkg/controller/deployment/util/deployment_util.go, EqualIgnoreHash).
    """
    bare = bare_template(template)
    spec = {**(bare.get("spec") or {})}
    for key in ("containers", "initContainers"):
        if spec.get(key):
            spec[key] = [{**each, "resources": _amounts(each.get("resources") or {})} for each in spec[key]]
    return {**bare, "spec": spec}


def owned(objects: Iterable[Object], owner: Object) -> list[Object]:
    """Those controlled by the owner; a label selector finds strangers too, the owner's uid does not."""
    uid = owner["metadata"]["uid"]
    return [
        each
        for each in objects
        if any(ref.get("uid") == uid and ref.get("controller") for ref in each["metadata"].get("ownerReferences") or [])
    ]


def revisions(workload: Object, history: Iterable[Object], pods: Iterable[Object]) -> list[Revision]:
    """The revisions of a workload, oldest first.

    C(history) are the ReplicaSets or ControllerRevisions of its selector, C(pods) its pods. Where two hold the active
    template (it can happen after an upgrade of the API server's defaults), the one with the higher number is active.
    """
    running = list(pods)
    mine = owned(history, workload)
    active = _active_name(workload, mine)
    found = [revision(each, active, running) for each in mine]
    return sorted(found, key=lambda revision: (revision.number, revision.created))


def revision(entry: Object, active: str = "", pods: Iterable[Object] = ()) -> Revision:
    """One revision from its ReplicaSet or ControllerRevision; C(active) is the name of the active one."""
    if entry.get("kind") == "ReplicaSet":
        return _from_replica_set(entry, active)
    return _from_controller_revision(entry, active, list(pods))


def find(known: Iterable[Revision], number: int) -> Revision | None:
    """The revision that a number means: its current number first, else one that it had before it was renumbered."""
    listed = list(known)
    current = [revision for revision in listed if revision.number == number]
    earlier = [revision for revision in listed if number in revision.earlier]
    return next(reversed(current or earlier), None)


def find_image(known: Iterable[Revision], image: str) -> Revision | None:
    """The newest revision that runs this image in any of its containers; a bare tag (C(v1.2.3)) is enough."""
    matching = [r for r in known if any(_is_image(each, image) for each in r.images.values())]
    return max(matching, key=lambda revision: revision.number, default=None)


def last_known_good(known: Iterable[Revision]) -> Revision | None:
    """The newest revision marked good other than the active one."""
    good = [r for r in known if not r.active and r.mark is not None and r.mark.verdict == "good"]
    return max(good, key=lambda revision: revision.number, default=None)


def active_revision(known: Iterable[Revision]) -> Revision | None:
    """The revision whose template the workload has now."""
    return next((revision for revision in known if revision.active), None)


def pod_is_ready(pod: Object) -> bool:
    """Ready by its condition, and not on its way out."""
    conditions = (pod.get("status") or {}).get("conditions") or []
    ready = any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)
    return ready and not pod["metadata"].get("deletionTimestamp")


def ready_names(pods: Iterable[Object]) -> list[str]:
    """The names of those that are ready, sorted."""
    return sorted(pod["metadata"]["name"] for pod in pods if pod_is_ready(pod))


def pod_ended(pod: Object) -> bool:
    """Ended for good, such as one that was evicted: its controller counts it no more and has another one instead."""
    return (pod.get("status") or {}).get("phase") in ("Failed", "Succeeded")


def pod_hash(pod: Object) -> str:
    """The hash label that tells a pod's revision."""
    labels = pod["metadata"].get("labels") or {}
    return str(labels.get(TEMPLATE_HASH) or labels.get(CONTROLLER_REVISION_HASH) or "")


def pods_of(revision: Revision, pods: Iterable[Object]) -> list[Object]:
    """The pods that run a revision. StatefulSets label pods with the revision's name, the others with its hash."""
    return [pod for pod in pods if pod_hash(pod) in (revision.certified, revision.name)]


def _amounts(resources: Object) -> dict[str, Any]:
    return {
        part: {name: quantities.value(amount) for name, amount in (entry or {}).items()}
        if part in ("limits", "requests")
        else entry
        for part, entry in resources.items()
    }


def _is_image(image: str, wanted: str) -> bool:
    return image == wanted or image.endswith((f":{wanted}", f"/{wanted}", f"@{wanted}"))


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(each) for each in text.split(",") if each.strip().isdecimal())


def _active_name(workload: Object, history: Iterable[Object]) -> str:
    wanted = comparable(workload["spec"]["template"])
    matching = [each for each in history if comparable(_template(each)) == wanted]
    return str(max(matching, key=_number)["metadata"]["name"]) if matching else ""


def _template(entry: Object) -> Object:
    holder = entry if "spec" in entry else entry.get("data") or {}
    template: Object = (holder.get("spec") or {}).get("template") or {}
    return template


def _number(entry: Object) -> int:
    if "revision" in entry:
        return int(entry["revision"])
    return int((entry["metadata"].get("annotations") or {}).get(REVISION, 0))


def _from_replica_set(entry: Object, active: str) -> Revision:
    metadata, status = entry["metadata"], entry.get("status") or {}
    annotations = dict(metadata.get("annotations") or {})
    certified = str((metadata.get("labels") or {}).get(TEMPLATE_HASH, ""))
    return Revision(
        number=_number(entry),
        earlier=_numbers(annotations.get(REVISION_HISTORY, "")),
        name=metadata["name"],
        uid=metadata["uid"],
        certified=certified,
        template=bare_template(_template(entry)),
        annotations=annotations,
        created=metadata.get("creationTimestamp") or "",
        replicas=int(status.get("replicas") or 0),
        ready=int(status.get("readyReplicas") or 0),
        active=metadata["name"] == active,
        mark=marks.read(annotations, certified),
    )


def _from_controller_revision(entry: Object, active: str, pods: list[Object]) -> Revision:
    metadata = entry["metadata"]
    name = metadata["name"]
    annotations = dict(metadata.get("annotations") or {})
    certified = str((metadata.get("labels") or {}).get("controller.kubernetes.io/hash") or name.rsplit("-", 1)[-1])
    running = [pod for pod in pods if pod_hash(pod) in (name, certified)]
    number = _number(entry)
    return Revision(
        number=number,
        earlier=tuple(each for each in _numbers(annotations.get(marks.EARLIER_REVISIONS, "")) if each != number),
        name=name,
        uid=metadata["uid"],
        certified=certified,
        template=bare_template(_template(entry)),
        annotations=annotations,
        created=metadata.get("creationTimestamp") or "",
        replicas=len(running),
        ready=sum(pod_is_ready(pod) for pod in running),
        active=name == active,
        mark=marks.read(annotations, certified),
    )
