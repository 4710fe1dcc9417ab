# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the server is asked about the upkeep of its tables. Written for PostgreSQL 13 and later."""

from __future__ import annotations

#: The version from which on this holds: rows inserted since the last vacuum, VACUUM (SKIP_LOCKED, TRUNCATE).
OLDEST = 130000

SERVER = """
SELECT pg_is_in_recovery() AS in_recovery, current_setting('transaction_read_only') = 'on' AS read_only,
       current_setting('default_transaction_read_only') = 'on' AS read_only_by_default,
       pg_backend_pid() AS pid, current_database() AS database,
       txid_snapshot_xmax(txid_current_snapshot()) AS next_transaction,
       extract(epoch FROM now())::float8 AS now_epoch_seconds,
       (SELECT age(datfrozenxid) FROM pg_database WHERE datname = current_database()) AS transactions,
       current_setting('autovacuum_freeze_max_age')::int AS freeze_limit,
       current_setting('vacuum_freeze_min_age')::int AS freeze_minimum
"""

#: The moment of initdb stands in the upper half of the system identifier (postgres:src/backend/access/transam/xlog.c).
PACE = """
SELECT txid_snapshot_xmax(txid_current_snapshot()) AS next_transaction,
       extract(epoch FROM now())::float8 AS now_epoch_seconds,
       extract(epoch FROM now())::float8 - ((system_identifier >> 32) & 4294967295) AS lifetime_seconds
FROM pg_control_system()
"""

#: Tables with storage, their TOAST tables' ages included. No lock is taken: sizes are those of the last vacuum.
#: Who may: the owner, the database's owner, a superuser, since PostgreSQL 17 who has MAINTAIN
#: (postgres:src/backend/commands/vacuum.c, vacuum_is_permitted_for_relation).
TABLES = """
SELECT c.oid::bigint AS oid, n.nspname AS schema, c.relname AS name, c.relpages AS pages,
       root.relname AS root, rootspace.nspname AS root_schema,
       s.n_live_tup AS live, s.n_dead_tup AS dead, s.n_mod_since_analyze AS changed, s.n_ins_since_vacuum AS inserted,
       s.vacuum_count + s.autovacuum_count AS vacuums, s.analyze_count + s.autoanalyze_count AS analyses,
       extract(epoch FROM clock_timestamp() - greatest(s.last_vacuum, s.last_autovacuum))::float8 AS vacuumed_seconds,
       extract(epoch FROM clock_timestamp() - greatest(s.last_analyze, s.last_autoanalyze))::float8
           AS analyzed_seconds,
       greatest(age(c.relfrozenxid), age(t.relfrozenxid)) AS transactions,
       greatest(mxid_age(c.relminmxid), mxid_age(t.relminmxid)) AS multixacts,
       least(current_setting('autovacuum_freeze_max_age')::int, o.freeze_limit) AS freeze_limit,
       least(current_setting('autovacuum_multixact_freeze_max_age')::int, o.multixact_limit) AS multixact_limit,
       me.rolsuper OR d.datdba = me.oid OR pg_has_role(c.relowner, 'USAGE') OR pg_has_role(d.datdba, 'USAGE')
           OR (%(maintain)s AND has_table_privilege(c.oid, %(privilege)s)) AS permitted,
       (SELECT count(*) FROM pg_index i JOIN pg_class ic ON ic.oid = i.indexrelid JOIN pg_am a ON a.oid = ic.relam
        WHERE i.indrelid = c.oid AND a.amname IN ('hnsw', 'ivfflat')) AS vector_indexes
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_stat_all_tables s ON s.relid = c.oid
JOIN pg_roles me ON me.rolname = current_user
JOIN pg_database d ON d.datname = current_database()
LEFT JOIN pg_class t ON t.oid = c.reltoastrelid
LEFT JOIN pg_class root ON c.relispartition AND root.oid = pg_partition_root(c.oid)
LEFT JOIN pg_namespace rootspace ON rootspace.oid = root.relnamespace
LEFT JOIN LATERAL (
    SELECT max(option_value::int) FILTER (WHERE option_name = 'autovacuum_freeze_max_age') AS freeze_limit,
           max(option_value::int) FILTER (WHERE option_name = 'autovacuum_multixact_freeze_max_age')
               AS multixact_limit
    FROM pg_options_to_table(c.reloptions) WHERE option_name LIKE 'autovacuum%%freeze_max_age') o ON true
WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't'
  AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
  AND (%(oid)s::bigint IS NULL OR c.oid = %(oid)s::bigint)
"""

#: Whoever holds the horizon of this database back. VACUUM itself does not (PROC_IN_VACUUM), a walsender does for all.
HOLDERS = """
SELECT 'session' AS kind, a.pid, a.backend_type, NULL AS name, a.usename AS "user", a.application_name AS application,
       host(a.client_addr) AS client, a.state, NULL::bool AS active,
       greatest(age(a.backend_xmin), age(a.backend_xid)) AS transactions,
       extract(epoch FROM clock_timestamp() - a.xact_start)::float8 AS seconds
FROM pg_stat_activity a
WHERE a.pid <> pg_backend_pid() AND (a.backend_xmin IS NOT NULL OR a.backend_xid IS NOT NULL)
  AND (a.datname = current_database() OR a.backend_type = 'walsender')
  AND a.pid NOT IN (SELECT p.pid FROM pg_stat_progress_vacuum p)
UNION ALL
SELECT 'prepared', 0, NULL, gid, owner, NULL, NULL, NULL, NULL, age(transaction),
       extract(epoch FROM clock_timestamp() - prepared)::float8
FROM pg_prepared_xacts WHERE database = current_database()
UNION ALL
SELECT 'slot', active_pid, NULL, slot_name, NULL, NULL, NULL, NULL, active, age(xmin), NULL
FROM pg_replication_slots WHERE xmin IS NOT NULL
"""

#: Who holds a lock that a VACUUM would wait for, and whether that is a vacuum itself, which analyzes at its end.
BUSY = """
SELECT l.relation::bigint AS oid, l.pid, l.mode, a.backend_type, a.usename AS "user",
       a.application_name AS application, a.pid IS NOT NULL AS known, p.pid IS NOT NULL AS vacuums
FROM pg_locks l
LEFT JOIN pg_stat_activity a ON a.pid = l.pid
LEFT JOIN (SELECT pid FROM pg_stat_progress_vacuum UNION SELECT pid FROM pg_stat_progress_analyze) p ON p.pid = l.pid
WHERE l.locktype = 'relation' AND l.granted AND l.pid IS DISTINCT FROM pg_backend_pid()
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND l.mode IN ('ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock',
                 'AccessExclusiveLock')
"""

PROGRESS = """
SELECT phase, heap_blks_total, heap_blks_scanned, heap_blks_vacuumed, index_vacuum_count
FROM pg_stat_progress_vacuum WHERE pid = %(pid)s
"""
