# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a server is asked about its storage and its standbys. Written for PostgreSQL 13 and later.

What later versions call otherwise or do not have yet is read out of C(to_jsonb), which has whatever columns there are.
"""

from __future__ import annotations

PREPARED = """
SELECT gid AS name, owner AS "user", extract(epoch FROM clock_timestamp() - prepared)::float8 AS seconds
FROM pg_prepared_xacts WHERE database = current_database() ORDER BY prepared
"""

#: Tables as the last vacuum or analyze saw them, with what the columns of a row take by their statistics, each aligned
#: as its type wants it; a short text wants nothing
#: (postgres:src/backend/access/common/heaptuple.c, heap_compute_data_size). No lock is taken.
TABLES = """
SELECT c.oid::bigint AS oid, n.nspname AS schema, c.relname AS name, c.relpages::bigint AS pages,
       c.reltuples::float8 AS rows, s.n_live_tup AS live, s.n_dead_tup AS dead,
       current_setting('block_size')::int AS page_bytes,
       coalesce((SELECT option_value::int FROM pg_options_to_table(c.reloptions) WHERE option_name = 'fillfactor'), 100)
           AS fill_percent,
       w.known = w.columns AS known, w.columns::int AS columns, w.nullable, w.bytes::float8 AS width
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_stat_all_tables s ON s.relid = c.oid
CROSS JOIN LATERAL (
    SELECT count(*) AS columns, count(st.avg_width) AS known, coalesce(bool_or(st.null_frac > 0), false) AS nullable,
           coalesce(sum((1 - st.null_frac) * ceil(st.avg_width::float8 / f.step) * f.step), 0) AS bytes
    FROM pg_attribute a
    LEFT JOIN pg_stats st ON st.schemaname = n.nspname AND st.tablename = c.relname AND st.attname = a.attname
        AND NOT st.inherited
    CROSS JOIN LATERAL (SELECT CASE WHEN a.attlen = -1 AND st.avg_width < 127 THEN 1
                                    WHEN a.attalign = 'd' THEN 8 WHEN a.attalign = 'i' THEN 4
                                    WHEN a.attalign = 's' THEN 2 ELSE 1 END AS step) f
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) w
WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
"""

#: Where an extension is, empty where it is not.
EXTENSION = """
SELECT n.nspname AS schema, e.extversion AS version
FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = %(name)s
"""

#: Indexes that no query uses. An index that is being built is invalid until it is done; what another role builds is
#: hidden without pg_read_all_stats.
INVALID = """
SELECT n.nspname AS schema, c.relname AS name, t.relname AS "table", i.indisready AS ready, i.indisunique AS is_unique,
       EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = c.oid) AS built,
       EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.relid IS NULL) AS hidden
FROM pg_index i
JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE NOT i.indisvalid AND t.relpersistence <> 't' ORDER BY 1, 2
"""

#: One database that runs out of transaction ids stops all of them.
FREEZING = """
SELECT datname AS database, age(datfrozenxid) AS transactions, mxid_age(datminmxid) AS multixacts,
       current_setting('autovacuum_freeze_max_age')::int AS freeze_limit,
       current_setting('autovacuum_multixact_freeze_max_age')::int AS multixact_limit
FROM pg_database
"""

#: Those that follow this server; a base backup is none of them.
STANDBYS = """
SELECT application_name AS name, host(client_addr) AS client, state, sync_state,
       extract(epoch FROM replay_lag)::float8 AS seconds,
       pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END,
                       replay_lsn)::float8 AS bytes
FROM pg_stat_replication WHERE state IS DISTINCT FROM 'backup' ORDER BY 1, 2
"""

#: Whom this server follows. A primary that writes nothing lets the last replayed transaction grow old.
FOLLOWING = """
SELECT pg_is_in_recovery() AS in_recovery, EXISTS (SELECT FROM pg_stat_wal_receiver) AS receiving,
       CASE WHEN pg_is_in_recovery() THEN pg_is_wal_replay_paused() END AS paused,
       pg_wal_lsn_diff(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())::float8 AS bytes,
       extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())::float8 AS seconds
"""

SLOTS = """
SELECT s.slot_name AS name, s.slot_type AS kind, s.active, to_jsonb(s) ->> 'wal_status' AS wal_status,
       pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END,
                       s.restart_lsn)::float8 AS bytes
FROM pg_replication_slots s WHERE NOT s.temporary ORDER BY 1
"""

#: What amcheck can look at, as pg_amcheck chooses (postgres:src/bin/pg_amcheck/pg_amcheck.c,
#: compile_relation_list_one_db): tables, what they toast, and their valid B-trees, the catalog's included. A standby
#: has no pages of unlogged ones.
RELATIONS = """
SELECT c.oid::bigint AS oid, n.nspname AS schema, c.relname AS name, c.relkind = 'i' AS is_index
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_am am ON am.oid = c.relam
LEFT JOIN pg_index i ON i.indexrelid = c.oid
WHERE (c.relkind IN ('r', 'm', 't') AND am.amname = 'heap'
       OR c.relkind = 'i' AND am.amname = 'btree' AND i.indisvalid AND i.indisready)
  AND c.relpersistence <> 't' AND NOT (c.relpersistence = 'u' AND pg_is_in_recovery())
ORDER BY n.nspname = 'pg_catalog', c.relpages, c.oid
"""
