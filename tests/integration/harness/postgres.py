# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL servers of a test's own, from the lab's binaries: they may be restarted, replicated and read the log of.

with server(lab) as postgres:
    shop = postgres.database("shop")
    result = shop.operate("database_info", gather=["sizes"])
"""

from __future__ import annotations

import contextlib
import importlib
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from psycopg2.extensions import connection

from ansible_collections.linkops.runbooks.plugins.module_utils.call import Call
from ansible_collections.linkops.runbooks.plugins.module_utils.shell import Module, perform
from lab import binaries
from lab.component import UNPRIVILEGED, as_user, give
from lab.site import Lab

HOST = "127.0.0.1"
READY_SECONDS = 20.0
_MODULES = "ansible_collections.linkops.runbooks.plugins.modules"
# Autovacuum stays out of the way of what a test measures; a test that wants it turns it on.
SETTINGS = {
    "listen_addresses": HOST,
    "autovacuum": "off",
    "fsync": "off",
    "full_page_writes": "off",
    "hot_standby_feedback": "off",
    "log_line_prefix": "%a|%p|%e|",
    "log_statement": "all",
    "max_connections": "60",
    "max_prepared_transactions": "5",
    "shared_preload_libraries": "pg_stat_statements",
    "timezone": "UTC",
}
#: What the log calls a statement that changes nothing; everything else of a connection counts as a write.
READS = ("BEGIN", "COMMIT", "ROLLBACK", "SELECT", "SET LOCAL", "EXPLAIN (VERBOSE", "SHOW")


class Told(Call):
    """A call that keeps what it says."""

    def say(self, line: str) -> None:
        self.__dict__.setdefault("lines", []).append(line)


class Server:
    """One running server with its own data directory and port. Its superuser is ``postgres``."""

    def __init__(self, lab: Lab, home: Path, **settings: str) -> None:
        self.programs = binaries.postgres(lab) / "bin"
        self.home = home
        self.password = secrets.token_urlsafe(12)
        self.port = _free_port()
        self._settings = {**SETTINGS, **settings}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """What the server says, each line with application name, pid and SQLSTATE."""
        return self.home / "log"

    def initialise(self) -> None:
        """Make the data directory."""
        (self.home / "password").write_text(self.password)
        give(self.home, UNPRIVILEGED)
        self._run(
            "initdb", "-D", str(self.home / "data"), "-U", "postgres", "--no-sync", "--encoding=UTF8",
            "--locale=C.UTF-8", "--auth=scram-sha-256", f"--pwfile={self.home / 'password'}",
        )  # fmt: skip

    def argv(self, **settings: str) -> list[str]:
        """Its command, with further settings."""
        own = {"port": str(self.port), "unix_socket_directories": str(self.home)}
        words = [("-c", f"{name}={value}") for name, value in {**self._settings, **own, **settings}.items()]
        return [
            str(self.programs / "postgres"),
            "-D",
            str(self.home / "data"),
            *(each for word in words for each in word),
        ]

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                as_user(UNPRIVILEGED, tuple(self.argv())),
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=self.home,
            )
        self.wait()

    def wait(self) -> None:
        """Wait until it answers."""
        end = time.monotonic() + READY_SECONDS
        while True:
            try:
                self.connect().close()
                return
            except psycopg2.OperationalError:
                assert time.monotonic() < end, f"the server is not ready:\n{self.log.read_text()[-2000:]}"
                time.sleep(0.05)

    def stop(self) -> None:
        """Stop it at once, as a crash does: sessions end where they are."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(3)  # SIGQUIT: immediate shutdown
            self._process.wait(READY_SECONDS)

    def restart(self) -> None:
        """Crash and come back."""
        self.stop()
        self.start()

    def connect(
        self, database: str = "postgres", user: str = "postgres", password: str = "", **more: Any
    ) -> connection:
        """A connection, by default the superuser's, in which every statement is its own transaction."""
        made = psycopg2.connect(
            host=HOST, port=self.port, dbname=database, user=user, password=password or self.password,
            connect_timeout=5, **more,
        )  # fmt: skip
        made.autocommit = True
        return made

    def database(self, name: str, owner: str = "app") -> TestDatabase:
        """A fresh database with a role that owns it and is no superuser."""
        password = secrets.token_urlsafe(12)
        with contextlib.closing(self.connect()) as made, made.cursor() as cursor:
            cursor.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            cursor.execute(f'DROP ROLE IF EXISTS "{owner}_{name}"')
            cursor.execute(f'CREATE ROLE "{owner}_{name}" LOGIN PASSWORD %s', [password])
            cursor.execute(f'CREATE DATABASE "{name}" OWNER "{owner}_{name}"')
        return TestDatabase(self, name, f"{owner}_{name}", password)

    def statements(self, application: str, since: int = 0) -> list[str]:
        """What connections with this application name ran, from a position in the log on."""
        text = self.log.read_bytes()[since:].decode(errors="replace").replace("\n\t", " ")  # continued lines
        lines = [line.split("|", 3) for line in text.splitlines() if line.startswith(f"{application}|")]
        return [line[3].partition("statement: ")[2].strip() for line in lines if "statement: " in line[3]]

    def writes(self, application: str, since: int = 0) -> list[str]:
        """Those of them that write, or might."""
        return [
            each
            for each in self.statements(application, since)
            if not all(part.strip().upper().startswith(READS) for part in each.split(";"))
        ]

    @contextlib.contextmanager
    def standby(self, lab: Lab, **settings: str) -> Iterator[Server]:
        """A hot standby of this server."""
        with _home() as home:
            other = Server(lab, home, **{**self._settings, "hot_standby": "on", **settings})
            other.password = self.password
            passfile = home / "pgpass"
            passfile.write_text(f"{HOST}:{self.port}:*:postgres:{self.password}\n")
            passfile.chmod(0o600)
            give(home, UNPRIVILEGED)
            address = f"host={HOST} port={self.port} user=postgres passfile={passfile}"
            self._run("pg_basebackup", "-D", str(home / "data"), "-d", address, "-R", "-X", "stream", "-c", "fast")
            other.start()
            try:
                yield other
            finally:
                other.stop()

    def _run(self, program: str, *words: str) -> None:
        done = subprocess.run(
            as_user(UNPRIVILEGED, (str(self.programs / program), *words)),
            capture_output=True, text=True, check=False, cwd=self.home,
        )  # fmt: skip
        assert done.returncode == 0, f"{program}: {done.stderr}"


@dataclass
class TestDatabase:
    """A database of a test, with the role that owns it; all connections are closed with the server."""

    __test__ = False

    server: Server
    name: str
    user: str
    password: str
    lines: list[str] = field(default_factory=list)

    @property
    def login(self) -> dict[str, Any]:
        """The options with which a module of the collection logs in as the owner."""
        return {
            "login_host": HOST, "login_port": self.server.port, "login_db": self.name,
            "login_user": self.user, "login_password": self.password,
        }  # fmt: skip

    def inventory(self, folder: Path) -> dict[str, Any]:
        """What the inventory of a service says of it; its password is in a file of C(folder)."""
        secret = folder / "password"
        secret.write_text(self.password)
        return {
            "database_host": HOST, "database_port": self.server.port, "database_name": self.name,
            "database_user": self.user, "database_password_file": str(secret), "database_password_key": "",
        }  # fmt: skip

    def open(self, *, superuser: bool = False, application: str = "a test") -> connection:
        """A connection as the owner."""
        who = {} if superuser else {"user": self.user, "password": self.password}
        return self.server.connect(self.name, application_name=application, **who)

    def sql(self, query: str, values: Any = None, *, superuser: bool = False) -> list[tuple[Any, ...]]:
        """Run statements in a connection of their own; the rows of the last one."""
        with contextlib.closing(self.open(superuser=superuser)) as made, made.cursor() as cursor:
            cursor.execute(query, values)
            return list(cursor.fetchall()) if cursor.description else []

    def call(self, module: str, check_mode: bool = False, **options: Any) -> tuple[Module, Told]:
        """A module with a validated call of it."""
        found: Module = importlib.import_module(f"{_MODULES}.{module}").MODULE
        validated = ArgumentSpecValidator(found.arguments, **found.rules).validate({**self.login, **options})
        assert not validated.error_messages, validated.error_messages
        return found, Told(validated.validated_parameters, check_mode=check_mode)

    def operate(self, module: str, check_mode: bool = False, **options: Any) -> dict[str, Any]:
        """Run a module's operation in this process; what it warned of is in ``warnings``, what it said in ``lines``."""
        found, call = self.call(module, check_mode, **options)
        result = perform(found.operation, call, (self.password,))
        return {**result, "warnings": call.warnings, "lines": call.__dict__.get("lines", [])}


@contextlib.contextmanager
def server(lab: Lab, settings: Mapping[str, str] | None = None) -> Iterator[Server]:
    """A fresh server that is gone afterwards."""
    with _home() as home:
        made = Server(lab, home, **(settings or {}))
        made.initialise()
        made.start()
        try:
            yield made
        finally:
            made.stop()


@contextlib.contextmanager
def _home() -> Iterator[Path]:
    """A folder that the unprivileged server reaches, unlike those of pytest."""
    home = Path(tempfile.mkdtemp(prefix="linkops-postgres-"))
    home.chmod(0o755)
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
