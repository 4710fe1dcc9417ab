# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Advice about indexes: what is said, and what is too small, too young or too useful to be said."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.database import advice

LARGE = 10 << 20
DAYS = 86400
COLUMN = {
    "column": "status", "text": "status", "opclass": "text_ops", "collation": "default", "descending": False,
    "nulls_first": False, "width": 8,
}  # fmt: skip
INDEX = {
    "oid": 10, "schema": "public", "name": "by_status", "table_oid": 1, "method": "btree", "is_unique": False,
    "constrains": False, "valid": True, "partitioned": False, "settings": [], "predicate": None, "columns": [COLUMN],
    "include": [], "entries": 1_000_000.0,
}  # fmt: skip
TABLE = {
    "oid": 1, "schema": "public", "name": "Quote", "scans": 10, "read": 1_000_000, "index_scans": 500,
    "live": 1_000_000, "bytes": 100 << 20, "vectors": [],
}  # fmt: skip
USE = {"oid": 10, "scans": 5, "bytes": 25 << 20}
KEY = {"name": "fk", "table_oid": 1, "schema": "public", "table": "Quote", "target": "Job", "columns": ["jobId"]}


def kinds(
    indexes: Any = (INDEX,), reads: Any = (TABLE,), uses: Any = (USE,), keys: Any = (), seconds: float = 30 * DAYS
) -> list[tuple[str, str]]:
    found = advice.advise(list(indexes), list(reads), list(uses), list(keys), seconds, LARGE)
    return [(each["kind"], each["subject"]) for each in found]


def test_nothing_is_said_where_all_is_well() -> None:
    assert kinds() == []


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"scans": 600}, True),
        ({"scans": 600, "bytes": 1 << 20}, False),
        ({"scans": 40, "index_scans": 0}, False),
        ({"scans": 600, "index_scans": 700}, False),
    ],
)
def test_a_large_table_that_is_read_from_end_to_end(table: dict[str, Any], said: bool) -> None:
    assert kinds(reads=[{**TABLE, **table}]) == ([("missing", '"Quote"')] if said else [])


def test_vectors_want_an_index_of_their_own() -> None:
    vectors = {**TABLE, "scans": 600, "vectors": ["embedding"]}
    assert kinds(reads=[vectors]) == [("missing", '"Quote"')]
    near = {**INDEX, "method": "hnsw", "columns": [{**COLUMN, "column": "embedding"}]}
    assert kinds(reads=[vectors], indexes=[near]) == []


@pytest.mark.parametrize(
    ("columns", "more", "said"),
    [
        (["jobId"], {}, False), (["jobId", "id"], {}, False), (["id", "jobId"], {}, True), (["status"], {}, True),
        (["jobId"], {"predicate": "(x)"}, True),
    ],
)  # fmt: skip
def test_a_foreign_key_wants_an_index_that_begins_with_it(columns: list[str], more: Any, said: bool) -> None:
    index = {**INDEX, **more, "columns": [{**COLUMN, "column": name, "text": name} for name in columns]}
    assert (kinds(indexes=[index], keys=[KEY]) == [("missing", '"Quote"')]) is said


@pytest.mark.parametrize(
    ("index", "use", "seconds", "said"),
    [
        ({}, {"scans": 0}, 30 * DAYS, True),
        ({}, {"scans": 0}, 2 * DAYS, False),
        ({}, {"scans": 0, "bytes": 1 << 20}, 30 * DAYS, False),
        ({"is_unique": True}, {"scans": 0}, 30 * DAYS, False),
        ({"constrains": True}, {"scans": 0}, 30 * DAYS, False),
    ],
)
def test_an_unused_index(index: Any, use: Any, seconds: float, said: bool) -> None:
    found = kinds(indexes=[{**INDEX, **index}], uses=[{**USE, **use}], seconds=seconds)
    assert (found == [("unused", "by_status")]) is said


def test_of_two_that_are_the_same_one_is_a_duplicate() -> None:
    assert kinds(indexes=[INDEX, {**INDEX, "oid": 11, "name": "again"}]) == [("duplicate", "again")]
    assert kinds(indexes=[INDEX, {**INDEX, "oid": 11, "name": "again", "is_unique": True}]) == [
        ("duplicate", "by_status")
    ]
    assert kinds(indexes=[INDEX, {**INDEX, "oid": 11, "name": "again", "predicate": "(x)"}]) == []


def test_the_begin_of_another_is_a_duplicate() -> None:
    longer = {**INDEX, "oid": 11, "name": "longer", "columns": [COLUMN, {**COLUMN, "text": "id", "column": "id"}]}
    assert kinds(indexes=[INDEX, longer]) == [("duplicate", "by_status")]


def test_bloat_is_what_a_fresh_build_would_not_have() -> None:
    assert kinds(uses=[{**USE, "bytes": 80 << 20}]) == [("bloated", "by_status")]
    assert kinds(indexes=[{**INDEX, "columns": [{**COLUMN, "width": None}]}], uses=[{**USE, "bytes": 80 << 20}]) == []
    assert kinds(indexes=[{**INDEX, "method": "hnsw"}], uses=[{**USE, "bytes": 80 << 20}]) == []


def test_lists_that_do_not_fit_the_rows() -> None:
    lists = {**INDEX, "method": "ivfflat", "settings": ["lists=10"]}
    assert kinds(indexes=[lists]) == [("unfit", "by_status")]
    assert kinds(indexes=[{**lists, "settings": ["lists=1000"]}]) == []
