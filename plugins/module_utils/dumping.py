# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a backup is taken: dumped, counted in the dump's own snapshot, checked, described, and only then named."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from .database import archives, backups, contents, programs, shelf
from .database.archives import Manifest
from .database.programs import Process, Programs
from .database.session import DatabaseSession
from .database.shelf import Shelf
from .deadline import Deadline
from .depot import Depot
from .errors import OperatorError
from .holding import Hold
from .storage.pouring import Pouring
from .wording import size

_SAY_SECONDS = 5.0
_LOOK_SECONDS = 1.0


@dataclass
class Making:
    """One backup as it is being made: what it works with and what it was asked."""

    session: DatabaseSession
    hold: Hold
    shelf: Shelf
    programs: Programs
    deadline: Deadline
    depot: Depot | None = None
    safety: bool = False

    @property
    def params(self) -> Any:
        """The call's arguments."""
        return self.session.params

    @property
    def database(self) -> str:
        """The database that is dumped."""
        return self.session.target.database


class _Written(Protocol):
    """Where a dump goes."""

    def check(self) -> None:
        """Raise what went wrong with it."""

    def files(self) -> list[dict[str, Any]]:
        """Wait for its end; the files that it has become, as the manifest lists them."""


def made(making: Making) -> Manifest:
    """Take a backup into the folder."""
    form = making.params["format"]
    with making.shelf.making(making.database) as (partial, lock):
        archive = partial / shelf.archive_name(form)
        look = looking(making.session, making.hold, making.deadline, _progress(making, partial))
        jobs = [f"--jobs={making.params['jobs']}"] if form == "directory" else []
        writing = _InFolder(making, partial, archive, look)
        name, text = _dumped(
            making, form, [f"--file={archive}", *jobs], look, lambda *_of: contextlib.nullcontext(writing), lock
        )
        making.shelf.place(partial, text, name)
    making.session.call.journal.note("backup", name=name, folder=str(making.shelf))
    return making.shelf.manifest(name)


def streamed(making: Making, depot: Depot, expected_bytes: int) -> Manifest:
    """Take a backup into the bucket, past the disk."""
    received: list[_Poured] = []

    def word() -> str:
        return f"{size(received[0].bytes)} read" if received else ""

    look = looking(making.session, making.hold, making.deadline, word)

    @contextlib.contextmanager
    def into(dump: Process, name: str) -> Iterator[_Written]:
        path = shelf.archive_name("custom")
        with depot.receiving(name, path, dump.output, expected_bytes) as poured:
            received.append(_Poured(poured, path, look))
            yield received[0]

    name, text = _dumped(making, "custom", [], look, into)
    depot.complete(name, text)
    making.session.call.journal.note("backup", name=name, address=depot.address(name))
    return archives.read(name, text)


def _dumped(
    making: Making,
    form: str,
    words: list[str],
    look: Callable[[], None],
    into: Callable[[Process, str], AbstractContextManager[_Written]],
    lock: int | None = None,
) -> tuple[str, str]:
    """The name and the manifest of a dump, once it is whole."""
    session, params, database = making.session, making.params, making.database
    began = time.monotonic()
    _name_is_free(making)
    with session.another() as counting, counting.transaction(read_only=True) as ask:
        ask("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SET LOCAL idle_in_transaction_session_timeout = 0")
        snapshot = ask("SELECT pg_export_snapshot() AS id, extract(epoch FROM clock_timestamp())::float8 AS now")[0]
        server = ask(contents.SERVER)[0]
        state = ask(contents.STATE)[0]["state"] if server["tells_state"] else None
        around = contents.around(ask)
        taken = datetime.fromtimestamp(snapshot["now"], UTC)
        name = archives.name_of(database, taken)
        argv = [
            making.programs["pg_dump"], f"--format={form}", f"--snapshot={snapshot['id']}", "--no-password",
            *programs.compression(params["compress"], making.programs), *words,
        ]  # fmt: skip
        with (
            programs.environment(session.target, database, session.call.environment) as variables,
            programs.started(
                argv, variables, session.target.secrets, [] if lock is None else [lock], piped=lock is None
            ) as dump,
            into(dump, name) as written,
        ):

            def meanwhile() -> None:
                look()
                dump.check()
                written.check()

            content = contents.count(counting, ask, making.deadline, meanwhile)
            dump.wait(making.deadline, meanwhile)
            files = written.files()
    manifest = {
        "name": name,
        **backups.here(session, database).as_entries(),
        "user": session.target.user,
        "format": form,
        "server_version": _version(session),
        "client_version": making.programs.version,
        "snapshot_at": taken.isoformat(),
        "seconds": round(time.monotonic() - began, 1),
        "state": state,
        "database_bytes": server["database_bytes"],
        "safety": making.safety,
        "run": (params.get("run") or {}).get("id"),
        "files": files,
        "content": content,
        **around,
    }
    making.hold.renew()
    return name, archives.written(manifest)


@dataclass
class _InFolder:
    """A dump that pg_dump writes itself; pg_restore reads its table of contents, which one that was cut off lacks."""

    making: Making
    partial: Path
    archive: Path
    look: Callable[[], None]

    def check(self) -> None:
        """Nothing: pg_dump says it."""

    def files(self) -> list[dict[str, Any]]:
        """Its files, with checksums."""
        variables = {"PATH": self.making.session.call.environment.get("PATH", ""), "LC_ALL": "C"}
        argv = [self.making.programs["pg_restore"], "--list", str(self.archive)]
        programs.run(argv, variables, self.making.deadline, self.look)
        return shelf.files(self.partial, self.look)


@dataclass
class _Poured:
    """A dump that goes into a bucket as it comes."""

    poured: Pouring
    path: str
    look: Callable[[], None]

    @property
    def bytes(self) -> int:
        """How much was read by now."""
        return self.poured.bytes

    def check(self) -> None:
        """Raise what S3 said."""
        self.poured.check()

    def files(self) -> list[dict[str, Any]]:
        """The one file, once S3 has proved it; pg_dump has ended well by then."""
        self.poured.finish(self.look)
        return [{"path": self.path, "bytes": self.poured.bytes, "sha256": self.poured.sha256}]


def looking(
    session: DatabaseSession, hold: Hold, deadline: Deadline, also: Callable[[], str] | None = None
) -> Callable[[], None]:
    """What is done about every second while others work: Leases and deadline, C(also), every few seconds its word."""
    looked, said = Deadline(_LOOK_SECONDS), Deadline(_SAY_SECONDS)

    def look() -> None:
        nonlocal looked, said
        if not looked.expired:
            return
        looked = Deadline(_LOOK_SECONDS)
        hold.renew_if_due()
        if deadline.expired:
            raise programs.overrun("It", deadline)
        word = also() if also else ""
        if said.expired and word:
            said = Deadline(_SAY_SECONDS)
            session.call.say(word)

    return look


def _name_is_free(making: Making) -> None:
    """Wait until the second is over in which the last backup was taken: names are told apart by it."""
    while True:
        now = datetime.fromtimestamp(making.session.database.read(contents.SERVER)[0]["epoch_seconds"], UTC)
        taken = {*making.shelf.names(making.database), *(making.depot.names(making.database) if making.depot else ())}
        if archives.name_of(making.database, now) not in taken:
            return
        time.sleep(1.0 - now.microsecond / 1e6)


def _progress(making: Making, partial: Path) -> Callable[[], str]:
    """How far a dump is; raises C(OperatorError) before the disk is full."""

    def progress() -> str:
        full = archives.cramped(making.shelf.free_bytes, 0, making.params["reserve_bytes"], str(making.shelf))
        if full:
            raise OperatorError(full)
        return f"{size(shelf.written_bytes(partial))} written"

    return progress


def _version(session: DatabaseSession) -> str:
    major, minor = divmod(session.database.version, 10000)
    return f"{major}.{minor}"
