# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which objects of the catalogue a script makes and removes, and which of them tell whether it ran. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple


class Thing(NamedTuple):
    """An object of the catalogue. C(schema) is empty where the script leaves it to the search path."""

    kind: str
    schema: str
    name: str
    part: str = ""

    def __str__(self) -> str:
        whole = f"{self.schema}.{self.name}" if self.schema else self.name
        return f"{self.kind} {whole}.{self.part}" if self.part else f"{self.kind} {whole}"

    def within(self, schema: str) -> Thing:
        """The same, in this schema where the script names none."""
        return self if self.schema or self.kind in ("extension", "schema") else self._replace(schema=schema)


class Effect(NamedTuple):
    """That a thing is there after a statement, or is not.

    C(sure) is false where it may have been so before; C(on) is the table of a new index or constraint.
    """

    thing: Thing
    present: bool
    sure: bool = True
    on: str = ""


def of(statement: Any) -> Iterator[Effect]:
    """The effects of one statement of pglast's tree."""
    reader = _READERS.get(type(statement).__name__)
    if reader:
        yield from reader(statement)


def decisive(told: Sequence[Effect], later: Sequence[Effect] = ()) -> tuple[dict[Thing, bool], tuple[Thing, ...]]:
    """The effects of a whole script that tell whether it ran, and the things whose sight tells nothing.

    C(later) are those of other scripts that may have run after it.

    What a script both removes and makes looks the same before and after it. So does what may go unnamed with something
    that it removes, and is made again: the columns of a table, the indexes and constraints of a column. Schemas are
    left out of the comparison, since a name without one may mean any.
    """
    words: dict[tuple[str, str, str], set[bool]] = {}
    both = [*told, *later]
    for thing, present, _sure, _on in both:
        words.setdefault((thing.kind, thing.name, thing.part), set()).add(present)
        if thing.kind == "constraint" and not present:  # its index bears its name
            words.setdefault(("relation", thing.part, ""), set()).add(False)
    vague = {each.thing for each in both if not each.sure or len(words[each.thing[:1] + each.thing[2:]]) > 1}
    gone = {each.thing.name for each in both if not each.thing.part and (not each.present or each.thing in vague)}
    thinned = gone | {each.thing.name for each in both if each.thing.kind == "column" and not each.present}
    vague |= {each.thing for each in both if (each.thing.part and each.thing.name in gone) or each.on in thinned}
    effects = {each.thing: each.present for each in told if each.thing not in vague}
    return effects, tuple(dict.fromkeys(each.thing for each in told if each.thing in vague))


def _relation(kind: str, relation: Any, part: str = "") -> Thing:
    return Thing(kind, str(relation.schemaname or ""), str(relation.relname), part)


def _named(kind: str, names: Sequence[Any], part: str = "") -> Thing:
    """The thing of a list of name parts."""
    words = [str(each.sval) for each in names]
    return Thing(kind, words[-2] if len(words) > 1 else "", words[-1], part)


def relation(ranged: Any) -> Thing:
    """The table, index or view of a RangeVar."""
    return _relation("relation", ranged)


def _altered(statement: Any) -> Iterator[Effect]:
    table = statement.relation
    for each in statement.cmds:
        kind, sure = each.subtype.name, not (each.missing_ok or statement.missing_ok)
        if kind == "AT_AddColumn":
            yield Effect(_relation("column", table, str(each.def_.colname)), True, sure)
        elif kind == "AT_DropColumn":
            yield Effect(_relation("column", table, str(each.name)), False, sure)
        elif kind == "AT_AddConstraint" and each.def_.conname:
            yield Effect(_relation("constraint", table, str(each.def_.conname)), True, sure, str(table.relname))
        elif kind == "AT_DropConstraint":
            yield Effect(_relation("constraint", table, str(each.name)), False, sure)


_DROPPED = {
    "OBJECT_TABLE": "relation", "OBJECT_INDEX": "relation", "OBJECT_VIEW": "relation", "OBJECT_MATVIEW": "relation",
    "OBJECT_SEQUENCE": "relation", "OBJECT_TYPE": "type", "OBJECT_EXTENSION": "extension", "OBJECT_SCHEMA": "schema",
}  # fmt: skip


def _gone(statement: Any) -> Iterator[Effect]:
    kind = _DROPPED.get(statement.removeType.name)
    for each in statement.objects if kind else ():
        if isinstance(each, tuple):
            thing = _named(str(kind), each)
        elif hasattr(each, "names"):
            thing = _named(str(kind), each.names)
        else:
            thing = Thing(str(kind), "", str(each.sval))
        yield Effect(thing, False, not statement.missing_ok)


_RENAMED = {"OBJECT_COLUMN": "column", "OBJECT_TABCONSTRAINT": "constraint"}


def _renamed(statement: Any) -> Iterator[Effect]:
    kind = statement.renameType.name
    if statement.relation is not None and kind in _RENAMED:
        old = _relation(_RENAMED[kind], statement.relation, str(statement.subname))
        new = old._replace(part=str(statement.newname))
    elif statement.relation is not None and kind in _DROPPED:
        old = relation(statement.relation)
        new = old._replace(name=str(statement.newname))
    elif kind == "OBJECT_TYPE":
        old = _named("type", statement.object)
        new = old._replace(name=str(statement.newname))
    else:
        return
    sure = not statement.missing_ok
    yield from (Effect(old, False, sure), Effect(new, True, sure))


def _enumerated(statement: Any) -> Iterator[Effect]:
    if statement.oldVal:
        yield Effect(_named("value", statement.typeName, str(statement.oldVal)), False)
    yield Effect(_named("value", statement.typeName, str(statement.newVal)), True, not statement.skipIfNewValExists)


def _indexed(statement: Any) -> Iterator[Effect]:
    if statement.idxname:
        thing = Thing("relation", str(statement.relation.schemaname or ""), str(statement.idxname))
        yield Effect(thing, True, not statement.if_not_exists, str(statement.relation.relname))


def _made(ranged: Any, unless_there: Any) -> list[Effect]:
    """A table, sequence or view that is made; a temporary one is gone with its session."""
    return [Effect(relation(ranged), True, not unless_there and ranged.relpersistence != "t")]


_READERS = {
    "CreateStmt": lambda s: _made(s.relation, s.if_not_exists),
    "CreateTableAsStmt": lambda s: _made(s.into.rel, s.if_not_exists),
    "CreateSeqStmt": lambda s: _made(s.sequence, s.if_not_exists),
    "ViewStmt": lambda s: _made(s.view, s.replace),
    "IndexStmt": _indexed,
    "CreateEnumStmt": lambda s: [Effect(_named("type", s.typeName), True)],
    "CompositeTypeStmt": lambda s: [Effect(_relation("type", s.typevar), True)],
    "AlterEnumStmt": _enumerated,
    "CreateExtensionStmt": lambda s: [Effect(Thing("extension", "", str(s.extname)), True, not s.if_not_exists)],
    "CreateSchemaStmt": lambda s: (
        [Effect(Thing("schema", "", str(s.schemaname)), True, not s.if_not_exists)] if s.schemaname else []
    ),
    "AlterTableStmt": _altered,
    "DropStmt": _gone,
    "RenameStmt": _renamed,
}
