# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Simulated nodes: kwok plays their kubelets, so that thousands of pods cost no container and no root."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab import binaries, component, probe
from lab.command import ask
from lab.component import Component
from lab.site import Lab, LabError

if TYPE_CHECKING:
    from lab.steps import Tell

SIMULATED = "linkops.lab/simulated"  # label and taint of a simulated node
ANNOTATION = {"kwok.x-k8s.io/node": "fake"}
POD_NETWORK = "10.250.0.0/16"
STAGES = Path(__file__).parent / "kwok" / "stages.yml"
READY_SECONDS = 120.0
Manifest = dict[str, Any]


def kwok(lab: Lab) -> Component:
    """What plays the nodes. It ends with "no stages found" without stages, and must run before its nodes are made."""
    address, stages = f"127.0.0.1:{lab.port(10347)}", lab.state / "kwok" / "stages.yml"
    (selector,) = (f"{name}={value}" for name, value in ANNOTATION.items())
    return Component(
        name="kwok",
        argv=(
            str(binaries.kwok(lab)),
            f"--kubeconfig={lab.kubeconfig}",
            f"--config={stages}",
            "--manage-all-nodes=false",
            f"--manage-nodes-with-annotation-selector={selector}",
            f"--cidr={POD_NETWORK}",
            f"--node-ip={_own_address(lab)}",
            "--node-lease-duration-seconds=40",
            f"--server-address={address}",
        ),
        files={stages: STAGES.read_text()},
        reads=(lab.kubeconfig,),
        ready=lambda: probe.http(f"http://{address}/healthz"),
    )


def ensure_nodes(lab: Lab, tell: Tell) -> str:
    """Bring the number of simulated nodes to what the lab is to have; returns what was done.

    Raises LabError when they do not get ready.
    """
    names = {f"simulated-{number}" for number in range(lab.shape.simulated_nodes)}
    there = _nodes(lab).keys()
    if surplus := sorted(there - names):
        _kubectl(lab, "delete", "nodes", "--wait=false", *surplus)
    if missing := sorted(names - there):
        nodes = {"apiVersion": "v1", "kind": "List", "items": [_node(name) for name in missing]}
        _kubectl(lab, "create", "-f", "-", stdin=json.dumps(nodes))
    if not names:  # the pods that were left on them are the garbage collector's
        component.stop(lab, "kwok")
        return "none"
    deadline = time.monotonic() + READY_SECONDS
    while unready := sorted(name for name, ready in _nodes(lab).items() if not ready):
        if time.monotonic() > deadline:
            raise LabError(
                f"{len(unready)} simulated nodes ({unready[0]} ...) did not get ready in {READY_SECONDS:.0f} s: "
                f"see {component.log_of(lab, 'kwok')}."
            )
        tell(f"{len(unready)} not ready")
        time.sleep(0.2)
    return f"{len(names)} nodes" if missing or surplus else "there"


def simulated(workload: Manifest) -> Manifest:
    """The manifest of a workload whose pods run on simulated nodes; the one given is changed."""
    spec = workload["spec"]["template"]["spec"]
    spec["nodeSelector"] = {**spec.get("nodeSelector", {}), SIMULATED: "true"}
    spec["tolerations"] = [*spec.get("tolerations", []), {"key": SIMULATED, "operator": "Exists"}]
    return workload


def _node(name: str) -> Manifest:
    labels = {SIMULATED: "true", "kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "annotations": ANNOTATION, "labels": labels},
        "spec": {"taints": [{"key": SIMULATED, "value": "true", "effect": "NoSchedule"}]},
    }


def _nodes(lab: Lab) -> dict[str, bool]:
    """The simulated nodes that there are, and whether each is ready."""
    url = f"{lab.api_url}/api/v1/nodes?labelSelector={SIMULATED}"
    found = probe.read_json(url, authority=lab.pki / "ca.crt", token=lab.secrets["admin_token"])["items"]
    return {node["metadata"]["name"]: _ready(node) for node in found}


def _ready(node: Manifest) -> bool:
    conditions = node["status"].get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _own_address(lab: Lab) -> str:
    """The address of this machine that pods with hostNetwork get: what listens there answers for them.

    No packet is sent; a machine without a route has only the node's address.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as route:
        try:
            route.connect(("198.51.100.1", 9))  # TEST-NET-2 (RFC 5737)
        except OSError:
            return lab.node_address
        address: str = route.getsockname()[0]
    return address


def _kubectl(lab: Lab, *arguments: str, stdin: str = "") -> None:
    kubectl = (str(binaries.kubernetes(lab) / "kubectl"), f"--kubeconfig={lab.kubeconfig}")
    done = ask(*kubectl, *arguments, stdin=stdin, env={"HOME": str(lab.state)})
    if done.returncode:
        raise LabError(f"`kubectl {' '.join(arguments[:3])}` failed: {done.stderr.strip()}")
