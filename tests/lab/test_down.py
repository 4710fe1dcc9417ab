# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`down` leaves the machine as it was before `up`, whatever was running and whatever was killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab import address, component, removal
from lab.cgroups import NAME
from lab.ownership import NOTE

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
    """Command lines of living processes that are in the lab's cgroup or were started from its folders."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            inside = f"/{NAME}" in (process / "cgroup").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if line and (inside or str(lab.state) in line):  # a dead process that waits to be reaped has no command line
            found.add(line)
    return found


def _rules() -> set[str]:
    tables = ((program, table) for program in ("iptables", "ip6tables") for table in ("filter", "nat", "mangle"))
    return {
        f"{program} {table} {rule}"
        for program, table in tables
        for rule in _output(program, "-t", table, "-S").splitlines()
    }


def _machine(lab: Lab) -> dict[str, set[str]]:
    """All that the lab could leave behind."""
    links = json.loads(_output("ip", "-json", "address"))
    return {
        "processes": _processes(lab),
        "mounts": {line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()},
        "interfaces": {link["ifname"] for link in links},
        "addresses": {address["local"] for link in links for address in link["addr_info"]},
        "routes": set(_output("ip", "route").splitlines()),
        "rules": _rules(),
        "cgroups": {str(path) for path in Path("/sys/fs/cgroup").rglob(f"{NAME}*")},
        "settings": {f"{name} {(Path('/proc/sys') / name).read_text()}" for name in SETTINGS},
        "places": {str(path) for place in PLACES for path in Path(place).rglob("*")},
        "state": {str(path) for path in (*lab.state.parent.glob(lab.state.name), *NOTE.parent.glob(NOTE.name))},
    }


def _more(now: dict[str, set[str]], before: dict[str, set[str]]) -> dict[str, set[str]]:
    """What is there now and was not before."""
    return {trace: more for trace in now if (more := now[trace] - before[trace])}


def test_up_after_a_reboot_brings_everything_back(lab: Lab) -> None:
    before = lab.secrets_file.read_text()
    # what a reboot takes: processes, cgroups, mounts, pod network, packet rules, the address; the state folder stays
    assert removal.end(lab) == []
    address.withdraw(lab)
    assert not _processes(lab)

    _lab("up")

    _lab("status")
    assert lab.secrets_file.read_text() == before
    kubectl = (str(lab.kubectl), f"--kubeconfig={lab.kubeconfig}", "--namespace=credlink-production")
    restarted = "jsonpath={.items[0].status.containerStatuses[0].restartCount}"
    assert int(_output(*kubectl, "get", "pods", "--selector=app=credlink-api", "-o", restarted)) > 0
    assert "condition met" in _output(*kubectl, "wait", "--for=condition=Ready", "pods", "--all", "--timeout=120s")


def test_down_leaves_nothing_behind(lab: Lab) -> None:
    _lab("down")
    bare = _machine(lab)
    assert not bare["processes"] | bare["cgroups"] | bare["state"]
    assert lab.node_address not in bare["addresses"]
    assert not [rule for rule in bare["rules"] if "KUBE-" in rule]

    _lab("up")
    assert _more(_machine(lab), bare).keys() == bare.keys(), "the comparison is blind to a trace of a running lab"

    for name in ("containerd", "kubelet", "kube-apiserver"):
        os.kill(component.pid_of(lab, name) or 0, signal.SIGKILL)
    _lab("down")
    assert _more(_machine(lab), bare) == {}
    assert any(lab.cache.glob("kubernetes-*")) or "LAB_KUBE_BIN" in os.environ, "the cache is not to be removed"

    _lab("down")  # twice is no error
    assert _more(_machine(lab), bare) == {}
