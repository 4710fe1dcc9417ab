# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What may be worth doing about indexes: missing, unused, duplicate, bloated ones. Advice only. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..wording import duration, share, size
from .footprint import PAGE, index_bytes
from .names import shown

Row = Mapping[str, Any]
Advice = dict[str, Any]

#: Sequential scans fewer than these say nothing.
_SCANS = 50
#: A younger statistic does not show that an index is unused.
_UNUSED_SECONDS = 7 * 86400
_BLOAT_RATIO = 0.5
_VECTOR_METHODS = ("hnsw", "ivfflat")


def advise(
    indexes: Sequence[Row],
    reads: Sequence[Row],
    uses: Sequence[Row],
    keys: Sequence[Row],
    seconds: float,
    large_bytes: int,
) -> list[Advice]:
    """All advice. C(seconds) is the age of the statistics; a table or index below C(large_bytes) is not worth it."""
    tables = {row["oid"]: row for row in reads}
    scans = {row["oid"]: row for row in uses}
    valid = [row for row in indexes if row["valid"] and not row["partitioned"]]
    return [
        *_scanned(reads, large_bytes),
        *_vectors(reads, valid, large_bytes),
        *_unindexed_keys(keys, valid, tables, large_bytes),
        *_unused(valid, scans, seconds, large_bytes),
        *_duplicates(valid, scans),
        *_bloated(valid, scans, large_bytes),
        *_lists(valid, tables),
    ]


def expected_pages(row: Row) -> int | None:
    """Pages that a B-tree with these entries would have if it were built now; none where the widths are unknown.

    That is rather too many, which errs on the silent side.
    """
    expected = index_bytes(row["method"], row["entries"], [column["width"] for column in row["columns"]])
    return None if expected is None or row["method"] != "btree" else expected // PAGE


def _scanned(reads: Iterable[Row], large: int) -> Iterable[Advice]:
    for row in reads:
        if row["bytes"] < large or row["scans"] < _SCANS or row["scans"] <= row["index_scans"]:
            continue
        if row["vectors"]:  # a search for neighbours without an index reads everything; see _vectors
            continue
        name, rows = shown(row["schema"], row["name"]), row["read"] // row["scans"]
        said = f"{name} ({size(row['bytes'])}) was read from end to end {row['scans']:,} times ({rows:,} rows each)"
        yield _advice("missing", name, f"{said}, and by an index {row['index_scans']:,} times; see gather=statements")


def _vectors(reads: Iterable[Row], indexes: Sequence[Row], large: int) -> Iterable[Advice]:
    covered = {
        (row["table_oid"], column["column"])
        for row in indexes
        if row["method"] in _VECTOR_METHODS
        for column in row["columns"]
    }
    for row in reads:
        for column in row["vectors"]:
            if row["bytes"] >= large and (row["oid"], column) not in covered and row["scans"] > row["index_scans"]:
                name = shown(row["schema"], row["name"])
                said = (
                    f"{name}.{column} holds vectors and has neither an HNSW nor an IVFFlat index: each search reads all"
                )
                yield _advice("missing", name, said)


def _unindexed_keys(
    keys: Iterable[Row], indexes: Sequence[Row], tables: Mapping[int, Row], large: int
) -> Iterable[Advice]:
    for key in keys:
        table = tables.get(key["table_oid"])
        if table is None or table["bytes"] < large:
            continue
        width = len(key["columns"])
        if any(
            row["table_oid"] == key["table_oid"]
            and not row["predicate"]
            and {column["column"] for column in row["columns"][:width]} == set(key["columns"])
            for row in indexes
        ):
            continue
        name = shown(key["schema"], key["table"])
        columns = ", ".join(shown("", column) for column in key["columns"])
        said = (
            f"the foreign key {key['name']} of {name} ({columns}) has no index: a delete in {shown('', key['target'])}"
        )
        yield _advice("missing", name, f"{said} reads all of it")


def _unused(indexes: Iterable[Row], scans: Mapping[int, Row], seconds: float, large: int) -> Iterable[Advice]:
    if seconds < _UNUSED_SECONDS:
        return
    for row in indexes:
        use = scans.get(row["oid"])
        if use and use["scans"] == 0 and use["bytes"] >= large and not (row["is_unique"] or row["constrains"]):
            name = shown(row["schema"], row["name"])
            said = f"{name} ({size(use['bytes'])}) was not used for {duration(seconds)}; look at the standbys too"
            yield _advice("unused", name, said)


def _duplicates(indexes: Sequence[Row], scans: Mapping[int, Row]) -> Iterable[Advice]:
    def key(row: Row, width: int | None = None) -> tuple[Any, ...]:
        columns = tuple(
            (c["text"], c["opclass"], c["collation"], c["descending"], c["nulls_first"]) for c in row["columns"][:width]
        )
        return (row["table_oid"], row["method"], row["predicate"], columns)

    ordered = sorted(indexes, key=lambda row: (not row["constrains"], not row["is_unique"], row["oid"]))
    for place, row in enumerate(ordered):
        if row["constrains"] or row["is_unique"] or row["include"]:
            continue
        for other in ordered[:place] + ordered[place + 1 :]:
            same = key(other) == key(row) and ordered.index(other) < place
            prefix = (
                row["method"] == "btree"
                and len(other["columns"]) > len(row["columns"])
                and key(other, len(row["columns"])) == key(row)
            )
            if same or prefix:
                mine, its = shown(row["schema"], row["name"]), shown(other["schema"], other["name"])
                bytes_ = size(scans[row["oid"]]["bytes"]) if row["oid"] in scans else "size unknown"
                what = "is the same as" if same else "is the begin of"
                yield _advice("duplicate", mine, f"{mine} ({bytes_}) {what} {its}, which serves its queries as well")
                break


def _bloated(indexes: Iterable[Row], scans: Mapping[int, Row], large: int) -> Iterable[Advice]:
    for row in indexes:
        expected, use = expected_pages(row), scans.get(row["oid"])
        if expected is None or use is None or use["bytes"] < large:
            continue
        pages = use["bytes"] // PAGE
        waste = 1 - expected / pages
        if waste >= _BLOAT_RATIO:
            name = shown(row["schema"], row["name"])
            said = f"{name} ({size(use['bytes'])}) is about {share(waste)} air; REINDEX INDEX CONCURRENTLY {name}"
            yield _advice("bloated", name, said)


def _lists(indexes: Iterable[Row], tables: Mapping[int, Row]) -> Iterable[Advice]:
    """An IVFFlat index is good for the number of rows that it was built on (pgvector:README.md, IVFFlat)."""
    for row in indexes:
        if row["method"] != "ivfflat":
            continue
        lists = next((int(each.partition("=")[2]) for each in row["settings"] if each.startswith("lists=")), 100)
        live = tables[row["table_oid"]]["live"] if row["table_oid"] in tables else 0
        fitting = max(1, round(live / 1000 if live <= 1_000_000 else math.sqrt(live)))
        if live > 10_000 and not 0.1 <= lists / fitting <= 10:
            name = shown(row["schema"], row["name"])
            said = (
                f"{name} has {lists} lists for {live:,} rows, where about {fitting} fit: its answers are slow or wrong"
            )
            yield _advice("unfit", name, said)


def _advice(kind: str, subject: str, sentence: str) -> Advice:
    return {"kind": kind, "subject": subject, "sentence": sentence}
