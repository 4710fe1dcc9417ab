# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL and Redis for a test: a database of its own in the lab's server, or a server of its own."""

from __future__ import annotations

import contextlib
import secrets
import select
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
import psycopg2.extensions
import redis
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from psycopg2 import sql

from ansible_collections.linkops.runbooks.plugins.module_utils.call import Call
from ansible_collections.linkops.runbooks.plugins.module_utils.shell import Module, perform
from lab import binaries
from lab.component import UNPRIVILEGED, as_user, give
from lab.site import Lab

START_SECONDS = 20.0


def ask(
    module: Module, *, environment: Mapping[str, str] | None = None, check_mode: bool = False, **options: Any
) -> dict[str, Any]:
    """A module's result, as the action plugin gets it in the controller; its warnings are in it."""
    validated = ArgumentSpecValidator(module.arguments, **module.rules).validate(options)
    assert not validated.error_messages
    call = Call(validated.validated_parameters, check_mode=check_mode, environment=environment or {})
    result = perform(module.operation, call, tuple(validated._no_log_values))
    return {**result, "warnings": call.warnings}


@dataclass(frozen=True)
class Postgres:
    """A server, with its superuser's password."""

    host: str
    port: int
    password: str

    def connect(self, user: str = "", password: str = "", database: str = "postgres", name: str = "") -> Any:
        """A connection that begins no transaction by itself."""
        connection = psycopg2.connect(
            host=self.host, port=self.port, user=user or "postgres", password=password or self.password,
            dbname=database, application_name=name, connect_timeout=5,
        )  # fmt: skip
        connection.autocommit = True
        return connection

    def run(self, statement: Any, *values: Any, database: str = "postgres") -> list[tuple[Any, ...]]:
        """One statement as the superuser."""
        with contextlib.closing(self.connect(database=database)) as connection, connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return list(cursor.fetchall()) if cursor.description else []

    @property
    def options(self) -> dict[str, Any]:
        """The module's options for the superuser."""
        return {
            "login_host": self.host,
            "login_port": self.port,
            "login_user": "postgres",
            "login_password": self.password,
        }

    @contextlib.contextmanager
    def scratch(self) -> Iterator[Scratch]:
        """A role and a database of one name, gone afterwards with all their sessions."""
        name, password = f"it_{secrets.token_hex(4)}", secrets.token_hex(12)
        role = sql.Identifier(name)
        self.run(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(role, sql.Literal(password)))
        self.run(sql.SQL("CREATE DATABASE {} OWNER {}").format(role, role))
        try:
            yield Scratch(self, name, password)
        finally:
            self.run(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(role))
            self.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", name)
            self.run(sql.SQL("DROP ROLE {}").format(role))


@dataclass(frozen=True)
class Scratch:
    """A role and a database of one name."""

    server: Postgres
    name: str
    password: str

    def connect(self, name: str = "") -> Any:
        """A connection of the role; C(name) is its application_name."""
        return self.server.connect(self.name, self.password, self.name, name)

    @property
    def options(self) -> dict[str, Any]:
        """The module's options for the role."""
        return {**self.server.options, "login_user": self.name, "login_password": self.password, "login_db": self.name}

    def run(self, statement: str) -> list[tuple[Any, ...]]:
        """One statement as the superuser, in this database."""
        return self.server.run(statement, database=self.name)


@contextlib.contextmanager
def busy(connection: Any, statement: str) -> Iterator[None]:
    """While this goes on, the connection carries out a statement; it is cancelled at the end."""

    def work() -> None:
        with contextlib.suppress(psycopg2.Error), connection.cursor() as cursor:
            cursor.execute(statement)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        while thread.is_alive():
            connection.cancel()
            thread.join(0.1)


@contextlib.contextmanager
def comes_back(connect: Callable[[str], Any], name: str) -> Iterator[None]:
    """While this goes on, a client of this application_name connects again whenever it has lost its session."""
    ended = threading.Event()

    def work() -> None:
        session = None
        while not ended.wait(0.1):
            with contextlib.suppress(psycopg2.Error):
                session = session if session and not session.closed else connect(name)
                session.cursor().execute("SELECT 1")
        if session:
            session.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def until(condition: Callable[[], Any], what: str, seconds: float = START_SECONDS) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.02)


@contextlib.contextmanager
def own_postgres(lab: Lab, **settings: str) -> Iterator[Postgres]:
    """A server that nobody else uses."""
    home, port, password = Path(tempfile.mkdtemp(prefix="linkops-pg-")), _free_port(), secrets.token_hex(12)
    programs, data = binaries.postgres(lab) / "bin", home / "data"
    secret = home / "password"
    secret.write_text(password)
    give(home, UNPRIVILEGED)
    options = {"port": str(port), "listen_addresses": "127.0.0.1", "unix_socket_directories": str(home), "fsync": "off"}
    words = [word for name, value in {**options, **settings}.items() for word in ("-c", f"{name}={value}")]
    initdb = (str(programs / "initdb"), "-D", str(data), "-U", "postgres", f"--pwfile={secret}", "--no-sync")
    try:
        subprocess.run(as_user(UNPRIVILEGED, (*initdb, "--auth=scram-sha-256")), check=True, stdout=subprocess.DEVNULL)
        with _running((*as_user(UNPRIVILEGED, (str(programs / "postgres"), "-D", str(data), *words)),), home):
            server = Postgres("127.0.0.1", port, password)
            until(lambda: _answers(lambda: server.run("SELECT 1")), "PostgreSQL answers")
            yield server
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextlib.contextmanager
def own_redis(folder: Path, **settings: str) -> Iterator[redis.Redis]:
    """A Redis that nobody else uses; its client knows the password, if there is one."""
    port = _free_port()
    options = {"port": str(port), "bind": "127.0.0.1", "save": "", "dir": str(folder), **settings}
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    client = redis.Redis("127.0.0.1", port, password=settings.get("requirepass"), decode_responses=True)
    with _running(("redis-server", *words), folder):
        until(lambda: _listens(port), "Redis listens")
        yield client
        client.close()


class Silence:
    """Something that takes connections and never says anything."""

    def __init__(self, listening: socket.socket) -> None:
        self.port: int = listening.getsockname()[1]
        self._listening = listening

    def called(self, seconds: float) -> None:
        """Wait until someone has connected and said the first word."""
        self._listening.settimeout(seconds)
        self._caller = self._listening.accept()[0]
        self._caller.settimeout(seconds)
        assert self._caller.recv(1)


@contextlib.contextmanager
def silence() -> Iterator[Silence]:
    """A port that is silent."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield Silence(listening)


@contextlib.contextmanager
def speaking_http() -> Iterator[int]:
    """The port of something that refuses whatever it hears, as a web server does."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def work() -> None:
            with contextlib.suppress(OSError):  # closed
                while True:
                    caller = listening.accept()[0]
                    with caller:
                        caller.recv(1024)
                        caller.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        threading.Thread(target=work, daemon=True).start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)


class Relay:
    """Passes bytes on between one client and a server; muted, it swallows them."""

    def __init__(self, listening: socket.socket, server: tuple[str, int]) -> None:
        self.port: int = listening.getsockname()[1]
        self.muted = False
        self.closed = False
        self._listening, self._server = listening, server

    def work(self) -> None:
        """Serve one client until it or the server hangs up."""
        try:
            client = self._listening.accept()[0]
        except OSError:  # closed before anyone came
            return
        with client, socket.create_connection(self._server) as upstream:
            other = {client: upstream, upstream: client}
            while not self.closed:
                for ready in select.select(list(other), [], [], 0.05)[0]:
                    data = ready.recv(65536)
                    if not data:
                        return
                    if not self.muted:
                        other[ready].sendall(data)


@contextlib.contextmanager
def relay(host: str, port: int) -> Iterator[Relay]:
    """A relay to this server."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        between = Relay(listening, (host, port))
        thread = threading.Thread(target=between.work, daemon=True)
        thread.start()
        yield between
        between.closed = True
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(5)


@contextlib.contextmanager
def _running(argv: tuple[str, ...], folder: Path) -> Iterator[None]:
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(question: Callable[[], Any]) -> bool:
    with contextlib.suppress(psycopg2.Error):
        question()
        return True
    return False


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port
