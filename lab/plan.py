# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `up` does: every step of the lab, with what it has to come after."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lab import address, binaries, component, control_plane, node, observers, packages, pki, probe, stores
from lab.component import Component
from lab.site import Lab
from lab.steps import Step

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
SEEDED = ("servicelink-production/servicelink-api", "credlink-production/credlink-api")


def have(name: str) -> bool:
    return (Path(__file__).parent / f"{name}.py").exists()


def steps(lab: Lab, lock: int) -> list[Step]:
    """All steps of `up`. ``lock`` is the descriptor of the lab's lock, which starting processes hold with us."""
    version = binaries.KUBERNETES_VERSION
    archives: list[Path] = []

    def build_images() -> str:
        from lab import images

        archives[:] = images.build(lab.cache, lambda line: None)
        return f"{len(archives)} archives"

    return [
        Step("packages", "installing Debian packages", packages.ensure),
        Step("identity", "making keys, certificates and passwords", lambda: pki.ensure(lab), ("packages",)),
        Step("address", "giving the node its address", lambda: address.ensure(lab), ("packages", "identity")),
        Step("kubernetes", f"compiling Kubernetes {version}", lambda: binaries.ensure_kubernetes(lab), ("identity",)),
        Step("discovery-program", "building Prometheus's pod discovery", lambda: binaries.ensure_discovery(lab)),
        Step("postgres-programs", "fetching PostgreSQL", lambda: binaries.ensure_postgres(lab)),
        *([Step("images", "building the services' images", build_images, ("packages",))] if have("images") else []),
        Step(
            "pause-image",
            "building and importing the pause image",
            lambda: node.import_images(lab, [binaries.ensure_pause_image(lab)]),
            ("containerd",),
        ),
        Step(
            "import",
            "importing the services' images",
            lambda: node.import_images(lab, archives),
            ("pause-image", *(["images"] if have("images") else [])),
        ),
        Step("databases", "preparing the databases", lambda: stores.ensure_databases(lab), ("postgres",)),
        *(_component_step(lab, name, lock) for name in COMPONENTS),
        *([] if not have("seed") else [Step(
            "services",
            "deploying the services with their history",
            lambda: _ensure_services(lab),
            ("kubelet", "kube-controller-manager", "kube-scheduler", "kube-proxy", "import", "databases", "redis", "registry"),
        )]),
    ]


def _component_step(lab: Lab, name: str, lock: int) -> Step:
    definition, after = COMPONENTS[name]
    return Step(name, f"starting {name}", lambda: component.ensure(lab, definition(lab), lock), after)


def _ensure_services(lab: Lab) -> str:
    if all(probe.http(_deployment_url(lab, name), authority=lab.pki / "ca.crt", token=lab.secrets["admin_token"]) is None
           for name in SEEDED) and (lab.state / "seeded").exists():  # fmt: skip
        return "there"
    from lab import seed

    (lab.state / "seeded").unlink(missing_ok=True)
    seed.seed(lab)
    (lab.state / "seeded").touch()
    return "deployed"


def _deployment_url(lab: Lab, name: str) -> str:
    namespace, _, deployment = name.partition("/")
    return f"{lab.api_url}/apis/apps/v1/namespaces/{namespace}/deployments/{deployment}"
