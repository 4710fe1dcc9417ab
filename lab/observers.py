# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What observes the lab: metrics-server behind the metrics API, and Prometheus."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import TYPE_CHECKING

from lab import binaries, pki, probe
from lab.command import ask, which
from lab.component import UNPRIVILEGED, Component, give
from lab.simulation import SIMULATED
from lab.site import Lab, LabError

if TYPE_CHECKING:
    from pathlib import Path

METRICS_PORT = 10350


def metrics_server(lab: Lab) -> Component:
    kubeconfig = lab.state / "kubeconfigs" / "metrics-server"
    return Component(
        name="metrics-server",
        argv=(
            str(binaries.kubernetes(lab) / "metrics-server"),
            f"--kubeconfig={kubeconfig}",
            f"--authentication-kubeconfig={kubeconfig}",
            f"--authorization-kubeconfig={kubeconfig}",
            f"--kubelet-certificate-authority={lab.pki / 'ca.crt'}",
            "--kubelet-preferred-address-types=InternalIP",
            f"--bind-address={lab.node_address}",
            f"--secure-port={METRICS_PORT}",
            f"--tls-cert-file={lab.pki / 'server.crt'}",
            f"--tls-private-key-file={lab.pki / 'server.key'}",
            "--metric-resolution=10s",
            "--kubelet-request-timeout=4s",
            *((f"--node-selector=!{SIMULATED}",) if lab.shape.simulated_nodes else ()),
        ),
        files={kubeconfig: pki.component_kubeconfig(lab, "metrics-server")},
        reads=(lab.pki / "ca.crt",),
        prepare=lambda: _publish(lab),
        ready=lambda: probe.http(
            f"{lab.api_url}/apis/metrics.k8s.io/v1beta1", authority=lab.pki / "ca.crt", token=lab.secrets["admin_token"]
        ),
    )


def prometheus(lab: Lab) -> Component:
    home, address = lab.state / "prometheus", f"127.0.0.1:{lab.prometheus_port}"
    copies = {name: (lab.pki / name).read_text() for name in ("ca.crt", "prometheus.crt", "prometheus.key")}

    def prepare() -> None:
        (home / "rules").mkdir(parents=True, exist_ok=True)
        give(home, UNPRIVILEGED)

    return Component(
        name="prometheus",
        argv=(
            which("prometheus"),
            f"--config.file={home / 'prometheus.json'}",
            f"--storage.tsdb.path={home / 'data'}",
            "--storage.tsdb.retention.time=6h",
            f"--web.listen-address={address}",
            "--web.enable-lifecycle",
            "--log.level=warn",
        ),
        files={
            home / "prometheus.json": json.dumps(_scrape_config(lab), indent=1),
            **{home / name: content for name, content in copies.items()},
        },
        prepare=prepare,
        ready=lambda: probe.http(f"http://{address}/-/ready"),
        user=UNPRIVILEGED,
    )


def discovery(lab: Lab) -> Component:
    """What tells Prometheus which pods to scrape: those with the annotations prometheus.io/scrape and /port."""
    home = lab.state / "discovery"
    copies = {name: (lab.pki / name).read_text() for name in ("ca.crt", "prometheus.crt", "prometheus.key")}
    targets = _targets(lab)

    def prepare() -> None:
        for folder in (home, targets.parent):
            folder.mkdir(parents=True, exist_ok=True)
            give(folder, UNPRIVILEGED)
        targets.unlink(missing_ok=True)

    return Component(
        name="discovery",
        argv=(
            str(binaries.discovery(lab)),
            f"--api={lab.api_url}",
            f"--ca={home / 'ca.crt'}",
            f"--cert={home / 'prometheus.crt'}",
            f"--key={home / 'prometheus.key'}",
            f"--file={targets}",
        ),
        files={home / name: content for name, content in copies.items()},
        prepare=prepare,
        ready=lambda: None if targets.exists() else f"{targets} is not written yet",
        user=UNPRIVILEGED,
    )


def _targets(lab: Lab) -> Path:
    return lab.state / "discovery" / "targets" / "pods.json"


def _scrape_config(lab: Lab) -> dict[str, object]:
    """The services' pods, the node's containers, and Prometheus itself.

    Rules placed in the rules folder are read after a POST to /-/reload.
    """
    home = lab.state / "prometheus"
    return {
        "global": {"scrape_interval": "5s", "scrape_timeout": "4s", "evaluation_interval": "5s"},
        "rule_files": [str(home / "rules" / "*.yml")],
        "scrape_configs": [
            {"job_name": "prometheus", "static_configs": [{"targets": [f"127.0.0.1:{lab.prometheus_port}"]}]},
            {"job_name": "services", "file_sd_configs": [{"files": [str(_targets(lab))]}]},
            {
                "job_name": "containers",
                "scheme": "https",
                "metrics_path": "/metrics/cadvisor",
                "static_configs": [{"targets": [f"{lab.node_address}:10250"]}],
                "tls_config": {
                    "ca_file": str(home / "ca.crt"),
                    "cert_file": str(home / "prometheus.crt"),
                    "key_file": str(home / "prometheus.key"),
                },
            },
        ],
    }


def _publish(lab: Lab) -> None:
    """Register the metrics API, and a DNS Service without endpoints: look-ups in pods are refused, they do not hang."""
    labels: dict[str, object] = {"app.kubernetes.io/managed-by": "linkops-lab"}
    name: dict[str, object] = {"name": "metrics-server", "namespace": "kube-system"}
    port = {"name": "https", "port": 443, "protocol": "TCP"}
    manifests = [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {**name, "labels": labels},
            "spec": {"ports": [{**port, "targetPort": METRICS_PORT}]},
        },
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {**name, "labels": {**labels, "kubernetes.io/service-name": "metrics-server"}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [lab.node_address], "conditions": {"ready": True}}],
            "ports": [{**port, "port": METRICS_PORT}],
        },
        {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": "v1beta1.metrics.k8s.io", "labels": labels},
            "spec": {
                "service": name,
                "group": "metrics.k8s.io",
                "version": "v1beta1",
                "caBundle": b64encode((lab.pki / "ca.crt").read_bytes()).decode(),
                "groupPriorityMinimum": 100,
                "versionPriority": 100,
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "kube-dns", "namespace": "kube-system", "labels": labels},
            "spec": {
                "clusterIP": "10.96.0.10",
                "ports": [
                    {"name": "dns", "port": 53, "protocol": "UDP"},
                    {"name": "dns-tcp", "port": 53, "protocol": "TCP"},
                ],
            },
        },
    ]
    apply = ("--kubeconfig", str(lab.kubeconfig), "apply", "--server-side", "--force-conflicts", "-f", "-")
    done = ask(
        str(binaries.kubernetes(lab) / "kubectl"),
        *apply,
        stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests}),
        env={"HOME": str(lab.state)},  # kubectl's cache goes there; the operator's proxy settings stay out
    )
    if done.returncode:
        raise LabError(f"The metrics API could not be registered: {done.stderr.strip()}")
