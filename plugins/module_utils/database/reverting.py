# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Undoing a migration: its down script and its row in the history, in one transaction under Prisma's lock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import Fault, OperatorError
from . import migrations
from .migration_info import TABLE, Picture, history
from .session import DatabaseSession

# The row stays and counts no more, as with resolve --rolled-back, so that it can be told what was; Prisma itself has
# no way to take back a migration that succeeded (P3012).
_MARK = "UPDATE {} SET rolled_back_at = now() WHERE migration_name = %(name)s AND rolled_back_at IS NULL RETURNING id"


def undo(session: DatabaseSession, picture: Picture, name: str, down: str, target: Mapping[str, Any]) -> None:
    """Run the down script and mark the row, all or nothing.

    C(picture) is what it was decided on: another history by now raises C(OperatorError), as does a lock that is held.
    """
    database, schema = session.database, str(target.get("schema") or "public")
    sql = database.sql
    with database.transaction() as ask:
        if not ask("SELECT pg_try_advisory_xact_lock(%(lock)s) AS got", {"lock": migrations.LOCK})[0]["got"]:
            raise OperatorError(Fault("locked", "Prisma's lock is held by somebody else now.", "Press again."))
        if history(database, ask, schema) != picture.rows:
            said = "The history of migrations changed while this run looked at it; nothing was undone."
            raise OperatorError(Fault("history_changed", said, "Press again, to plan on the new state."))
        if schema != "public":
            ask(sql.SQL("SET LOCAL search_path = {}").format(sql.Identifier(schema)))
        ask(down)
        marked = ask(sql.SQL(_MARK).format(sql.Identifier(schema, TABLE)), {"name": name})
        if not marked:
            raise OperatorError(Fault("history_changed", f"The row of {name} is gone; nothing was undone.", ""))
