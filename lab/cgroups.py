# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's cgroup: everything that the lab runs is inside it, so the lab knows its own processes and no others."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from lab.site import LabError

NAME = "linkops-lab"


def hierarchies() -> list[Path]:
    """Mount points of all cgroup hierarchies (one with cgroup v2, one for each controller with v1).

    Raises LabError when there is none.
    """
    mounts = [line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    found = [Path(mount[4]) for mount in mounts if mount[mount.index("-") + 1] in ("cgroup", "cgroup2")]
    if not found:
        raise LabError("No cgroup hierarchy is mounted: mount cgroup2 on /sys/fs/cgroup, then run this again.")
    return found


def _tracking() -> Path:
    """The hierarchy by which processes are known: v2 where it is mounted, else one of v1 (see cgroups(7))."""
    every = hierarchies()
    return next((path for path in every if (path / "cgroup.controllers").exists()), every[0]) / NAME


def make() -> None:
    """Make the lab's cgroup in every hierarchy: kubelet's cgroupRoot must exist in all of them."""
    for hierarchy in hierarchies():
        (hierarchy / NAME).mkdir(exist_ok=True)


def of_component(name: str) -> Path:
    """The cgroup of one component, made if it is missing."""
    path = _tracking() / "components" / name
    path.mkdir(parents=True, exist_ok=True)
    return path


def processes(cgroup: Path) -> set[int]:
    """Pids in the cgroup and below it; empty when there is no such cgroup."""
    found: set[int] = set()
    for folder, _, _ in os.walk(cgroup):
        try:
            found |= {int(pid) for pid in (Path(folder) / "cgroup.procs").read_text().split()}
        except OSError:  # removed, or a threaded cgroup, while we looked
            continue
    return found


def kill(cgroup: Path, program: str = "", patience: float = 10.0) -> set[int]:
    """Kill all that is in the cgroup and below it, or only what runs ``program``.

    Returns the pids that were still there after ``patience`` seconds.
    """
    deadline = time.monotonic() + patience
    while (left := _running(program, processes(cgroup))) and time.monotonic() < deadline:
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)
    return left


def _running(program: str, pids: set[int]) -> set[int]:
    if not program:
        return pids
    found = set()
    for pid in pids:
        with suppress(OSError):  # ended while we looked
            if Path(f"/proc/{pid}/exe").samefile(program):
                found.add(pid)
    return found


def remove(patience: float = 15.0) -> list[str]:
    """Kill what is left in the lab's cgroups and remove them; returns a line for each that could not be removed.

    A killed process leaves its cgroup only when the kernel has taken its memory down, hence ``patience`` (seconds).
    """
    deadline = time.monotonic() + patience
    while faults := [fault for hierarchy in hierarchies() for fault in _remove_below(hierarchy / NAME)]:
        if time.monotonic() > deadline:
            return faults
        time.sleep(0.05)
    return []


def _remove_below(cgroup: Path) -> list[str]:
    if left := kill(cgroup, patience=1.0):
        return [f"processes {sorted(left)} in {cgroup} do not end"]
    faults = []
    for folder, _, _ in os.walk(cgroup, topdown=False):
        try:
            Path(folder).rmdir()
        except OSError as fault:
            faults.append(f"cgroup {folder} stays: {fault.strerror}")
    return faults
