# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `up` does: every step of the lab, with what it has to come after."""

from __future__ import annotations

import hashlib
import importlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lab import (
    address,
    binaries,
    component,
    control_plane,
    images,
    node,
    observers,
    packages,
    pki,
    probe,
    simulation,
    stores,
)
from lab.site import LabError
from lab.steps import Step, Tell

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lab.component import Component
    from lab.site import Lab

# every process of the lab, with the steps it has to come after
COMPONENTS: dict[str, tuple[Callable[[Lab], Component], tuple[str, ...]]] = {
    "etcd": (control_plane.etcd, ("kubernetes", "identity")),
    "kube-apiserver": (control_plane.apiserver, ("etcd", "address")),
    "kube-controller-manager": (control_plane.controller_manager, ("kube-apiserver",)),
    "kube-scheduler": (control_plane.scheduler, ("kube-apiserver",)),
    "containerd": (node.containerd, ("packages", "address")),
    "kubelet": (node.kubelet, ("kube-apiserver", "pause-image")),
    "kube-proxy": (node.proxy, ("kube-apiserver", "packages")),
    "metrics-server": (observers.metrics_server, ("kube-apiserver", "kube-proxy")),
    "postgres": (stores.postgres, ("postgres-programs", "address", "identity")),
    "redis": (stores.redis, ("packages", "address", "identity")),
    "registry": (stores.registry, ("packages", "address", "identity")),
    "discovery": (observers.discovery, ("kube-apiserver", "discovery-program")),
    "prometheus": (observers.prometheus, ("packages", "discovery")),
}
# what a lab with simulated nodes has besides
SIMULATION: dict[str, tuple[Callable[[Lab], Component], tuple[str, ...]]] = {
    "kwok": (simulation.kwok, ("kube-apiserver", "kwok-program")),
}
# the steps that need no root
ROOTLESS = frozenset(
    {"programs", "identity", "kubernetes", "kwok-program", "simulated-nodes"}
    | {"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok"}
)
SEEDED = ("servicelink-production/servicelink-api", "credlink-production/credlink-api")


def components(lab: Lab) -> dict[str, tuple[Callable[[Lab], Component], tuple[str, ...]]]:
    """The processes of a lab of this shape."""
    every = {**COMPONENTS, **(SIMULATION if lab.shape.simulated_nodes else {})}
    return {name: each for name, each in every.items() if name in ROOTLESS or not lab.shape.rootless}


def steps(lab: Lab, lock: int) -> list[Step]:
    """The steps of `up` for a lab of this shape. ``lock`` is the descriptor of the lab's lock, which starting processes
    hold with us.
    """
    chosen = [step for step in _every_step(lab, lock) if step.name in ROOTLESS or not lab.shape.rootless]
    names = {step.name for step in chosen}
    return [replace(step, after=tuple(name for name in step.after if name in names)) for step in chosen]


def _every_step(lab: Lab, lock: int) -> list[Step]:
    archives: list[Path] = []

    def build_images(tell: Tell) -> str:
        archives[:] = images.build(lab.cache, tell)
        return f"{len(archives)} archives"

    def import_pause_image(tell: Tell) -> str:
        return node.import_images(lab, [binaries.ensure_pause_image(lab, tell)])

    return [
        Step("packages", "installing Debian packages", lambda _: packages.ensure()),
        Step("programs", "looking for the programs of this machine", lambda _: packages.require(), ("packages",)),
        Step("identity", "making keys, certificates and passwords", lambda _: pki.ensure(lab), ("programs",)),
        Step("address", "giving the node its address", lambda _: address.ensure(lab), ("identity",)),
        Step(
            "kubernetes",
            f"compiling Kubernetes {binaries.KUBERNETES_VERSION}",
            lambda tell: binaries.ensure_kubernetes(lab, tell),
            ("identity",),
        ),
        Step("discovery-program", "building the pod discovery", lambda tell: binaries.ensure_discovery(lab, tell)),
        Step("postgres-programs", "fetching PostgreSQL", lambda tell: binaries.ensure_postgres(lab, tell)),
        Step("images", "building the services' images", build_images, ("packages",)),
        Step("pause-image", "building and importing the pause image", import_pause_image, ("containerd",)),
        Step(
            "import",
            "importing the services' images",
            lambda _: node.import_images(lab, archives),
            ("pause-image", "images"),
        ),
        Step("databases", "preparing the databases", lambda _: stores.ensure_databases(lab), ("postgres",)),
        *(_component_step(lab, name, lock) for name in components(lab)),
        *_simulation_steps(lab),
        Step(
            "services",
            "deploying the services",
            lambda _: _ensure_services(lab, archives),
            (*COMPONENTS, "import", "databases"),
        ),
    ]


def _simulation_steps(lab: Lab) -> list[Step]:
    """Nodes come when what plays them runs, and go while it still does."""
    wanted = lab.shape.simulated_nodes
    if not wanted and "kwok" not in component.recorded(lab):
        return []
    return [
        *(
            [Step("kwok-program", "compiling kwok", lambda tell: binaries.ensure_kwok(lab, tell), ("programs",))]
            if wanted
            else []
        ),
        Step(
            "simulated-nodes",
            f"bringing up {wanted} simulated nodes" if wanted else "removing the simulated nodes",
            lambda tell: simulation.ensure_nodes(lab, tell),
            ("kube-controller-manager", "kube-scheduler", *(["kwok"] if wanted else [])),
        ),
    ]


def deploy_services(lab: Lab, archives: Sequence[Path]) -> None:
    """Bring both systems to their known state; the Kubernetes client is loaded only here, where it is needed.

    Raises LabError when a service does not get there, or a library is missing.
    """
    _mark(lab).unlink(missing_ok=True)  # until all is done: a kill in between is made good by the next `up`
    try:
        known_state = importlib.import_module("lab.seed")
    except ModuleNotFoundError as fault:
        raise LabError(
            f"{fault.name} is missing: `pip install -r requirements-dev.txt`, then run this again."
        ) from None
    known_state.seed(lab)
    _mark(lab).write_text(services_fingerprint(archives))


def _mark(lab: Lab) -> Path:
    """The file that holds the fingerprint of the services that were deployed to the end."""
    return lab.state / "seeded"


def _component_step(lab: Lab, name: str, lock: int) -> Step:
    definition, after = components(lab)[name]
    return Step(name, f"bringing up {name}", lambda _: component.ensure(lab, definition(lab), lock), after)


def _ensure_services(lab: Lab, archives: Sequence[Path]) -> str:
    """Deploy the services unless they are there and were deployed, to the end, as this checkout defines them."""
    as_defined = _mark(lab).exists() and _mark(lab).read_text() == services_fingerprint(archives)
    if as_defined and all(_exists(lab, deployment) for deployment in SEEDED):
        return "there"
    deploy_services(lab, archives)
    return "deployed"


def services_fingerprint(archives: Sequence[Path]) -> str:
    """Hash of what determines the services: images (an archive's name tells its content), manifests and the seed."""
    here = Path(__file__).parent
    sources = [here / "seed.py", here / "workloads.py", *sorted((here / "manifests").rglob("*.yml"))]
    parts = [*(archive.name.encode() for archive in archives), *(source.read_bytes() for source in sources)]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def _exists(lab: Lab, deployment: str) -> bool:
    namespace, _, name = deployment.partition("/")
    url = f"{lab.api_url}/apis/apps/v1/namespaces/{namespace}/deployments/{name}"
    return probe.http(url, authority=lab.pki / "ca.crt", token=lab.secrets["admin_token"]) is None
