# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tables and B-trees checked by amcheck's functions, as pg_amcheck does (postgres:src/bin/pg_amcheck/pg_amcheck.c).

One relation after the other, each in a transaction of its own, so that the lock, which is a reader's, is held no longer
than that one takes.
"""

from __future__ import annotations

from ..deadline import Deadline
from ..errors import Fault
from ..verdict import Verdict
from ..wording import counted
from . import health_queries, soundness
from .connection import Database, Row
from .names import shown
from .refusals import Refused
from .session import DatabaseSession

#: data_corrupted and index_corrupted (PostgreSQL documentation, errcodes-appendix).
_CORRUPT = ("XX001", "XX002")
_SAY_SECONDS = 10.0
_MOST = 20
_LEAST_SECONDS = 0.1
#: Reasons that concern one relation: it is locked, too large for the time that is left, or gone meanwhile.
_PASSING = ("lock_timeout", "statement_timeout", "database_refused")


def corruption(session: DatabaseSession, deadline: Deadline) -> Verdict:
    """Check all until the deadline; what was not looked at is unknown. Raises C(Refused) where amcheck is not."""
    extension = session.database.read(health_queries.EXTENSION, {"name": "amcheck"})
    if not extension or session.database.version < 140000:
        raise Refused(
            Fault(
                "no_amcheck",
                f"The extension amcheck of PostgreSQL 14 or later is not in {session.target.name}.",
                "CREATE EXTENSION amcheck.",
            )
        )
    relations = session.database.read(health_queries.RELATIONS)
    found: list[str] = []
    checked, why, said = 0, "", Deadline(_SAY_SECONDS)
    with session.another() as database:
        for row in relations:
            if deadline.expired:
                why = f"{deadline.seconds / 60:g} max_minutes were over"
                break
            if said.expired:
                session.call.say(f"{checked} of {counted(len(relations), 'relation')} are checked")
                said = Deadline(_SAY_SECONDS)
            database.statement_seconds = max(_LEAST_SECONDS, deadline.remaining)
            try:
                found += _checked(database, extension[0]["schema"], row)
                checked += 1
            except Refused as refusal:
                if refusal.reason not in _PASSING:
                    raise
                why = str(refusal.faults[0].message).rstrip(".")
    return soundness.corruption(found, checked, len(relations), why)


def _checked(database: Database, schema: str, row: Row) -> list[str]:
    """What is wrong with one relation, each as a sentence."""
    sql, name = database.sql, shown(row["schema"], row["name"])
    values = {"oid": row["oid"]}
    try:
        if row["is_index"]:
            check = sql.SQL("SELECT {}(%(oid)s::oid::regclass)").format(sql.Identifier(schema, "bt_index_check"))
            database.read(check, values)
            return []
        check = sql.SQL("SELECT blkno, msg FROM {}(%(oid)s::oid::regclass, check_toast := true) LIMIT {}").format(
            sql.Identifier(schema, "verify_heapam"), sql.Literal(_MOST)
        )
        return [f"{name}, block {each['blkno']}: {each['msg']}" for each in database.read(check, values)]
    except Refused as refusal:
        if refusal.sqlstate in _CORRUPT:
            return [f"{name}: {refusal.faults[0].message}"]
        if refusal.reason == "privilege":
            raise _forbidden(database, schema) from None
        raise


def _forbidden(database: Database, schema: str) -> Refused:
    user = shown("", database.target.user)
    what = ", ".join(f"{shown(schema, each)}" for each in ("verify_heapam", "bt_index_check(regclass)"))
    return Refused(
        Fault(
            "privilege",
            f"The role {user} may not call amcheck's functions in {database.target.name}.",
            f"GRANT EXECUTE ON FUNCTION {what} TO {user}, or press with -e as_administrator=true.",
        ),
        "42501",
    )
