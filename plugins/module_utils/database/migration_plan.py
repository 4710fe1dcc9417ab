# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation behind M(linkops.runbooks.prisma_migration_plan): what migrating does, and what forbids it."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ..call import Call
from ..errors import Fault, OperatorError
from ..wording import counted
from . import lint, migrations, readiness, undoing
from .archives import Manifest
from .backups import Backups, Source, here
from .lint import Finding
from .migration_info import Picture, look, refusals, sources
from .refusals import Refused
from .session import DatabaseSession, opened

#: What a new session of the role gets by ALTER ROLE and ALTER DATABASE, and what ours got when it began: that is the
#: server's own value, unless our role has one of its own.
_LOCK_TIMEOUT = """
SELECT (array_agg(value ORDER BY rank DESC) FILTER (WHERE role IS NULL OR role = %(role)s))[1] AS standing,
       CASE WHEN bool_or(role = session_user) IS NOT TRUE
            THEN (SELECT reset_val FROM pg_settings WHERE name = 'lock_timeout') END AS session
FROM (SELECT r.rolname AS role, 2 * (s.setrole <> 0)::int + (s.setdatabase <> 0)::int AS rank,
             substr(each, length('lock_timeout=') + 1) AS value
        FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole
             LEFT JOIN pg_database d ON d.oid = s.setdatabase, unnest(s.setconfig) AS each
       WHERE each LIKE 'lock\\_timeout=%%' AND (s.setdatabase = 0 OR d.datname = current_database())) AS given
"""

#: The tables that scripts name, those of the indexes that they name, and their partitions.
_TOUCHED = """
SELECT oid::bigint AS oid FROM (WITH RECURSIVE touched(oid) AS (
  SELECT coalesce(i.indrelid, c.oid)
    FROM unnest(%(schemas)s::text[], %(names)s::text[]) AS named(schema, name)
    JOIN pg_namespace n ON n.nspname = named.schema
    JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = named.name
    LEFT JOIN pg_index i ON i.indexrelid = c.oid
   UNION
  SELECT h.inhrelid FROM pg_inherits h JOIN touched t ON t.oid = h.inhparent)
  SELECT oid FROM touched) AS found
"""

#: Who has been in a transaction for long, or may have been, and which of the tables it has a lock on.
_BLOCKERS = """
SELECT a.pid, a.usename AS "user", a.application_name AS application, a.state, a.backend_type,
       extract(epoch FROM clock_timestamp() - a.xact_start)::float8 AS seconds,
       array(SELECT DISTINCT (CASE WHEN n.nspname = %(schema)s THEN '' ELSE n.nspname || '.' END || c.relname)::text
               FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace
              WHERE l.pid = a.pid AND l.granted AND c.oid = ANY(%(tables)s::oid[])) AS tables
FROM pg_stat_activity a
WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
  AND (a.xact_start < clock_timestamp() - make_interval(secs => %(seconds)s) OR a.backend_type IS NULL)
ORDER BY a.xact_start
"""

_SIZE = """
SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint AS bytes
FROM pg_class WHERE oid = ANY(%(tables)s::oid[]) AND relkind IN ('r', 'm')
"""

#: The server's clock, and its standbys; of those that this role has no right to see it does not tell the state.
_SERVER = """
SELECT extract(epoch FROM clock_timestamp())::float8 AS epoch_seconds, pg_is_in_recovery() AS standby,
       count(*) FILTER (WHERE pid IS NOT NULL AND state IS NULL) AS hidden,
       coalesce(max(extract(epoch FROM replay_lag)), 0)::float8 AS lag_seconds
FROM pg_stat_replication
"""


@dataclass
class _Plan:
    backups: Sequence[Source]
    act: str = "none"
    faults: list[Fault] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    resolution: str = ""
    said: str = ""
    backup: Manifest | None = None
    refused: list[str] = field(default_factory=list)

    def add(self, answer: readiness.Answer) -> None:
        """Take in what speaks against it, or is worth a warning."""
        if isinstance(answer, Fault):
            self.faults.append(answer)
        elif answer:
            self.warnings.append(answer)


def plan(call: Call, backups: Sequence[Source]) -> dict[str, Any]:
    """What is to be done towards C(state); everything that forbids it is raised at once."""
    params = call.params
    made = _Plan(backups)
    with opened(call, *refusals(params["target"] or {}), *_input_faults(params)) as session:
        picture = look(session, sources(params["migrations"]), params["target"] or {})
        _STATES[params["state"]](session, picture, made)
    for sentence in made.warnings:
        call.warn(sentence)
    if made.faults:
        raise OperatorError(made.faults, findings=[each.as_result() for each in made.findings])
    call.say(f"plan: {made.said}")
    newest = made.backup.name if made.backup else ""
    call.journal.note("plan", act=made.act, migrations=made.names, sentence=made.said, newest_backup=newest)
    return {
        "changed": made.act != "none",
        "act": made.act,
        "names": made.names,
        "resolution": made.resolution,
        "findings": [each.as_result() for each in made.findings],
        "migrations": [each.as_result() for each in picture.migrations],
        "newest_backup": newest,
        "refused": made.refused,
        "msg": made.said,
    }


def _input_faults(params: Mapping[str, Any]) -> list[Fault]:
    faults = []
    if params["state"] in ("resolved", "reverted") and not params["migration"]:
        faults.append(
            Fault("migration_missing", f"state={params['state']} needs a migration.", "Give -e migration=NAME.")
        )
    if params["state"] == "resolved" and not params["resolution"]:
        said = "state=resolved needs a resolution."
        faults.append(Fault("resolution_missing", said, "Give -e resolution=rolled_back, or applied."))
    return faults


def _applied(session: DatabaseSession, picture: Picture, made: _Plan) -> None:
    params = session.params
    made.names = migrations.to_apply(picture.migrations)
    bad = [each for each in picture.migrations if each.state in ("failed", "partial")]
    for each in bad:
        error = f" ({each.error})" if each.error else ""
        left = f"; {each.left.why}" if each.left else ""
        made.faults.append(
            Fault("unresolved", f"Migration {each.name} failed{error}{left} (Prisma's P3009).", f"Next: {each.next}")
        )
    if picture.tables and not picture.has_table:
        made.faults.append(
            Fault(
                "no_history",
                f"The schema has {picture.tables} tables and no history of migrations (Prisma's P3005).",
                "Say of each migration that is in it: -e state=resolved -e resolution=applied -e migration=NAME.",
            )
        )
    if params["job_runs"]:
        made.act, made.said = "deploy", "a migration runs already; it is seen through"
        return
    if picture.holder and (made.names or any(each.state == "running" for each in picture.migrations)):
        made.faults.append(_locked(picture))
    if not made.names and not made.faults:
        made.said = f"nothing to apply: {migrations.summary(picture.migrations)}"
        return
    made.act = "deploy"
    made.said = f"{counted(len(made.names), 'migration')} to apply: {', '.join(made.names)}"
    for each in picture.migrations:
        if each.state in ("edited", "ahead"):
            made.warnings.append(f"Migration {each.name} is {each.state}: {_WORDS[each.state]}.")
    _timeout(session, made)
    _circumstances(session, picture, made)
    _lint(session, picture, made)


_WORDS = {
    "edited": "its file is not the one that was applied, which Prisma does not mind",
    "ahead": "the database has it and the image does not",
}


def _resolved(session: DatabaseSession, picture: Picture, made: _Plan) -> None:
    params = session.params
    name, resolution = params["migration"], params["resolution"]
    found = picture.migration(name)
    fault = undoing.unresolvable(found, name, resolution, params["confirm"] or "")
    if found and undoing.is_resolved(found, resolution):
        made.said = f"nothing to do: migration {name} is {found.state.replace('_', ' ')} already"
        return
    if fault:
        made.faults.append(fault)
    if picture.holder:
        made.faults.append(_locked(picture))
    made.act, made.names, made.resolution = "resolve", [name], resolution
    made.said = f"migration {name} is to be marked {resolution.replace('_', ' ')}"


def _reverted(session: DatabaseSession, picture: Picture, made: _Plan) -> None:
    params = session.params
    name = params["migration"]
    found = picture.migration(name)
    if found and found.state in ("failed", "partial"):
        fault = undoing.unresolvable(found, name, "rolled_back", params["confirm"] or "")
        made.act, made.resolution, made.names = "resolve", "rolled_back", [name]
        made.said = f"migration {name} failed and is to be marked rolled back"
        made.faults += [fault] if fault else []
    elif found and found.state in ("pending", "rolled_back"):
        made.said = f"nothing to undo: migration {name} is {found.state.replace('_', ' ')}"
        return
    else:
        known: Mapping[str, Any] = next((each for each in params["migrations"] if each["name"] == name), {})
        made.faults += undoing.unrevertible(picture.migrations, name, known.get("down"), params["confirm"] or "")
        made.act, made.names = "revert", [name]
        made.said = f"migration {name} is to be undone by its down.sql"
    if picture.holder:
        made.faults.append(_locked(picture))


def _rehearsed(session: DatabaseSession, picture: Picture, made: _Plan) -> None:
    """What forbids to migrate forbids no rehearsal, where it may be the question."""
    _applied(session, picture, made)
    made.refused = [str(fault) for fault in made.faults]
    made.warnings += [f"Migrating would be refused: {each}" for each in made.refused]
    made.faults = []
    if made.names:
        made.act = "rehearse"
        made.said = f"{counted(len(made.names), 'migration')} to rehearse: {', '.join(made.names)}"


_STATES = {"rehearsed": _rehearsed, "applied": _applied, "resolved": _resolved, "reverted": _reverted}


def _locked(picture: Picture) -> Fault:
    return Fault(
        "locked",
        f"{picture.held}; Prisma would say P1002.",
        f"Wait, or find out who that is; SELECT pg_terminate_backend({picture.holder.pid if picture.holder else 0}) "
        "ends it.",
    )


def _timeout(session: DatabaseSession, made: _Plan) -> None:
    """Without a lock_timeout the first ALTER TABLE that waits keeps all readers waiting behind it."""
    if not session.params["require_lock_timeout"]:
        return
    target = session.params["target"] or {}
    role = target.get("user") or session.target.user
    found = session.database.read(_LOCK_TIMEOUT, {"role": role})[0]
    options = str(target.get("options") or "")
    made.add(readiness.patience(options, found, role, session.target.database, session.target.user))


def _circumstances(session: DatabaseSession, picture: Picture, made: _Plan) -> None:
    params, database = session.params, session.database
    named = {thing.within(picture.schema) for name in made.names for thing in picture.scripts[name].tables}
    names = {"schemas": [each.schema for each in named], "names": [each.name for each in named]}
    tables = [row["oid"] for row in database.read(_TOUCHED, names)]
    asked = {"tables": tables, "schema": picture.schema, "seconds": params["long_transaction_seconds"]}
    for answer in readiness.blockers(database.read(_BLOCKERS, asked), session.target.user):
        made.add(answer)
    server = database.read(_SERVER)[0]
    _backup(session, made, datetime.fromtimestamp(server["epoch_seconds"], UTC))
    try:
        size = database.read(_SIZE, {"tables": tables})[0]["bytes"]
    except Refused as refusal:
        if refusal.reason != "lock_timeout":
            raise
        size = 0
        made.warnings.append(f"How large the tables are that the migrations touch is unknown: {refusal}")
    made.add(readiness.room(params["free_bytes"], params["free_bytes_unknown"] or "", size, params["reserve_bytes"]))
    limit = params["replication_lag_seconds"]
    for answer in readiness.replicas(server, limit, session.target.name, session.target.user):
        made.add(answer)


def _backup(session: DatabaseSession, made: _Plan, now: datetime) -> None:
    """The newest backup, and whether it is young enough; one that is taken first is."""
    params, name = session.params, session.target.database
    if not made.backups:
        return
    try:
        made.backup = Backups(made.backups, here(session, name), made.warnings.append).newest()
    except OperatorError as unread:
        said = f"The age of the newest backup is unknown: {unread.faults[0].message}"
        required = params["require_backup"] and not params["backup_first"]
        made.add(Fault("no_backup", said, unread.faults[0].remedy) if required else said)
        return
    if not params["backup_first"]:
        place, hours = " and ".join(map(str, made.backups)), params["backup_age_hours"]
        made.add(readiness.way_back(made.backup, now, name, place, hours, params["require_backup"]))


def _lint(session: DatabaseSession, picture: Picture, made: _Plan) -> None:
    """Squawk's word on every pending script."""
    squawk = lint.program()
    if squawk is None:
        made.warnings.append("The pending scripts were not linted: squawk is not here (pip install squawk-cli).")
        return
    scripts: Sequence[Mapping[str, Any]] = session.params["migrations"]
    for each in scripts:
        if each["name"] in made.names:
            try:
                atomic = picture.scripts[each["name"]].atomic
                made.findings += lint.lint(squawk, each["name"], each["script"], atomic)
            except (OSError, subprocess.SubprocessError, ValueError) as fault:
                made.warnings.append(f"{each['name']} was not linted: {fault}.")
    accept = session.params["accept"] or {}
    made.faults += lint.unaccepted(made.findings, accept)
    for finding in made.findings:
        accepted = f"; accepted: {accept[finding.rule]}" if accept.get(finding.rule) else ""
        if accepted or finding.severity == "caution":
            made.warnings.append(f"{finding}{accepted}.")
