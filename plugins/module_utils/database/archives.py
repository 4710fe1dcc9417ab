# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Backups as files: their names and manifests, which are kept, and what tells two databases apart. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..errors import Fault, OperatorError
from ..verdict import Verdict
from ..wording import counted, size
from . import origin
from .origin import Origin

MANIFEST = "manifest.json"
#: Raised when a manifest of before cannot be read as one of now.
LAYOUT = 1
_TIME = "%Y%m%dT%H%M%SZ"
_NAME = re.compile(r"(?P<database>.+)-(?P<time>\d{8}T\d{6}Z)\Z")
_NAMED_AT_MOST = 5

Content = Mapping[str, Any]


@dataclass(frozen=True)
class Manifest:
    """What a backup says of itself, as it stands in its folder."""

    entries: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The backup's name, which is its folder's."""
        return str(self.entries["name"])

    @property
    def database(self) -> str:
        """The database that was dumped."""
        return str(self.entries["database"])

    @property
    def origin(self) -> Origin:
        """Which database of which server that was."""
        return origin.read(self.entries)

    @property
    def taken(self) -> datetime:
        """When the snapshot was taken, by the server's clock: what was committed later is not in it."""
        return datetime.fromisoformat(self.entries["snapshot_at"])

    @property
    def safety(self) -> bool:
        """Whether a restore took it of what it replaced; then it counts as the newest for nobody."""
        return bool(self.entries.get("safety"))

    @property
    def size_bytes(self) -> int:
        """How large its files are."""
        return sum(int(each["bytes"]) for each in self.entries["files"])

    @property
    def content(self) -> Content:
        """Rows, constraints and the rest, as of the snapshot."""
        content: Content = self.entries["content"]
        return content

    def described(self) -> dict[str, Any]:
        """The backup in a module's result."""
        facts = ("name", "database", "format", "server_version", "client_version", "snapshot_at", "seconds")
        return {
            **{fact: self.entries[fact] for fact in facts},
            "server": self.origin.address,
            "environment": self.origin.environment,
            "bytes": self.size_bytes,
            "tables": len(self.content["rows"]),
            "rows": sum(self.content["rows"].values()),
            "newest_migration": self.content["newest_migration"],
        }


def name_of(database: str, taken: datetime) -> str:
    """The name of a backup: its database, in letters that every file system has, and its time in UTC."""
    return f"{plain(database)}-{taken.strftime(_TIME)}"


def written(entries: Mapping[str, Any]) -> str:
    """The manifest's text, which holds a digest of itself."""
    body = {"layout": LAYOUT, **entries}
    return json.dumps({**body, "digest": _digest(body)}, indent=1, ensure_ascii=False) + "\n"


def read(name: str, text: str) -> Manifest:
    """The manifest of the backup in the folder C(name). Raises C(OperatorError) where it is none, or not its own."""
    try:
        entries = json.loads(text)
        digest = entries.pop("digest")
    except (ValueError, KeyError, AttributeError, TypeError):
        raise unfit(name, f"its {MANIFEST} is not one that this collection wrote") from None
    if digest != _digest(entries):
        raise unfit(name, f"its {MANIFEST} was changed after it was written")
    if entries.get("layout") != LAYOUT:
        raise unfit(name, f"its layout is {entries.get('layout')}, and this reads {LAYOUT}")
    if entries["name"] != name:
        raise unfit(name, f"its {MANIFEST} is that of {entries['name']}")
    if any(each["path"].startswith("/") or ".." in each["path"].split("/") for each in entries["files"]):
        raise unfit(name, "it names files outside its folder")
    return Manifest(entries)


def of_database(names: Iterable[str], database: str) -> list[str]:
    """The backups of one database among names of folders, the newest first."""
    mine = [name for name in names if (parts := _NAME.match(name)) and parts["database"] == plain(database)]
    return sorted(mine, reverse=True)


def expired(
    newest_first: Iterable[str], keep: int, before: datetime, counts: Callable[[str], bool | None]
) -> list[str]:
    """The backups that need not be kept: neither among the newest C(keep) that count, nor taken after C(before).

    C(counts) says whether one is whole, and C(None) of one that is nobody's to delete here; it is asked where that
    decides only, since it reads the manifest.
    """
    kept, gone = 0, []
    for name in newest_first:
        may_go, is_full = older(name, before), kept >= max(1, keep)
        if is_full and not may_go:
            continue
        counted_in = counts(name)
        if counted_in and not is_full:
            kept += 1
        elif counted_in is not None and may_go:
            gone.append(name)
    return gone


def older(name: str, than: datetime) -> bool:
    """Whether a backup was taken before, as its name says."""
    time = than.strftime(_TIME)
    return name[-len(time) :] < time


def described(path: str, content: bytes) -> dict[str, Any]:
    """A file in a manifest."""
    return {"path": path, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def changed_files(manifest: Manifest, found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What is wrong with a backup's files; C(found) has the bytes of each that is there, and the checksum if read."""
    expected = {each["path"]: each for each in manifest.entries["files"]}
    wrong = [f"{path} is missing" for path in expected if path not in found]
    wrong += [f"{path} does not belong to it" for path in found if path not in expected]
    for path in expected.keys() & found.keys():
        if found[path]["bytes"] != expected[path]["bytes"]:
            wrong.append(f"{path} has {found[path]['bytes']} bytes, and should have {expected[path]['bytes']}")
        elif found[path].get("sha256", expected[path]["sha256"]) != expected[path]["sha256"]:
            wrong.append(f"{path} was changed: its checksum is another")
    return sorted(wrong)


def compared(dumped: Content, restored: Content) -> Verdict:
    """Whether what was restored is what was dumped: rows of every table, constraints, indexes and newest migration."""
    said: list[str] = []
    before, after = dumped["rows"], restored["rows"]
    said += [f"the table {table} is missing" for table in sorted(before.keys() - after.keys())]
    said += [f"the table {table} is there in addition" for table in sorted(after.keys() - before.keys())]
    said += [
        f"{table} has {counted(after[table], 'row')}, and had {before[table]}"
        for table in sorted(before.keys() & after.keys())
        if before[table] != after[table]
    ]
    for kind in ("constraints", "indexes", "objects"):
        lost = sorted(set(dumped[kind]) - set(restored[kind]))
        more = sorted(set(restored[kind]) - set(dumped[kind]))
        said += [f"{each} is missing" for each in lost] + [f"{each} is there in addition" for each in more]
    if dumped["newest_migration"] != restored["newest_migration"]:
        said.append(
            f"the newest migration is {restored['newest_migration'] or 'none'},"
            f" and was {dumped['newest_migration'] or 'none'}"
        )
    evidence = {
        "tables": len(before),
        "rows": sum(before.values()),
        **{kind: len(dumped[kind]) for kind in ("constraints", "indexes", "objects")},
        "newest_migration": dumped["newest_migration"],
    }
    if said:
        rest = f"; and {len(said) - _NAMED_AT_MOST} more" if len(said) > _NAMED_AT_MOST else ""
        return Verdict("fail", "; ".join(said[:_NAMED_AT_MOST]) + rest, {**evidence, "differences": said})
    return Verdict(
        "pass",
        f"{counted(evidence['rows'], 'row')} in {counted(len(before), 'table')}, "
        f"{counted(evidence['constraints'], 'constraint')}, {counted(evidence['indexes'], 'index', 'indexes')} and the"
        f" newest migration ({dumped['newest_migration'] or 'none'}) are those of the dump's snapshot",
        evidence,
    )


def cramped(free: int, expected: int, reserve: int, place: str) -> Fault | None:
    """The fault where C(expected) bytes do not fit beside the reserve."""
    if free - expected >= reserve:
        return None
    return Fault(
        "disk_full",
        f"{place} has {size(free)} free; the backup may take {size(expected)}, and {size(reserve)} must stay free.",
        "Make room, or name another backup_directory.",
    )


def plain(database: str) -> str:
    """The database's name in letters that every file system has."""
    return re.sub(r"[^A-Za-z0-9_.]+", "_", database)


def _digest(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def unfit(name: str, why: str) -> OperatorError:
    return OperatorError(
        Fault("backup_unfit", f"The backup {name} cannot be used: {why}.", "Choose another, or take a new one.")
    )
