# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a migration's script does, as PostgreSQL's own parser reads it (pglast). Pure.

Prisma sends a script as one message, which the server runs as one transaction (PostgreSQL documentation,
protocol-flow, "Multiple Statements in a Simple Query"); so a script that failed has left nothing behind, unless it
holds transaction control or a statement that runs in no transaction.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

#: Statements that change what is in tables, or what this does not look up: no catalogue tells whether they ran.
_SILENT = frozenset({"SelectStmt", "VariableSetStmt", "VariableShowStmt", "CommentStmt", "LockStmt", "CheckPointStmt"})
_ALONE = frozenset(
    {"CreatedbStmt", "DropdbStmt", "AlterSystemStmt", "CreateTableSpaceStmt", "DropTableSpaceStmt", "AlterDatabaseStmt"}
)
_COMMITS = re.compile(r"\b(?:COMMIT|ROLLBACK)\b", re.IGNORECASE)


class Thing(NamedTuple):
    """An object of the catalogue. C(schema) is empty where the script leaves it to the search path."""

    kind: str
    schema: str
    name: str
    part: str = ""

    def __str__(self) -> str:
        whole = f"{self.schema}.{self.name}" if self.schema else self.name
        return f"{self.kind} {whole}.{self.part}" if self.part else f"{self.kind} {whole}"


@dataclass(frozen=True)
class Script:
    """What is known of a script.

    C(effects) say which objects are there (true) or not (false) once it has run; C(unseen) are commands of which no
    catalogue tells whether they ran; C(control) is transaction control, C(alone) what runs in no transaction. Where
    C(unread) says why the script could not be parsed, all else is empty.
    """

    effects: Mapping[Thing, bool]
    unseen: tuple[str, ...] = ()
    control: tuple[str, ...] = ()
    alone: tuple[str, ...] = ()
    unread: str = ""

    @property
    def atomic(self) -> bool:
        """Whether it leaves all or nothing."""
        return not (self.unread or self.control or self.alone)


def read(text: str) -> Script:
    """Take a script apart."""
    try:
        pglast: Any = importlib.import_module("pglast")
        ast: Any = importlib.import_module("pglast.ast")
    except ImportError as missing:
        return Script({}, unread=f"the Python library pglast cannot be imported here ({missing})")
    try:
        statements = [raw.stmt for raw in pglast.parse_sql(text)]
    except pglast.parser.ParseError as fault:
        return Script({}, unread=f"it is no SQL that PostgreSQL's parser reads ({str(fault).splitlines()[0]})")
    effects: dict[Thing, bool] = {}
    unseen, control, alone = [], [], []
    for each in statements:
        command = _command(each)
        if isinstance(each, ast.TransactionStmt):
            control.append(command)
        elif word := _runs_alone(each, command):
            alone.append(word)
        found = list(_effects(each))
        for thing, present in found:
            effects.pop(thing, None)  # the last word counts, in its place
            effects[thing] = present
            if thing.kind == "relation" and not present:  # what it had went with it
                effects = {old: there for old, there in effects.items() if old.part == "" or old[1:3] != thing[1:3]}
        if not found and not isinstance(each, ast.TransactionStmt) and type(each).__name__ not in _SILENT:
            unseen.append(command)
    return Script(effects, _once(unseen), _once(control), _once(alone))


def standing(script: Script, catalogue: Mapping[Thing, bool], schema: str) -> tuple[list[Thing], list[Thing]]:
    """Which effects of the script are there, and which are not; C(schema) is where unqualified names live.

    C(catalogue) says of each object that is there whether it is valid: an invalid index is left behind, yet not done.
    """
    done, missing = [], []
    for thing, present in script.effects.items():
        valid = catalogue.get(thing if thing.kind in ("extension", "schema") else _qualified(thing, schema))
        if (valid is not None) == present:
            done.append(thing)
        if (valid is True) != present:
            missing.append(thing)
    return done, missing


def _qualified(thing: Thing, schema: str) -> Thing:
    return thing._replace(schema=thing.schema or schema)


def _once(words: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(words))


_ENUM_WORDS = {"TRANS_STMT_BEGIN": "BEGIN", "TRANS_STMT_START": "START TRANSACTION", "TRANS_STMT_COMMIT": "COMMIT"}


def _command(statement: Any) -> str:
    """A statement's command in words."""
    name = type(statement).__name__
    if name == "TransactionStmt":
        kind = str(statement.kind.name)
        return _ENUM_WORDS.get(kind, kind.removeprefix("TRANS_STMT_").replace("_", " "))
    words = re.sub(r"(?<!^)(?=[A-Z])", " ", name.removesuffix("Stmt")).upper()
    return {"INDEX": "CREATE INDEX", "CREATE": "CREATE TABLE", "VIEW": "CREATE VIEW"}.get(words, words)


def _runs_alone(statement: Any, command: str) -> str:
    """The statement's command where it runs in no transaction, or may end one; empty otherwise."""
    name = type(statement).__name__
    options = {option.defname for option in getattr(statement, "params", None) or () if hasattr(option, "defname")}
    if getattr(statement, "concurrent", False) or (name == "ReindexStmt" and "concurrently" in options):
        return f"{command} CONCURRENTLY"
    if name == "ReindexStmt" and statement.kind.name in ("REINDEX_OBJECT_SYSTEM", "REINDEX_OBJECT_DATABASE"):
        return command
    if (name == "VacuumStmt" and statement.is_vacuumcmd) or name in _ALONE:
        return command
    if name == "ClusterStmt" and statement.relation is None:
        return command
    if name == "AlterTableStmt":
        for each in statement.cmds:
            if type(each.def_).__name__ == "PartitionCmd" and each.def_.concurrent:
                return "DETACH PARTITION CONCURRENTLY"
    if name == "CallStmt":
        return "CALL"
    if name == "DoStmt" and any(_COMMITS.search(str(getattr(each.arg, "sval", ""))) for each in statement.args):
        return "DO with COMMIT"
    return ""


def _effects(statement: Any) -> Iterator[tuple[Thing, bool]]:
    reader = _READERS.get(type(statement).__name__)
    if reader:
        yield from reader(statement)


def _relation(kind: str, relation: Any, part: str = "") -> Thing:
    return Thing(kind, str(relation.schemaname or ""), str(relation.relname), part)


def _named(kind: str, names: Sequence[Any], part: str = "") -> Thing:
    words = [str(each.sval) for each in names]
    return Thing(kind, words[-2] if len(words) > 1 else "", words[-1], part)


def _altered(statement: Any) -> Iterator[tuple[Thing, bool]]:
    for each in statement.cmds:
        kind = each.subtype.name
        if kind == "AT_AddColumn":
            yield _relation("column", statement.relation, str(each.def_.colname)), True
        elif kind == "AT_DropColumn":
            yield _relation("column", statement.relation, str(each.name)), False
        elif kind == "AT_AddConstraint" and each.def_.conname:
            yield _relation("constraint", statement.relation, str(each.def_.conname)), True
        elif kind == "AT_DropConstraint":
            yield _relation("constraint", statement.relation, str(each.name)), False


_DROPPED = {
    "OBJECT_TABLE": "relation", "OBJECT_INDEX": "relation", "OBJECT_VIEW": "relation", "OBJECT_MATVIEW": "relation",
    "OBJECT_SEQUENCE": "relation", "OBJECT_TYPE": "type", "OBJECT_EXTENSION": "extension", "OBJECT_SCHEMA": "schema",
}  # fmt: skip


def _gone(statement: Any) -> Iterator[tuple[Thing, bool]]:
    kind = _DROPPED.get(statement.removeType.name)
    for each in statement.objects if kind else ():
        if isinstance(each, tuple):
            yield _named(str(kind), each), False
        elif hasattr(each, "names"):
            yield _named(str(kind), each.names), False
        else:
            yield Thing(str(kind), "", str(each.sval)), False


_RENAMED = {"OBJECT_COLUMN": "column", "OBJECT_TABCONSTRAINT": "constraint"}


def _renamed(statement: Any) -> Iterator[tuple[Thing, bool]]:
    kind = statement.renameType.name
    if statement.relation is not None and kind in _RENAMED:
        yield _relation(_RENAMED[kind], statement.relation, str(statement.subname)), False
        yield _relation(_RENAMED[kind], statement.relation, str(statement.newname)), True
    elif statement.relation is not None and kind in _DROPPED:
        old = _relation("relation", statement.relation)
        yield from ((old, False), (old._replace(name=str(statement.newname)), True))
    elif kind == "OBJECT_TYPE":
        old = _named("type", statement.object)
        yield from ((old, False), (old._replace(name=str(statement.newname)), True))


def _enumerated(statement: Any) -> Iterator[tuple[Thing, bool]]:
    if statement.oldVal:
        yield _named("value", statement.typeName, str(statement.oldVal)), False
    yield _named("value", statement.typeName, str(statement.newVal)), True


def _indexed(statement: Any) -> Iterator[tuple[Thing, bool]]:
    if statement.idxname:
        yield Thing("relation", str(statement.relation.schemaname or ""), str(statement.idxname)), True


_READERS = {
    "CreateStmt": lambda s: [(_relation("relation", s.relation), True)],
    "CreateTableAsStmt": lambda s: [(_relation("relation", s.into.rel), True)],
    "CreateSeqStmt": lambda s: [(_relation("relation", s.sequence), True)],
    "ViewStmt": lambda s: [] if s.replace else [(_relation("relation", s.view), True)],
    "IndexStmt": _indexed,
    "CreateEnumStmt": lambda s: [(_named("type", s.typeName), True)],
    "CompositeTypeStmt": lambda s: [(_relation("type", s.typevar), True)],
    "AlterEnumStmt": _enumerated,
    "CreateExtensionStmt": lambda s: [(Thing("extension", "", str(s.extname)), True)],
    "CreateSchemaStmt": lambda s: [(Thing("schema", "", str(s.schemaname)), True)] if s.schemaname else [],
    "AlterTableStmt": _altered,
    "DropStmt": _gone,
    "RenameStmt": _renamed,
}
