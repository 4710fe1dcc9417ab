# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names, manifests, retention and comparison of backups."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.database import archives
from ansible_collections.linkops.runbooks.plugins.module_utils.errors import OperatorError

TAKEN = datetime(2026, 3, 5, 9, 30, 0, 250000, tzinfo=UTC)
CONTENT: dict[str, Any] = {
    "rows": {'public."Job"': 3, "public.audit": 0},
    "constraints": ["the constraint job_pkey"],
    "indexes": ["the index a", "the index b"],
    "objects": ["the view v"],
    "newest_migration": "2_quotes",
}
ENTRIES: dict[str, Any] = {
    "name": "shop-20260305T093000Z",
    "database": "shop",
    "format": "directory",
    "server_version": "18.6",
    "client_version": "18.6",
    "snapshot_at": TAKEN.isoformat(),
    "seconds": 2.5,
    "files": [
        {"path": "data/toc.dat", "bytes": 10, "sha256": "aa"},
        {"path": "data/1.dat", "bytes": 5, "sha256": "bb"},
    ],
    "content": CONTENT,
}


def manifest() -> archives.Manifest:
    """A manifest that was written and read."""
    return archives.read(ENTRIES["name"], archives.written(ENTRIES))


def test_a_backup_is_named_by_database_and_time() -> None:
    assert archives.name_of("shop", TAKEN) == "shop-20260305T093000Z"
    assert archives.name_of('sh/op "x"', TAKEN) == "sh_op_x_-20260305T093000Z"


def test_a_manifest_survives_being_written() -> None:
    read = manifest()
    assert (read.name, read.database, read.taken, read.size_bytes) == (ENTRIES["name"], "shop", TAKEN, 15)
    assert read.described()["rows"] == 3
    assert read.described()["tables"] == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not one that this collection wrote"),
        ("[1]", "not one that this collection wrote"),
        ("{}", "not one that this collection wrote"),
        (archives.written(ENTRIES).replace('"seconds": 2.5', '"seconds": 2.6'), "was changed"),
        (archives.written({**ENTRIES, "layout": 99}), "layout is 99"),
        (archives.written({**ENTRIES, "name": "other-20260305T093000Z"}), "is that of other"),
    ],
)
def test_what_is_no_manifest_of_this_backup_is_refused(text: str, said: str) -> None:
    with pytest.raises(OperatorError, match=said) as refused:
        archives.read(ENTRIES["name"], text)
    assert refused.value.reason == "backup_unfit"


def test_the_backups_of_a_database_are_not_those_of_one_whose_name_begins_alike() -> None:
    names = ["shop-20260305T093000Z", "shop-20260306T093000Z", "shop-old-20260307T093000Z", ".partial-shop", "shop"]
    assert archives.of_database(names, "shop") == ["shop-20260306T093000Z", "shop-20260305T093000Z"]


@pytest.mark.parametrize(
    ("keep", "days", "gone"), [(1, 0, [2, 1]), (2, 0, [1]), (1, 2.5, [2, 1]), (1, 3.5, [1]), (1, 30, []), (5, 0, [])]
)
def test_what_is_neither_among_the_newest_nor_young_is_not_kept(keep: int, days: float, gone: list[int]) -> None:
    before = TAKEN - timedelta(days=days)
    found = archives.expired([f"s-2026030{day}T000000Z" for day in (3, 2, 1)], keep, before, lambda _name: True)
    assert found == [f"s-2026030{day}T000000Z" for day in gone]


def test_the_newest_is_kept_whatever_is_asked() -> None:
    assert archives.expired(["s-20200101T000000Z"], 0, TAKEN, lambda _name: True) == []


def test_retention_counts_what_is_whole_and_leaves_what_is_not_its_own() -> None:
    names = [f"s-2026030{day}T000000Z" for day in (4, 3, 2, 1)]
    known: dict[str, bool | None] = dict(zip(names, (None, False, True, True), strict=True))
    assert archives.expired(names, 1, TAKEN, known.get) == [names[1], names[3]]


def test_retention_asks_of_those_only_that_may_go_or_are_among_the_newest() -> None:
    asked: list[str] = []

    def counts(name: str) -> bool:
        asked.append(name)
        return True

    names = [f"s-2026030{day}T000000Z" for day in (4, 3, 2, 1)]
    archives.expired(names, 1, datetime(2026, 3, 1, 12, tzinfo=UTC), counts)
    assert asked == [names[0], names[3]]


def test_files_as_they_were_written_are_right() -> None:
    found = {each["path"]: each for each in ENTRIES["files"]}
    assert archives.changed_files(manifest(), found) == []


def test_each_file_that_is_not_as_it_was_written_is_named() -> None:
    found = {
        "data/toc.dat": {"bytes": 9, "sha256": "aa"},
        "data/2.dat": {"bytes": 1, "sha256": "cc"},
    }
    assert archives.changed_files(manifest(), found) == [
        "data/1.dat is missing",
        "data/2.dat does not belong to it",
        "data/toc.dat has 9 bytes, and should have 10",
    ]
    found = {each["path"]: {**each, "sha256": "dd"} for each in ENTRIES["files"][:1]}
    assert (
        archives.changed_files(manifest(), {each["path"]: {"bytes": each["bytes"]} for each in ENTRIES["files"]}) == []
    )
    assert "data/toc.dat was changed: its checksum is another" in archives.changed_files(manifest(), found)


def test_what_is_the_same_passes_and_says_what_was_compared() -> None:
    verdict = archives.compared(CONTENT, CONTENT)
    assert verdict.passed
    assert verdict.reason.startswith("3 rows in 2 tables, 1 constraint, 2 indexes")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rows": {'public."Job"': 2, "public.audit": 0}}, 'public."Job" has 2 rows, and had 3'),
        ({"rows": {'public."Job"': 3}}, "the table public.audit is missing"),
        ({"rows": {**CONTENT["rows"], "public.x": 0}}, "the table public.x is there in addition"),
        ({"constraints": []}, "the constraint job_pkey is missing"),
        ({"indexes": ["the index a"]}, "the index b is missing"),
        ({"objects": ["the view v", "the view w"]}, "the view w is there in addition"),
        ({"newest_migration": None}, "the newest migration is none, and was 2_quotes"),
    ],
)
def test_what_differs_fails_and_is_named(change: dict[str, Any], said: str) -> None:
    verdict = archives.compared(CONTENT, {**CONTENT, **change})
    assert verdict.status == "fail"
    assert said in verdict.reason


def test_many_differences_are_counted_and_all_of_them_kept_as_evidence() -> None:
    rows = {f"public.t{number}": 1 for number in range(20)}
    verdict = archives.compared({**CONTENT, "rows": rows}, {**CONTENT, "rows": {}})
    assert verdict.reason.endswith("and 15 more")
    assert len(verdict.evidence["differences"]) == 20


def test_a_disk_has_room_for_a_backup_and_the_reserve_or_not() -> None:
    assert archives.cramped(free=100, expected=60, reserve=40, place="/b") is None
    fault = archives.cramped(free=100, expected=61, reserve=40, place="/b")
    assert fault is not None
    assert fault.reason == "disk_full"


@pytest.mark.parametrize("path", ["/etc/passwd", "data/../../x", ".."])
def test_a_manifest_that_names_files_outside_its_folder_is_refused(path: str) -> None:
    text = archives.written({**ENTRIES, "files": [{"path": path, "bytes": 1, "sha256": "aa"}]})
    with pytest.raises(OperatorError, match="outside its folder"):
        archives.read(ENTRIES["name"], text)
