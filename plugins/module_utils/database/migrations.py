# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prisma's history of migrations against the migrations of an image, one state for each. Pure.

The states follow prisma/prisma-engines: a row with C(finished_at) and without C(rolled_back_at) is applied, one with
C(rolled_back_at) counts no more, and one with neither failed or is running, which only the lock tells apart
(schema-engine/connectors/schema-connector/src/migrations_directory.rs and .../sql-schema-connector/src/flavour).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from ..redaction import redact_text
from ..wording import counted, duration
from .effects import Thing
from .scripts import Script, standing

#: The key of Prisma's advisory lock (prisma/prisma-engines: flavour/postgres.rs).
LOCK = 72707369
#: A session's start and a row's are told by two processes of one server; a driver may open its session a moment late.
_SLACK = timedelta(seconds=5)

State = Literal["applied", "pending", "failed", "running", "partial", "rolled_back", "edited", "ahead"]
Remains = Literal["nothing", "some", "all", "unknown"]


@dataclass(frozen=True)
class Source:
    """A migration of the image: its script, and the script that undoes it where there is one."""

    name: str
    script: str
    down: str | None = None


@dataclass(frozen=True)
class Row:
    """A row of C(_prisma_migrations)."""

    name: str
    checksum: str
    started_at: datetime
    finished_at: datetime | None
    rolled_back_at: datetime | None
    logs: str
    steps: int

    @property
    def open(self) -> bool:
        """Neither finished nor rolled back."""
        return self.finished_at is None and self.rolled_back_at is None

    @property
    def applied(self) -> bool:
        """Finished, and not rolled back since."""
        return self.finished_at is not None and self.rolled_back_at is None


@dataclass(frozen=True)
class Holder:
    """The session that holds Prisma's lock, or waits for it; ages are none where this role may not see them."""

    pid: int
    granted: bool
    user: str
    application: str
    client: str
    state: str
    state_seconds: float | None
    seconds: float | None
    since: datetime | None

    def __str__(self) -> str:
        who = f"pid {self.pid} ({self.application or 'no application name'}, {self.user}"
        where = f" from {self.client}" if self.client else ""
        connected = "" if self.seconds is None else f", connected for {duration(self.seconds)}"
        lasting = "" if self.state_seconds is None else f" for {duration(self.state_seconds)}"
        return f"{who}{where}){connected}, {self.state}{lasting}"

    def as_result(self) -> dict[str, Any]:
        """The holder as the module returns it."""
        kept = ("pid", "granted", "user", "application", "client", "state")
        ages = {"state_seconds": self.state_seconds, "connected_seconds": self.seconds}
        figures = {name: None if age is None else round(age, 1) for name, age in ages.items()}
        return {**{key: getattr(self, key) for key in kept}, **figures}

    def may_run(self, row: Row) -> bool:
        """Whether the row may be what it works on now; of one whose age is hidden that is not known."""
        return self.granted and not row.logs and (self.since is None or row.started_at >= self.since - _SLACK)


@dataclass(frozen=True)
class Left:
    """What a script has left in the schema: objects that are as it makes them, and the ones that are not."""

    remains: Remains
    why: str
    done: tuple[Thing, ...] = ()
    missing: tuple[Thing, ...] = ()

    def as_result(self) -> dict[str, Any]:
        """What is left as the module returns it."""
        return {
            "remains": self.remains,
            "why": self.why,
            "done": [str(each) for each in self.done],
            "missing": [str(each) for each in self.missing],
        }


@dataclass(frozen=True)
class Migration:
    """One migration's state. C(next) is what to do about it, empty where nothing is to be done."""

    name: str
    state: State
    row: Row | None = None
    left: Left | None = None
    error: str = ""
    sqlstate: str = ""
    next: str = ""

    def as_result(self) -> dict[str, Any]:
        """The migration as the module returns it."""
        row = self.row
        return {
            "name": self.name,
            "state": self.state,
            "started_at": _iso(row.started_at if row else None),
            "finished_at": _iso(row.finished_at if row else None),
            "rolled_back_at": _iso(row.rolled_back_at if row else None),
            "error": self.error,
            "sqlstate": self.sqlstate,
            "left": self.left.as_result() if self.left else None,
            "next": self.next,
        }


def checksums(script: bytes) -> tuple[str, ...]:
    """All checksums that Prisma accepts for a script: as it stands, with LF and with CRLF."""
    unix = script.replace(b"\r\n", b"\n")
    return tuple(dict.fromkeys(hashlib.sha256(each).hexdigest() for each in (script, unix, _dos(unix))))


def matches(script: bytes, checksum: str) -> bool:
    """Whether a row's checksum is the script's; old versions wrote each byte's digits without the leading zero."""
    accepted = checksums(script)
    if len(checksum) != 64:
        accepted = tuple("".join(f"{byte:x}" for byte in bytes.fromhex(each)) for each in accepted)
    return checksum in accepted


def classify(
    sources: Sequence[Source],
    rows: Iterable[Row],
    holder: Holder | None,
    scripts: Mapping[str, Script],
    catalogue: Mapping[Thing, bool],
    schema: str,
) -> list[Migration]:
    """Every migration that the image or the history knows, in the order of their names."""
    history: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda each: each.started_at):
        history.setdefault(row.name, []).append(row)
    known = {each.name: each for each in sources}
    applied = {name for name, tries in history.items() if any(row.applied for row in tries)}

    def read(name: str) -> Script | None:
        """Its script, with those that may have run after it: where it is no row's, any may be in the schema."""
        tried = any(row.open for row in history.get(name, []))
        later = [each for each in scripts if each > name and (each in applied or not tried)]
        return scripts[name].before(scripts[each] for each in later) if name in scripts else None

    return [
        _classified(name, known.get(name), history.get(name, []), holder, read(name), catalogue, schema)
        for name in sorted({*known, *history})
    ]


def _classified(
    name: str,
    source: Source | None,
    rows: Sequence[Row],
    holder: Holder | None,
    script: Script | None,
    catalogue: Mapping[Thing, bool],
    schema: str,
) -> Migration:
    open_rows = [row for row in rows if row.open]
    if open_rows:
        row = open_rows[-1]
        error, code = logged(row.logs)
        if holder and holder.may_run(row):
            return Migration(name, "running", row, next="Wait for it, and ask again.")
        left = remaining(script, catalogue, schema, row.logs)
        state: State = "partial" if left.remains == "some" else "failed"
        return Migration(name, state, row, left, error, code, _next(name, left))
    applied = [row for row in rows if row.applied]
    if applied:
        row = applied[-1]
        if source is None:
            return Migration(name, "ahead", row)
        if not matches(source.script.encode(), row.checksum):
            edited = "Restore the file as it was applied, and put the change into a migration of its own."
            return Migration(name, "edited", row, next=edited)
        return Migration(name, "applied", row)
    if source is None:  # all its rows are rolled back: nothing of it counts any more
        return Migration(name, "rolled_back", rows[-1])
    left = remaining(script, catalogue, schema)
    if rows:
        return Migration(name, "rolled_back", rows[-1], left, next="migrate.yml applies it again.")
    return Migration(name, "pending", None, left, next="migrate.yml applies it.")


def remaining(script: Script | None, catalogue: Mapping[Thing, bool], schema: str, logs: str = "") -> Left:
    """What is there of a script whose row is open.

    Where the server's own error is logged, it rolled the transaction back. Without it the script may have come to its
    end before its row could say so.
    """
    if script is None:
        return Left("unknown", "its script is not in the image")
    if script.unread:
        return Left("unknown", f"its script was not read: {script.unread}")
    error, code = logged(logs)
    if script.atomic and not _CUT_OFF.search(logs) and (code or _ERROR.search(logs)):
        return Left("nothing", "it failed within its one transaction, which left nothing behind")
    done, missing = (tuple(each) for each in standing(script, catalogue, schema))
    how = "" if script.atomic else f"it holds {', '.join((*script.control, *script.alone))}, so it may end half done: "
    if not done and not missing:
        whole = "it ran whole or not at all, and " if script.atomic else how
        reason = f" ({script.unseen})" if script.unseen else ""
        return Left("unknown", f"{whole}nothing in the catalogue tells whether it ran{reason}")
    if done and missing and script.atomic:
        why = "it runs in one transaction and not all that it makes is there, so what is there stood before it"
        return Left("nothing", why, done, missing)
    if done and missing:
        return Left("some", f"{how}a part of what it makes is there", done, missing)
    blind = f", but {script.unseen}" if script.unseen else ""
    if done:
        if error:
            why = f"{how}all that it makes is there, yet an error was logged that is not the server's ({error})"
            return Left("unknown", why, done, missing)
        remains: Remains = "all" if not blind or script.atomic else "unknown"
        return Left(remains, f"{how}all that it makes is there{'' if remains == 'all' else blind}", done, missing)
    remains = "nothing" if not blind or script.atomic else "unknown"
    return Left(
        remains, f"{how}nothing of what it makes is there{'' if remains == 'nothing' else blind}", done, missing
    )


#: A connection that broke may have brought the server the COMMIT before.
_CUT_OFF = re.compile(r"connection|ECONNRESET|terminat|socket", re.IGNORECASE)
_ERROR = re.compile(r"ERROR:\s*(.+)|message: \"((?:[^\"\\]|\\.)*)\"")
_CODE = re.compile(r"Database error code:\s*(\w{5})|code: (?:SqlState\()?E?(\w{5})\b|\b(?:SQLSTATE|code)\W+(\w{5})\b")


def logged(logs: str) -> tuple[str, str]:
    """The error that Prisma logged, in one line without its details, which quote values; and its SQLSTATE."""
    if not logs.strip():
        return "", ""
    found = _ERROR.search(logs)
    said = next((each for each in found.groups() if each), "") if found else ""
    if not said:
        lines = [line.strip() for line in logs.splitlines() if line.strip() and not _DETAIL.match(line)]
        said = lines[0]
    code = _CODE.search(logs)
    return redact_text(said)[:400], next((each for each in code.groups() if each), "") if code else ""


def last_error(log: str) -> str:
    """The last error in what Prisma printed; what its stand-in for the engine says of itself is none."""
    found = re.findall(r"(?:ERROR|Error): (?!external connector)(.+)", log)
    return redact_text(found[-1].strip())[:400] if found else ""


_DETAIL = re.compile(r"\s*(?:DETAIL|HINT|CONTEXT|\d+:)", re.IGNORECASE)


def summary(migrations: Sequence[Migration]) -> str:
    """How many are in which state."""
    names: dict[str, list[str]] = {}
    for each in migrations:
        names.setdefault(each.state, []).append(each.name)
    said = []
    if "applied" in names:
        said.append(f"{counted(len(names.pop('applied')), 'migration')} applied")
    for state in ("failed", "partial", "running", "pending", "rolled_back", "edited", "ahead"):
        if state in names:
            listed = names[state]
            more = f" and {len(listed) - 5} more" if len(listed) > 5 else ""
            said.append(f"{_WORDS[state]}: {', '.join(listed[:5])}{more}")
    return "; ".join(said) or "no migrations at all"


_WORDS = {
    "failed": "failed",
    "partial": "partially applied",
    "running": "running",
    "pending": "pending",
    "rolled_back": "rolled back",
    "edited": "edited after it was applied",
    "ahead": "in the database but not in the image",
}


def to_apply(migrations: Iterable[Migration]) -> list[str]:
    """The names that C(migrate deploy) will apply, in its order."""
    return [each.name for each in migrations if each.state in ("pending", "rolled_back") and each.left is not None]


def _next(name: str, left: Left) -> str:
    resolve = f"-e state=resolved -e migration={name} -e resolution="
    if left.remains == "nothing":
        return (
            f"ansible-playbook playbooks/migrate.yml {resolve}rolled_back, mend what made it fail, then migrate again."
        )
    if left.remains == "all":
        return f"ansible-playbook playbooks/migrate.yml {resolve}applied."
    if left.remains == "some":
        return (
            "Take away by hand what it left (or finish it), ask again, then "
            f"ansible-playbook playbooks/migrate.yml {resolve}rolled_back (or applied)."
        )
    return (
        "Find out what it did, undo or finish it, then "
        f"ansible-playbook playbooks/migrate.yml {resolve}rolled_back (or applied) -e confirm={name}."
    )


def _iso(moment: datetime | None) -> str:
    return moment.isoformat() if moment else ""


def _dos(unix: bytes) -> bytes:
    return unix.replace(b"\n", b"\r\n")
