# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's control plane: etcd, API server, controllers, scheduler."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from lab import binaries, pki, probe
from lab.component import Component

if TYPE_CHECKING:
    from pathlib import Path

    from lab.site import Lab

AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata"}],
}


def etcd(lab: Lab) -> Component:
    address, peer = _etcd_address(lab), f"http://127.0.0.1:{lab.port(23800)}"
    return Component(
        name="etcd",
        argv=(
            str(binaries.kubernetes(lab) / "etcd"),
            f"--data-dir={lab.state / 'etcd'}",
            f"--listen-client-urls={address}",
            f"--advertise-client-urls={address}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync",  # a kill of the process loses nothing; a kill of the machine may, and `down` rebuilds
            "--quota-backend-bytes=4294967296",
            "--auto-compaction-retention=1h",
            "--log-level=warn",
        ),
        ready=lambda: probe.http(f"{address}/health"),
    )


def apiserver(lab: Lab) -> Component:
    pki_file = lab.pki.joinpath
    tokens, policy = lab.state / "apiserver" / "tokens.csv", lab.state / "apiserver" / "audit-policy.json"
    return Component(
        name="kube-apiserver",
        argv=(
            str(binaries.kubernetes(lab) / "kube-apiserver"),
            f"--etcd-servers={_etcd_address(lab)}",
            # a real node's pods come from their own network
            f"--bind-address={'127.0.0.1' if lab.shape.rootless else '0.0.0.0'}",  # noqa: S104
            f"--advertise-address={lab.node_address}",
            f"--secure-port={lab.api_port}",
            f"--tls-cert-file={pki_file('server.crt')}",
            f"--tls-private-key-file={pki_file('server.key')}",
            f"--client-ca-file={pki_file('ca.crt')}",
            f"--token-auth-file={tokens}",
            "--anonymous-auth=false",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-signing-key-file={lab.service_account_key}",
            f"--service-account-key-file={lab.service_account_key}",
            f"--service-cluster-ip-range={lab.service_network}",
            f"--kubelet-certificate-authority={pki_file('ca.crt')}",
            f"--kubelet-client-certificate={pki_file('apiserver-to-kubelet.crt')}",
            f"--kubelet-client-key={pki_file('apiserver-to-kubelet.key')}",
            "--kubelet-preferred-address-types=InternalIP",
            f"--requestheader-client-ca-file={pki_file('front-proxy-ca.crt')}",
            f"--proxy-client-cert-file={pki_file('front-proxy.crt')}",
            f"--proxy-client-key-file={pki_file('front-proxy.key')}",
            "--requestheader-allowed-names=front-proxy-client",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-username-headers=X-Remote-User",
            "--enable-aggregator-routing=true",
            f"--audit-policy-file={policy}",
            f"--audit-log-path={lab.audit_log}",
            "--audit-log-maxsize=100",  # MB
            "--audit-log-maxbackup=3",
            "--max-requests-inflight=1600",
            "--max-mutating-requests-inflight=800",
        ),
        files={
            tokens: f"{lab.secrets['admin_token']},admin,admin,system:masters\n",
            policy: json.dumps(AUDIT_POLICY, indent=1),
        },
        reads=(pki_file("ca.crt"), pki_file("front-proxy-ca.crt"), lab.service_account_key),
        ready=lambda: probe.http(
            f"{lab.api_url}/readyz", authority=pki_file("ca.crt"), token=lab.secrets["admin_token"]
        ),
        prepare=lambda: lab.audit_log.parent.mkdir(parents=True, exist_ok=True),
    )


def controller_manager(lab: Lab) -> Component:
    return Component(
        name="kube-controller-manager",
        argv=(
            str(binaries.kubernetes(lab) / "kube-controller-manager"),
            *_client_of_api(lab, "controller-manager", port=lab.port(16257)),
            f"--service-account-private-key-file={lab.service_account_key}",
            "--use-service-account-credentials=true",
            f"--root-ca-file={lab.pki / 'ca.crt'}",
            f"--flex-volume-plugin-dir={lab.state / 'kubelet' / 'volume-plugins'}",
            "--kube-api-qps=200",
            "--kube-api-burst=400",
            "--concurrent-deployment-syncs=20",
            "--concurrent-replicaset-syncs=20",
            "--concurrent-statefulset-syncs=20",
            "--concurrent-gc-syncs=20",
            "--horizontal-pod-autoscaler-sync-period=5s",
            # one kwok keeps all simulated nodes alive: on a busy machine it is late, and their pods would lose Ready
            *(("--node-monitor-grace-period=3600s",) if lab.shape.simulated_nodes else ()),
        ),
        files={_kubeconfig(lab, "controller-manager"): pki.component_kubeconfig(lab, "controller-manager")},
        reads=(lab.pki / "ca.crt", lab.service_account_key),
        ready=lambda: probe.http(f"https://127.0.0.1:{lab.port(16257)}/healthz", authority=lab.pki / "ca.crt"),
    )


def scheduler(lab: Lab) -> Component:
    return Component(
        name="kube-scheduler",
        argv=(
            str(binaries.kubernetes(lab) / "kube-scheduler"),
            *_client_of_api(lab, "scheduler", port=lab.port(16259)),
            "--kube-api-qps=200",
            "--kube-api-burst=400",
        ),
        files={_kubeconfig(lab, "scheduler"): pki.component_kubeconfig(lab, "scheduler")},
        reads=(lab.pki / "ca.crt",),
        ready=lambda: probe.http(f"https://127.0.0.1:{lab.port(16259)}/readyz", authority=lab.pki / "ca.crt"),
    )


def _etcd_address(lab: Lab) -> str:
    return f"http://127.0.0.1:{lab.port(23790)}"


def _kubeconfig(lab: Lab, client: str) -> Path:
    return lab.state / "kubeconfigs" / client


def _client_of_api(lab: Lab, client: str, port: int) -> tuple[str, ...]:
    kubeconfig = _kubeconfig(lab, client)
    return (
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--tls-cert-file={lab.pki / 'server.crt'}",
        f"--tls-private-key-file={lab.pki / 'server.key'}",
    )
