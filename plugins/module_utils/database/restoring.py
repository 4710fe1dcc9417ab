# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A backup becomes a database: what must be there before, the new database, pg_restore, and a look at what came of it.

The session is one with the server's database for maintenance, since nobody may be connected to what is made, renamed
or dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..deadline import Deadline
from ..errors import Fault, OperatorError
from . import contents, footprint, marks, programs, roles
from .archives import Manifest
from .connection import Database, Row
from .footprint import Need
from .marks import Mark
from .programs import Programs
from .readiness import Answer
from .refusals import Refused
from .session import DatabaseSession

Meanwhile = Callable[[], None]

#: PostgreSQL cuts longer names off.
_LONGEST = 63
_OLDEST = 130000  # DROP DATABASE WITH (FORCE)

RIGHTS = """
SELECT r.rolsuper AS superuser, r.rolsuper OR r.rolcreatedb AS creates, r.rolsuper OR r.rolcreaterole AS creates_roles,
       pg_is_in_recovery() AS in_recovery,
       (SELECT count(*) FROM pg_roles m WHERE m.rolname = 'rds_superuser' AND pg_has_role(m.oid, 'member')) > 0
       AS rds_superuser
FROM pg_roles r WHERE r.rolname = current_user
"""

EXTENSIONS = """
SELECT v.name, bool_or(v.version = %(version)s) AS same, bool_or(v.superuser AND NOT (to_jsonb(v) ->> 'trusted')::bool)
       AS privileged, array_agg(v.version ORDER BY v.version) AS versions
FROM pg_available_extension_versions v WHERE v.name = %(name)s GROUP BY v.name
"""

ROLES = "SELECT rolname AS name FROM pg_roles"
MADE = """
SELECT d.datallowconn AS open, d.datconnlimit AS connection_limit, shobj_description(d.oid, 'pg_database') AS comment
FROM pg_database d WHERE d.datname = %s
"""
#: The size of a database is told to who may connect to it or read all statistics.
SIZES = """
SELECT d.datname AS name, CASE WHEN has_database_privilege(d.oid, 'connect')
       OR pg_has_role('pg_read_all_stats', 'usage') THEN pg_database_size(d.oid) END AS bytes
FROM pg_database d WHERE d.datname = ANY(%s)
"""


def unfit(session: DatabaseSession, manifest: Manifest, making: str) -> tuple[list[Fault], list[str]]:
    """Why this role cannot restore the backup as the database C(making), all of it; and what is worth a warning."""
    database, entries = session.database, manifest.entries
    room = _room(session, manifest, making)
    taken = foreign(making, manifest.database, database.read(MADE, [making]))
    faults = [each for each in (taken, room) if isinstance(each, Fault)]
    warnings = [room] if isinstance(room, str) else []
    server = session.target.address
    with database.transaction(read_only=True) as ask:
        mine = ask(RIGHTS)[0]
        lacking = roles.missing(entries, [row["name"] for row in ask(ROLES)])
        there = {
            each["name"]: ask(EXTENSIONS, {"name": each["name"], "version": each["version"]})
            for each in entries["extensions"]
        }
    major = int(entries["server_version"].split(".")[0])
    if database.version < _OLDEST:
        faults.append(Fault("version", f"{server} is older than PostgreSQL 13.", "Restore on a newer server."))
    elif database.version // 10000 < major:
        faults.append(
            Fault(
                "version",
                f"The backup is of PostgreSQL {major}, and {server} is {database.version // 10000}.",
                "Restore on a server that is not older.",
            )
        )
    if session.target.pooled:
        faults.append(Fault("pooled", "The URL leads through a pooler.", "Give the server's own address."))
    if mine["in_recovery"]:
        faults.append(Fault("read_only", f"{server} is a standby, which is read-only.", "Press for the primary."))
    if not mine["creates"]:
        faults.append(
            Fault(
                "privilege",
                f"The role {session.target.user} may not create databases.",
                "Press as one that may (database_admin_user in the inventory), or ALTER ROLE ... CREATEDB.",
            )
        )
    wanting, made_again = roles.judged(lacking, bool(session.params.get("create_roles")), mine["creates_roles"], server)
    faults += wanting
    warnings += made_again
    for each in entries["extensions"]:
        name, found = each["name"], there[each["name"]]
        if not found:
            faults.append(
                Fault(
                    "extension_missing",
                    f"{server} has no extension {name} to install.",
                    "Install its package there, or restore elsewhere.",
                )
            )
            continue
        if not found[0]["same"]:
            warnings.append(
                f"The extension {name} was {each['version']}, and {server} has {', '.join(found[0]['versions'])}."
            )
        if found[0]["privileged"] and not (mine["superuser"] or mine["rds_superuser"]):
            faults.append(
                Fault(
                    "privilege",
                    f"Only a superuser may install the extension {name}, and {session.target.user} is none.",
                    "Press as one (database_admin_user in the inventory).",
                )
            )
    return faults, warnings


def make_roles(session: DatabaseSession, manifest: Manifest) -> list[str]:
    """Make the roles that the server lacks; their names."""
    with session.database.transaction(read_only=True) as ask:
        superuser = ask(RIGHTS)[0]["superuser"]
        lacking = roles.missing(manifest.entries, [row["name"] for row in ask(ROLES)])
    if lacking:
        roles.create(session, lacking, superuser)
    return [str(each["name"]) for each in lacking]


def named(database: str, suffix: str) -> str:
    """A name beside that of a database, no longer than the server allows."""
    return database.encode()[: _LONGEST - len(suffix.encode())].decode(errors="ignore") + suffix


def create(session: DatabaseSession, name: str, manifest: Manifest, deadline: Deadline, look: Meanwhile) -> None:
    """An empty database like the one that was dumped; one that an earlier run left under this name goes first.

    It is born closed, and opened with the mark that says whose it is, so that none is ours without saying so.
    """
    sql, database, properties = session.database.sql, session.database, manifest.entries["properties"]
    drop(session, name, manifest.database, deadline, look)
    words = [
        sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)),
        sql.SQL("OWNER {}").format(sql.Identifier(properties["owner"])),
        sql.SQL("ENCODING {}").format(sql.Literal(properties["encoding"])),
        sql.SQL("LC_COLLATE {} LC_CTYPE {}").format(
            sql.Literal(properties["collate"]), sql.Literal(properties["ctype"])
        ),
        sql.SQL("ALLOW_CONNECTIONS false CONNECTION LIMIT {}").format(sql.Literal(marks.NEWBORN)),
    ]
    provider = {"i": ("icu", "ICU_LOCALE"), "b": ("builtin", "BUILTIN_LOCALE")}.get(properties["provider"] or "")
    if provider:
        words.append(
            sql.SQL("LOCALE_PROVIDER {} {} {}").format(
                sql.SQL(provider[0]), sql.SQL(provider[1]), sql.Literal(properties["locale"])
            )
        )
    elif properties["provider"]:
        words.append(sql.SQL("LOCALE_PROVIDER libc"))
    database.at_length(sql.SQL(" ").join(words), deadline, look)
    place, mark = sql.Identifier(name), Mark("made", manifest.database, manifest.name)
    with database.transaction() as ask:
        ask(sql.SQL("COMMENT ON DATABASE {} IS {}").format(place, sql.Literal(mark.text)))
        ask(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true CONNECTION LIMIT -1").format(place))


def drop(session: DatabaseSession, name: str, of: str, deadline: Deadline, look: Meanwhile) -> None:
    """Drop what this collection made beside the database C(of), with the sessions in it, if it is there."""
    sql, database = session.database.sql, session.database
    there = database.read(MADE, [name])
    if not there:
        return
    fault = foreign(name, of, there)
    if fault:
        raise OperatorError(fault)
    statement = sql.SQL("DROP DATABASE {}").format(sql.Identifier(name))
    try:
        database.at_length(statement + sql.SQL(" WITH (FORCE)"), deadline, look)
    except Refused as refusal:
        if refusal.reason != "privilege":
            raise
        # To end autovacuum by force takes more rights than to drop the database, which ends it as well.
        database.at_length(statement, deadline, look)


def foreign(name: str, of: str, there: Sequence[Row]) -> Fault | None:
    """The fault where somebody else's database has the name under which one is to be made beside C(of)."""
    if all(marks.made_for(row, of) for row in there):
        return None
    return Fault(
        "name_taken",
        f"There is a database {name} already, and nothing says that it was made of a backup of {of}.",
        f"Look what it is; if nobody needs it, drop it (DROP DATABASE), else rename it. The backup of {of} is restored "
        "under this name.",
    )


def _room(session: DatabaseSession, manifest: Manifest, making: str) -> Answer:
    """Whether the server's disk has room for the restored database; what a killed run left under its name goes."""
    params = session.params
    there = {row["name"]: row["bytes"] for row in session.database.read(SIZES, [[manifest.database, making]])}
    wanted = manifest.entries.get("database_bytes") or there.get(manifest.database)
    free = params["free_bytes"]
    return footprint.room(
        [Need(making, wanted, lasting=False)],
        None if free is None else free + (there.get(making) or 0),
        params["free_bytes_unknown"] or "",
        params["reserve_bytes"],
        "Make room on the server, or restore elsewhere.",
    )


def fill(
    session: DatabaseSession,
    found: Programs,
    archive: str,
    name: str,
    jobs: int,
    deadline: Deadline,
    look: Meanwhile,
) -> None:
    """Restore the archive into the empty database, up to the first error."""
    quoted = name.replace("\\", "\\\\").replace("'", "\\'")  # libpq's rule for values in a connection string
    options = ["--exit-on-error", "--no-password", f"--jobs={jobs}", f"--dbname=dbname='{quoted}'"]
    argv = [found["pg_restore"], *options, archive]
    with programs.environment(session.target, name, session.call.environment) as variables:
        programs.run(argv, variables, deadline, look, session.target.secrets)


def counted(session: DatabaseSession, name: str, deadline: Deadline, look: Meanwhile) -> dict[str, Any]:
    """What is in the restored database."""
    with session.another(name) as database, database.transaction(read_only=True) as ask:
        ask("SET LOCAL idle_in_transaction_session_timeout = 0")
        return contents.count(database, ask, deadline, look)


def find(session: DatabaseSession, manifest: Manifest) -> Programs:
    """Programs that can read the archive: none older than the pg_dump that wrote it."""
    written = int(manifest.entries["client_version"].split(".")[0])
    return programs.find(
        max(session.database.version // 10000, written),
        session.params["client_directory"],
        session.call.environment.get("PATH", ""),
    )


def alone(database: Database, name: str) -> None:
    """See to it that no other run makes a database of this name, as long as this connection lives."""
    key = "SELECT pg_try_advisory_lock(hashtext(%s), hashtext(%s)) AS taken"
    taken: list[Row] = database.read(key, ["linkops.runbooks", name])
    if not taken[0]["taken"]:
        raise OperatorError(
            Fault("restore_running", f"Another run restores into the database {name}.", "Wait until it has ended.")
        )
