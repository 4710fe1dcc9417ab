# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's node: containerd with its images, kubelet, kube-proxy."""

from __future__ import annotations

import json
import tarfile
from typing import TYPE_CHECKING

from lab import binaries, cgroups, pki, probe
from lab.command import ask, which
from lab.component import Component
from lab.site import Lab, LabError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

CNI_NETWORK = "linkops-lab"


def socket(lab: Lab) -> Path:
    return lab.state / "containerd" / "containerd.sock"


def containerd(lab: Lab) -> Component:
    home = lab.state / "containerd"
    registry = f"http://{lab.node_address}:{lab.registry_port}"
    hosts = f'server = "{registry}"\n[host."{registry}"]\n  capabilities = ["pull", "resolve"]\n'
    return Component(
        name="containerd",
        argv=(which("containerd"), "--config", str(home / "config.toml")),
        files={
            home / "config.toml": _containerd_config(lab),
            # the lab's registry answers for every registry: an image that does not exist is truly "not found"
            home / "certs.d" / "docker.io" / "hosts.toml": hosts,
            home / "certs.d" / "_default" / "hosts.toml": hosts,
            home / "cni" / "10-linkops-lab.conflist": json.dumps(_cni(lab), indent=1),
        },
        ready=lambda: probe.command(which("ctr"), "--address", str(socket(lab)), "version"),
        outlived=True,
    )


def kubelet(lab: Lab) -> Component:
    home = lab.state / "kubelet"
    kubeconfig, config = home / "kubeconfig", home / "config.json"
    return Component(
        name="kubelet",
        argv=(
            str(binaries.kubernetes(lab) / "kubelet"),
            f"--config={config}",
            f"--kubeconfig={kubeconfig}",
            f"--root-dir={home / 'root'}",
            f"--cert-dir={home / 'pki'}",
            f"--hostname-override={lab.node_name}",
            f"--node-ip={lab.node_address}",
        ),
        files={
            kubeconfig: pki.component_kubeconfig(lab, "kubelet"),
            config: json.dumps(_kubelet_config(lab), indent=1),
        },
        reads=(lab.pki / "ca.crt", lab.pki / "server.crt"),
        prepare=cgroups.make,
        ready=lambda: probe.http("http://127.0.0.1:10248/healthz") or _node_ready(lab),
    )


def proxy(lab: Lab) -> Component:
    kubeconfig = lab.state / "kubeconfigs" / "proxy"
    return Component(
        name="kube-proxy",
        argv=(
            str(binaries.kubernetes(lab) / "kube-proxy"),
            f"--kubeconfig={kubeconfig}",
            f"--hostname-override={lab.node_name}",
            "--proxy-mode=iptables",
            f"--cluster-cidr={lab.pod_network}",
            "--iptables-min-sync-period=100ms",
            "--iptables-localhost-nodeports=true",
            "--conntrack-max-per-core=0",  # 0 leaves the machine's own settings alone
            "--conntrack-tcp-timeout-established=0s",
            "--conntrack-tcp-timeout-close-wait=0s",
            "--metrics-bind-address=127.0.0.1:10249",
            "--healthz-bind-address=127.0.0.1:10256",
        ),
        files={kubeconfig: pki.component_kubeconfig(lab, "proxy")},
        reads=(lab.pki / "ca.crt",),
        ready=lambda: probe.http("http://127.0.0.1:10256/healthz"),
    )


def import_images(lab: Lab, archives: Iterable[Path]) -> str:
    """Bring docker-archives into containerd, those that it does not hold already; returns what was done."""
    ledger = lab.state / "containerd" / "imported.json"
    imported: dict[str, str] = json.loads(ledger.read_text()) if ledger.exists() else {}
    held = set(_ctr(lab, "images", "ls", "-q").split())
    fresh = 0
    for archive in archives:
        seal = f"{archive.stat().st_size} {archive.stat().st_mtime_ns}"
        if imported.get(str(archive)) == seal and all(name in held for name in _names(archive)):
            continue
        _ctr(lab, "images", "import", str(archive))
        imported[str(archive)] = seal
        ledger.write_text(json.dumps(imported, indent=1))
        fresh += 1
    return f"{fresh} archives imported" if fresh else "all imported"


def _names(archive: Path) -> list[str]:
    """Image names in a docker-archive, as containerd holds them."""
    with tarfile.open(archive) as tar:
        member = tar.extractfile("manifest.json")
        if member is None:
            raise LabError(f"{archive} is no docker-archive: remove it and run `python -m lab up` again.")
        tags = [tag for image in json.load(member) for tag in image["RepoTags"]]
    return [tag if "." in tag.split("/")[0] else f"docker.io/{tag}" for tag in tags]


def _ctr(lab: Lab, *arguments: str) -> str:
    done = ask(which("ctr"), "--address", str(socket(lab)), "--namespace", "k8s.io", *arguments)
    if done.returncode:
        raise LabError(f"`ctr {' '.join(arguments)}` failed: {done.stderr.strip()}")
    return done.stdout


def _node_ready(lab: Lab) -> str | None:
    try:
        node = probe.read_json(
            f"{lab.api_url}/api/v1/nodes/{lab.node_name}",
            authority=lab.pki / "ca.crt",
            token=lab.secrets["admin_token"],
        )
    except OSError as fault:
        return f"node {lab.node_name}: {fault}"
    conditions = {each["type"]: each for each in node["status"].get("conditions", [])}
    ready = conditions.get("Ready", {"status": "Unknown", "message": "no condition reported yet"})
    return None if ready["status"] == "True" else f"node {lab.node_name} is not Ready: {ready['message']}"


def _containerd_config(lab: Lab) -> str:
    home = lab.state / "containerd"
    return f"""\
version = 2
root = "{home / "root"}"
state = "{home / "state"}"
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.btrfs"]
[grpc]
  address = "{socket(lab)}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{binaries.PAUSE_IMAGE}"
  disable_apparmor = true
  restrict_oom_score_adj = true
  # network namespaces stay below the state folder, where `down` finds them
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        Root = "{home / "runc"}"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{home / "cni"}"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "{home / "certs.d"}"
"""


def _cni(lab: Lab) -> dict[str, object]:
    addresses = {
        "type": "host-local",
        "subnet": lab.pod_network,
        "dataDir": str(lab.state / "containerd" / "addresses"),
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    return {
        "cniVersion": "0.4.0",
        "name": CNI_NETWORK,
        "plugins": [{"type": "ptp", "ipMasq": False, "ipam": addresses}],
    }


def _kubelet_config(lab: Lab) -> dict[str, object]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "failCgroupV1": False,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{cgroups.NAME}",
        "containerRuntimeEndpoint": f"unix://{socket(lab)}",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": False},
            "x509": {"clientCAFile": str(lab.pki / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(lab.pki / "server.crt"),
        "tlsPrivateKeyFile": str(lab.pki / "server.key"),
        "address": lab.node_address,
        "port": 10250,
        "readOnlyPort": 0,
        "healthzBindAddress": "127.0.0.1",
        "healthzPort": 10248,
        "clusterDNS": ["10.96.0.10"],
        "clusterDomain": "cluster.local",
        "podLogsDir": str(lab.state / "pod-logs"),
        "volumePluginDir": str(lab.state / "kubelet" / "volume-plugins"),
        "maxPods": 300,
        "failSwapOn": False,
        "enforceNodeAllocatable": [],
        "evictionHard": {"nodefs.available": "1%", "imagefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,
        # nothing waits for a quota of its own: rollouts are what the lab is measured by
        "serializeImagePulls": False,
        "registryPullQPS": 0,
        "eventRecordQPS": 0,
        "kubeAPIQPS": 200,
        "kubeAPIBurst": 400,
        "syncFrequency": "10s",
        "nodeStatusUpdateFrequency": "10s",
    }
