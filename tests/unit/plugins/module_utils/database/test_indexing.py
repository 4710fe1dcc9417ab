# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Declared indexes, leftovers, drops, and texts of SQL that stay within their parentheses."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.database import indexes, indexing
from ansible_collections.linkops.runbooks.plugins.module_utils.database.indexes import Declared
from ansible_collections.linkops.runbooks.plugins.module_utils.database.text import unsafe_expression
from ansible_collections.linkops.runbooks.plugins.module_utils.errors import Fault

TABLE = {
    "oid": 1, "schema": "public", "name": "Quote", "partitioned": False, "permitted": True,
    "columns": ["id", "jobId", "status"],
}  # fmt: skip
COLUMN = {
    "column": "status", "text": "status", "opclass": "text_ops", "opclass_default": True, "collation": "default",
    "collation_default": True, "descending": False, "nulls_first": False, "width": 8,
}  # fmt: skip
ROW = {
    "oid": 10, "schema": "public", "name": "by_status", "table_oid": 1, "table_schema": "public", "table": "Quote",
    "method": "btree", "is_unique": False, "constrains": False, "identifies": False, "valid": True, "attached": False,
    "partitioned": False, "settings": [], "predicate": None, "definition": "CREATE INDEX ...", "columns": [COLUMN],
    "include": [],
}  # fmt: skip
ENTRY = {"name": "by_status", "table": "Quote", "columns": ["status"]}


def one(**entry: Any) -> Declared:
    found, faults = indexes.declared([{**ENTRY, **entry}])
    assert faults == []
    return found[0]


def row(**more: Any) -> dict[str, Any]:
    return {**ROW, **more}


def means(index: Declared, there: Any) -> bool:
    """Without texts of SQL nothing has to be asked."""
    return indexes.same(index, there, [], [])


@pytest.mark.parametrize(
    ("entry", "same"),
    [
        ({}, True),
        ({"unique": True}, False),
        ({"method": "hash"}, False),
        ({"columns": ["jobId"]}, False),
        ({"columns": ["status", "id"]}, False),
        ({"columns": [{"column": "status", "order": "desc"}]}, False),
        ({"columns": [{"column": "status", "order": "asc", "nulls": "last"}]}, True),
        ({"columns": [{"column": "status", "opclass": "text_ops"}]}, True),
        ({"columns": [{"column": "status", "opclass": "text_pattern_ops"}]}, False),
        ({"columns": [{"column": "status", "collation": "C"}]}, False),
        ({"include": ["id"]}, False),
        ({"settings": {"fillfactor": 70}}, False),
        ({"where": "id > 0"}, False),
    ],
)
def test_a_definition_is_compared_column_by_column(entry: dict[str, Any], same: bool) -> None:
    assert means(one(**entry), ROW) is same


def test_texts_are_compared_in_the_planners_spelling() -> None:
    index, there = one(where="id > 0"), row(predicate="(id > 0)")
    assert indexes.same(index, there, ["(q.id > 0)"], ["(q.id > 0)"])
    assert not indexes.same(index, there, ["(q.id > 0)"], ["(q.id > 1)"])


@pytest.mark.parametrize(
    ("rows", "built", "act"),
    [
        ([], (), "create"),
        ([ROW], (), "none"),
        ([row(name="other")], (), "none"),  # the same under another name
        ([row(name="other", valid=False)], (), "create"),
        ([row(name="other", table_oid=2)], (), "create"),
        ([row(valid=False)], (), "rebuild"),
        ([row(valid=False)], (10,), "building"),
    ],
)
def test_what_a_declared_index_needs(rows: list[dict[str, Any]], built: tuple[int, ...], act: str) -> None:
    step = indexing.for_declared(one(), TABLE, rows, built, means)
    assert isinstance(step, indexing.Step)
    assert step.act == act


@pytest.mark.parametrize(("there", "reason"), [(row(is_unique=True), "differs"), (row(table_oid=2), "name_taken")])
def test_a_name_that_is_something_else_is_refused(there: dict[str, Any], reason: str) -> None:
    fault = indexing.for_declared(one(), TABLE, [there], (), means)
    assert isinstance(fault, Fault)
    assert fault.reason == reason


def acts(rows: list[dict[str, Any]], built: tuple[int, ...] = ()) -> list[tuple[str, str]]:
    return [(step.act, step.name) for step in indexing.for_leftovers(rows, {("public", "declared")}, built)]


def test_leftovers_are_mended_by_what_they_are() -> None:
    assert acts([ROW]) == []
    assert acts([row(valid=False)]) == [("reindex", "by_status")]
    assert acts([row(valid=False)], (10,)) == [("building", "by_status")]
    assert acts([row(valid=False, name="declared")]) == []
    assert acts([row(valid=False, partitioned=True)]) == [("keep", "by_status")]
    assert acts([ROW, row(oid=11, valid=False, name="by_status_ccold")]) == [("drop", "by_status_ccold")]
    assert acts([ROW, row(oid=11, valid=False, name="by_status_ccnew1")]) == [
        ("drop", "by_status_ccnew1"),
        ("reindex", "by_status"),
    ]
    assert acts([row(valid=False, name="of_nobody_ccnew")]) == [("drop", "of_nobody_ccnew")]
    assert acts([row(name="valid_ccnew")]) == []


def test_two_leftovers_of_one_index_rebuild_it_once() -> None:
    left = [row(oid=number, valid=False, name=f"by_status_ccnew{number}") for number in (11, 12)]
    assert [act for act, _name in acts([ROW, *left])].count("reindex") == 1


def test_a_long_name_was_cut_before_its_suffix() -> None:
    base = row(name="a" * 63)
    assert indexes.base_of(row(name="a" * 57 + "_ccnew"), [base]) == base
    assert indexes.base_of(row(name="aaa_ccnew"), [base]) is None


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"name": "x" * 64}, "63 bytes"),
        ({"columns": []}, "no column"),
        ({"method": "tree"}, "no method tree"),
        ({"method": "hnsw"}, "hnsw needs an opclass"),
        ({"columns": [{"column": "a", "expression": "b"}]}, "neither or both"),
        ({"columns": [{"column": "a", "sort": "asc"}]}, "no option sort"),
        ({"columns": [{"column": "a", "nulls": "here"}]}, "must be first or last"),
        ({"where": "a = 1; DROP TABLE b"}, "holds ;"),
        ({"settings": {"fill factor": 1}}, "no setting"),
    ],
)
def test_a_wrong_declaration_is_said(entry: dict[str, Any], said: str) -> None:
    _found, faults = indexes.declared([{**ENTRY, **entry}])
    assert said in " ".join(fault.message for fault in faults)


def test_an_index_is_declared_once() -> None:
    _found, faults = indexes.declared([ENTRY, ENTRY])
    assert [fault.message for fault in faults] == ["The index by_status is declared twice."]


def test_a_drop_wants_the_name_typed_again_and_spares_what_is_needed() -> None:
    def reasons(there: dict[str, Any], confirm: str | None) -> list[str]:
        return [fault.reason for fault in indexing.for_absent(["by_status"], confirm, [there], "The database x")[1]]

    assert reasons(ROW, None) == ["unconfirmed"]
    assert reasons(ROW, "by_status") == []
    assert reasons(row(constrains=True), "by_status") == ["index_needed"]
    assert reasons(row(identifies=True), "by_status") == ["index_needed"]
    steps, faults = indexing.for_absent(["nothing"], None, [ROW], "The database x")
    assert ([step.act for step in steps], faults) == (["none"], [])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("status IN ('scheduled', 'in_progress')", ""),
        ("lower(\"Quote\".status) = 'it''s' AND (a[1] > 2)", ""),
        ("a ~ E'x'", ""),
        ("", "is empty"),
        ("a) OR (b", "closes"),
        ("(a", "does not close"),
        ("a; b", "holds ;"),
        ("a -- b", "comment"),
        ("a /* b */", "comment"),
        ("a = 'b", "does not end"),
        ("a = 'b''", "does not end"),
        ('"a', "does not end"),
        (r"a = 'b\'", "backslash"),
        ("a = $$b$$", "holds"),
        ("a = $1", "holds"),
        ("a = ')'", ""),
    ],
)
def test_a_text_of_sql_stays_within_its_parentheses(text: str, said: str) -> None:
    found = unsafe_expression(text)
    assert bool(found) == bool(said)
    assert said in found
