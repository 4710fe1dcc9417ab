# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab needs from the distribution: each program with the Debian package that brings it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from lab.command import PATH, ask
from lab.site import LabError

if TYPE_CHECKING:
    import subprocess

PACKAGES = {
    "containerd": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "/usr/lib/cni/ptp": "containernetworking-plugins",
    "iptables": "iptables",
    "ip": "iproute2",
    "mount": "mount",
    "setpriv": "util-linux",
    "openssl": "openssl",
    "redis-server": "redis-server",
    "redis-cli": "redis-tools",
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "docker-registry": "docker-registry",
    "podman": "podman",
    "debootstrap": "debootstrap",
}
# services that Debian would start by itself, beside the lab's own
SERVICES = ("containerd", "redis-server", "prometheus", "prometheus-node-exporter", "docker-registry")
POLICY = Path("/usr/sbin/policy-rc.d")


def missing() -> list[str]:
    """The packages that are not installed, by the programs that are not there."""
    return sorted({package for program, package in PACKAGES.items() if not _there(program)})


def require() -> str:
    """Look for the programs that every lab needs, also one without root. Raises LabError naming what is missing."""
    wanted = [f"{program} (package {PACKAGES[program]})" for program in ("openssl", "setpriv") if not _there(program)]
    if wanted:
        raise LabError(f"Have {' and '.join(wanted)} installed, then run `python -m lab up` again.")
    return "there"


def ensure() -> str:
    """Install what is missing, without starting any of it; returns what was done."""
    wanted = missing()
    if not wanted:
        return "installed"
    if not shutil.which("apt-get"):
        raise LabError(f"Install {', '.join(wanted)} with this machine's package manager; the lab knows only apt-get.")
    held = not POLICY.exists()
    if held:  # Debian's own switch against starting services at installation (invoke-rc.d(8))
        POLICY.write_text("#!/bin/sh\nexit 101\n")
        POLICY.chmod(0o755)
    try:
        _install(wanted)
    finally:
        if held:
            POLICY.unlink(missing_ok=True)
    if shutil.which("systemctl"):
        fresh = [service for service in SERVICES if service in wanted]
        ask("systemctl", "disable", "--quiet", *fresh)
    return f"installed {', '.join(wanted)}"


def _install(packages: list[str]) -> None:
    apt = ("apt-get", "-o", "DPkg::Lock::Timeout=300", "--yes", "--quiet")
    install = (*apt, "install", "--no-install-recommends", *packages)
    if _run(*install).returncode == 0:
        return
    _run("dpkg", "--configure", "--all")  # an installation that was killed stays half done
    _run(*apt, "update")
    done = _run(*install)
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-3:]
        raise LabError(f"apt-get could not install {', '.join(packages)}: {' '.join(last)}")


def _run(*argv: str) -> subprocess.CompletedProcess[str]:
    return ask(*argv, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})


def _there(program: str) -> bool:
    return Path(program).exists() if program.startswith("/") else shutil.which(program, path=PATH) is not None
