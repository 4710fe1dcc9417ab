# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation behind M(linkops.runbooks.database_info)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..call import Call
from ..dependency import asked, input_faults
from ..errors import Fault, OperatorError
from . import activity, connections, queries, statements
from .arguments import TIMEOUTS
from .connection import Database, Row
from .connections import Census
from .refusals import EXHAUSTED, Refused
from .session import DatabaseSession, opened

SETTINGS = (
    "autovacuum", "compute_query_id", "idle_in_transaction_session_timeout", "idle_session_timeout", "lock_timeout",
    "maintenance_work_mem", "max_connections", "max_wal_size", "reserved_connections", "shared_buffers",
    "statement_timeout", "superuser_reserved_connections", "track_activities", "track_activity_query_size", "work_mem",
)  # fmt: skip


def info(call: Call) -> dict[str, Any]:
    """How a database does: its connections against their limits, and what else C(gather) names."""
    found, params = asked(call, "database", _look, EXHAUSTED), call.params
    if params["refusal"] and (lack := connections.lack(found, params["refusal"], params["remedy"])):
        raise OperatorError(lack)
    return found


def _look(call: Call) -> dict[str, Any]:
    with opened(call, *input_faults(call, *TIMEOUTS, "top")) as session:
        return _gathered(session)


def _gathered(session: DatabaseSession) -> dict[str, Any]:
    call, database, params = session.call, session.database, session.params
    gather, more = set(params["gather"]), params["more_connections"]
    server, sessions, census = seen(session, params["service_user"])
    result: dict[str, Any] = {"reachable": True, "server": described(session, server)}
    verdict = connections.judge(census, more, params["warning_ratio"], params["critical_ratio"])
    if verdict.passed and census.server.ratio(more) >= params["warning_ratio"]:
        call.warn(f"The connections of {session.target.name}: {verdict.reason}.")
    unavailable = {}
    if census.server.hidden:
        unavailable["activity"] = (
            f"{census.server.hidden} sessions of other roles are hidden from {session.target.user}; "
            "GRANT pg_read_all_stats shows what they do"
        )
    if "connections" in gather:
        result["connections"] = census.as_result(more)
    if "activity" in gather:
        result["activity"] = activity.busy(sessions)
    if "blocking" in gather:
        result["blocking"] = activity.blocking(sessions)
    for part in ("statements", "sizes", "cache", "settings"):
        if part in gather:
            try:
                result[part] = _PARTS[part](database, params["top"])
            except Refused as refusal:
                unavailable[part] = str(refusal)
    return {**result, "verdict": verdict.as_result(), "unavailable": unavailable}


def seen(session: DatabaseSession, service_user: str | None) -> tuple[Row, list[Row], Census]:
    """The server, its sessions, and these counted against the limits, all as of the same moment.

    C(service_user) is the role whose limits count, by default that of the session.
    """
    role = service_user or session.target.user
    with session.database.transaction(read_only=True) as ask:
        server = ask(queries.LIMITS, {"role": role})[0]
        sessions = ask(queries.SESSIONS)
    return server, sessions, connections.count(sessions, server, role, server["database"])


def described(session: DatabaseSession, server: Row) -> dict[str, Any]:
    """The server as the module returns it."""
    major, minor = divmod(session.database.version, 10000)
    return {
        "version": f"{major}.{minor}",
        "address": session.target.address,
        "database": server["database"],
        "user": session.target.user,
        "in_recovery": server["in_recovery"],
        "uptime_seconds": round(server["uptime_seconds"]),
        "through_pooler": session.target.pooled,
    }


def slowest(database: Database, top: int, by: str = "total") -> list[dict[str, Any]]:
    """The statements that took the most time in C(total), or by their C(mean), as the extension counted them."""
    found = database.read(queries.EXTENSION)
    if not found or not found[0]["columns"]:
        raise Refused(
            Fault(
                "no_statistics",
                f"The extension pg_stat_statements is not in {database.target.name}.",
                "CREATE EXTENSION pg_stat_statements, where shared_preload_libraries has it.",
            )
        )
    sql = database.sql
    total, mean = map(sql.Identifier, statements.time_columns(found[0]["columns"]))
    query = sql.SQL(
        'SELECT s.query, r.rolname AS "user", s.calls, s.rows, s.{total} AS total, s.{mean} AS mean,'
        " s.shared_blks_hit::float8 / nullif(s.shared_blks_hit + s.shared_blks_read, 0) AS hit_ratio"
        " FROM {view} s LEFT JOIN pg_roles r ON r.oid = s.userid"
        " WHERE s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND s.calls >= %(calls)s"
        " ORDER BY s.{order} DESC LIMIT %(top)s"
    ).format(
        total=total,
        mean=mean,
        order=mean if by == "mean" else total,
        view=sql.Identifier(found[0]["schema"], "pg_stat_statements"),
    )
    calls = statements.CALLS if by == "mean" else 0
    return statements.described(database.read(query, {"top": top, "calls": calls}))


def _sizes(database: Database, top: int) -> dict[str, Any]:
    return {**database.read(queries.DATABASE_SIZE)[0], "tables": database.read(queries.TABLES, {"top": top})}


def _cache(database: Database, _top: int) -> dict[str, Any]:
    return database.read(queries.CACHE)[0]


def _settings(database: Database, _top: int) -> list[Row]:
    return database.read(queries.SETTINGS, {"names": list(SETTINGS)})


_PARTS: dict[str, Callable[[Database, int], Any]] = {
    "statements": slowest,
    "sizes": _sizes,
    "cache": _cache,
    "settings": _settings,
}
