# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation behind M(linkops.runbooks.database_health), where the database meets what it runs on.

Each question is asked on its own, so that what one role or one server does not have leaves the other lines standing;
after a connection that is gone nothing more is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Any

from . import lines
from .call import Call
from .database import condition, health_queries, horizon, info, queries, soundness, upkeep, upkeep_queries
from .database.arguments import TIMEOUTS
from .database.condition import Limits, Sessions
from .database.connection import Database
from .database.corruption import corruption
from .database.names import shown
from .database.refusals import EXHAUSTED, Refused
from .database.session import DatabaseSession, opened
from .database.soundness import Air
from .deadline import Deadline
from .dependency import above_zero
from .errors import Fault, OperatorError
from .hosting import notices
from .hosting.rds import Instance
from .lines import Line, unasked
from .verdict import Verdict

#: Reasons after which no further question can be answered.
_GONE = frozenset({"silent", "connection_lost", "not_ready"})
#: How long tables may be measured; those that are left are estimated.
_MEASURED_SECONDS = 5.0
_EVENTS_SECONDS = 3600.0

Question = Callable[[], Verdict]


def database_health(call: Call) -> dict[str, Any]:
    """How a database does, as lines; what cannot be asked is one too, unless C(unreachable=fail) wants a fault."""
    params = call.params
    limits = Limits(**params["limits"])
    with ThreadPoolExecutor(1) as pool:
        hosted = pool.submit(_hosted, call)
        try:
            with opened(call, *_faults(params)) as session:
                found = _looked(session, limits)
        except OperatorError as fault:
            if params["unreachable"] == "fail" or fault.reason == "input_invalid":
                raise
            verdict = unasked(fault)
            found = [
                Line(
                    "database",
                    Verdict("fail", verdict.reason, verdict.evidence) if fault.reason in EXHAUSTED else verdict,
                )
            ]
        found += hosted.result()
    return lines.told(found)


def _looked(session: DatabaseSession, limits: Limits) -> list[Line]:
    """The lines of a database that can be connected to, in the order in which one looks in an incident."""
    database, params = session.database, session.params
    server, rows, census = info.seen(session, params["service_user"])
    sessions = Sessions(rows, server["database"], session.target.user)
    read = database.read
    questions: dict[str, Question] = {
        "server": lambda: condition.server(info.described(session, server)),
        "connections": lambda: condition.taken(census, limits),
        "sessions": sessions.busy,
        "idle in transaction": lambda: sessions.idle(limits),
        "long transactions": lambda: sessions.long(limits, read(health_queries.PREPARED)),
        "blocking": lambda: sessions.blocked(limits),
        "slow queries": lambda: condition.slow(info.slowest(database, params["top"], by="mean"), limits),
        "size": lambda: _sizes(database, params["top"]),
        "cache": lambda: condition.cache(read(queries.CACHE)[0], limits),
        "dead rows": lambda: soundness.dead(read(health_queries.TABLES)),
        "bloat": lambda: _bloat(database, limits),
        "indexes": lambda: soundness.invalid(read(health_queries.INVALID)),
        "wraparound": lambda: _wraparound(database),
        "replication": lambda: soundness.replication(
            read(health_queries.STANDBYS), read(health_queries.FOLLOWING)[0], session.target.user, limits
        ),
        "replication slots": lambda: soundness.slots(read(health_queries.SLOTS), limits),
    }
    if params["check_corruption"]:
        questions["corruption"] = partial(corruption, session, Deadline(params["max_minutes"] * 60))
    return _asked(questions)


def _asked(questions: Mapping[str, Question]) -> list[Line]:
    found: list[Line] = []
    for name, question in questions.items():
        line = lines.asked(name, question)
        found.append(line)
        if line.verdict.evidence.get("reason") in _GONE and line.verdict.status == "unknown":
            reason = f"not asked, since {name} {line.verdict.reason}"
            found += [Line(each, Verdict("unknown", reason)) for each in list(questions)[len(found) :]]
            break
    return found


def _sizes(database: Database, top: int) -> Verdict:
    size = database.read(queries.DATABASE_SIZE)[0]
    try:
        tables, indexes = (database.read(query, {"top": top}) for query in (queries.TABLES, queries.INDEXES))
    except Refused as refusal:
        if refusal.reason in _GONE:
            raise
        return condition.sizes(size, [], [], blind=f"what is largest cannot be told: {refusal.faults[0].message}")
    return condition.sizes(size, tables, indexes)


def _bloat(database: Database, limits: Limits) -> Verdict:
    """Large tables, measured by pgstattuple where it is to be had, estimated else."""
    rows = soundness.large(database.read(health_queries.TABLES), limits)
    measure, how = _measuring(database)
    deadline = Deadline(_MEASURED_SECONDS)
    found: list[Air] = []
    unknown: list[str] = []
    for row in rows:
        air = None
        if measure and not deadline.expired:
            try:
                air = measure(row)
            except Refused as refusal:
                if refusal.reason in _GONE:
                    raise
                how = f"not all are measured: {refusal.faults[0].message.rstrip('.')}"
                measure = None if refusal.reason == "privilege" else measure
        air = air or soundness.estimated(row)
        if air:
            found.append(air)
        else:
            unknown.append(shown(row["schema"], row["name"]))
    return soundness.bloat(found, unknown, how if rows else "", limits)


def _measuring(database: Database) -> tuple[Callable[[Mapping[str, Any]], Air] | None, str]:
    """How a table is measured, or none and why not."""
    extension = database.read(health_queries.EXTENSION, {"name": "pgstattuple"})
    if not extension:
        return None, "the extension pgstattuple, which measures, is not there"
    sql = database.sql
    query = sql.SQL(
        "SELECT table_len AS bytes, dead_tuple_len + approx_free_space AS wasted FROM {}(%(oid)s::oid::regclass)"
    ).format(sql.Identifier(extension[0]["schema"], "pgstattuple_approx"))

    def measured(row: Mapping[str, Any]) -> Air:
        answer = database.read(query, {"oid": row["oid"]})[0]
        return Air(shown(row["schema"], row["name"]), answer["bytes"], float(answer["wasted"]), measured=True)

    return measured, ""


def _wraparound(database: Database) -> Verdict:
    first = database.read(upkeep_queries.SERVER)[0]
    holders = horizon.holders(database.read(upkeep_queries.HOLDERS))
    now = datetime.fromtimestamp(first["now_epoch_seconds"], UTC)
    return soundness.wraparound(database.read(health_queries.FREEZING), holders, now, upkeep.speed(database, first))


def _hosted(call: Call) -> list[Line]:
    """What RDS says, where the server is one of its instances; it is asked although the database is silent."""
    params = call.params
    if not (params["rds_instance"] and params["rds_region"]):
        return []
    try:
        patience = params["connect_timeout_seconds"]
        instance = Instance(params["rds_instance"], params["rds_region"], call.environment, patience)
        state = instance.state()
    except OperatorError as fault:
        return [Line("rds instance", unasked(fault))]
    return [
        Line("rds instance", notices.instance(state)),
        lines.asked("rds maintenance", lambda: notices.maintenance(state, instance.pending(state))),
        lines.asked(
            "rds events",
            lambda: notices.events(instance.events(_EVENTS_SECONDS), datetime.now(UTC), _EVENTS_SECONDS),
        ),
    ]


def _faults(params: Mapping[str, Any]) -> list[Fault]:
    """What is wrong with the options."""
    limits: Mapping[str, float] = params["limits"]
    faults = above_zero(params, *TIMEOUTS, "max_minutes", "top")
    positive = {f"limits.{name}": value for name, value in limits.items() if name != "connections_warning"}
    faults += above_zero(positive, *positive)
    for name, warning in limits.items():
        critical = limits.get(name.replace("_warning_", "_critical_"), warning)
        if warning > critical:
            faults.append(Fault("input_invalid", f"limits.{name} is above its critical limit.", "Correct one of them."))
    if bool(params["rds_instance"]) != bool(params["rds_region"]):
        message = "Of rds_instance and rds_region one is missing."
        faults.append(Fault("input_invalid", message, "Set database_rds_instance and database_rds_region."))
    return faults
