# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A thin client of PostgreSQL. Every wait ends at a deadline, and at a signal.

psycopg2's blocking calls stay inside libpq, where a signal is not seen until the server answers; so the connection is
an asynchronous one that this waits for.
"""

from __future__ import annotations

import contextlib
import select
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ..deadline import Deadline
from ..dependency import library
from ..errors import Fault, OperatorError
from ..naming import addresses
from .refusals import Refused, explain, silent, unresolved
from .target import APPLICATION, PORT, Target

Row = dict[str, Any]
Ask = Callable[..., list[Row]]

#: How much longer than the server's own timeout this waits for the server to say that it has passed.
_GRACE_SECONDS = 2.0
_CANCEL_SECONDS = 2.0
#: How long a cancelled statement may take to clean up and say so.
_CANCELLED_SECONDS = 10.0
_CANCELLED = "57014"
_TICK_SECONDS = 1.0
#: From PostgreSQL 14 on the server looks this often whether its client is still there, and cancels what it runs if not.
_LOOK_SECONDS = 1.0


class Overrun(OperatorError):
    """A statement was still running at its deadline, and was cancelled."""

    def __init__(self, target: Target, seconds: float) -> None:
        said = f"{target.name} had not finished after {seconds:.0f} s, so this was cancelled."
        super().__init__(
            Fault("time_over", said[:1].upper() + said[1:], "Give it more max_minutes, or a quieter hour.")
        )


class Database:
    """One connection. C(timeouts) are seconds: connect, statement, lock."""

    def __init__(self, target: Target, connect: float, statement: float, lock: float) -> None:
        self._psycopg2, self.sql = library("psycopg2"), library("psycopg2.sql")
        self.target = target
        #: How long each of the next statements may take.
        self.statement_seconds = statement
        self._lock = lock
        self._connection: Any = None
        #: Called about every second while the server is waited for; what it raises ends the wait.
        self.meanwhile: Callable[[], None] = lambda: None
        deadline = Deadline(connect)
        keywords = {
            **target.keywords,
            "dbname": target.database,
            **_ways(target, deadline),
            "application_name": APPLICATION,
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
        }
        try:
            with self._explained():
                self._connection = self._psycopg2.connect(**keywords, async_=True)
                self._wait(deadline)
        except BaseException:
            self.close()
            raise

    @property
    def version(self) -> int:
        """The server's version as PostgreSQL counts it: 180006 is 18.6."""
        number: int = self._connection.server_version
        return number

    @property
    def _looking(self) -> dict[str, float]:
        """The setting with which the server looks after its client, where it has it; in seconds."""
        return {"client_connection_check_interval": _LOOK_SECONDS} if self.version >= 140000 else {}

    @contextlib.contextmanager
    def transaction(self, read_only: bool = False) -> Iterator[Ask]:
        """A transaction in which to ask: C(ask(query, values)) returns the rows.

        The timeouts are set in the transaction, not in the session: a pooler hands the session on. Raises C(Refused).
        """
        settings = {
            "statement_timeout": self.statement_seconds,
            "lock_timeout": self._lock,
            "idle_in_transaction_session_timeout": self.statement_seconds * 6,
            **self._looking,
        }
        begin = self.sql.SQL("BEGIN READ ONLY;" if read_only else "BEGIN READ WRITE;") + self.sql.SQL(";").join(
            self.sql.SQL("SET LOCAL {} = {}").format(
                self.sql.Identifier(name), self.sql.Literal(f"{seconds * 1000:.0f}ms")
            )
            for name, seconds in settings.items()
        )
        self._run(begin)
        try:
            yield self._run
        except BaseException:
            with contextlib.suppress(OperatorError):
                self._run("ROLLBACK")
            raise
        self._run("COMMIT")

    def read(self, query: Any, values: Mapping[str, Any] | Sequence[Any] | None = None) -> list[Row]:
        """Ask one question that cannot change anything."""
        with self.transaction(read_only=True) as ask:
            return ask(query, values)

    @property
    def backend(self) -> int:
        """The pid of the server's process; a pooler tells another number."""
        pid: int = self._connection.get_backend_pid()
        return pid

    def set(self, **settings: Any) -> None:
        """Settings of this session, for a connection of its own that no pooler hands on (see C(at_length))."""
        sql = self.sql
        pairs = (sql.SQL("SET {} = {}").format(sql.Identifier(name), sql.Literal(v)) for name, v in settings.items())
        self._run(sql.SQL("; ").join(pairs))

    def at_length(self, statement: Any, deadline: Deadline, meanwhile: Callable[[], None]) -> list[Row]:
        """Run one statement that takes its time, such as VACUUM, CREATE INDEX CONCURRENTLY or a count of a large table.

        The server sets it no time: a lock_timeout ends such a statement while it waits for others' snapshots, and
        leaves what it began. The deadline bounds it; C(meanwhile) is called about every second, and what it raises
        ends the statement. Raises C(Overrun) once the deadline has passed, C(Refused) else.
        """
        self.set(statement_timeout=0, lock_timeout=0, **{name: f"{each:.0f}s" for name, each in self._looking.items()})
        try:
            with self._explained():
                cursor = self._connection.cursor()  # psycopg2 wants it kept until the answer
                cursor.execute(statement)
                while not self._answered(_TICK_SECONDS):
                    if deadline.expired:
                        raise Overrun(self.target, deadline.seconds)
                    meanwhile()
                return self._rows(cursor)
        except BaseException as end:
            self.stop()
            if isinstance(end, Refused) and end.sqlstate == _CANCELLED:
                raise Refused(_cancelled(self.target), _CANCELLED) from None
            raise

    def stop(self) -> None:
        """Cancel what runs, if anything does, and wait until the server has cleaned up behind it.

        It asks over a connection of its own: psycopg2's request to cancel waits inside libpq for a server that may be
        gone, and all of Python with it.
        """
        if self._connection.closed or not self._connection.isexecuting():
            return
        with contextlib.suppress(OperatorError):
            another = Database(self.target, *[_CANCEL_SECONDS] * 3)
            try:
                another.read("SELECT pg_cancel_backend(%s)", [self.backend])
            finally:
                another.close()
        with contextlib.suppress(self._psycopg2.Error, OperatorError):
            self._wait(Deadline(_CANCELLED_SECONDS), connected=True)

    def close(self) -> None:
        """Close the connection, which ends what still runs there: from PostgreSQL 14 on at once, before in its time."""
        if self._connection is not None:
            with contextlib.suppress(self._psycopg2.Error):
                self._connection.close()

    def _run(self, query: Any, values: Mapping[str, Any] | Sequence[Any] | None = None) -> list[Row]:
        with self._explained():
            cursor = self._connection.cursor()
            cursor.execute(query, values)
            self._wait(Deadline(self.statement_seconds + _GRACE_SECONDS), connected=True)
            return self._rows(cursor)

    @staticmethod
    def _rows(cursor: Any) -> list[Row]:
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()] if names else []

    def _wait(self, deadline: Deadline, connected: bool = False) -> None:
        while not self._answered(min(deadline.remaining, _TICK_SECONDS)):
            if deadline.expired:
                raise silent(self.target, deadline.seconds, connected)
            self.meanwhile()

    def _answered(self, seconds: float) -> bool:
        """Whether the server has answered, after at most so long."""
        extensions = self._psycopg2.extensions
        ready = {extensions.POLL_READ: select.POLLIN, extensions.POLL_WRITE: select.POLLOUT}
        deadline = Deadline(seconds)
        while (state := self._connection.poll()) != extensions.POLL_OK:
            waiting = select.poll()
            waiting.register(self._connection.fileno(), ready[state])
            if not waiting.poll(deadline.remaining * 1000):
                return False
        return True

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """psycopg2's errors as refusals; a connection that cannot be used any more is closed."""
        try:
            yield
        except self._psycopg2.Error as fault:
            primary = fault.diag.message_primary if fault.pgcode else None
            raise explain(primary or str(fault), self.target, fault.pgcode or "") from None


def _cancelled(target: Target) -> Fault:
    said = f"Someone cancelled what this session did in {target.name} (pg_cancel_backend)."
    return Fault("cancelled", said, "Ask who, then press again.")


def _ways(target: Target, deadline: Deadline) -> dict[str, str]:
    """Libpq's lists of hosts, addresses and ports, one entry for each way to the target.

    The names are resolved here, since libpq waits for a name server without an end.
    """
    hosts = target.keywords["host"].split(",")
    ports = target.keywords.get("port", PORT).split(",")
    ways: list[tuple[str, str, str]] = []
    for host, port in zip(hosts, ports * len(hosts) if len(ports) == 1 else ports, strict=False):
        answer = [""] if host.startswith("/") else addresses(host, deadline)
        if isinstance(answer, OSError):
            raise unresolved(host, answer.strerror or str(answer))
        ways += [(host, address, port) for address in answer]
    columns = zip(*ways, strict=True)
    return {keyword: ",".join(column) for keyword, column in zip(("host", "hostaddr", "port"), columns, strict=True)}
