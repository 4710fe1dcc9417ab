# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the server is asked about indexes. Written for PostgreSQL 13 and later."""

from __future__ import annotations

#: All indexes of users' tables, each column with what deviates from the defaults of its type.
INDEXES = """
SELECT i.indexrelid::bigint AS oid, n.nspname AS schema, c.relname AS name, t.oid::bigint AS table_oid,
       tn.nspname AS table_schema, t.relname AS table, am.amname AS method, i.indisunique AS is_unique,
       i.indisprimary OR con.conname IS NOT NULL OR i.indisexclusion AS constrains, i.indisreplident AS identifies,
       i.indisvalid AS valid, i.indislive AND i.indisready AS ready, c.relispartition AS attached,
       c.relkind = 'I' AS partitioned, c.relpages AS pages, c.reltuples::float8 AS entries,
       coalesce(c.reloptions, '{}'::text[]) AS settings, pg_get_expr(i.indpred, i.indrelid) AS predicate,
       pg_get_indexdef(i.indexrelid) AS definition,
       (SELECT json_agg(json_build_object(
                   'column', a.attname, 'text', pg_get_indexdef(i.indexrelid, k, true), 'opclass', oc.opcname,
                   'opclass_default', oc.opcdefault, 'collation', co.collname,
                   'collation_default', i.indcollation[k - 1] IN (0, coalesce(a.attcollation, 100)),
                   'descending', i.indoption[k - 1] & 1 = 1, 'nulls_first', i.indoption[k - 1] & 2 = 2,
                   'width', st.avg_width) ORDER BY k)
        FROM generate_series(1, i.indnkeyatts) k
        LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k - 1] AND a.attnum <> 0
        LEFT JOIN pg_stats st ON st.schemaname = tn.nspname AND st.tablename = t.relname AND st.attname = a.attname
            AND st.inherited = (t.relkind = 'p') -- a parent with rows of its own has statistics of both kinds
        LEFT JOIN pg_opclass oc ON oc.oid = i.indclass[k - 1]
        LEFT JOIN pg_collation co ON co.oid = i.indcollation[k - 1]) AS columns,
       ARRAY(SELECT a.attname::text FROM generate_series(i.indnkeyatts + 1, i.indnatts) k
             JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k - 1]) AS include
FROM pg_index i
JOIN pg_class c ON c.oid = i.indexrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_class t ON t.oid = i.indrelid
JOIN pg_namespace tn ON tn.oid = t.relnamespace
JOIN pg_am am ON am.oid = c.relam
LEFT JOIN pg_constraint con ON con.conindid = i.indexrelid AND con.contype IN ('p', 'u', 'x')
WHERE t.relpersistence <> 't' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
"""

TABLES = """
SELECT c.oid::bigint AS oid, n.nspname AS schema, c.relname AS name, c.relkind = 'p' AS partitioned,
       (pg_has_role(c.relowner, 'USAGE') AND has_schema_privilege(n.oid, 'CREATE')) AS permitted,
       ARRAY(SELECT a.attname::text FROM pg_attribute a
             WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm', 'p') AND c.relpersistence <> 't'
  AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
"""

#: What the size of an index follows from: rows (-1 before the first analysis) and widths of the columns.
STATISTICS = """
SELECT n.nspname AS schema, c.relname AS name, c.reltuples::float8 AS entries,
       (SELECT json_object_agg(a.attname, coalesce(st.avg_width, nullif(a.attlen, -1)))
        FROM pg_attribute a LEFT JOIN pg_stats st ON st.schemaname = n.nspname AND st.tablename = c.relname
            AND st.attname = a.attname AND NOT st.inherited
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS widths
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = ANY (%(oids)s)
"""

#: Invalid indexes of TOAST tables, which only a superuser can drop.
TOAST = """
SELECT c.relname AS name FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'pg_toast' AND NOT i.indisvalid
"""

#: How far a build is, and whom it waits for.
PROGRESS = """
SELECT p.phase, p.blocks_done, p.blocks_total, p.tuples_done, p.tuples_total, p.lockers_done, p.lockers_total,
       nullif(p.current_locker_pid, 0) AS locker, b.usename AS "user", b.application_name AS application, b.state,
       extract(epoch FROM clock_timestamp() - b.xact_start)::float8 AS seconds
FROM pg_stat_progress_create_index p LEFT JOIN pg_stat_activity b ON b.pid = p.current_locker_pid
WHERE p.pid = %(pid)s
"""

#: Builds of other sessions; of those of other roles the table is hidden without pg_read_all_stats.
BUILDS = """
SELECT pid, relid::bigint AS table_oid, index_relid::bigint AS index_oid, phase FROM pg_stat_progress_create_index
"""

#: How the tables are read. The server counts since its statistics were reset.
READS = """
SELECT s.relid::bigint AS oid, s.schemaname AS schema, s.relname AS name, s.seq_scan AS scans, s.seq_tup_read AS read,
       coalesce(s.idx_scan, 0) AS index_scans, s.n_live_tup AS live, pg_table_size(s.relid) AS bytes,
       ARRAY(SELECT a.attname::text FROM pg_attribute a JOIN pg_type ty ON ty.oid = a.atttypid
             WHERE a.attrelid = s.relid AND a.attnum > 0 AND ty.typname IN ('vector', 'halfvec', 'sparsevec'))
           AS vectors
FROM pg_stat_user_tables s
"""

USES = """
SELECT s.indexrelid::bigint AS oid, s.idx_scan AS scans, pg_relation_size(s.indexrelid) AS bytes
FROM pg_stat_user_indexes s
"""

FOREIGN_KEYS = """
SELECT con.conname AS name, con.conrelid::bigint AS table_oid, n.nspname AS schema, t.relname AS table,
       r.relname AS target,
       ARRAY(SELECT a.attname::text FROM unnest(con.conkey) WITH ORDINALITY k (number, place)
             JOIN pg_attribute a ON a.attrelid = con.conrelid AND a.attnum = k.number ORDER BY k.place) AS columns
FROM pg_constraint con
JOIN pg_class t ON t.oid = con.conrelid JOIN pg_namespace n ON n.oid = t.relnamespace
JOIN pg_class r ON r.oid = con.confrelid
WHERE con.contype = 'f' AND con.conparentid = 0
"""

SINCE = """
SELECT extract(epoch FROM now() - coalesce(stats_reset, pg_postmaster_start_time()))::float8 AS seconds
FROM pg_stat_database WHERE datname = current_database()
"""
