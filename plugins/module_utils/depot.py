# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Backups in a bucket, where archives meet S3: C(PREFIX/NAME/...), and the manifest is the last to be written."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from .call import Call
from .database import archives
from .database.archives import MANIFEST, Manifest
from .database.backups import Source, damage
from .database.shelf import Shelf
from .errors import Fault, OperatorError
from .storage import bucket
from .storage.bucket import Bucket
from .storage.pouring import Pouring, pouring
from .wording import size

Meanwhile = Callable[[], None]
#: What is no larger is sent at once.
_SMALL_BYTES = 1 << 20


class Depot:
    """The backups of one database in a bucket."""

    def __init__(self, address: str, database: str, environment: Mapping[str, str]) -> None:
        self._bucket, self._database = Bucket(address, environment), database
        self._manifests: dict[str, Manifest] = {}

    def __str__(self) -> str:
        return self._bucket.address()

    def address(self, name: str) -> str:
        """A backup as an operator knows it."""
        return self._bucket.address(name)

    def names(self, database: str) -> list[str]:
        """The names that backups of a database have, the newest first; others may have the same."""
        return archives.of_database([name for name, paths in self._there.items() if MANIFEST in paths], database)

    def manifest(self, name: str) -> Manifest:
        """The manifest of a backup. Raises C(OperatorError) where there is none that can be used."""
        if name not in self._manifests:
            try:
                self._manifests[name] = archives.read(name, self._bucket.read(f"{name}/{MANIFEST}").decode())
            except UnicodeDecodeError:
                raise archives.unfit(name, f"its {MANIFEST} is no text") from None
        return self._manifests[name]

    def files(self, name: str) -> dict[str, dict[str, Any]]:
        """The files of a backup beside its manifest with their C(bytes), which are not read."""
        return {path: {"bytes": size} for path, size in self._there.get(name, {}).items() if path != MANIFEST}

    def carry(self, shelf: Shelf, manifest: Manifest, meanwhile: Meanwhile) -> None:
        """Bring a backup from its folder here. What fails leaves nothing that is taken for one."""
        folder = shelf.directory / manifest.name
        with self._whole_or_none(manifest.name):
            for each in manifest.entries["files"]:
                meanwhile()
                self._send(folder / each["path"], f"{manifest.name}/{each['path']}", each, meanwhile)
            self._describe(manifest.name, (folder / MANIFEST).read_bytes())

    @contextlib.contextmanager
    def receiving(self, name: str, path: str, handle: int, expected_bytes: int) -> Iterator[Pouring]:
        """The one file of a backup as a program writes it; C(complete) must follow."""
        part_bytes = bucket.part_bytes(expected_bytes)
        with self._whole_or_none(name), pouring(self._bucket, f"{name}/{path}", handle, part_bytes) as poured:
            yield poured

    def complete(self, name: str, manifest: str) -> None:
        """Make what was received the backup C(name)."""
        with self._whole_or_none(name):
            self._describe(name, manifest.encode())

    def fetch(self, shelf: Shelf, manifest: Manifest, meanwhile: Meanwhile) -> None:
        """Bring a backup from here into a folder, whole."""
        name = manifest.name
        full = archives.cramped(shelf.free_bytes, manifest.size_bytes, 0, str(shelf))
        if full:
            raise OperatorError(full)
        with shelf.making(self._database) as (partial, _lock):
            found = {}
            for path in (each["path"] for each in manifest.entries["files"]):
                file, checksum, size = partial / path, hashlib.sha256(), 0
                file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                with file.open("wb") as written:
                    for piece in self._bucket.pieces(f"{name}/{path}"):
                        written.write(piece)
                        checksum.update(piece)
                        size += len(piece)
                        meanwhile()
                found[path] = {"bytes": size, "sha256": checksum.hexdigest()}
            if wrong := archives.changed_files(manifest, found):
                raise archives.unfit(name, f"{self.address(name)}: {wrong[0]}")
            text = self._bucket.read(f"{name}/{MANIFEST}").decode()
            shelf.discard(manifest)
            shelf.place(partial, text, name)

    def delete(self, name: str) -> None:
        """Delete a backup: first its manifest, so that half of one is never taken for one."""
        self._bucket.delete([f"{name}/{MANIFEST}"])
        self._bucket.delete(f"{name}/{path}" for path in self._there.pop(name, {}) if path != MANIFEST)

    def sweep(self, before: datetime) -> list[str]:
        """Delete what killed runs left that began before; what is younger may still be written by another run."""
        begun = self._bucket.begun(self._beginning)
        unfinished = {name for name, paths in self._there.items() if MANIFEST not in paths}
        unfinished |= {key.partition("/")[0] for key, _upload in begun}
        left = [name for name in archives.of_database(unfinished, self._database) if archives.older(name, before)]
        for key, upload in begun:
            if key.partition("/")[0] in left:
                self._bucket.abort(key, upload)
        for name in left:
            self._bucket.delete(f"{name}/{path}" for path in self._there.pop(name, ()))
        return left

    @property
    def _beginning(self) -> str:
        return f"{archives.plain(self._database)}-"

    @cached_property
    def _there(self) -> dict[str, dict[str, int]]:
        """What there is of each backup, whole or not, with its size in bytes."""
        return self._listed(self._beginning)

    def _listed(self, beginning: str) -> dict[str, dict[str, int]]:
        found: dict[str, dict[str, int]] = {}
        for key, size_bytes in self._bucket.keys(beginning).items():
            name, _slash, path = key.partition("/")
            found.setdefault(name, {})[path] = size_bytes
        return found

    def _send(self, file: Path, key: str, expected: Mapping[str, Any], meanwhile: Meanwhile) -> None:
        """Send a file, and see that it is the one of the manifest."""
        with file.open("rb", buffering=0) as opened:
            if expected["bytes"] <= _SMALL_BYTES:
                content = opened.read(_SMALL_BYTES + 1)
                self._bucket.write(key, content)
                sent = archives.described(expected["path"], content)
            else:
                with pouring(self._bucket, key, opened.fileno(), bucket.part_bytes(expected["bytes"])) as poured:
                    poured.finish(meanwhile)
                sent = {"path": expected["path"], "bytes": poured.bytes, "sha256": poured.sha256}
        if sent != expected:
            raise archives.unfit(key.partition("/")[0], f"{expected['path']} was changed after it was written")

    def _describe(self, name: str, manifest: bytes) -> None:
        self._bucket.write(f"{name}/{MANIFEST}", manifest)
        self._there.update(self._listed(f"{name}/"))

    @contextlib.contextmanager
    def _whole_or_none(self, name: str) -> Iterator[None]:
        try:
            yield
        except BaseException:
            with contextlib.suppress(OperatorError):  # what stays has no manifest, and the next run sweeps it away
                self._bucket.delete(self._bucket.keys(f"{name}/"))
            raise


def depot_of(call: Call, database: str) -> Depot | None:
    """The bucket that the call names, if it names one. Raises C(OperatorError) where it is no address of one."""
    return Depot(call.params["s3"], database, call.environment) if call.params["s3"] else None


def sources(shelf: Shelf, depot: Depot | None) -> list[Source]:
    """Where to look for backups; the folder first, since what is there need not be fetched."""
    return [shelf, *([depot] if depot else [])]


def at_hand(call: Call, shelf: Shelf, depot: Depot | None, manifest: Manifest, meanwhile: Meanwhile) -> None:
    """See to it that a backup is in the folder."""
    if manifest.name in shelf.names(manifest.database) and not damage(shelf, manifest):
        return
    if depot is None:
        raise OperatorError(Fault("no_such_backup", f"{manifest.name} is no longer in {shelf}.", "Choose another."))
    call.say(f"fetching {manifest.name} ({size(manifest.size_bytes)}) from {depot}")
    depot.fetch(shelf, manifest, meanwhile)
