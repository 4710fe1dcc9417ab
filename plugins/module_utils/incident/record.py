# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The run record on disk: a folder per run, lines flushed as they happen, one hash chain per service."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import Fault, OperatorError
from ..redaction import redact
from . import chain

LINES = "record.jsonl"
HEAD = "HEAD"


class RunRecord:
    """The record of one run: C(folder) is C(<directory>/<environment>/<service>/<run>)."""

    def __init__(self, folder: Path, run: str, secrets: tuple[str, ...] = ()) -> None:
        self.folder = folder
        self._run = run
        self._secrets = secrets
        self._gap = ""

    @property
    def complaint(self) -> str:
        """A sentence once something could not be written, empty before: what was begun does not stop for its record."""
        return f"The run record in {self.folder} has a gap: {self._gap}." if self._gap else ""

    def create(self) -> None:
        """Make the folder, for its owner alone; a fault is a sentence, since nothing has happened yet."""
        try:
            self.folder.mkdir(parents=True, mode=0o700)
        except OSError as fault:
            raise OperatorError(
                Fault(
                    "record_unwritable",
                    f"The run record cannot be kept in {self.folder}: {fault.strerror}.",
                    "Set record_directory to a folder that this user may write to.",
                )
            ) from fault

    def note(self, event: str, **data: Any) -> None:
        """Append one event and move the chain's head; runs of one service that overlap take turns."""
        entry = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "run": self._run,
            "event": event,
            "data": redact(data, self._secrets),
        }
        try:
            self._append(entry)
        except OSError as fault:
            self._gap = self._gap or str(fault.strerror)

    def attach(self, name: str, content: str) -> None:
        """Keep a piece of evidence under C(evidence/), and its checksum in the chain."""
        path = self.folder / "evidence" / name
        kept = redact(content, self._secrets).encode()
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.write_bytes(kept)
        except OSError as fault:
            self._gap = self._gap or str(fault.strerror)
            return
        self.note("evidence", file=f"evidence/{name}", sha256=hashlib.sha256(kept).hexdigest())

    def head(self) -> str:
        """The hash of the last line of this service, whichever run wrote it.

        The head names the run that is about to write; where that run died after its line, the line is the head.
        """
        try:
            head, _space, writer = (self.folder.parent / HEAD).read_text(encoding="utf-8").strip().partition(" ")
        except FileNotFoundError:
            return chain.GENESIS
        written = entries(self.folder.parent / writer) if writer else ()
        return next((str(entry["hash"]) for entry in written if entry["previous"] == head), head)

    def _append(self, entry: dict[str, Any]) -> None:
        with (self.folder.parent / f"{HEAD}.lock").open("a") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)
            head = self.head()
            linked = chain.link(entry, head)
            self._move_head(f"{head} {self.folder.name}")
            with (self.folder / LINES).open("ab+") as lines:
                _cut_torn_line(lines)
                lines.write(chain.line(linked).encode())
                lines.flush()
                os.fsync(lines.fileno())
            self._move_head(linked["hash"])

    def _move_head(self, content: str) -> None:
        new = self.folder.parent / f"{HEAD}.new"
        new.write_text(content + "\n", encoding="utf-8")
        new.replace(self.folder.parent / HEAD)


def _cut_torn_line(lines: BinaryIO) -> None:
    """Cut what a killed process left of a line: it never was part of the chain, and the next line starts anew."""
    if end := lines.seek(0, os.SEEK_END):
        lines.seek(end - 1)
        if lines.read() != b"\n":
            lines.seek(0)
            lines.truncate(lines.read().rfind(b"\n") + 1)


def entries(folder: Path) -> Iterator[dict[str, Any]]:
    """The lines of one run; a torn last line (the process was killed in it) is left out."""
    path = folder / LINES
    if not path.exists():
        return
    with path.open(encoding="utf-8") as lines:
        for text in lines:
            if text.endswith("\n"):
                yield json.loads(text)


def service_entries(directory: Path) -> Iterator[dict[str, Any]]:
    """The lines of all runs of a service, run by run."""
    for folder in sorted(path for path in directory.iterdir() if path.is_dir()):
        yield from entries(folder)
