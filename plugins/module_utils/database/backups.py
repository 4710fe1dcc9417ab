# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The backups of one database, among all that lie in the same places: which is meant, and which may go.

The newest one, what is young enough and what has expired are those of this server and exactly this database. That of
another is taken when it is called by its full name, as after a disaster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from ..errors import Fault, OperatorError
from . import archives, contents
from .archives import Manifest
from .origin import Origin
from .session import DatabaseSession

_NAMED_AT_MOST = 5


class Source(Protocol):
    """Where backups are: a folder, or a bucket. Its text says which."""

    def names(self, database: str) -> list[str]:
        """The names that backups of a database have, the newest first; others may have the same."""

    def manifest(self, name: str) -> Manifest:
        """The manifest of a backup. Raises C(OperatorError) where there is none that can be used."""

    def files(self, name: str) -> Mapping[str, Mapping[str, Any]]:
        """The files of a backup beside its manifest with their C(bytes), which are not read."""

    def delete(self, name: str) -> None:
        """Delete a backup, so that half of one is never taken for one."""


def damage(place: Source, manifest: Manifest) -> str:
    """What is wrong with a backup's files there as far as their sizes tell; empty where it is whole."""
    return "; ".join(archives.changed_files(manifest, place.files(manifest.name))[:_NAMED_AT_MOST])


def whole(place: Source, manifest: Manifest) -> bool:
    """Whether the backup is there with all of its files."""
    return manifest.name in place.names(manifest.database) and not damage(place, manifest)


@dataclass(frozen=True)
class Backups:
    """The backups of a database in several places, the nearest first; C(warn) is told what is left out and why."""

    places: Sequence[Source]
    here: Origin
    warn: Callable[[str], None]

    def __str__(self) -> str:
        return " and ".join(map(str, self.places))

    def newest(self) -> Manifest | None:
        """The newest backup that is whole, as far as manifest and sizes tell.

        What a restore saved of the database that it replaced is none: who restores twice wants the same both times.
        """
        found, left_out = self._newest()
        for sentence in left_out:
            self.warn(sentence)
        return found

    def chosen(self, name: str) -> Manifest:
        """The backup that is named, or the C(newest). Raises C(OperatorError) where there is none."""
        if name != "newest":
            return self._named(name)
        found, left_out = self._newest()
        if found is None:
            said = f"There is no usable backup of the database {self.here.database} of {self.here} in {self}."
            way = "Take one with backup.yml, or give the full name of another one (backup=NAME)."
            raise OperatorError(Fault("no_such_backup", " ".join([said, *left_out]), way))
        for sentence in left_out:
            self.warn(sentence)
        return found

    def told(self, manifest: Manifest) -> str:
        """Where a backup is from, in one sentence without its full stop."""
        if manifest.origin.same(self.here):
            return f"{manifest.name} is of {manifest.origin}"
        if str(manifest.origin) == str(self.here):
            return f"{manifest.name} is of another server, which was at {manifest.origin} before"
        return f"{manifest.name} is of {manifest.origin}, which is another server than {self.here}"

    def expired(self, place: Source, keep: int, keep_days: float, now: datetime, *coming: str) -> list[str]:
        """The backups of this database that need not be kept there once those that are C(coming) have come."""

        def counts(name: str) -> bool | None:
            if name in coming:
                return True
            try:
                manifest = place.manifest(name)
            except OperatorError:
                return None
            return not damage(place, manifest) if manifest.origin.same(self.here) else None

        names = [*coming, *place.names(self.here.database)]
        return archives.expired(names, keep, now - timedelta(days=keep_days), counts)

    def _newest(self) -> tuple[Manifest | None, list[str]]:
        """The newest one, and what is to be said of those that were left out."""
        left_out: list[str] = []
        others: dict[str, str] = {}
        for name, place in self._all():
            try:
                manifest = place.manifest(name)
                if manifest.database != self.here.database or manifest.safety:
                    continue
                if manifest.origin.same(self.here):
                    return _undamaged(place, manifest), left_out[:_NAMED_AT_MOST]
                others[name] = f"{self.told(manifest)}."
            except OperatorError as fault:
                left_out.append(fault.faults[0].message)
        return None, [*left_out[:_NAMED_AT_MOST], *list(others.values())[:_NAMED_AT_MOST]]

    def _named(self, name: str) -> Manifest:
        """The backup of this name, of whatever server, at the first place where it is whole."""
        fault = None
        for each, place in self._all():
            if each != name:
                continue
            try:
                manifest = place.manifest(name)
                if manifest.database != self.here.database:
                    raise archives.unfit(name, f"it is of the database {manifest.database}")
                return _undamaged(place, manifest)
            except OperatorError as failed:
                fault = fault or failed
        if fault:
            raise fault
        names = list(dict.fromkeys(each for each, _place in self._all()))
        said = f"There is no backup {name} of the database {self.here.database} in {self}."
        some = f"There {'is' if len(names) == 1 else 'are'} {', '.join(names[:_NAMED_AT_MOST])}."
        raise OperatorError(Fault("no_such_backup", said, some if names else "Take one with backup.yml."))

    def _all(self) -> Iterator[tuple[str, Source]]:
        """Every name with every place that has it, the newest first and at its nearest place first."""
        listed = [(place, place.names(self.here.database)) for place in self.places]
        for name in sorted({name for _place, names in listed for name in names}, reverse=True):
            yield from ((name, place) for place, names in listed if name in names)


def _undamaged(place: Source, manifest: Manifest) -> Manifest:
    """The same, unless its files say otherwise."""
    if wrong := damage(place, manifest):
        raise archives.unfit(manifest.name, f"in {place} {wrong}")
    return manifest


def here(session: DatabaseSession, database: str) -> Origin:
    """The database of this name on the session's server, in the environment that the call's run is for."""
    run = session.params.get("run") or {}
    system, environment = run.get("system"), run.get("environment")
    with session.database.transaction(read_only=True) as ask:
        identifier = contents.identifier(ask)
    label = f"{system}/{environment}" if system and environment else None
    return Origin(database, session.target.address, identifier, label)


def backups(session: DatabaseSession, places: Sequence[Source], database: str) -> Backups:
    """The backups of a database of the session's server."""
    return Backups(places, here(session, database), session.call.warn)
