# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Workloads of the lab: the services' Deployments, StatefulSets and DaemonSets, with a history of revisions.

The seed makes production from it; tests make their own services in their own namespaces.
"""

from __future__ import annotations

import copy
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from lab.cluster import DEADLINE, Cluster, Manifest
from lab.site import Lab, LabError

MANIFESTS = Path(__file__).parent / "manifests"
RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
REVISION = "deployment.kubernetes.io/revision"
CHANGE_CAUSE = "kubernetes.io/change-cause"


@dataclass(frozen=True)
class Revision:
    """One step of a workload's history: the image it brings, or a restart of what runs, and its change cause."""

    image: str = ""
    cause: str = ""
    restart: bool = False


@dataclass(frozen=True)
class Workload:
    """A workload in the cluster that a test or the seed has made."""

    cluster: Cluster = field(repr=False, compare=False)
    namespace: str
    name: str
    kind: str = "Deployment"

    @property
    def live(self) -> Manifest:
        """The object as it is now. Raises LabError when it is gone."""
        found = self.cluster.get(self.kind, self.namespace, self.name)
        if found is None:
            raise LabError(f"{self.kind} {self.name} is not in namespace {self.namespace}: make it again.")
        return found

    @property
    def pods(self) -> list[Manifest]:
        """Its pods that are not on their way out."""
        found = self.cluster.list("Pod", self.namespace, f"app={self.name}")
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def patch(self, change: Manifest, manager: str = "lab") -> Manifest:
        """Change the object with a strategic merge patch."""
        return self.cluster.patch(self.kind, self.namespace, self.name, change, manager)

    def rollout(self, revision: Revision) -> None:
        """Start a rollout the way kubectl does (``set image``, ``rollout restart``) and wait until it is recorded."""
        container = self.live["spec"]["template"]["spec"]["containers"][0]["name"]
        if revision.restart:
            manager = "kubectl-rollout"
            now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            template: Manifest = {"metadata": {"annotations": {RESTARTED_AT: now}}}
        else:
            manager = "kubectl-set"
            template = {"spec": {"containers": [{"name": container, "image": revision.image}]}}
        change: Manifest = {"spec": {"template": template}}
        if revision.cause:
            change["metadata"] = {"annotations": {CHANGE_CAUSE: revision.cause}}
        self.patch(change, manager)
        self.wait_recorded()

    def wait_recorded(self) -> None:
        """Wait until the controller has made a revision of the present template."""
        self._until(self._recorded)

    def scale(self, replicas: int) -> None:
        """Set the number of replicas; a DaemonSet has none and stays as it is."""
        if self.kind != "DaemonSet":
            self.patch({"spec": {"replicas": replicas}}, "kubectl-scale")

    def wait_ready(self, deadline: float = DEADLINE) -> None:
        """Wait until every replica is of the newest revision and ready, and no other pod is left."""
        self._until(self._complete, deadline)

    def _recorded(self, live: Manifest) -> bool:
        metadata = live["metadata"]
        if live["status"].get("observedGeneration", 0) < metadata["generation"]:
            return False
        if self.kind != "Deployment":
            return True  # its controller writes the ControllerRevision before the status
        number = metadata.get("annotations", {}).get(REVISION)
        held = self.cluster.list("ReplicaSet", self.namespace, f"app={self.name}")
        newest = [item["spec"]["template"] for item in held if item["metadata"]["annotations"].get(REVISION) == number]
        for made in newest:
            made["metadata"]["labels"].pop("pod-template-hash")
        template: Manifest = live["spec"]["template"]
        return template in newest

    def _complete(self, live: Manifest) -> bool:
        spec, status = live["spec"], live["status"]
        if status.get("observedGeneration", 0) < live["metadata"]["generation"]:
            return False
        if self.kind == "DaemonSet":
            wanted = status.get("desiredNumberScheduled", 0)
            counts = {status.get(count, 0) for count in ("updatedNumberScheduled", "numberAvailable")}
            return wanted > 0 and counts == {wanted}
        counts = {status.get(count, 0) for count in ("updatedReplicas", "readyReplicas", "replicas")}
        pods = self.cluster.list("Pod", self.namespace, f"app={self.name}")
        return counts == {spec["replicas"]} == {len(pods)}

    def _until(self, reached: Callable[[Manifest], bool], deadline: float = DEADLINE) -> None:
        self.cluster.until(lambda: reached(self.live), lambda: self._complaint(deadline), deadline)

    def _complaint(self, deadline: float) -> str:
        waiting = sorted(
            f"{pod['metadata']['name']}: {(state.get('waiting') or {}).get('reason', 'not ready')}"
            for pod in self.pods
            for container in pod["status"].get("containerStatuses", [{"state": {}}])
            if not container.get("ready")
            for state in (container["state"],)
        )
        return (
            f"{self.kind} {self.namespace}/{self.name} did not get ready in {deadline:.0f} s "
            f"({', '.join(waiting) or 'no pod waits'}): look at its events with kubectl describe."
        )


def manifests(file: str) -> list[Manifest]:
    """The objects of a file in lab/manifests."""
    return [document for document in yaml.safe_load_all((MANIFESTS / file).read_text()) if document]


def blueprint(image: str, kind: str = "Deployment") -> Manifest:
    """Production's Deployment for ``image`` (servicelink/api, credlink/api ...), as another kind if asked for."""
    repository = image.partition(":")[0]
    production = [*manifests("servicelink.yml"), *manifests("credlink.yml")]
    by_image = {
        item["spec"]["template"]["spec"]["containers"][0]["image"].partition(":")[0]: item
        for item in production
        if item["kind"] == "Deployment"
    }
    if repository not in by_image:
        raise LabError(f"There is no manifest for image {repository}: lab/manifests has {', '.join(sorted(by_image))}.")
    manifest = by_image[repository]
    if kind != "Deployment":
        manifest["kind"] = kind
        del manifest["spec"]["strategy"]
    if kind == "StatefulSet":
        manifest["spec"] |= {"serviceName": manifest["metadata"]["name"], "podManagementPolicy": "OrderedReady"}
    if kind == "DaemonSet":
        del manifest["spec"]["replicas"]
    return manifest


def service(
    lab: Lab,
    namespace: str,
    name: str,
    versions: Sequence[str | Revision],
    *,
    replicas: int = 2,
    kind: str = "Deployment",
    image: str = "servicelink/api",
    behaviour: str = "",
    environment: Mapping[str, str] | None = None,
    then: str | Revision | None = None,
    wait: bool = True,
    change: Callable[[Manifest], None] | None = None,
) -> Workload:
    """Make a workload with the history ``versions`` (tags of ``image``, or Revisions), whatever had its name before.

    The history is made without pods where the kind allows it; the last of ``versions`` is what then runs with
    ``replicas`` pods. ``then`` is rolled out on top once those are ready, without waiting for it: a rollout in
    progress, or a stuck one.
    ``behaviour`` (see lab/services/README.md) and ``environment`` apply to all revisions. ``change`` may edit the
    manifest before anything is created. ``wait=False`` returns without waiting for ready pods.
    The namespace, its configuration and its Secrets are made where they are missing, and a Service of the same name.
    Raises LabError when the workload does not get ready.
    """
    cluster = Cluster.of(lab)
    ensure_namespace(cluster, namespace)
    manifest = _named(blueprint(image, kind), name)
    container = manifest["spec"]["template"]["spec"]["containers"][0]
    variables = {**({"LAB_BEHAVIOUR": behaviour} if behaviour else {}), **(environment or {})}
    added = [{"name": key, "value": value} for key, value in variables.items()]
    container["env"] = [*container.get("env", []), *added]
    if change:
        change(manifest)
    cluster.apply(_service_for(manifest), namespace)
    workload = deploy(cluster, namespace, manifest, [_revision(image, item) for item in versions], replicas)
    if wait or then:
        workload.wait_ready()
    if then:
        workload.rollout(_revision(image, then))
    return workload


def deploy(
    cluster: Cluster, namespace: str, manifest: Manifest, history: Sequence[Revision], replicas: int
) -> Workload:
    """Make the workload of ``manifest`` with a history of revisions, and scale it up at the end, without waiting.

    What bears its name is removed first. A DaemonSet's history is made behind update strategy OnDelete, for it cannot
    be scaled to nothing. The first revision needs an image.
    """
    kind, manifest = manifest["kind"], copy.deepcopy(manifest)
    workload = Workload(cluster, namespace, manifest["metadata"]["name"], kind)
    manifest["spec"]["template"]["spec"]["containers"][0]["image"] = history[0].image
    manifest["metadata"].setdefault("annotations", {})[CHANGE_CAUSE] = history[0].cause
    if kind == "DaemonSet":
        manifest["spec"]["updateStrategy"] = {"type": "OnDelete"}
    else:
        manifest["spec"]["replicas"] = 0
    for rival in ("Deployment", "StatefulSet", "DaemonSet"):
        cluster.remove(rival, namespace, workload.name)
    cluster.create(manifest, namespace, manager="kubectl-create")
    workload.wait_recorded()
    for revision in history[1:]:
        workload.rollout(revision)
    if kind == "DaemonSet":
        workload.patch({"spec": {"updateStrategy": {"type": "RollingUpdate"}}})
    workload.scale(replicas)
    return workload


def _revision(image: str, item: str | Revision) -> Revision:
    return item if isinstance(item, Revision) else Revision(f"{image}:{item}", f"release {image}:{item}")


def ensure_namespace(cluster: Cluster, namespace: str) -> None:
    """A namespace in which services of both systems can run: configuration and Secrets as production has them."""
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}, "")
    for file in ("servicelink.yml", "credlink.yml"):
        for manifest in manifests(file):
            if manifest["kind"] == "ConfigMap":
                cluster.apply(manifest, namespace)
    for name, data in _credentials(cluster.lab).items():
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}
        cluster.create(secret, namespace, unless_there=True)


def _credentials(lab: Lab) -> dict[str, dict[str, str]]:
    """Fresh Secrets of both systems: the stores' passwords are the lab's, all else is random."""

    def database(name: str) -> str:
        return f"postgresql://{name}:{lab.secrets[f'{name}_password']}@{lab.node_address}:{lab.postgres_port}/{name}"

    token = secrets.token_hex
    return {
        "servicelink-secrets": {
            "DATABASE_URL": database("servicelink"),
            "REDIS_URL": f"redis://:{lab.secrets['redis_password']}@{lab.node_address}:{lab.redis_port}/0",
            "JWT_SECRET": token(32),
            "STRIPE_SECRET_KEY": f"sk_test_{token(16)}",
            "STRIPE_WEBHOOK_SECRET": f"whsec_{token(16)}",
        },
        "credlink-secrets": {"DATABASE_URL": database("credlink"), "SIGNING_KEY": token(32)},
        "credlink-api-keys": {"keys": f"ck_{token(16)},ck_{token(16)}"},
    }


def _named(manifest: Manifest, name: str) -> Manifest:
    """The manifest under another name, its selector and labels with it."""
    renamed = copy.deepcopy(manifest)
    renamed["metadata"]["name"] = name
    renamed["spec"]["selector"]["matchLabels"]["app"] = name
    renamed["spec"]["template"]["metadata"]["labels"]["app"] = name
    if "serviceName" in renamed["spec"]:
        renamed["spec"]["serviceName"] = name
    return renamed


def _service_for(manifest: Manifest) -> Manifest:
    name = manifest["metadata"]["name"]
    port = manifest["spec"]["template"]["spec"]["containers"][0]["ports"][0]
    ports = [{"name": "http", "port": port["containerPort"], "targetPort": port["name"]}]
    spec = {"selector": {"app": name}, "ports": ports}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}
