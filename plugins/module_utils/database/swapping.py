# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One database takes another's name: nobody gets in, all are sent out, both renames are one transaction."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ..deadline import Deadline
from ..errors import Fault, OperatorError
from . import marks, queries, restoring, roles, standing
from .connection import Ask
from .marks import Kind, Mark
from .refusals import Refused
from .restoring import Meanwhile
from .session import DatabaseSession
from .standing import Standing

#: How long sessions may take to end once they were told to.
_EMPTY_SECONDS = 30.0
_TICK_SECONDS = 0.1
_IN_USE = "55006"

DATABASES = """
SELECT d.datname AS name, d.datallowconn AS open, shobj_description(d.oid, 'pg_database') AS comment,
       pg_has_role(d.datdba, 'usage') AS mine
FROM pg_database d
"""
PREPARED = "SELECT gid FROM pg_prepared_xacts WHERE database = %s ORDER BY prepared"
SLOTS = "SELECT slot_name AS name FROM pg_replication_slots WHERE database = %s"
TABLES = """
SELECT n.nspname AS schema, c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_'
AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY c.reltuples DESC, 1, 2
"""
#: Those that standing.of_roles has, of these databases.
_SOMEBODY = "FROM pg_stat_activity WHERE datname = ANY(%s) AND usesysid IS NOT NULL AND pid <> pg_backend_pid()"
END = f"SELECT pg_terminate_backend(pid) {_SOMEBODY}"
CONNECTED = f"SELECT count(*) AS number {_SOMEBODY}"


def look(session: DatabaseSession, name: str) -> Standing:
    """The database as it stands."""
    with session.database.transaction(read_only=True) as ask:
        there = {row["name"]: row for row in ask(DATABASES)}
        sessions = standing.of_roles(ask(queries.SESSIONS), name)
        slots = [row["name"] for row in ask(SLOTS, [name])]
        prepared = [row["gid"] for row in ask(PREPARED, [name])]
        superuser = bool(ask(restoring.RIGHTS)[0]["superuser"])
    asides = standing.asides(name, {each: row["comment"] for each, row in there.items()})
    if name not in there:
        return Standing(name, exists=False, asides=asides)
    row = there[name]
    mark = marks.read(row["comment"])
    rows_in, unseen = _first_with_rows(session, name) if row["open"] else (None, "it accepts no connections")
    return Standing(
        name,
        open=bool(row["open"]),
        mine=bool(row["mine"]),
        superuser=superuser,
        sessions=sessions,
        rows_in=rows_in,
        unseen=unseen,
        slots=slots,
        prepared=prepared,
        asides=asides,
        interrupted=not row["open"] and mark is not None and (mark.kind, mark.database) == ("closed", name),
    )


def reopen(session: DatabaseSession, name: str) -> None:
    """Let sessions in again, and give the database its own comment back."""
    _gate(session, name, let_in=True)


def dress(session: DatabaseSession, name: str, entries: Mapping[str, Any], deadline: Deadline, see: Meanwhile) -> None:
    """Give a restored database statistics, and what pg_dump leaves to others: settings, grants, connection limit."""
    sql, database = session.database.sql, session.database
    with session.another(name) as inside:
        inside.at_length("ANALYZE", deadline, see)
    place = sql.Identifier(name)
    with database.transaction() as ask:
        for each in entries["settings"]:
            of = sql.SQL("DATABASE {}").format(place)
            if each["role"]:
                of = sql.SQL("ROLE {} IN DATABASE {}").format(sql.Identifier(each["role"]), place)
            ask(roles.altered(sql, of, each["setting"]))
        if entries["grants"]:
            owner = sql.Identifier(entries["properties"]["owner"])
            ask(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC, {}").format(place, owner))
        for each in entries["grants"]:
            role = sql.Identifier(each["role"]) if each["role"] else sql.SQL("PUBLIC")
            option = sql.SQL(" WITH GRANT OPTION" if each["grantable"] and each["role"] else "")
            ask(sql.SQL("GRANT {} ON DATABASE {} TO {}{}").format(sql.SQL(each["privilege"]), place, role, option))
        limit = int(entries["properties"]["connection_limit"])
        ask(sql.SQL("ALTER DATABASE {} CONNECTION LIMIT {}").format(place, sql.Literal(limit)))


def swap(session: DatabaseSession, before: Standing, successor: str, kind: Kind, backup: str) -> str:
    """C(successor) takes the name of the database, which is set aside; returns the name it is under from then on.

    Where it fails the database is what it was, and open.
    """
    name, database, sql = before.name, session.database, session.database.sql
    while (old := restoring.named(name, standing.aside_suffix(datetime.now(UTC)))) in {
        each.name for each in before.asides
    }:
        time.sleep(_TICK_SECONDS)  # names are told apart by the second
    place, there = sql.Identifier(name), before.exists
    if there:
        _gate(session, name, let_in=False)
    try:
        deadline = Deadline(_EMPTY_SECONDS)
        while True:
            _empty(session, [name, successor], deadline)
            try:
                with database.transaction() as ask:
                    ask("SET LOCAL statement_timeout = 0")  # a rename waits 5 s for autovacuum, and then gives up
                    comment = _own_comment(ask, name)
                    if there:
                        ask(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(place, sql.Identifier(old)))
                        _note(session, ask, old, Mark(kind, name, backup, comment).text)
                        ask(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(sql.Identifier(old)))
                    ask(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(successor), place))
                    returning = {each.name: each.mark.comment for each in before.asides}
                    _note(session, ask, name, returning.get(successor, comment))
                return old if there else ""
            except Refused as refusal:
                if refusal.sqlstate != _IN_USE or deadline.expired:
                    raise
    except BaseException:
        if there:
            _open_again(session, name)
        raise


def _empty(session: DatabaseSession, names: list[str], deadline: Deadline) -> None:
    """End all sessions of the databases, again and again until there is none."""
    while True:
        with session.database.transaction() as ask:
            ask(END, [names])
        if not session.database.read(CONNECTED, [names])[0]["number"]:
            return
        if deadline.expired:
            raise OperatorError(
                Fault("sessions_stay", f"Sessions of {names[0]} do not end.", "See who they are with database_info.")
            )
        time.sleep(_TICK_SECONDS)


def _first_with_rows(session: DatabaseSession, name: str) -> tuple[str | None, str]:
    """A table that has rows, and why the database cannot be looked into."""
    try:
        with session.another(name) as database, database.transaction(read_only=True) as ask:
            for table in ask(TABLES):
                place = database.sql.Identifier(table["schema"], table["name"])
                if ask(database.sql.SQL("SELECT 1 AS one FROM {} LIMIT 1").format(place)):
                    return f"{table['schema']}.{table['name']}", ""
    except OperatorError as fault:
        return None, fault.reason
    return None, ""


def _gate(session: DatabaseSession, name: str, let_in: bool) -> None:
    """Close the database with the mark that says who did, or open it and take the mark away."""
    sql = session.database.sql
    with session.database.transaction() as ask:
        own = _own_comment(ask, name)
        _note(session, ask, name, own if let_in else Mark("closed", name, comment=own).text)
        ask(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}").format(sql.Identifier(name), sql.Literal(let_in)))


def _own_comment(ask: Ask, name: str) -> str | None:
    return next((marks.own(row["comment"]) for row in ask(DATABASES) if row["name"] == name), None)


def _note(session: DatabaseSession, ask: Ask, name: str, comment: str | None) -> None:
    sql = session.database.sql
    ask(sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(name), sql.Literal(comment)))


def _open_again(session: DatabaseSession, name: str) -> None:
    """Let sessions in after a swap that failed; over a new connection, as the session's own may be lost."""
    with contextlib.suppress(OperatorError), session.another() as fresh:
        reopen(DatabaseSession(session.call, fresh), name)
        return
    session.call.warn(
        f"The database {name} may still be closed: ALTER DATABASE ... ALLOW_CONNECTIONS true, or press again."
    )
