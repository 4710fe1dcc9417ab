# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is to be done so that the declared indexes are there and no broken one is left. Pure."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ..confirmation import unconfirmed
from ..errors import Fault
from . import indexes, names
from .indexes import Declared

Act = Literal["none", "create", "rebuild", "reindex", "drop", "building", "keep"]
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Step:
    """One index and what is done about it: C(rebuild) drops and creates, C(reindex) keeps the definition there is.

    C(place) is the schema and the name of its table; what is C(broken) is touched only while it is still invalid.
    """

    act: Act
    schema: str
    name: str
    table: str
    reason: str
    index: Declared | None = None
    place: tuple[str, str] = ("", "")
    broken: bool = False

    @property
    def acts(self) -> bool:
        """Whether this changes anything."""
        return self.act in ("create", "rebuild", "reindex", "drop")

    @property
    def shown(self) -> str:
        """The index as SQL would have its name."""
        return names.shown(self.schema, self.name)


def for_declared(
    index: Declared, table: Row, rows: Sequence[Row], built: Container[int], means: Callable[[Declared, Row], bool]
) -> Step | Fault:
    """What one declared index needs; C(built) are the oids of what other sessions build at the moment."""
    schema = table["schema"]

    def step(act: Act, reason: str) -> Step:
        shown = names.shown(schema, table["name"])
        return Step(act, schema, index.name, shown, reason, index, (schema, table["name"]), act == "rebuild")

    mine = next((row for row in rows if (row["schema"], row["name"]) == (schema, index.name)), None)
    if mine is None:
        for row in rows:
            if row["table_oid"] == table["oid"] and row["valid"] and means(index, row):
                return step("none", f"{names.shown(row['schema'], row['name'])} is the same under another name")
        return step("create", "it is not there")
    if mine["table_oid"] != table["oid"]:
        other = names.shown(mine["table_schema"], mine["table"])
        said = f"The name {index.name} is taken by an index of {other}."
        return Fault("name_taken", said, "Declare it under another name.")
    if not mine["valid"]:
        if mine["oid"] in built:
            return step("building", "another session builds it")
        return step("rebuild", "it is a leftover: an interrupted build left it invalid")
    if means(index, mine):
        return step("none", "it is there")
    said = f"The index {index.name} is there with another definition: {mine['definition']}."
    remedy = (
        f"Declare it under another name, or drop it first with -e state=absent -e index={index.name}"
        f" -e confirm={index.name}."
    )
    return Fault("differs", said, remedy)


def for_leftovers(rows: Sequence[Row], wanted: Container[tuple[str, str]], built: Container[int]) -> list[Step]:
    """What the invalid indexes need that nobody declared and nobody builds at the moment.

    An interrupted REINDEX CONCURRENTLY leaves its new index as _ccnew, or the old one as _ccold: the first is dropped
    and the rebuild repeated, the second is dropped (PostgreSQL documentation, sql-reindex).
    """
    steps = []
    for row in sorted(rows, key=lambda each: (each["schema"], each["name"])):
        if row["valid"] or (row["schema"], row["name"]) in wanted:
            continue

        def step(act: Act, reason: str, of: Row = row) -> Step:
            shown = names.shown(of["table_schema"], of["table"])
            return Step(act, of["schema"], of["name"], shown, reason, broken=not of["valid"])

        kind = indexes.transient(row["name"])
        if row["oid"] in built:
            steps.append(step("building", "another session builds it"))
        elif row["partitioned"]:
            steps.append(step("keep", "it is invalid until each partition has its part of it"))
        elif kind is None:
            steps.append(step("reindex", "an interrupted build left it invalid"))
        else:
            steps.append(step("drop", "an interrupted REINDEX CONCURRENTLY left it"))
            base = indexes.base_of(row, rows)
            if kind[0] == "new" and base is not None:
                steps.append(step("reindex", "its REINDEX CONCURRENTLY was interrupted", base))
    done: dict[tuple[Act, str, str], Step] = {(each.act, each.schema, each.name): each for each in steps}
    return list(done.values())


def for_absent(
    typed: Sequence[str], confirm: str | None, rows: Sequence[Row], place: str
) -> tuple[list[Step], list[Fault]]:
    """The drops of what is named; what is not there needs none. A drop wants the names typed once more."""
    steps, faults = [], []
    for name in dict.fromkeys(typed):
        found, wrong = names.found([name], rows, "index", place, "public")
        if wrong and wrong[0].reason != "no_such_index":
            faults += wrong
        for row in found:
            if why := indexes.kept(row):
                faults.append(Fault("index_needed", f"The index {name} is not to be dropped: {why}.", "Leave it."))
            table = names.shown(row["table_schema"], row["table"])
            steps.append(Step("drop", row["schema"], row["name"], table, f"it is to be gone: {row['definition']}"))
        if not found and not wrong[0].reason.endswith(("invalid", "ambiguous")):
            steps.append(Step("none", "", name, "", f"it is not there. {wrong[0].remedy}"))
    if any(step.act == "drop" for step in steps):
        named = ",".join(dict.fromkeys(typed))
        fault = unconfirmed(confirm, named, f"Dropping {named} makes queries that use it slow")
        faults += [fault] if fault else []
    return steps, faults
