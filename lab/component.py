# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One long-running process of the lab: what it is, whether it runs, and how it is started, awaited and stopped."""

from __future__ import annotations

import hashlib
import os
import pwd
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from lab import cgroups
from lab.command import PATH
from lab.site import Lab, LabError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LOG_LIMIT = 20 * 1024 * 1024  # bytes; a log larger than this at a start begins anew, the old one stays as .old
UNPRIVILEGED = "nobody"
# The shell joins the component's cgroup and records itself before it becomes the component, so that a process is known
# from its first moment, whatever happens to `up`. It holds the lab's lock (descriptor $3) until then. Without root
# there is no cgroup, nor a component that leaves processes behind.
LAUNCH = (
    '{ [ -z "$1" ] || echo $$ >"$1/cgroup.procs"; } && cat /proc/$$/stat >"$2.new" && mv "$2.new" "$2"'
    ' && lock=$3 && shift 3 && exec {lock}>&- "$@"'
)


@dataclass(frozen=True)
class Component:
    """What determines one process: command line, files it reads, and how to tell that it is ready.

    ``ready`` returns None, or the reason why not. ``prepare`` runs before each start. ``outlived`` marks a process
    whose children go on without it (containerd's shims) and are therefore not ended with it.
    """

    name: str
    argv: tuple[str, ...]
    ready: Callable[[], str | None]
    files: Mapping[Path, str] = field(default_factory=dict)
    reads: tuple[Path, ...] = ()
    prepare: Callable[[], None] = lambda: None
    user: str = "root"
    patience: float = 90.0
    outlived: bool = False

    @property
    def fingerprint(self) -> str:
        """Hash of all that determines the process; a running one that differs is restarted by `up`."""
        digest = hashlib.sha256("\0".join((self.user, *self.argv)).encode())
        for path, content in sorted(self.files.items()):
            digest.update(f"\0{path}\0{content}".encode())
        for path in self.reads:
            digest.update(path.read_bytes() if path.exists() else b"-")
        return digest.hexdigest()


def log_of(lab: Lab, name: str) -> Path:
    return lab.logs / f"{name}.log"


def pid_of(lab: Lab, name: str) -> int | None:
    """The pid of the component's living process, or None. A reused pid is told apart by its start time."""
    noted = _stat(_record(lab, name))
    if noted is None:
        return None
    pid, _, started = noted
    now = _stat(Path(f"/proc/{pid}/stat"))
    return pid if now and now[2] == started and now[1] not in "ZX" else None


def runs_as_defined(lab: Lab, component: Component) -> bool:
    """Whether the process that runs was started from this very definition."""
    try:
        return _fingerprint_file(lab, component).read_text() == component.fingerprint
    except FileNotFoundError:
        return False


def ensure(lab: Lab, component: Component, lock: int) -> str:
    """Bring the component to its definition and wait until it is ready; returns what was done.

    Raises LabError with the log's last lines when it does not get ready.
    """
    alive = pid_of(lab, component.name) is not None
    if alive and runs_as_defined(lab, component) and _wait(lab, component, 15.0) is None:
        return "running"
    if alive:
        stop(lab, component.name)
    _start(lab, component, lock)
    if reason := _wait(lab, component, component.patience):
        log = log_of(lab, component.name)
        tail = "".join(f"\n    {line}" for line in last_lines(log, 5)) or " empty"
        raise LabError(f"{component.name} did not get ready ({reason}); its log {log} ends:{tail}")
    return "restarted" if alive else "started"


def recorded(lab: Lab) -> list[str]:
    """The names of the components that were started, the last one first."""
    records = sorted((lab.state / "run").glob("*.stat"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    return [record.stem for record in records]


def stop(lab: Lab, name: str, grace: float = 10.0) -> None:
    """End the component: politely for ``grace`` seconds, then not."""
    if pid := pid_of(lab, name):
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + grace
        while pid_of(lab, name) and time.monotonic() < deadline:
            time.sleep(0.02)
        if pid_of(lab, name):
            os.kill(pid, signal.SIGKILL)
    _record(lab, name).unlink(missing_ok=True)


def last_lines(path: Path, count: int) -> list[str]:
    """The last lines of a text file; empty when there is none."""
    if not path.exists():
        return []
    with path.open("rb") as log:
        log.seek(max(0, path.stat().st_size - 1024 * count))
        return log.read().decode(errors="replace").splitlines()[-count:]


def give(path: Path, user: str) -> None:
    """Make ``path`` and all that is in it belong to ``user`` alone; without root it is ours already."""
    if os.geteuid() != 0:
        return
    account = pwd.getpwnam(user)
    for entry in (path, *path.rglob("*")):
        os.chown(entry, account.pw_uid, account.pw_gid, follow_symlinks=False)


def as_user(user: str, argv: tuple[str, ...]) -> tuple[str, ...]:
    """The command line that runs ``argv`` without privileges, in the same process."""
    if user == "root":
        return argv
    group = str(pwd.getpwnam(user).pw_gid)
    return ("setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups", *argv)


def _start(lab: Lab, component: Component, lock: int) -> None:
    cgroup = ""
    if not lab.shape.rootless:
        folder = cgroups.of_component(component.name)
        # what a killed predecessor left, such as PostgreSQL's backends; of containerd only itself, never its shims
        cgroups.kill(folder, program=component.argv[0] if component.outlived else "")
        cgroup = str(folder)
    record = _record(lab, component.name)
    for folder in (record.parent, lab.logs):
        folder.mkdir(parents=True, exist_ok=True)
    record.unlink(missing_ok=True)
    component.prepare()
    for path, content in component.files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(content)
        give(path, component.user)
    _fingerprint_file(lab, component).write_text(component.fingerprint)
    command = ("bash", "-c", LAUNCH, "launch", cgroup, str(record), str(lock))
    log = log_of(lab, component.name)
    if log.exists() and log.stat().st_size > LOG_LIMIT:
        log.rename(log.with_suffix(".old"))
    with log.open("ab") as output:
        subprocess.Popen(
            (*command, *as_user(component.user, component.argv)),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            env={"PATH": PATH, "HOME": "/nonexistent"},
            start_new_session=True,
            pass_fds=(lock,),
        )


def _wait(lab: Lab, component: Component, patience: float) -> str | None:
    """None once the component is ready, else why it is not: it ended, or ``patience`` seconds went by."""
    began = time.monotonic()
    while True:
        # asked in this order: a process goes on record a moment after its start
        noted = _record(lab, component.name).exists() or time.monotonic() > began + 5.0
        alive = pid_of(lab, component.name) is not None
        reason = component.ready() if alive else "it has ended"
        if alive and reason is None:
            return None
        if (noted and not alive) or time.monotonic() > began + patience:
            return reason
        time.sleep(0.05)


def _record(lab: Lab, name: str) -> Path:
    return lab.state / "run" / f"{name}.stat"


def _fingerprint_file(lab: Lab, component: Component) -> Path:
    return lab.state / "run" / f"{component.name}.fingerprint"


def _stat(path: Path) -> tuple[int, str, str] | None:
    """Pid, state and start time (clock ticks since boot) of a line of /proc/PID/stat, see proc(5); None without one."""
    try:
        line = path.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    pid, rest = line.split(" (", 1)[0], line.rpartition(")")[2].split()
    return int(pid), rest[0], rest[19]
