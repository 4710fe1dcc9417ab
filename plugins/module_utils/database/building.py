# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The statements that build and drop indexes, every name composed, all of them concurrent."""

from __future__ import annotations

from typing import Any

from .connection import Database
from .indexing import Step


def drop(database: Database, step: Step) -> Any:
    """The statement that drops the step's index."""
    sql = database.sql
    return sql.SQL("DROP INDEX CONCURRENTLY {}").format(sql.Identifier(step.schema, step.name))


def reindex(database: Database, step: Step) -> Any:
    """The statement that builds the step's index again."""
    sql = database.sql
    return sql.SQL("REINDEX INDEX CONCURRENTLY {}").format(sql.Identifier(step.schema, step.name))


def create(database: Database, step: Step) -> Any:
    """The statement that builds what is declared; its texts of SQL are such that they stay within their parentheses."""
    sql, declared = database.sql, step.index
    if declared is None:
        raise TypeError("only a declared index is created")
    columns = []
    for column in declared.columns:
        parts = [
            sql.Identifier(column.name) if column.name else sql.SQL("(") + sql.SQL(column.expression) + sql.SQL(")")
        ]
        if column.collation:
            parts.append(sql.SQL("COLLATE ") + sql.Identifier(column.collation))
        if column.opclass:
            parts.append(sql.Identifier(column.opclass))
        if declared.method == "btree":
            parts.append(sql.SQL("DESC" if column.descending else "ASC"))
            parts.append(sql.SQL("NULLS FIRST" if column.nulls_first else "NULLS LAST"))
        columns.append(sql.SQL(" ").join(parts))
    statement = sql.SQL("CREATE {}INDEX CONCURRENTLY {} ON {} USING {} ({})").format(
        sql.SQL("UNIQUE " if declared.unique else ""),
        sql.Identifier(declared.name),
        sql.Identifier(*step.place),
        sql.Identifier(declared.method),
        sql.SQL(", ").join(columns),
    )
    if declared.include:
        statement += sql.SQL(" INCLUDE ({})").format(sql.SQL(", ").join(map(sql.Identifier, declared.include)))
    if declared.settings:
        pairs = (sql.SQL("{} = {}").format(sql.Identifier(k), sql.Literal(v)) for k, v in declared.settings.items())
        statement += sql.SQL(" WITH (") + sql.SQL(", ").join(pairs) + sql.SQL(")")
    if declared.where:
        statement += sql.SQL(" WHERE (") + sql.SQL(declared.where) + sql.SQL(")")
    return statement
