# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Indexes as they are declared and as they are, compared by what they mean. Pure.

A text of SQL (a predicate, an expression) has many spellings; what both sides are compared by is the spelling that the
server's planner gives them (see C(meaning)).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import Fault
from . import names
from .text import unsafe_expression

_METHODS = ("btree", "hash", "gin", "gist", "spgist", "brin", "hnsw", "ivfflat")
_WORD = re.compile(r"[a-z_][a-z0-9_]*\Z")
_TRANSIENT = re.compile(r"_cc(new|old)\d*\Z")
_LONGEST_NAME = 63
#: pgvector's HNSW has no default operator class: the distance is a choice (pgvector:README.md, HNSW).
VECTOR_CLASSES = "vector_l2_ops, vector_cosine_ops, vector_ip_ops"


@dataclass(frozen=True)
class Column:
    """One key column: a column's name, or an expression of SQL."""

    name: str = ""
    expression: str = ""
    opclass: str = ""
    collation: str = ""
    descending: bool = False
    nulls_first: bool = False


@dataclass(frozen=True)
class Declared:
    """An index as the inventory declares it."""

    name: str
    table: str
    columns: tuple[Column, ...]
    method: str = "btree"
    unique: bool = False
    include: tuple[str, ...] = ()
    where: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def texts(self) -> list[str]:
        """All texts of SQL in it, the predicate last."""
        return [column.expression for column in self.columns if column.expression] + [self.where] * bool(self.where)


def declared(entries: Sequence[Mapping[str, Any]]) -> tuple[list[Declared], list[Fault]]:
    """The declarations, and all that is wrong with them by themselves."""
    found, faults = [], []
    for entry in entries:
        index = Declared(
            name=entry["name"],
            table=entry["table"],
            columns=tuple(_column(each) for each in entry["columns"]),
            method=entry.get("method") or "btree",
            unique=bool(entry.get("unique")),
            include=tuple(entry.get("include") or ()),
            where=(entry.get("where") or "").strip(),
            settings=entry.get("settings") or {},
        )
        wrong = _wrong(index, [each for each in entry["columns"] if isinstance(each, Mapping)])
        faults += [Fault("index_invalid", f"The index {index.name}: {said}.", "Correct it.") for said in wrong]
        found.append(index)
    twice = sorted({index.name for index in found if sum(other.name == index.name for other in found) > 1})
    faults += [Fault("index_invalid", f"The index {name} is declared twice.", "Remove one.") for name in twice]
    return found, faults


def same(index: Declared, row: Mapping[str, Any], meant: Sequence[str], there: Sequence[str]) -> bool:
    """Whether an index that there is means what is declared.

    C(meant) and C(there) are the declared and the existing texts of SQL, in the planner's spelling.
    """
    columns = row["columns"]
    return (
        row["method"] == index.method
        and row["is_unique"] == index.unique
        and len(columns) == len(index.columns)
        and all(_same_column(mine, its) for mine, its in zip(index.columns, columns, strict=True))
        and sorted(row["include"]) == sorted(index.include)
        and bool(row["predicate"]) == bool(index.where)
        and list(meant) == list(there)
        and all(f"{name}={_setting(value)}" in row["settings"] for name, value in index.settings.items())
    )


def texts(row: Mapping[str, Any]) -> list[str]:
    """All texts of SQL in an index that there is, in the order of C(Declared.texts)."""
    return [each["text"] for each in row["columns"] if each["column"] is None] + [row["predicate"]] * bool(
        row["predicate"]
    )


def unfit(index: Declared, table: Mapping[str, Any]) -> list[Fault]:
    """What the table has to say against it: columns that are not there, partitions, a missing right."""
    shown = names.shown(table["schema"], table["name"])
    faults = []
    if table["partitioned"]:
        said = f"{shown} is partitioned, and PostgreSQL builds no index on such a table concurrently."
        faults.append(Fault("partitioned", said, "Declare the index for each of its partitions."))
    if not table["permitted"]:
        said = (
            f"This role may not create the index {index.name}: it neither owns {shown} nor may it create in its schema."
        )
        faults.append(Fault("privilege", said, "Ask as the owner."))
    for column in (*(each.name for each in index.columns if each.name), *index.include):
        if column not in table["columns"]:
            near = names.similar(column, table["columns"])
            remedy = f"There is {', '.join(near)}." if near else f"It has {', '.join(sorted(table['columns']))}."
            faults.append(
                Fault("no_such_column", f"{shown} has no column {column} for the index {index.name}.", remedy)
            )
    return faults


def transient(name: str) -> tuple[str, str] | None:
    """Kind (new or old) and base of what an interrupted REINDEX CONCURRENTLY leaves; none for any other name."""
    found = _TRANSIENT.search(name)
    return (found[1], name[: found.start()]) if found else None


def base_of(leftover: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The index that a leftover was to replace: of the same table and, as names are cut to 63 bytes, the same begin."""
    kind = transient(leftover["name"])
    if kind is None:
        return None
    fitting = [
        row
        for row in rows
        if row["table_oid"] == leftover["table_oid"]
        and transient(row["name"]) is None
        and (row["name"] == kind[1] or (len(leftover["name"]) >= _LONGEST_NAME and row["name"].startswith(kind[1])))
    ]
    return fitting[0] if len(fitting) == 1 else None


def kept(row: Mapping[str, Any]) -> str:
    """Why an index must not be dropped; empty if nothing speaks against it."""
    if row["constrains"]:
        return "a constraint of its table rests on it: drop the constraint"
    if row["attached"] or row["partitioned"]:
        return "it belongs to a partitioned table"
    if row["identifies"]:
        return "it is the replica identity of its table"
    return ""


def _column(entry: Any) -> Column:
    if not isinstance(entry, Mapping):
        return Column(name=str(entry))
    descending = str(entry.get("order") or "asc").lower() == "desc"
    nulls = str(entry.get("nulls") or ("first" if descending else "last")).lower()
    return Column(
        name=str(entry.get("column") or ""),
        expression=str(entry.get("expression") or "").strip(),
        opclass=str(entry.get("opclass") or ""),
        collation=str(entry.get("collation") or ""),
        descending=descending,
        nulls_first=nulls == "first",
    )


def _wrong(index: Declared, entries: Sequence[Mapping[str, Any]]) -> list[str]:
    said = []
    if len(index.name.encode()) > _LONGEST_NAME or not index.name:
        said.append(f"its name has not between 1 and {_LONGEST_NAME} bytes")
    if index.method not in _METHODS:
        said.append(f"there is no method {index.method}; there are {', '.join(_METHODS)}")
    if not index.columns:
        said.append("it has no column")
    said += [
        f"{column} names neither or both of a column and an expression"
        for column in index.columns
        if bool(column.name) == bool(column.expression)
    ]
    known = {"column", "expression", "opclass", "collation", "order", "nulls"}
    said += [f"a column has no option {name}" for entry in entries for name in sorted(set(entry) - known)]
    said += [
        f"{name} is {entry[name]}, and must be {' or '.join(valid)}"
        for entry in entries
        for name, valid in (("order", ("asc", "desc")), ("nulls", ("first", "last")))
        if entry.get(name) and str(entry[name]).lower() not in valid
    ]
    said += [f"the text {text!r} {why}" for text in index.texts if (why := unsafe_expression(text))]
    said += [f"{name} is no setting" for name in index.settings if not _WORD.match(str(name))]
    if index.method == "hnsw" and any(not column.opclass for column in index.columns):
        said.append(f"hnsw needs an opclass, such as {VECTOR_CLASSES}")
    return said


def _same_column(mine: Column, its: Mapping[str, Any]) -> bool:
    if (its["column"] or "") != mine.name:
        return False
    if its["descending"] != mine.descending or its["nulls_first"] != mine.nulls_first:
        return False
    if its["collation"] != mine.collation if mine.collation else not its["collation_default"]:
        return False
    return bool(its["opclass"] == mine.opclass if mine.opclass else its["opclass_default"])


def _setting(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
