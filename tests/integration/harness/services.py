# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services in a test's namespace, and how an inventory names them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kubernetes.client.exceptions import ApiException

from lab.cluster import PATHS, Manifest
from lab.site import Lab
from lab.workloads import Revision, Workload
from lab.workloads import service as make

GROUPS = {"servicelink": "servicelink_lab", "credlink": "credlink_lab"}
TYPE_TO_NODE_PORT = {"spec": {"type": "NodePort"}}


Edit = Callable[[Manifest], None]


def container(template: Manifest) -> Manifest:
    """The first container of a pod template."""
    found: Manifest = template["spec"]["containers"][0]
    return found


def one_per_node(manifest: Manifest) -> None:
    """Have no two pods of a workload on the same node, of which the lab has one."""
    labels = manifest["spec"]["selector"]["matchLabels"]
    term = {"labelSelector": {"matchLabels": labels}, "topologyKey": "kubernetes.io/hostname"}
    rule = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    manifest["spec"]["template"]["spec"]["affinity"] = rule


@dataclass(frozen=True)
class Service:
    """One host of the inventory: a workload, the address of its users, and further settings of its host."""

    workload: Workload
    group: str
    port: int
    health_url: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.workload.name

    @property
    def namespace(self) -> str:
        return self.workload.namespace

    @property
    def variables(self) -> dict[str, Any]:
        """What its host sets in the inventory."""
        return {
            "kubernetes_namespace": self.namespace,
            "workload_kind": self.workload.kind,
            "service_port": self.port,
            "health_url": self.health_url,
            **self.settings,
        }

    def edit(self, change: Edit, *, annotations: Mapping[str, str] | None = None) -> None:
        """Change the pod template by hand, as ``kubectl edit`` does, and wait until that is a revision."""
        cluster, path = self.workload.cluster, PATHS[self.workload.kind].format(self.namespace)
        while True:
            live = self.workload.live
            change(live["spec"]["template"])
            live["metadata"]["annotations"] = {**live["metadata"].get("annotations", {}), **(annotations or {})}
            try:
                cluster.request("PUT", f"{path}/{self.name}", live, {"fieldManager": "kubectl-edit"})
                break
            except ApiException as refusal:
                if refusal.status != 409:
                    raise
        self.workload.wait_recorded()

    def deploy(self, image: str) -> None:
        """Roll out another image, without waiting for it."""
        self.edit(lambda template: container(template).update(image=image))

    def having(self, **settings: Any) -> Service:
        """The same service with other settings of its host."""
        return dataclasses.replace(self, settings={**self.settings, **settings})


class Services:
    """Makes services. ``versions`` are tags of ``image`` or Revisions, the last one runs; see lab.workloads.service."""

    def __init__(self, lab: Lab, namespace: str) -> None:
        self._lab = lab
        self._namespace = namespace

    def __call__(
        self,
        versions: Sequence[str | Revision],
        name: str = "api",
        *,
        replicas: int = 1,
        kind: str = "Deployment",
        image: str = "servicelink/api",
        behaviour: str = "",
        then: str | Revision | None = None,
        wait: bool = True,
        node_port: bool = False,
        change: Edit | None = None,
        **settings: Any,
    ) -> Service:
        """Make one. With ``node_port`` its users reach it at a port of the node, which is its ``health_url``.

        ``change`` edits the manifest before anything is created; ``settings`` are variables of its host.
        """
        workload = make(
            self._lab, self._namespace, name, versions, replicas=replicas, kind=kind, image=image,
            behaviour=behaviour, then=then, wait=wait, change=change,
        )  # fmt: skip
        port = workload.live["spec"]["template"]["spec"]["containers"][0]["ports"][0]["containerPort"]
        url = ""
        if node_port:
            live = workload.cluster.patch("Service", self._namespace, name, TYPE_TO_NODE_PORT)
            url = f"http://{self._lab.node_address}:{live['spec']['ports'][0]['nodePort']}/health"
        return Service(workload, GROUPS[image.partition("/")[0]], port, url, settings)
