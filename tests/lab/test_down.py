# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`down` leaves the machine as it was before `up`, whatever was running and whatever was killed."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab import address, component, removal
from lab.cgroups import NAME

if TYPE_CHECKING:
    from lab.site import Lab

pytestmark = pytest.mark.lab_down

CHECKOUT = Path(__file__).parents[2]
PLACES = ("/var/lib/cni", "/run/containerd", "/var/log/containers", "/var/log/pods", "/var/lib/kubelet")
SETTINGS = ("net/ipv4/ip_forward", "net/ipv4/conf/all/route_localnet", "vm/overcommit_memory", "kernel/panic")


def _lab(verb: str) -> None:
    done = subprocess.run(
        (sys.executable, "-m", "lab", verb), cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _output(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def _processes(lab: Lab) -> set[str]:
    """Command lines of processes that are in the lab's cgroup or were started from its folders."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            inside = f"/{NAME}" in (process / "cgroup").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if inside or str(lab.state) in line:
            found.add(line)
    return found


def _rules() -> list[str]:
    listed = [
        _output(program, "-t", table, "-S")
        for program in ("iptables", "ip6tables")
        for table in ("filter", "nat", "mangle")
    ]
    return [line for rules in listed for line in rules.splitlines()]


def _machine(lab: Lab) -> dict[str, object]:
    """All that the lab could leave behind."""
    links = json.loads(_output("ip", "-json", "address"))
    return {
        "processes": _processes(lab),
        "mounts": sorted(line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()),
        "interfaces": sorted(link["ifname"] for link in links),
        "addresses": sorted(address["local"] for link in links for address in link["addr_info"]),
        "routes": [re.sub(r" +", " ", line) for line in _output("ip", "route").splitlines()],
        "rules": _rules(),
        "cgroups": sorted(str(path) for path in Path("/sys/fs/cgroup").rglob(f"{NAME}*")),
        "settings": {name: (Path("/proc/sys") / name).read_text() for name in SETTINGS},
        "places": sorted(str(path) for place in PLACES for path in Path(place).rglob("*")),
        "state": lab.state.exists(),
    }


def test_up_after_a_reboot_brings_everything_back(lab: Lab) -> None:
    before = lab.secrets_file.read_text()
    # what a reboot takes: processes, cgroups, mounts, pod network, packet rules, the address; the state folder stays
    assert removal.end(lab) == []
    address.withdraw(lab)
    assert not _processes(lab)

    _lab("up")

    _lab("status")
    assert lab.secrets_file.read_text() == before
    pods = (str(lab.kubectl), f"--kubeconfig={lab.kubeconfig}", "-n", "credlink-production", "get", "deployment")
    ready = ("wait", "--for=condition=Available", "deployment/credlink-api", "--timeout=120s")
    assert "credlink-api" in _output(*pods, "-o", "name")
    assert "condition met" in _output(*pods[:4], *ready)


def test_down_leaves_nothing_behind(lab: Lab) -> None:
    _lab("down")
    bare = _machine(lab)
    assert not bare["processes"]
    assert not bare["cgroups"]
    assert not bare["state"]
    assert lab.node_address not in str(bare["addresses"])
    assert "KUBE-" not in str(bare["rules"])

    _lab("up")
    up = _machine(lab)
    for trace in ("processes", "mounts", "interfaces", "addresses", "routes", "rules", "cgroups", "places", "state"):
        assert up[trace] != bare[trace], f"the comparison sees no {trace} of a running lab"
    assert any(lab.cache.iterdir())

    for name in ("containerd", "kubelet", "kube-apiserver"):
        os.kill(component.pid_of(lab, name) or 0, signal.SIGKILL)
    _lab("down")
    assert _machine(lab) == bare
    assert any(lab.cache.glob("kubernetes-*")) or "LAB_KUBE_BIN" in os.environ

    _lab("down")  # twice is no error
    assert _machine(lab) == bare
