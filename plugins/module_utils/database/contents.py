# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is in a database, to be compared after a restore, and what stands around it in the cluster."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..deadline import Deadline
from .connection import Ask, Database, Row


def _complete(query: str) -> str:
    """The query for the database's own objects: what belongs to an extension comes with it, and is not dumped."""
    own = """
    NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = '{catalog}'::regclass AND d.objid = {oid} AND d.deptype = 'e')
    AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_'
    """
    for mark, catalog, oid in (("{own}", "pg_class", "c.oid"), ("{own function}", "pg_proc", "p.oid")):
        query = query.replace(mark, own.replace("{catalog}", catalog).replace("{oid}", oid))
    return query


TABLES = _complete("""
SELECT n.nspname AS schema, c.relname AS name, quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS shown
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND {own} ORDER BY 1, 2
""")

#: Without those for NOT NULL, which are constraints from PostgreSQL 18 on only.
CONSTRAINTS = _complete("""
SELECT 'the constraint ' || quote_ident(k.conname) || ' on ' || quote_ident(n.nspname) || '.' || quote_ident(c.relname)
       || ' ' || pg_get_constraintdef(k.oid) || CASE WHEN k.convalidated THEN '' ELSE ' (not valid)' END AS said
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE k.contype IN ('c', 'f', 'p', 'u', 'x') AND {own} ORDER BY 1
""")

#: An index that is not valid is not compared: a restore builds it anew, whole.
INDEXES = _complete("""
SELECT 'the index ' || pg_get_indexdef(i.indexrelid) AS said
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE i.indisvalid AND {own} ORDER BY 1
""")

OBJECTS = _complete("""
SELECT CASE c.relkind WHEN 'v' THEN 'the view ' WHEN 'm' THEN 'the materialized view ' WHEN 'S' THEN 'the sequence '
       ELSE 'the partitioned table ' END || quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS said
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('v', 'm', 'S', 'p') AND c.relpersistence <> 't' AND {own}
UNION ALL
SELECT 'the function ' || quote_ident(n.nspname) || '.' || quote_ident(p.proname) || '('
       || pg_get_function_identity_arguments(p.oid) || ')'
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE {own function}
UNION ALL
SELECT 'the trigger ' || quote_ident(t.tgname) || ' on ' || quote_ident(n.nspname) || '.' || quote_ident(c.relname)
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE NOT t.tgisinternal AND {own}
UNION ALL
SELECT 'the extension ' || e.extname FROM pg_extension e
ORDER BY 1
""")

MIGRATIONS = """
SELECT n.nspname AS schema FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = '_prisma_migrations' AND c.relkind = 'r' ORDER BY n.nspname = 'public' DESC, 1 LIMIT 1
"""

EXTENSIONS = """
SELECT e.extname AS name, e.extversion AS version FROM pg_extension e WHERE e.extname <> 'plpgsql' ORDER BY 1
"""

SERVER = """
SELECT extract(epoch FROM clock_timestamp())::float8 AS epoch_seconds, pg_is_in_recovery() AS in_recovery,
       pg_database_size(current_database()) AS database_bytes,
       has_function_privilege('pg_control_system()', 'execute')
       AND has_function_privilege('pg_control_checkpoint()', 'execute') AS tells_state
"""

TELLS_IDENTIFIER = "SELECT has_function_privilege('pg_control_system()', 'execute') AS tells"
IDENTIFIER = "SELECT system_identifier::text AS identifier FROM pg_control_system()"

#: The same text again says that nothing was written anywhere in the cluster in between: whatever writes takes a
#: transaction id, and one that had begun before stands in the snapshot.
STATE = """
SELECT s.system_identifier::text || ' ' || c.timeline_id || ' ' || txid_current_snapshot()::text AS state
FROM pg_control_system() s, pg_control_checkpoint() c
"""

# The locale's provider has columns since 15, and other names for them since 17.
PROPERTIES = """
SELECT r.rolname AS owner, pg_encoding_to_char(d.encoding) AS encoding, d.datcollate AS collate, d.datctype AS ctype,
       d.datconnlimit AS connection_limit, to_jsonb(d) ->> 'datlocprovider' AS provider,
       coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale') AS locale
FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba WHERE d.datname = current_database()
"""

SETTINGS = """
SELECT r.rolname AS role, item AS setting
FROM pg_db_role_setting s CROSS JOIN unnest(s.setconfig) AS item LEFT JOIN pg_roles r ON r.oid = s.setrole
WHERE s.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database()) ORDER BY 1 NULLS FIRST, 2
"""

GRANTS = """
SELECT CASE a.grantee WHEN 0 THEN NULL ELSE pg_get_userbyid(a.grantee) END AS role, a.privilege_type AS privilege,
       a.is_grantable AS grantable
FROM pg_database d CROSS JOIN aclexplode(d.datacl) a WHERE d.datname = current_database() ORDER BY 1 NULLS FIRST, 2
"""

#: Every role of the cluster that is not the server's own, without its password, which only a superuser may read.
ROLES = """
SELECT r.rolname AS name, r.rolsuper AS superuser, r.rolinherit AS inherit, r.rolcreaterole AS createrole,
       r.rolcreatedb AS createdb, r.rolcanlogin AS login, r.rolreplication AS replication, r.rolbypassrls AS bypassrls,
       r.rolconnlimit AS connection_limit, r.rolvaliduntil::text AS valid_until,
       (SELECT array_agg(item) FROM pg_db_role_setting s CROSS JOIN unnest(s.setconfig) AS item
        WHERE s.setrole = r.oid AND s.setdatabase = 0) AS settings,
       (SELECT array_agg(pg_get_userbyid(m.roleid) ORDER BY 1) FROM pg_auth_members m WHERE m.member = r.oid)
       AS member_of,
       EXISTS (SELECT FROM pg_shdepend s WHERE s.refclassid = 'pg_authid'::regclass AND s.refobjid = r.oid
               AND s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database()))
       OR r.oid = (SELECT datdba FROM pg_database WHERE datname = current_database()) AS needed
FROM pg_roles r WHERE r.rolname !~ '^pg_' ORDER BY 1
"""


def around(ask: Ask) -> dict[str, Any]:
    """What pg_dump leaves to others: properties, settings and grants of the database, and the roles."""
    return {
        "properties": ask(PROPERTIES)[0],
        "settings": ask(SETTINGS),
        "grants": ask(GRANTS),
        "roles": ask(ROLES),
        "extensions": ask(EXTENSIONS),
    }


def identifier(ask: Ask) -> str | None:
    """What initdb gave the server, if this role may ask for it."""
    return str(ask(IDENTIFIER)[0]["identifier"]) if ask(TELLS_IDENTIFIER)[0]["tells"] else None


def count(database: Database, ask: Ask, deadline: Deadline, meanwhile: Callable[[], None]) -> dict[str, Any]:
    """Rows of each table, constraints and the rest as the transaction of C(ask) sees them. Raises C(Refused)."""
    sql = database.sql
    ask("SET LOCAL search_path = pg_catalog; SET LOCAL row_security = off")

    def slow(query: Any) -> list[Row]:  # also what reads the catalogue alone: it may wait for another session's lock
        return database.at_length(query, deadline, meanwhile)

    tables = slow(TABLES)
    said = {
        kind: [row["said"] for row in slow(query)]
        for kind, query in (("constraints", CONSTRAINTS), ("indexes", INDEXES), ("objects", OBJECTS))
    }
    newest = _newest_migration(database, slow)
    rows = {}
    for table in tables:
        name = sql.Identifier(table["schema"], table["name"])
        rows[table["shown"]] = slow(sql.SQL("SELECT count(*) AS rows FROM {}").format(name))[0]["rows"]
    return {"rows": rows, **said, "newest_migration": newest}


def _newest_migration(database: Database, ask: Ask) -> str | None:
    found = ask(MIGRATIONS)
    if not found:
        return None
    table = database.sql.Identifier(found[0]["schema"], "_prisma_migrations")
    newest = ask(
        database.sql.SQL(
            "SELECT migration_name AS name FROM {} WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL"
            " ORDER BY finished_at DESC, migration_name DESC LIMIT 1"
        ).format(table)
    )
    return newest[0]["name"] if newest else None
