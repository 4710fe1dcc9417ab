# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The folder that backups are kept in: what is being made there is not seen as a backup until it is whole."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ..errors import Fault, OperatorError
from . import archives
from .archives import MANIFEST, Manifest

_PIECE_BYTES = 1 << 20
#: Names that begin with these are no backups: one that is being made, one that is being deleted.
_PARTIAL, _DOOMED = ".partial-", ".deleted-"


class Shelf:
    """The backups in one folder."""

    def __init__(self, directory: str) -> None:
        self.directory = Path(directory).expanduser().absolute()

    def __str__(self) -> str:
        return str(self.directory)

    def faults(self) -> list[Fault]:
        """Why nothing can be written here; the folder itself may still have to be made."""
        there = self._nearest
        if not there.is_dir():
            return [_unwritable(f"{there} is no folder")]
        if not os.access(there, os.W_OK | os.X_OK):
            return [_unwritable(f"{there} may not be written by this user")]
        return []

    @property
    def free_bytes(self) -> int:
        """What may still be written."""
        return shutil.disk_usage(self._nearest).free

    def names(self, database: str) -> list[str]:
        """The names that backups of a database have, the newest first; others may have the same."""
        try:
            folders = [each.name for each in self.directory.iterdir() if (each / MANIFEST).is_file()]
        except FileNotFoundError:
            return []
        except OSError as fault:
            raise OperatorError(_unreadable(self.directory, fault)) from fault
        return archives.of_database(folders, database)

    def manifest(self, name: str) -> Manifest:
        """The manifest of a backup. Raises C(OperatorError) where there is none that can be used."""
        try:
            text = (self.directory / name / MANIFEST).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as fault:
            raise OperatorError(_unreadable(self.directory / name / MANIFEST, fault)) from fault
        return archives.read(name, text)

    def archive(self, manifest: Manifest) -> Path:
        """What pg_restore reads of a backup."""
        return self.directory / manifest.name / archive_name(manifest.entries["format"])

    def files(self, name: str) -> dict[str, dict[str, Any]]:
        """The files of a backup beside its manifest with their C(bytes), which are not read."""
        folder = self.directory / name
        try:
            there = {str(each.relative_to(folder)): each.stat().st_size for each in folder.rglob("*") if each.is_file()}
        except OSError as fault:
            raise OperatorError(_unreadable(folder, fault)) from fault
        return {path: {"bytes": size} for path, size in there.items() if path != MANIFEST}

    def wrong(self, manifest: Manifest, meanwhile: Callable[[], None]) -> list[str]:
        """What is wrong with the files of a backup; each is read once."""
        folder = self.directory / manifest.name
        try:
            found = {each["path"]: each for each in files(folder, meanwhile) if each["path"] != MANIFEST}
        except OSError as fault:
            raise OperatorError(_unreadable(folder, fault)) from fault
        return archives.changed_files(manifest, found)

    @contextlib.contextmanager
    def making(self, database: str) -> Iterator[tuple[Path, int]]:
        """A folder for a backup that is being made, gone afterwards; the second is a lock that programs inherit.

        The lock is the kernel's: a killed run leaves none, unless a program that it started still writes there.
        """
        partial = self.directory / f"{_PARTIAL}{archives.plain(database)}"
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(self.directory / f".lock-{archives.plain(database)}", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as fault:
            raise OperatorError(_unwritable(f"{self.directory}: {fault.strerror}")) from fault
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise OperatorError(
                    Fault(
                        "backup_running",
                        f"Another backup of the database {database} is being written to {self.directory}.",
                        "Wait for it; if its run was killed, its pg_dump ends by itself or may be ended.",
                    )
                ) from None
            self._sweep(partial)
            partial.mkdir(mode=0o700)
            try:
                yield partial, lock
            finally:
                shutil.rmtree(partial, ignore_errors=True)
        finally:
            os.close(lock)

    def place(self, partial: Path, manifest: str, name: str) -> None:
        """Make a whole folder the backup C(name): all of it is on the disk before it has that name."""
        file = partial / MANIFEST
        file.touch(mode=0o600)
        file.write_text(manifest, encoding="utf-8")
        for each in sorted(partial.rglob("*"), reverse=True):
            _sync(each)
        _sync(partial)
        partial.rename(self.directory / name)
        _sync(self.directory)

    def discard(self, manifest: Manifest) -> None:
        """Delete a damaged copy of a backup, if there is one. Another backup of its name raises C(OperatorError).

        Another server that has its backups here may have had one in the same second.
        """
        if manifest.name not in self.names(manifest.database):
            return
        other = False
        with contextlib.suppress(OperatorError):
            other = self.manifest(manifest.name).origin != manifest.origin
        if other:
            raise archives.unfit(manifest.name, f"{self} has another one of this name")
        self.delete(manifest.name)

    def delete(self, name: str) -> None:
        """Delete a backup: first its name, so that half of one is never taken for one."""
        doomed = self.directory / f"{_DOOMED}{name}"
        (self.directory / name).rename(doomed)
        shutil.rmtree(doomed)

    @property
    def _nearest(self) -> Path:
        """The folder, or the one in which it would be made."""
        return next(each for each in (self.directory, *self.directory.parents) if each.exists())

    def _sweep(self, partial: Path) -> None:
        """Remove what killed runs left."""
        for each in (partial, *self.directory.glob(f"{_DOOMED}*")):
            shutil.rmtree(each, ignore_errors=True)


def archive_name(form: str) -> str:
    """The archive within a backup's folder: a file, or a folder."""
    return "data.dump" if form == "custom" else "data"


def files(folder: Path, meanwhile: Callable[[], None]) -> list[dict[str, Any]]:
    """Size and checksum of every file below the folder, read in pieces of 1 MiB."""
    listed = []
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        checksum, size = hashlib.sha256(), 0
        with path.open("rb") as file:
            while piece := file.read(_PIECE_BYTES):
                checksum.update(piece)
                size += len(piece)
                meanwhile()
        listed.append({"path": str(path.relative_to(folder)), "bytes": size, "sha256": checksum.hexdigest()})
    return listed


def written_bytes(folder: Path) -> int:
    """How much stands there by now."""
    total = 0
    for each in folder.rglob("*"):
        with contextlib.suppress(OSError):
            total += each.stat().st_size if each.is_file() else 0
    return total


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _unwritable(why: str) -> Fault:
    return Fault("directory_unwritable", f"Backups cannot be written: {why}.", "Correct backup_directory.")


def _unreadable(path: Path, fault: Exception) -> Fault:
    said = fault.strerror if isinstance(fault, OSError) else "it is not text"
    return Fault("backup_unreadable", f"{path} cannot be read: {said}.", "Correct backup_directory or its rights.")
