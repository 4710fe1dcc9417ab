# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation behind M(linkops.runbooks.database_backup), where the database meets the run's Leases."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .call import Call
from .database import archives, contents, programs, shelf
from .database.archives import Manifest
from .database.connection import Row
from .database.programs import Programs
from .database.session import DatabaseSession, opened
from .database.shelf import Shelf
from .deadline import Deadline
from .errors import Fault, OperatorError
from .holding import Hold, held
from .verdict import Verdict
from .wording import counted, duration, size

_SAY_SECONDS = 5.0
_LOOK_SECONDS = 1.0
#: A first backup's size is not known; the next one's is that of the one before, and something.
_GROWTH = 1.3
_LOWEST = {"jobs": 1, "keep": 1, "keep_days": 0, "fresh_minutes": 0, "reserve_bytes": 0}


@dataclass
class Making:
    """One backup as it is being made: what it works with and what it was asked."""

    session: DatabaseSession
    hold: Hold
    shelf: Shelf
    programs: Programs
    deadline: Deadline

    @property
    def params(self) -> Any:
        """The call's arguments."""
        return self.session.params


def backup(call: Call) -> dict[str, Any]:
    """Back a database up, unless a backup of it is young enough or nothing was written since."""
    with held(call) as hold, opened(call, *input_faults(call)) as session:
        server, state = _moment(session)
        directory = Shelf(call.params["directory"])
        newest = directory.newest(session.target.database)
        making = Making(session, hold, directory, _fit(session, directory, server, newest), _deadline(call))
        now = datetime.fromtimestamp(server["epoch_seconds"], UTC)
        if newest and (enough := _enough(newest, state, now, call.params["fresh_minutes"])):
            return told(call, newest, directory, f"{newest.name} is enough: {enough}", changed=False)
        if call.check_mode:
            expected = _expected(server, newest)
            sentence = (
                f"would dump {session.target.name} ({size(server['database_bytes'])}) into {directory.directory}"
                f" with pg_dump {making.programs.version}, at most about {size(expected)}"
            )
            return {
                "changed": True,
                "backup": None,
                "expired": _expired(making, now, [archives.name_of(session.target.database, now)]),
                "verdict": Verdict("pass", sentence).as_result(),
                "msg": sentence,
            }
        manifest = made(making)
        gone = _retained(making, now)
        say = f"; {counted(len(gone), 'older backup')} deleted" if gone else ""
        return told(call, manifest, directory, f"{summary(manifest)}{say}", changed=True, expired=gone)


def made(making: Making) -> Manifest:
    """Take a backup: dumped, counted in the dump's own snapshot, checked, described, and only then named."""
    session, params = making.session, making.params
    database, form = session.target.database, params["format"]
    began = time.monotonic()
    with making.shelf.making(database) as (partial, lock):
        archive = partial / shelf.archive_name(form)
        look = looking(session, making.hold, making.deadline, _progress(making, partial))
        _name_is_free(making)
        with session.another() as counting, counting.transaction(read_only=True) as ask:
            ask("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SET LOCAL idle_in_transaction_session_timeout = 0")
            snapshot = ask("SELECT pg_export_snapshot() AS id, extract(epoch FROM clock_timestamp())::float8 AS now")[0]
            state = ask(contents.STATE)[0]["state"] if ask(contents.SERVER)[0]["tells_state"] else None
            around = contents.around(ask)
            argv = [
                making.programs["pg_dump"], f"--format={form}", f"--file={archive}", f"--snapshot={snapshot['id']}",
                "--no-password", f"--compress={params['compress']}",
                *([f"--jobs={params['jobs']}"] if form == "directory" else []),
            ]  # fmt: skip
            with (
                programs.environment(session.target, database, session.call.environment) as variables,
                programs.started(argv, variables, session.target.secrets, [lock]) as dump,
            ):

                def meanwhile() -> None:
                    look()
                    dump.check()

                content = contents.count(counting, ask, making.deadline, meanwhile)
                dump.wait(making.deadline, look)
        _readable(making, archive, look)
        taken = datetime.fromtimestamp(snapshot["now"], UTC)
        listed = shelf.files(partial, look)
        manifest = {
            "name": archives.name_of(database, taken),
            "database": database,
            "address": session.target.address,
            "user": session.target.user,
            "format": form,
            "server_version": _version(session),
            "client_version": making.programs.version,
            "snapshot_at": taken.isoformat(),
            "seconds": round(time.monotonic() - began, 1),
            "state": state,
            "run": (params.get("run") or {}).get("id"),
            "files": listed,
            "content": content,
            **around,
        }
        making.hold.renew()
        making.shelf.place(partial, archives.written(manifest), str(manifest["name"]))
    session.call.journal.note("backup", name=manifest["name"], folder=str(making.shelf.directory))
    return making.shelf.manifest(str(manifest["name"]))


def summary(manifest: Manifest) -> str:
    """The backup in one sentence."""
    facts = manifest.described()
    return (
        f"backup {manifest.name}: {size(facts['bytes'])}, {counted(facts['rows'], 'row')} in"
        f" {counted(facts['tables'], 'table')}, newest migration {facts['newest_migration'] or 'none'},"
        f" taken in {facts['seconds']:g} s"
    )


def told(
    call: Call, manifest: Manifest, directory: Shelf, sentence: str, changed: bool, expired: list[str] | None = None
) -> dict[str, Any]:
    """The result that tells of a backup."""
    call.say(sentence)
    return {
        "changed": changed,
        "backup": {**manifest.described(), "folder": str(directory.directory / manifest.name)},
        "expired": expired or [],
        "verdict": Verdict("pass", sentence).as_result(),
        "msg": sentence,
    }


def input_faults(call: Call) -> list[Fault]:
    """What is wrong with the options that all of backup, drill and restore have."""
    params = call.params
    faults = [
        Fault("input_invalid", f"{name} is {params[name]:g}, and must be at least {low}.", "Correct it.")
        for name, low in _LOWEST.items()
        if name in params and params[name] < low
    ]
    if params["max_minutes"] <= 0:
        faults.append(Fault("input_invalid", f"max_minutes is {params['max_minutes']:g}.", "Give more than 0."))
    return faults


def _deadline(call: Call) -> Deadline:
    return Deadline(60 * call.params["max_minutes"])


def _moment(session: DatabaseSession) -> tuple[Row, str | None]:
    with session.database.transaction(read_only=True) as ask:
        server = ask(contents.SERVER)[0]
        return server, ask(contents.STATE)[0]["state"] if server["tells_state"] else None


def _enough(newest: Manifest, state: str | None, now: datetime, fresh_minutes: float) -> str:
    """Why the newest backup need not be followed by another one, empty if it must."""
    age = max(0.0, (now - newest.taken).total_seconds())
    if state and newest.entries["state"] == state:
        return f"nothing was written since, {duration(age)} ago"
    if age < 60 * fresh_minutes:
        return f"it is {duration(age)} old, and fresh_minutes is {fresh_minutes:g}"
    return ""


def _fit(session: DatabaseSession, directory: Shelf, server: Row, newest: Manifest | None) -> Programs:
    """The programs to dump with. Raises C(OperatorError) with all that is in the way."""
    faults, found = directory.faults(), None
    params = session.params
    if session.target.pooled:
        faults.append(
            Fault(
                "pooled",
                "The URL leads through a pooler, and pg_dump needs the server itself.",
                "Give the server's own address (database_host and database_port in the inventory).",
            )
        )
    try:
        found = programs.find(
            session.database.version // 10000, params["client_directory"], session.call.environment.get("PATH", "")
        )
    except OperatorError as missing:
        faults += missing.faults
    cramped = archives.cramped(
        directory.free_bytes, _expected(server, newest), params["reserve_bytes"], str(directory.directory)
    )
    faults += [cramped] if cramped else []
    if faults or found is None:
        raise OperatorError(faults)
    return found


def _expected(server: Row, newest: Manifest | None) -> int:
    """How many bytes the next backup may have."""
    return int(newest.size_bytes * _GROWTH) if newest else int(server["database_bytes"])


def _name_is_free(making: Making) -> None:
    """Wait until the second is over in which the last backup was taken: names are told apart by it."""
    while True:
        now = datetime.fromtimestamp(making.session.database.read(contents.SERVER)[0]["epoch_seconds"], UTC)
        if archives.name_of(making.session.target.database, now) not in making.shelf.names(
            making.session.target.database
        ):
            return
        time.sleep(1.0 - now.microsecond / 1e6)


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


def _progress(making: Making, partial: Path) -> Callable[[], str]:
    """How far a dump is; raises C(OperatorError) before the disk is full."""

    def progress() -> str:
        shelf_ = making.shelf
        full = archives.cramped(shelf_.free_bytes, 0, making.params["reserve_bytes"], str(shelf_.directory))
        if full:
            raise OperatorError(full)
        return f"{size(shelf.written_bytes(partial))} written"

    return progress


def _readable(making: Making, archive: Path, look: Callable[[], None]) -> None:
    """pg_restore reads the archive's table of contents; one that was cut off has none."""
    variables = {"PATH": making.session.call.environment.get("PATH", ""), "LC_ALL": "C"}
    programs.run([making.programs["pg_restore"], "--list", str(archive)], variables, making.deadline, look)


def _expired(making: Making, now: datetime, coming: Sequence[str] = ()) -> list[str]:
    names = [*coming, *making.shelf.names(making.session.target.database)]
    return archives.expired(names, making.params["keep"], making.params["keep_days"], now)


def _retained(making: Making, now: datetime) -> list[str]:
    """Delete what need not be kept, now that there is a newer one."""
    gone = _expired(making, now)
    for name in gone:
        making.shelf.delete(name)
    return gone


def _version(session: DatabaseSession) -> str:
    major, minor = divmod(session.database.version, 10000)
    return f"{major}.{minor}"
