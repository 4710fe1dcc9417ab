# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of the backups in a folder are those of a database, and which of them is meant."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.database import archives, origin
from ansible_collections.linkops.runbooks.plugins.module_utils.database.backups import Backups
from ansible_collections.linkops.runbooks.plugins.module_utils.database.origin import Origin
from ansible_collections.linkops.runbooks.plugins.module_utils.database.shelf import Shelf
from ansible_collections.linkops.runbooks.plugins.module_utils.errors import OperatorError

PRODUCTION = Origin("shop", "db-production:5432", "7001", "shop/production")
STAGING = Origin("shop", "db-staging:5432", "7002", "shop/staging")
NOW = datetime(2026, 3, 31, tzinfo=UTC)


def differs(of: Origin, **changes: str | None) -> Origin:
    """The same origin but for this."""
    return dataclasses.replace(of, **changes)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (PRODUCTION, PRODUCTION, True),
        (PRODUCTION, STAGING, False),
        (PRODUCTION, differs(PRODUCTION, database="Shop"), False),
        # a standby that took over, a tunnel, a new name
        (PRODUCTION, differs(PRODUCTION, address="127.0.0.1:15432"), True),
        # through one end of a tunnel two servers, and one that was made anew at the address of the former
        (PRODUCTION, differs(PRODUCTION, identifier="7003"), False),
        # a copy of the disk, as staging that is made of production's snapshot
        (PRODUCTION, differs(PRODUCTION, address="db-staging:5432", environment="shop/staging"), False),
        # one of them does not tell its identifier
        (PRODUCTION, differs(PRODUCTION, identifier=None), True),
        (PRODUCTION, differs(STAGING, identifier=None, environment=None), False),
        # a module without a run
        (PRODUCTION, differs(PRODUCTION, environment=None), True),
        (Origin("shop"), Origin("shop"), False),
    ],
)
def test_what_is_one_database(one: Origin, other: Origin, same: bool) -> None:
    assert one.same(other) is same
    assert other.same(one) is same


def test_a_manifest_of_before_has_the_identifier_in_its_state_if_at_all() -> None:
    before = {"database": "shop", "address": "db:5432", "state": "7001 1 700:700:"}
    assert origin.read(before) == Origin("shop", "db:5432", "7001")
    assert origin.read({**before, "state": None}) == Origin("shop", "db:5432")
    assert not origin.read({"database": "shop"}).same(PRODUCTION)


class Kept:
    """A folder of backups of several servers."""

    def __init__(self, folder: Path) -> None:
        self.shelf = Shelf(str(folder))
        self.warned: list[str] = []

    def add(self, day: int, of: Origin = PRODUCTION, **more: Any) -> str:
        """A backup of a day in March; its name."""
        name = archives.name_of(of.database, datetime(2026, 3, day, tzinfo=UTC))
        entries: dict[str, Any] = {
            "name": name, **of.as_entries(), "files": [archives.described("data.dump", b"x" * day)], **more,
        }  # fmt: skip
        folder = self.shelf.directory / name
        folder.mkdir(parents=True)
        (folder / "data.dump").write_bytes(b"x" * day)
        (folder / "manifest.json").write_text(archives.written(entries))
        return name

    def of(self, here: Origin, *farther: Shelf) -> Backups:
        """The backups of one of them."""
        return Backups([self.shelf, *farther], here, self.warned.append)

    def newest(self, here: Origin, *farther: Shelf) -> str:
        """The name of the newest one."""
        found = self.of(here, *farther).newest()
        return found.name if found else ""


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    """An empty folder."""
    return Kept(tmp_path / "kept")


def test_the_newest_is_of_this_server_and_of_exactly_this_database(kept: Kept) -> None:
    mine, theirs = kept.add(1), kept.add(2, STAGING)
    dashed, lined = (differs(PRODUCTION, database=name) for name in ("my-app", "my_app"))
    first, second = kept.add(3, dashed), kept.add(4, lined)
    assert [kept.newest(each) for each in (PRODUCTION, STAGING)] == [mine, theirs]
    assert [kept.newest(each) for each in (dashed, lined)] == [first, second]
    assert kept.newest(differs(PRODUCTION, environment="shop/staging")) == ""
    assert kept.of(PRODUCTION).chosen("newest").name == mine


def test_one_of_another_server_is_named_and_taken_only_by_its_name(kept: Kept) -> None:
    name = kept.add(1, STAGING)
    here = kept.of(PRODUCTION)
    with pytest.raises(OperatorError) as refused:
        here.chosen("newest")
    told = f"{name} is of db-staging:5432 (shop/staging), which is another server than db-production:5432"
    assert told in str(refused.value)
    assert "backup=NAME" in str(refused.value)
    assert here.newest() is None
    assert told in kept.warned[0]
    assert here.told(here.chosen(name)).startswith(told)
    rebuilt = kept.of(differs(STAGING, identifier="7009"))
    assert "another server, which was at db-staging:5432" in rebuilt.told(rebuilt.chosen(name))
    assert kept.of(STAGING).told(here.chosen(name)) == f"{name} is of db-staging:5432 (shop/staging)"


def test_one_of_another_database_is_not_taken_by_its_name_either(kept: Kept) -> None:
    name = kept.add(1, differs(PRODUCTION, database="my-app"))
    with pytest.raises(OperatorError, match="it is of the database my-app"):
        kept.of(differs(PRODUCTION, database="my_app")).chosen(name)


def test_what_is_damaged_is_left_out_and_said(kept: Kept) -> None:
    whole, cut, empty, other = (kept.add(day) for day in (1, 2, 3, 4))
    (kept.shelf.directory / cut / "data.dump").write_bytes(b"x")
    (kept.shelf.directory / empty / "data.dump").unlink()
    (kept.shelf.directory / other / "manifest.json").write_text("{}")
    assert kept.newest(PRODUCTION) == whole
    assert len(kept.warned) == 3
    said = " ".join(kept.warned)
    for name, why in ((cut, "has 1 bytes, and should have 2"), (empty, "is missing"), (other, "manifest.json is not")):
        assert name in said
        assert why in said
    with pytest.raises(OperatorError, match=r"data\.dump is missing"):
        kept.of(PRODUCTION).chosen(empty)
    (kept.shelf.directory / whole / "data.dump").unlink()
    with pytest.raises(OperatorError, match=f"no usable backup .*{cut} cannot be used"):
        kept.of(PRODUCTION).chosen("newest")


def test_a_damaged_one_is_taken_where_it_is_whole(kept: Kept, tmp_path: Path) -> None:
    farther = Kept(tmp_path / "farther")
    kept.add(1)
    name = kept.add(2)
    farther.add(2)
    (kept.shelf.directory / name / "data.dump").unlink()
    assert kept.newest(PRODUCTION, farther.shelf) == name
    assert kept.of(PRODUCTION, farther.shelf).chosen(name).name == name


def test_a_damaged_one_makes_room_for_itself_alone(kept: Kept, tmp_path: Path) -> None:
    name, theirs = kept.add(1), Kept(tmp_path / "theirs")
    theirs.add(1, STAGING)
    manifest = kept.shelf.manifest(name)
    with pytest.raises(OperatorError, match="has another one of this name"):
        theirs.shelf.discard(manifest)
    for unread in (False, True):
        if unread:
            kept.add(1)
            (kept.shelf.directory / name / "manifest.json").write_text("{}")
        kept.shelf.discard(manifest)
        assert kept.shelf.names("shop") == []
    kept.shelf.discard(manifest)
    assert theirs.shelf.names("shop") == [name]


def test_what_a_restore_saved_is_not_the_newest(kept: Kept) -> None:
    name, saved = kept.add(1), kept.add(2, safety=True)
    assert kept.newest(PRODUCTION) == name
    assert kept.of(PRODUCTION).chosen(saved).name == saved


def test_retention_is_of_this_server_and_what_is_damaged_does_not_count(kept: Kept) -> None:
    days = range(1, 9)
    mine = [kept.add(day) for day in days if day % 2]
    theirs = [kept.add(day, STAGING) for day in days if not day % 2]
    unread = kept.add(10)
    (kept.shelf.directory / unread / "manifest.json").write_text("{}")
    (kept.shelf.directory / mine[-1] / "data.dump").unlink()
    coming = "shop-20260331T000000Z"

    def gone(here: Origin, keep: int, days: float, *coming: str) -> list[str]:
        return kept.of(here).expired(kept.shelf, keep, days, NOW, *coming)

    assert gone(PRODUCTION, 2, 0) == [mine[-1], mine[0]]
    assert gone(PRODUCTION, 2, 0, coming) == [mine[-1], mine[1], mine[0]]
    assert gone(PRODUCTION, 2, 30, coming) == []
    assert gone(STAGING, 1, 0) == theirs[:-1][::-1]
