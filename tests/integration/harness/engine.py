# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container engine of a test's own: Podman, which speaks Docker's API; an empty image with the host's programs."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from lab.component import UNPRIVILEGED
from lab.site import Lab
from tests.integration.harness.postgres import Server

READY_SECONDS = 30.0
#: What a program of the host needs to run in a container; its own limits must not be above those of this process.
_FOLDERS = ("/usr", "/lib", "/lib64", "/bin", "/etc")
_LIMITS = ("--ulimit=nofile=1024:1024", "--ulimit=nproc=1000:1000")


class Engine:
    """A Podman whose state is all in one folder."""

    def __init__(self, home: Path) -> None:
        self.socket = f"unix://{home}/engine.sock"
        self._home = home
        configuration = home / "containers.conf"
        configuration.write_text('[containers]\nnetns = "host"\n[engine]\ncgroup_manager = "cgroupfs"\n')
        self._environment = {**os.environ, "CONTAINERS_CONF": str(configuration)}

    def argv(self, *words: str) -> list[str]:
        """A command of this engine."""
        state = (f"--root={self._home}/root", f"--runroot={self._home}/run", "--storage-driver=vfs", "--runtime=runc")
        return ["podman", *state, *words]

    def run(self, *words: str) -> str:
        """Run a command; its output."""
        done = subprocess.run(self.argv(*words), env=self._environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"podman {words[0]}: {done.stderr}"
        return done.stdout

    def serve(self) -> subprocess.Popen[bytes]:
        """Speak Docker's API at the socket."""
        return subprocess.Popen(
            self.argv("system", "service", "--time=0", self.socket), env=self._environment, stdin=subprocess.DEVNULL
        )

    def start(self, name: str, user: str, folders: list[Path], argv: list[str], signal: str) -> None:
        """Start a container in which a program of the host runs."""
        mounts = [f"--volume={each}:{each}:ro" for each in _FOLDERS] + [f"--volume={each}:{each}" for each in folders]
        options = ["--detach", f"--name={name}", f"--user={user}", f"--stop-signal={signal}", *_LIMITS, *mounts]
        self.run("run", *options, "empty:1", *argv)


def contained(podman: Engine, postgres: Server, lab: Lab) -> None:
    """Move a server of a test into the container C(db), where it goes on with its data and port."""
    postgres.stop()
    user = pwd.getpwnam(UNPRIVILEGED)
    podman.start("db", f"{user.pw_uid}:{user.pw_gid}", [postgres.home, lab.cache], postgres.argv(), "SIGINT")
    postgres.wait()


@contextlib.contextmanager
def engine() -> Iterator[Engine]:
    """An engine that is gone afterwards with its containers."""
    home = Path(tempfile.mkdtemp(prefix="linkops-engine-"))
    made = Engine(home)
    empty = home / "empty"
    empty.mkdir()
    subprocess.run(["tar", "-C", str(empty), "-cf", str(home / "empty.tar"), "."], check=True)
    made.run("import", str(home / "empty.tar"), "empty:1")
    service = made.serve()
    try:
        end = time.monotonic() + READY_SECONDS
        while not (home / "engine.sock").exists():
            assert time.monotonic() < end, "the engine does not speak"
            time.sleep(0.05)
        yield made
    finally:
        made.run("rm", "--all", "--force", "--time=0")
        service.terminate()
        service.wait()
        shutil.rmtree(home, ignore_errors=True)
