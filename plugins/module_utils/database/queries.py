# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the server is asked. Each query is written for PostgreSQL 10 and later."""

from __future__ import annotations

#: All sessions but our own that may be a client's. Of a session that this role has no right to see the server tells
#: pid, database, user and application, but not even its kind (postgres:src/backend/utils/adt/pgstatfuncs.c). Who may
#: end one: postgres:src/backend/storage/ipc/signalfuncs.c, pg_signal_backend.
SESSIONS = """
SELECT a.pid, to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS started,
       a.backend_type, a.datname AS database, a.usename AS "user", a.application_name AS application,
       host(a.client_addr) AS client, a.state, a.wait_event_type, a.wait_event,
       extract(epoch FROM clock_timestamp() - a.query_start)::float8 AS query_seconds,
       extract(epoch FROM clock_timestamp() - a.xact_start)::float8 AS transaction_seconds,
       extract(epoch FROM clock_timestamp() - a.state_change)::float8 AS state_seconds,
       CASE WHEN a.state IS DISTINCT FROM 'idle' THEN a.query END AS query,
       CASE WHEN a.wait_event_type = 'Lock' THEN pg_blocking_pids(a.pid) END AS blocked_by,
       coalesce(r.rolsuper, false) AS superuser,
       pg_has_role(a.usesysid, 'USAGE') OR pg_has_role('pg_signal_backend', 'USAGE') AS endable
FROM pg_stat_activity a LEFT JOIN pg_roles r ON r.oid = a.usesysid
WHERE a.pid <> pg_backend_pid() AND (a.backend_type IS NOT NULL OR a.datid IS NOT NULL)
"""

#: reserved_connections came with PostgreSQL 16.
LIMITS = """
SELECT current_setting('max_connections')::int AS max_connections,
       current_setting('superuser_reserved_connections')::int AS superuser_reserved,
       current_setting('reserved_connections', true)::int AS reserved,
       (SELECT datconnlimit FROM pg_database WHERE datname = current_database()) AS database_limit,
       (SELECT rolconnlimit FROM pg_roles WHERE rolname = %(role)s) AS role_limit,
       coalesce((SELECT rolsuper FROM pg_roles WHERE rolname = %(role)s), false) AS role_is_super,
       current_database() AS database, pg_is_in_recovery() AS in_recovery,
       extract(epoch FROM clock_timestamp() - pg_postmaster_start_time())::float8 AS uptime_seconds
"""

CACHE = """
SELECT datname AS database, blks_hit AS hit_blocks, blks_read AS read_blocks,
       round(blks_hit::numeric / nullif(blks_hit + blks_read, 0), 4)::float8 AS hit_ratio,
       deadlocks, temp_bytes, xact_commit AS commits, xact_rollback AS rollbacks,
       extract(epoch FROM stats_reset)::float8 AS since_epoch_seconds
FROM pg_stat_database WHERE datname = current_database()
"""

DATABASE_SIZE = "SELECT pg_database_size(current_database()) AS database_bytes"

TABLES = """
SELECT n.nspname AS schema, c.relname AS "table", pg_total_relation_size(c.oid) AS total_bytes,
       pg_table_size(c.oid) AS table_bytes, pg_indexes_size(c.oid) AS index_bytes,
       s.n_live_tup AS live_rows, s.n_dead_tup AS dead_rows
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid
WHERE c.relkind IN ('r', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_'
ORDER BY total_bytes DESC, 1, 2 LIMIT %(top)s
"""

INDEXES = """
SELECT n.nspname AS schema, c.relname AS "index", t.relname AS "table", pg_relation_size(c.oid) AS bytes
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'i' AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_'
ORDER BY bytes DESC NULLS LAST, 1, 2 LIMIT %(top)s
"""

#: What a new session of this role in this database gets: our own timeouts are not the server's.
SETTINGS = """
SELECT name, reset_val AS setting, unit, pending_restart FROM pg_settings WHERE name = ANY(%(names)s) ORDER BY name
"""

EXTENSION = """
SELECT n.nspname AS schema,
       ARRAY(SELECT a.attname::text FROM pg_attribute a
             WHERE a.attrelid = to_regclass(quote_ident(n.nspname) || '.pg_stat_statements') AND a.attnum > 0)
         AS columns
FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pg_stat_statements'
"""
