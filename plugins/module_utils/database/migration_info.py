# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation behind M(linkops.runbooks.prisma_migration_info): Prisma's history against an image's migrations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..call import Call
from ..errors import Fault, OperatorError
from ..verdict import Status, Verdict
from . import migrations, scripts
from .condition import unseen_sessions
from .connection import Ask, Database
from .effects import Thing
from .migrations import Holder, Migration, Row, Source
from .scripts import Script
from .session import DatabaseSession, opened

TABLE = "_prisma_migrations"

_WHERE = """
SELECT current_database() AS database,
       to_regclass(format('%%I._prisma_migrations', %(schema)s::text)) IS NOT NULL AS has_table,
       (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = %(schema)s AND c.relkind IN ('r', 'p', 'v', 'm') AND c.relname <> '_prisma_migrations'
           AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                              AND d.deptype = 'e')) AS tables
"""

#: Who holds Prisma's lock in this database, or waits for it. Of a session that this role has no right to see the server
#: tells neither age nor state.
_HOLDERS = """
SELECT l.pid, l.granted, coalesce(a.usename, '') AS "user", coalesce(a.application_name, '') AS application,
       coalesce(host(a.client_addr), '') AS client, coalesce(a.state, 'in an unknown state') AS state,
       extract(epoch FROM clock_timestamp() - a.state_change)::float8 AS state_seconds,
       extract(epoch FROM clock_timestamp() - a.backend_start)::float8 AS seconds, a.backend_start AS since
FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.classid = 0 AND l.objid = %(lock)s AND l.objsubid = 1
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND l.pid <> pg_backend_pid()
ORDER BY l.granted DESC, a.backend_start
"""

#: Every object with one of these names, and whether it is valid: an index may be there and invalid.
_CATALOGUE = """
SELECT 'relation' AS kind, n.nspname AS schema, c.relname AS name, '' AS part, coalesce(i.indisvalid, true) AS valid
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_index i ON i.indexrelid = c.oid
 WHERE c.relname = ANY(%(names)s) AND c.relkind <> 'c'
UNION ALL
SELECT 'column', n.nspname, c.relname, a.attname, true
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relname = ANY(%(names)s) AND a.attname = ANY(%(parts)s) AND NOT a.attisdropped
UNION ALL
SELECT 'constraint', n.nspname, c.relname, o.conname, true
  FROM pg_constraint o JOIN pg_class c ON c.oid = o.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relname = ANY(%(names)s) AND o.conname = ANY(%(parts)s)
UNION ALL
SELECT 'type', n.nspname, t.typname, '', true
  FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.typname = ANY(%(names)s)
UNION ALL
SELECT 'value', n.nspname, t.typname, e.enumlabel, true
  FROM pg_enum e JOIN pg_type t ON t.oid = e.enumtypid JOIN pg_namespace n ON n.oid = t.typnamespace
 WHERE t.typname = ANY(%(names)s) AND e.enumlabel = ANY(%(parts)s)
UNION ALL
SELECT 'extension', '', extname, '', true FROM pg_extension WHERE extname = ANY(%(names)s)
UNION ALL
SELECT 'schema', '', nspname, '', true FROM pg_namespace WHERE nspname = ANY(%(names)s)
"""


@dataclass(frozen=True)
class Picture:
    """What is known of the migrations of one database at one moment."""

    migrations: list[Migration]
    holders: list[Holder]
    database: str
    has_table: bool
    tables: int
    scripts: Mapping[str, Script]
    rows: list[Row]
    schema: str
    user: str

    @property
    def holder(self) -> Holder | None:
        """Who has the lock."""
        return next((each for each in self.holders if each.granted), None)

    @property
    def held(self) -> str:
        """Who has the lock, in words; empty where nobody has it."""
        if not self.holder:
            return ""
        blind = unseen_sessions(int(self.holder.since is None), self.user)
        return "; ".join(filter(None, (f"Prisma's lock is held by {self.holder}", blind)))

    def migration(self, name: str) -> Migration | None:
        """The migration of that name."""
        return next((each for each in self.migrations if each.name == name), None)


def info(call: Call) -> dict[str, Any]:
    """The state of every migration, who holds Prisma's lock, and what to do next."""
    params = call.params
    with opened(call, *refusals(params["target"] or {})) as session:
        picture = look(session, sources(params["migrations"]), params["target"] or {})
    verdict = judge(picture, params["tolerate"])
    for each in picture.migrations:
        if each.state in ("edited", "ahead"):
            call.warn(f"Migration {each.name} is {_SAID[each.state]}.")
    call.say(f"migrations: {verdict.status}: {verdict.reason}")
    call.journal.note("migrations", verdict=verdict.status, states={e.name: e.state for e in picture.migrations})
    return {
        "changed": False,
        "verdict": verdict.as_result(),
        "msg": f"{verdict.status}: {verdict.reason}",
        "migrations": [each.as_result() for each in picture.migrations],
        "pending": migrations.to_apply(picture.migrations),
        "unresolved": [each.name for each in picture.migrations if each.state in ("failed", "partial")],
        "lock": {
            "holder": picture.holder.as_result() if picture.holder else None,
            "waiting": [each.as_result() for each in picture.holders if not each.granted],
        },
        "history": picture.has_table,
        "database": picture.database,
    }


_SAID = {
    "edited": "not the file that was applied: its checksum differs, which Prisma's deploy and status do not say",
    "ahead": "in the database but not in the image, which Prisma's status calls up to date",
}


def sources(given: Sequence[Mapping[str, Any]]) -> list[Source]:
    """The image's migrations as the module takes them."""
    return [Source(each["name"], each["script"], each.get("down")) for each in given]


def refusals(target: Mapping[str, Any]) -> list[Fault]:
    """What forbids to migrate of the URL that the service's pods have."""
    faults = []
    if target.get("pooled"):
        faults.append(
            Fault(
                "pooled",
                f"The URL that the migrations use leads through a pooler ({target['host']}:{target['port']}: "
                f"{target['pooled']}), where Prisma's lock is worth nothing.",
                "Give the migrations a URL of the server itself (migration_url_variable names its variable).",
            )
        )
    if target.get("lock_disabled"):
        faults.append(
            Fault(
                "lock_disabled",
                "The service's pods have PRISMA_SCHEMA_DISABLE_ADVISORY_LOCK, so two migrations may run at once.",
                "Take it out of the pod template.",
            )
        )
    return faults


def _another_database(database: str, target: Mapping[str, Any]) -> Fault | None:
    if not target.get("database") or target["database"] == database:
        return None
    return Fault(
        "other_database",
        f"The image's migrations go to the database {target['database']}, and this is {database}.",
        "Correct database_name in the inventory, or the Secret.",
    )


def look(session: DatabaseSession, known: Sequence[Source], target: Mapping[str, Any]) -> Picture:
    """Ask for the history, the lock and the objects, all as of one moment.

    C(target) is where the image's own URL leads: its schema, and the database that ours must be.
    """
    schema = str(target.get("schema") or "public")
    read = {each.name: scripts.read(each.script) for each in known}
    with session.database.transaction(read_only=True) as ask:
        where = ask(_WHERE, {"schema": schema})[0]
        rows = history(session.database, ask, schema) if where["has_table"] else []
        holders = [Holder(**each) for each in ask(_HOLDERS, {"lock": migrations.LOCK})]
        catalogue = _catalogue(ask, read)
    holder = next((each for each in holders if each.granted), None)
    found = migrations.classify(known, rows, holder, read, catalogue, schema)
    if wrong := _another_database(where["database"], target):
        raise OperatorError(wrong)
    return Picture(
        found, holders, where["database"], where["has_table"], where["tables"], read, rows, schema, session.target.user
    )


def history(database: Database, ask: Ask, schema: str) -> list[Row]:
    """The rows of Prisma's table, in the order in which they were started."""
    sql = database.sql
    query = sql.SQL(
        "SELECT migration_name AS name, checksum, started_at, finished_at, rolled_back_at, coalesce(logs, '') AS logs,"
        " applied_steps_count AS steps FROM {} ORDER BY started_at, id"
    ).format(sql.Identifier(schema, TABLE))
    return [Row(**each) for each in ask(query)]


def _catalogue(ask: Ask, read: Mapping[str, Script]) -> dict[Thing, bool]:
    things = {thing for script in read.values() for thing in (*script.effects, *script.vague)}
    if not things:
        return {}
    names, parts = sorted({each.name for each in things}), sorted({each.part for each in things})
    rows = ask(_CATALOGUE, {"names": names, "parts": parts})
    return {Thing(row["kind"], row["schema"], row["name"], row["part"]): row["valid"] for row in rows}


def judge(picture: Picture, tolerate: Sequence[str]) -> Verdict:
    """C(fail) where something is to be mended, C(unknown) while a migration runs."""
    said = migrations.summary(picture.migrations)
    if not picture.has_table and picture.tables:
        return Verdict(
            "fail",
            f"the schema has {picture.tables} tables and no history of migrations (Prisma's P3005): say of each "
            "migration that is in it already: ansible-playbook playbooks/migrate.yml -e state=resolved "
            "-e resolution=applied -e migration=NAME",
        )
    states = {each.state for each in picture.migrations}
    bad = [each for each in picture.migrations if each.state in ("failed", "partial")]
    if bad:
        first = bad[0]
        error = f" ({first.error})" if first.error else " (no error was logged: it was interrupted)"
        why = f" {first.left.why[:1].upper()}{first.left.why[1:]}." if first.left else ""
        objects = f" There is {', '.join(map(str, first.left.done))}." if first.left and first.left.done else ""
        return Verdict("fail", f"{said}{error}.{why}{objects} Next: {first.next}".rstrip(" ."))
    said = "; ".join(filter(None, (said, picture.held)))
    if "running" in states:
        return Verdict("unknown", said)
    not_tolerated = {"pending", "rolled_back", "edited", "ahead"} - set(tolerate)
    if "pending" in tolerate:
        not_tolerated.discard("rolled_back")
    open_ones = {
        each.state for each in picture.migrations if each.state != "rolled_back" or each.left is not None
    } & not_tolerated
    status: Status = "fail" if open_ones else "pass"
    return Verdict(status, said)
