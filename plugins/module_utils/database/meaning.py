# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Texts of SQL in the planner's own spelling, so that they are compared by what they mean.

C(status IN ('a', 'b')) is stored as C((status = ANY (ARRAY['a'::text, 'b'::text]))). Both become the same when they are
planned as columns of a query on their table. EXPLAIN without ANALYZE carries nothing out, so this is no write: neither
a temporary table nor a right to make one is needed, and check mode may do it.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import Fault, OperatorError
from .connection import Database
from .refusals import Refused


def canonical(database: Database, schema: str, table: str, texts: Sequence[str], where: str) -> list[str]:
    """The texts as the planner spells them; C(where) says whose they are. Raises C(OperatorError).

    The texts are such that C(text.unsafe_expression) finds nothing in them.
    """
    if not texts:
        return []
    sql = database.sql
    columns = sql.SQL(", ").join(sql.SQL("(") + sql.SQL(text) + sql.SQL(")") for text in texts)
    query = (
        sql.SQL("EXPLAIN (VERBOSE, COSTS OFF, FORMAT JSON) SELECT ")
        + columns
        + sql.SQL(" FROM ONLY ")
        + sql.Identifier(schema, table)
    )
    try:
        (row,) = database.read(query)
    except Refused as refusal:
        if refusal.sqlstate == "42501" or not refusal.sqlstate.startswith(("42", "22", "0A")):
            raise
        raise OperatorError(
            Fault(
                "index_invalid",
                f"{where}: {refusal.faults[0].message.rstrip('.')}.",
                "Correct it; in a text of SQL, a name with upper case needs double quotes.",
            )
        ) from None
    output: list[str] = next(iter(row.values()))[0]["Plan"]["Output"]
    return output
