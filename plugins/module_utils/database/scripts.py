# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a migration's script does, as PostgreSQL's own parser reads it (pglast). Pure.

Prisma sends a script as one message, which the server runs as one transaction (PostgreSQL documentation,
protocol-flow, "Multiple Statements in a Simple Query"); so a script that failed has left nothing behind, unless it
holds transaction control or a statement that runs in no transaction.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import effects
from .effects import Thing

#: Statements that change what is in tables, or what this does not look up: no catalogue tells whether they ran.
_SILENT = frozenset({"SelectStmt", "VariableSetStmt", "VariableShowStmt", "CommentStmt", "LockStmt", "CheckPointStmt"})
_ALONE = frozenset(
    {"CreatedbStmt", "DropdbStmt", "AlterSystemStmt", "CreateTableSpaceStmt", "DropTableSpaceStmt", "AlterDatabaseStmt"}
)
#: What may remove objects that it does not name, so that of what is made after it nothing is known.
_SWEEPING = ("DoStmt", "CallStmt", "DropOwnedStmt")
_COMMITS = re.compile(r"\b(?:COMMIT|ROLLBACK)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Script:
    """What is known of a script.

    C(told) are its effects in their order; of these C(effects) say which objects are there (true) or not (false) once
    it has run and were otherwise before, C(vague) are objects that may look the same before and after it. C(silent) are
    commands of which no catalogue tells whether they ran, C(control) is transaction control, C(alone) what runs in no
    transaction; C(tables) are the relations that it names. Where C(unread) says why the script could not be parsed, all
    else is empty.
    """

    told: tuple[effects.Effect, ...] = ()
    silent: tuple[str, ...] = ()
    control: tuple[str, ...] = ()
    alone: tuple[str, ...] = ()
    tables: frozenset[Thing] = frozenset()
    unread: str = ""
    #: The effects of other scripts that may have run after it.
    later: tuple[effects.Effect, ...] = ()

    @functools.cached_property
    def _decisive(self) -> tuple[dict[Thing, bool], tuple[Thing, ...]]:
        return effects.decisive(self.told, self.later)

    @property
    def effects(self) -> Mapping[Thing, bool]:
        """What tells whether it ran."""
        return self._decisive[0]

    @property
    def vague(self) -> tuple[Thing, ...]:
        """What it changes and what tells nothing."""
        return self._decisive[1]

    def before(self, others: Iterable[Script]) -> Script:
        """The same, where the others may have run after it."""
        return dataclasses.replace(self, later=tuple(effect for each in others for effect in each.told))

    @property
    def atomic(self) -> bool:
        """Whether it leaves all or nothing."""
        return not (self.unread or self.control or self.alone)

    @property
    def unseen(self) -> str:
        """What of it no catalogue tells, in words; empty where all can be seen."""
        said = [*self.silent, *(f"the change of {thing}" for thing in self.vague)]
        return f"{', '.join(said)} cannot be seen" if said else ""


def read(text: str) -> Script:
    """Take a script apart."""
    try:
        pglast: Any = importlib.import_module("pglast")
        ast: Any = importlib.import_module("pglast.ast")
    except ImportError as missing:
        return Script(unread=f"the Python library pglast cannot be imported here ({missing})")
    try:
        statements = [raw.stmt for raw in pglast.parse_sql(text)]
    except pglast.parser.ParseError as fault:
        return Script(unread=f"it is no SQL that PostgreSQL's parser reads ({str(fault).splitlines()[0]})")
    told: list[effects.Effect] = []
    tables: set[Thing] = set()
    silent, control, alone = [], [], []
    swept = False
    for each in statements:
        command = _command(each)
        if isinstance(each, ast.TransactionStmt):
            control.append(command)
        elif word := _runs_alone(each, command):
            alone.append(word)
        found = [effect._replace(sure=effect.sure and not swept) for effect in effects.of(each)]
        told += found
        if not found and not isinstance(each, ast.TransactionStmt) and type(each).__name__ not in _SILENT:
            silent.append(command)
        nodes = list(_nodes(each, ast.Node))
        tables |= {effects.relation(node) for node in nodes if isinstance(node, ast.RangeVar)}
        tables |= {effect.thing for effect in found if isinstance(each, ast.DropStmt)}
        swept = swept or type(each).__name__ in _SWEEPING or any(map(_cascades, nodes))
    return Script(tuple(told), _once(silent), _once(control), _once(alone), frozenset(tables))


def _nodes(statement: Any, kind: type) -> Iterator[Any]:
    """All nodes of a statement's tree."""
    waiting = [statement]
    while waiting:
        each = waiting.pop()
        if isinstance(each, tuple):
            waiting += each
        elif isinstance(each, kind):
            yield each
            waiting += [getattr(each, name) for name in each]  # type: ignore[attr-defined]


def _cascades(node: Any) -> bool:
    return getattr(getattr(node, "behavior", None), "name", "") == "DROP_CASCADE"


def standing(script: Script, catalogue: Mapping[Thing, bool], schema: str) -> tuple[list[Thing], list[Thing]]:
    """Which effects of the script are there, and which are not; C(schema) is where unqualified names live.

    C(catalogue) says of each object that is there whether it is valid: an invalid index is left behind, yet not done.
    """
    done, missing = [], []
    for thing, present in script.effects.items():
        valid = catalogue.get(thing.within(schema))
        if (valid is not None) == present:
            done.append(thing)
        if (valid is True) != present:
            missing.append(thing)
    left_behind = [thing for thing in script.vague if catalogue.get(thing.within(schema)) is False]
    return done + left_behind, missing + left_behind


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
