# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The node's address on the loopback interface, and the kernel settings that the lab's components change."""

from __future__ import annotations

import json
from pathlib import Path

from lab.command import ask
from lab.site import Lab, LabError

# what kubelet, kube-proxy and the ptp plugin set by themselves; `down` puts it back
SETTINGS = (
    "net/ipv4/ip_forward",
    "net/ipv4/conf/all/route_localnet",
    "net/ipv6/conf/all/forwarding",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)
SYSCTL = Path("/proc/sys")


def ensure(lab: Lab) -> str:
    """Give the node its address and let the kernel forward between pods; returns what was done."""
    kept = lab.state / "sysctl.json"
    if not kept.exists():
        values = {name: (SYSCTL / name).read_text().strip() for name in SETTINGS if (SYSCTL / name).exists()}
        kept.write_text(json.dumps(values, indent=1))
    (SYSCTL / "net/ipv4/ip_forward").write_text("1")
    if has_address(lab):
        return "there"
    done = ask("ip", "address", "add", f"{lab.node_address}/32", "dev", "lo")
    if done.returncode and not has_address(lab):
        raise LabError(f"{lab.node_address} cannot be added to the loopback interface: {done.stderr.strip()}")
    return f"{lab.node_address} added"


def has_address(lab: Lab) -> bool:
    shown = ask("ip", "-json", "address", "show", "dev", "lo")
    interfaces = json.loads(shown.stdout or "[]")
    return any(address.get("local") == lab.node_address for each in interfaces for address in each.get("addr_info", []))


def withdraw(lab: Lab) -> None:
    """Take the address away and put the kernel's settings back to what they were before the first `up`."""
    if has_address(lab):
        ask("ip", "address", "del", f"{lab.node_address}/32", "dev", "lo")
    kept = lab.state / "sysctl.json"
    if kept.exists():
        for name, value in json.loads(kept.read_text()).items():
            (SYSCTL / name).write_text(value)
