# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""PostgreSQL's own programs: found by the server's version, told no password, ended with all that they started."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..deadline import Deadline
from ..errors import Fault, OperatorError
from ..redaction import redact_text
from .target import APPLICATION, Target

_TICK_SECONDS = 0.2
_ENDING_SECONDS = 5.0
_VERSION_SECONDS = 10.0
_SAID_BYTES = 8192
#: Where Debian's packages put the programs of each major version.
_DEBIAN = Path("/usr/lib/postgresql")
#: The first pg_dump that takes a compression by its name; before, there is gzip alone, by its level
#: (postgresql.org/docs/16/release-16.html, "Client Applications").
_NAMES_COMPRESSION = 16
_COMPRESSION = re.compile(r"(?P<level>\d)|(?P<method>none|gzip|lz4|zstd)(?::(?P<detail>.+))?")
# Libpq's keyword: the variable that its programs read. The password goes through a file.
_VARIABLES = {
    "host": "PGHOST",
    "port": "PGPORT",
    "user": "PGUSER",
    "passfile": "PGPASSFILE",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
}


@dataclass(frozen=True)
class Programs:
    """A folder with pg_dump and pg_restore, and their version as they say it."""

    folder: Path
    version: str

    @property
    def major(self) -> int:
        """The major version."""
        found = re.match(r"\d+", self.version)
        return int(found[0]) if found else 0

    def __getitem__(self, name: str) -> str:
        return str(self.folder / name)


def find(server_major: int, directory: str | None, path: str) -> Programs:
    """Programs that can dump a server of this major version: those of C(directory), else those that are nearest.

    pg_dump refuses a server that is newer than itself. Raises C(OperatorError) with what was found instead.
    """
    folders = [Path(directory)] if directory else _folders(server_major, path)
    found = [programs for folder in folders if (programs := _asked(folder))]
    fit = sorted((each for each in found if each.major >= server_major), key=lambda each: each.major)
    if fit:
        return fit[0]
    if found:
        newest = max(found, key=lambda each: each.major)
        raise OperatorError(
            Fault(
                "client_version",
                f"The server is PostgreSQL {server_major}, and pg_dump in {newest.folder} is {newest.version}, which"
                " refuses a newer server.",
                f"Install PostgreSQL's client programs of version {server_major}, and name their folder as"
                " client_directory (database_client_directory in the inventory).",
            )
        )
    raise OperatorError(
        Fault(
            "client_missing",
            f"There is no pg_dump in {directory or 'PATH'}.",
            f"Install PostgreSQL's client programs of version {server_major} or later, or correct client_directory"
            " (database_client_directory in the inventory).",
        )
    )


def compression(said: str, found: Programs) -> list[str]:
    """The words in which this pg_dump is told a compression. Raises C(OperatorError) for one that it cannot do."""
    parts = _COMPRESSION.fullmatch(said)
    if parts is None:
        raise OperatorError(
            Fault("input_invalid", f"compress is {said}.", "Give gzip, zstd, lz4 or none, with a level as zstd:3.")
        )
    method, detail = parts["method"], (parts["detail"] or "").removeprefix("level=")
    if found.major >= _NAMES_COMPRESSION or method is None:
        return [f"--compress={said}"]
    if method == "none":
        return ["--compress=0"]
    if method == "gzip" and (not detail or detail.isdigit()):
        return [f"--compress={detail}"] if detail else []
    raise OperatorError(
        Fault(
            "client_version",
            f"pg_dump in {found.folder} is {found.version}, which cannot compress by {said}; {_NAMES_COMPRESSION} can.",
            "Give compress=gzip, or name newer client programs as client_directory (database_client_directory in the"
            " inventory).",
        )
    )


@contextlib.contextmanager
def environment(target: Target, database: str, base: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """The variables of a program that shall reach the target's server.

    The password is in a file in memory that only this user reads, and that goes with this process however it ends.
    """
    kept = {name: value for name, value in base.items() if not name.startswith("PG")}
    given = {variable: target.keywords[word] for word, variable in _VARIABLES.items() if word in target.keywords}
    given |= {"PGDATABASE": database, "PGAPPNAME": APPLICATION, "PGCONNECT_TIMEOUT": "10", "LC_ALL": "C"}
    secret = target.keywords.get("password")
    if not secret:
        yield {**kept, **given}
        return
    escaped = re.sub(r"([:\\])", r"\\\1", secret)
    handle = os.memfd_create("pgpass")
    try:
        os.fchmod(handle, 0o600)  # libpq wants no less
        os.write(handle, f"*:*:*:*:{escaped}\n".encode())
        yield {**kept, **given, "PGPASSFILE": f"/proc/{os.getpid()}/fd/{handle}"}
    finally:
        os.close(handle)


def run(
    argv: Sequence[str],
    variables: Mapping[str, str],
    deadline: Deadline,
    meanwhile: Callable[[], None],
    secrets: Sequence[str] = (),
    kept_open: Sequence[int] = (),
) -> None:
    """Run a program to its end. Raises C(OperatorError) when it fails or is not done by the deadline."""
    with started(argv, variables, secrets, kept_open) as process:
        process.wait(deadline, meanwhile)


class Process:
    """A program that runs."""

    def __init__(self, process: subprocess.Popen[bytes], said: Path, secrets: Sequence[str]) -> None:
        self._process, self._said, self._secrets = process, said, secrets
        self.name = Path(str(process.args[0])).name if isinstance(process.args, list) else str(process.args)

    @property
    def output(self) -> int:
        """The file descriptor that its output is read from."""
        if self._process.stdout is None:
            raise ValueError(f"nobody reads what {self.name} writes")
        return self._process.stdout.fileno()

    def check(self) -> bool:
        """Whether it has ended well; raises C(OperatorError) where it has failed."""
        code = self._process.poll()
        if code:
            raise OperatorError(explained(self.name, code, redact_text(self.said, tuple(self._secrets))))
        return code == 0

    def wait(self, deadline: Deadline, meanwhile: Callable[[], None]) -> None:
        """Wait for its end; C(meanwhile) is called several times a second."""
        while not self.check():
            if deadline.expired:
                raise overrun(self.name, deadline)
            meanwhile()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_TICK_SECONDS)

    @property
    def said(self) -> str:
        """The last that it said."""
        with self._said.open("rb") as file:
            file.seek(max(0, self._said.stat().st_size - _SAID_BYTES))
            return file.read().decode(errors="replace")


@contextlib.contextmanager
def started(
    argv: Sequence[str],
    variables: Mapping[str, str],
    secrets: Sequence[str] = (),
    kept_open: Sequence[int] = (),
    piped: bool = False,
) -> Iterator[Process]:
    """A program in a process group of its own, all of which is ended with the block.

    C(piped), what it writes is read from C(Process.output), else nobody reads it.
    """
    with tempfile.TemporaryDirectory(prefix="linkops-") as private:
        said = Path(private) / "said"
        with said.open("wb") as file:
            process = subprocess.Popen(  # pylint: disable=ansible-bad-function # as in lint.py
                list(argv), env=dict(variables), stdin=subprocess.DEVNULL, stderr=file, start_new_session=True,
                stdout=subprocess.PIPE if piped else subprocess.DEVNULL, pass_fds=tuple(kept_open),
            )  # fmt: skip
        try:
            yield Process(process, said, secrets)
        finally:
            _end(process)
            if process.stdout:
                process.stdout.close()


def overrun(name: str, deadline: Deadline) -> OperatorError:
    """It was not done in time."""
    minutes = deadline.seconds / 60
    return OperatorError(
        Fault("time_over", f"{name} had not finished after {minutes:g} min, so it was ended.", "Give more max_minutes.")
    )


# What pg_dump and pg_restore say on standard error (postgres:src/bin/pg_dump/pg_dump.c, pg_backup_archiver.c), with a
# sentence and a remedy.
_SAID = (
    (
        "client_version",
        r"aborting because of server version mismatch|unsupported version .* in file header",
        "The client programs are too old: {said}.",
        "Name those of the server's version as client_directory (database_client_directory in the inventory).",
    ),
    (
        "privilege",
        r"permission denied|query would be affected by row-level security|must be (?:owner|superuser|member)",
        "The role may not do this: {said}.",
        "Press as a role that may (database_admin_user in the inventory).",
    ),
    (
        "locked",
        r"could not obtain lock on relation",
        "Another session changes a table: {said}.",
        "Wait until the migration has ended, then press again.",
    ),
    (
        "connection_lost",
        (
            r"server closed the connection|terminating connection|connection to server|no connection to the server"
            r"|could not connect|the database system is"
        ),
        "The connection to the server broke: {said}.",
        "It was restarted, or someone ended the session; press again.",
    ),
    (
        "disk_full",
        r"No space left on device|Disk quota exceeded|could not extend file",
        "There is no space left: {said}.",
        "Make room, then press again.",
    ),
)


def explained(name: str, code: int, said: str) -> Fault:
    """Why a program failed. Pure."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    first = next((line for line in lines if re.search(r"\b(?:error|FATAL|ERROR):", line)), lines[-1] if lines else "")
    words = re.sub(r"^\w+: (?:error|fatal|warning): ", "", first).rstrip(".")
    if code < 0:
        words = words or f"it was ended by {signal.Signals(-code).name}"
    words = words or f"it ended with {code} and said nothing"
    for reason, pattern, sentence, remedy in _SAID:
        if re.search(pattern, said):
            return Fault(reason, f"{name} failed. {sentence.format(said=words)}", remedy)
    return Fault("program_failed", f"{name} failed: {words}.")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process and its children, gently at first."""
    for number, seconds in ((signal.SIGTERM, _ENDING_SECONDS), (signal.SIGKILL, None)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)


def _asked(folder: Path) -> Programs | None:
    """The programs of a folder, if they are there and say what they are."""
    program = folder / "pg_dump"
    if not (program.is_file() and os.access(program, os.X_OK) and (folder / "pg_restore").is_file()):
        return None
    try:
        answer = subprocess.run(  # pylint: disable=ansible-bad-function # as in lint.py
            [str(program), "--version"], capture_output=True, timeout=_VERSION_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(rb"\(PostgreSQL\) (\d[\w.]*)", answer.stdout)
    return Programs(folder, found[1].decode()) if found else None


def _folders(major: int, path: str) -> list[Path]:
    """Where programs may be: of this version, in PATH, of a later version."""
    debian = sorted(
        (each for each in _DEBIAN.glob("*/bin") if each.parent.name.isdigit() and int(each.parent.name) >= major),
        key=lambda each: int(each.parent.name),
    )
    found = shutil.which("pg_dump", path=path)
    return [*debian, *([Path(found).parent] if found else [])]
