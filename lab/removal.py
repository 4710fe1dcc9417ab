# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `down` does: end the lab's processes and take back every trace of them on this machine, but not the cache."""

from __future__ import annotations

import json
import re
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

from lab import address, cgroups, component, ownership
from lab.command import ask
from lab.node import CNI_NETWORK
from lab.site import Lab, LabError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CNI_RESULTS = Path("/var/lib/cni/results")
CONTAINER_LOGS = Path("/var/log/containers")
SHIM_SOCKETS = Path("/run/containerd/s")
DEVICE_PLUGINS = Path("/var/lib/kubelet/device-plugins")


def remove(lab: Lab, say: Callable[[str], None]) -> None:
    """Take the whole lab away. Raises LabError naming what could not be removed; the rest is gone then."""
    if lab.port_offset and not lab.shape.rootless:
        # cgroup, address and packet rules are the machine's own: taking them would end the lab of the usual ports
        raise LabError(
            f"{lab.state} holds no lab without root, and only such a lab has other ports: nothing was taken down. "
            "Correct LINKOPS_LAB_STATE, or unset LINKOPS_LAB_PORT_OFFSET to take down the lab of this machine."
        )
    if lab.shape.rootless:  # it has nothing but processes and files; the rest may be another lab's
        for name in component.recorded(lab):
            component.stop(lab, name)
        say("  done     processes")
        shutil.rmtree(lab.state, ignore_errors=True)
        say("  done     data")
        return
    ownership.require(lab)
    faults = end(lab)
    say("  done     processes, cgroups, mounts, pod network, packet rules")
    address.withdraw(lab)
    say("  done     address and kernel settings")
    if faults:
        raise LabError("Not all of the lab could be removed, run `python -m lab down` again: " + "; ".join(faults))
    _forget_files(lab)
    shutil.rmtree(lab.state, ignore_errors=True)
    ownership.release()
    say("  done     data")


def end(lab: Lab) -> list[str]:
    """End what runs, as a power cut would, and take back what the kernel holds of it; returns what could not be."""
    faults = cgroups.remove()
    shims = _shim_sockets(lab)
    faults += _unmount(lab.state)
    for socket in shims:
        socket.unlink(missing_ok=True)
    _prune(SHIM_SOCKETS)
    _forget_pod_network()
    return faults + _remove_chains("iptables") + _remove_chains("ip6tables")


def mounts_below(folder: Path) -> list[str]:
    """Mount points below ``folder``, innermost first."""
    every = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return [point for point in reversed(every) if point.startswith(f"{folder}/")]


def _unmount(folder: Path) -> list[str]:
    deadline = time.monotonic() + 10
    while points := mounts_below(folder):
        for point in points:
            ask("umount", point)
        if time.monotonic() > deadline:
            return [f"{point} is still mounted" for point in mounts_below(folder)]
        if mounts_below(folder):
            time.sleep(0.1)  # the kernel lets go of a killed process's files a moment later
    return []


def _shim_sockets(lab: Lab) -> list[Path]:
    """Sockets of our containers' shims, which containerd keeps outside of its own folders."""
    tasks = lab.state / "containerd" / "state" / "io.containerd.runtime.v2.task"
    return [Path(each.read_text().strip().removeprefix("unix://")) for each in tasks.glob("*/*/address")]


def _forget_pod_network() -> None:
    """Remove the pods' interfaces and the CNI library's notes about our containers."""
    for note in CNI_RESULTS.glob(f"{CNI_NETWORK}-*"):
        try:
            noted = json.loads(note.read_text())
        except ValueError:  # cut off by a kill
            noted = {}
        for interface in noted.get("result", {}).get("interfaces", []):
            if not interface.get("sandbox"):
                ask("ip", "link", "del", interface["name"])
        container = noted.get("containerId", "")
        for file in CNI_RESULTS.glob(f"*{container}*") if container else [note]:
            file.unlink(missing_ok=True)
    _prune(CNI_RESULTS)


def _remove_chains(program: str) -> list[str]:
    faults = []
    for table in ("filter", "nat", "mangle"):
        script = without_kube_chains(table, ask(program, "-w", "-t", table, "-S").stdout.splitlines())
        if not script:
            continue
        restored = ask(f"{program}-restore", "--wait", "--noflush", stdin=script)
        if restored.returncode:
            faults.append(f"{program} keeps chains in table {table}: {restored.stderr.strip()}")
    return faults


def without_kube_chains(table: str, rules: Sequence[str]) -> str:
    """The input of iptables-restore that removes the chains of kubelet and kube-proxy, and the rules that lead there.

    ``rules`` as `iptables -S` lists them. The names of those chains begin with KUBE-; empty when there are none.
    """
    chains = [rule.split()[1] for rule in rules if rule.startswith("-N KUBE-")]
    if not chains:
        return ""
    leading = [rule for rule in rules if re.match(r"-A (?!KUBE-).* -[jg] KUBE-", rule)]
    lines = [f"*{table}", *(f"-D{rule[2:]}" for rule in leading)]
    lines += [f"-F {chain}" for chain in chains] + [f"-X {chain}" for chain in chains]
    return "\n".join([*lines, "COMMIT", ""])


def _forget_files(lab: Lab) -> None:
    """Remove what kubelet writes at paths that it does not let us choose."""
    if CONTAINER_LOGS.exists():
        for link in CONTAINER_LOGS.iterdir():
            if link.is_symlink() and str(link.readlink()).startswith(f"{lab.state}/"):
                link.unlink()
        _prune(CONTAINER_LOGS, parents=0)
    (DEVICE_PLUGINS / "kubelet.sock").unlink(missing_ok=True)
    _prune(DEVICE_PLUGINS)


def _prune(folder: Path, parents: int = 1) -> None:
    """Remove the folder and so many of its parents, as far as they are empty."""
    for each in (folder, *list(folder.parents)[:parents]):
        if each.exists() and not any(each.iterdir()):
            each.rmdir()
