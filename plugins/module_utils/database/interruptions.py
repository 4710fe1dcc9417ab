# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a restart of the server would interrupt, and whether it has come back. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import Fault
from ..wording import counted, duration, size

Row = Mapping[str, Any]

SERVER = """
SELECT extract(epoch FROM pg_postmaster_start_time())::float8 AS started_epoch_seconds,
       extract(epoch FROM clock_timestamp() - pg_postmaster_start_time())::float8 AS uptime_seconds,
       pg_is_in_recovery() AS in_recovery
"""

#: Prisma's migration engine holds this lock (prisma-engines:schema-engine/connectors/sql-schema-connector,
#: acquire_lock); backups are known by the names of PostgreSQL's programs, and ours by its exported snapshot. Of other
#: roles' sessions a role without pg_read_all_stats sees name and locks alone (monitoring-stats, pg_stat_activity).
WORK = """
SELECT DISTINCT CASE WHEN l.pid IS NOT NULL THEN 'a migration (Prisma)'
            WHEN a.application_name ~ '^pg_(dump|dumpall|basebackup)' OR b.pid IS NOT NULL THEN 'a backup'
            WHEN a.application_name = 'pg_restore' OR a.datname ~ '_restoring$' THEN 'a restore'
            WHEN a.application_name = 'linkops.runbooks' AND a.query ~* '^(COPY|LOCK TABLE|SELECT count)'
            THEN 'a backup'
            WHEN a.query ~* '^\\s*(VACUUM|CREATE\\s+(UNIQUE\\s+)?INDEX|REINDEX)' AND a.state = 'active'
            THEN 'maintenance (' || split_part(upper(ltrim(a.query)), ' ', 1) || ')' END AS kind,
       a.pid, a.application_name AS application, a.usename AS "user",
       extract(epoch FROM clock_timestamp() - a.backend_start)::float8 AS seconds
FROM pg_stat_activity a
LEFT JOIN pg_locks l ON l.pid = a.pid AND l.locktype = 'advisory' AND l.objid = 72707369 AND l.granted
LEFT JOIN pg_stat_replication b ON b.pid = a.pid AND b.state = 'backup'
WHERE a.pid <> pg_backend_pid()
  AND (a.backend_type IN ('client backend', 'walsender') OR a.backend_type IS NULL AND a.usesysid IS NOT NULL)
"""

REPLICAS = """
SELECT application_name AS name, state, sync_state,
       pg_wal_lsn_diff(CASE WHEN NOT pg_is_in_recovery() THEN pg_current_wal_lsn() END, replay_lsn)::float8 AS bytes
FROM pg_stat_replication WHERE state IS DISTINCT FROM 'backup'
"""


def hindrances(work: Sequence[Row]) -> list[Fault]:
    """What must not be interrupted unasked."""
    return [
        Fault(
            "work_running",
            f"{str(each['kind'])[:1].upper()}{str(each['kind'])[1:]} is running: pid {each['pid']}, "
            f"{each['application'] or 'no application name'} as {each['user'] or 'somebody'}"
            f"{'' if each['seconds'] is None else ', for ' + duration(each['seconds'])}.",
            "Wait until it has ended, or interrupt it with -e interrupt=true.",
        )
        for each in work
        if each["kind"]
    ]


def act(place: str, sessions: Sequence[Row] | None, trouble: str) -> str:
    """What a restart does, in one sentence without its full stop."""
    if sessions is None:
        return f"{place} is restarted, and cannot be asked who is connected ({trouble.rstrip('.')})"
    open_ones = [each for each in sessions if (each["transaction_seconds"] or 0) > 0]
    names = [f"{each['application'] or 'no application name'}" for each in sessions]
    counts = ", ".join(f"{names.count(name)} x {name}" for name in dict.fromkeys(names))
    said = f"{counted(len(sessions), 'session')}{f' ({counts})' if counts else ''}"
    return f"{place} is restarted: {said} end, {len(open_ones)} of them in a transaction that is rolled back"


def replicas_said(replicas: Sequence[Row], in_recovery: bool) -> list[str]:
    """What is to be known of those that follow this server, or of it as a follower."""
    said = ["This server is a standby; its primary is not restarted."] if in_recovery else []
    for each in replicas:
        behind = f", {size(each['bytes'])} behind" if each["bytes"] is not None else ""
        said.append(f"The standby {each['name']} is {each['state']} ({each['sync_state']}{behind}); it reconnects.")
    return said


def recent(server: Row | None, fresh_minutes: float) -> str:
    """Why it need not be restarted, empty if it is not so."""
    if server and server["uptime_seconds"] < 60 * fresh_minutes:
        return f"it was started {duration(server['uptime_seconds'])} ago, and fresh_minutes is {fresh_minutes:g}"
    return ""


def came_back(before: Row | None, now: Row, elapsed_seconds: float) -> bool:
    """Whether the server that answers was started after the act; a crash of its own in between counts as well.

    Where nobody could be asked before, its age tells; clocks run differently by less than a second in so short a time.
    """
    if before:
        return bool(now["started_epoch_seconds"] > before["started_epoch_seconds"])
    return bool(now["uptime_seconds"] <= elapsed_seconds + 1)
