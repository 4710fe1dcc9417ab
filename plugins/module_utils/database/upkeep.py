# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One look at the upkeep of a database, and whether this connection may do anything about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ..errors import Fault
from . import freezing, horizon, names, upkeep_queries, vacuuming
from .connection import Database, Row
from .horizon import Holder
from .refusals import Refused
from .session import DatabaseSession
from .vacuuming import Busy, Table

_MAINTAIN_SINCE = 170000


@dataclass(frozen=True)
class Look:
    """Tables, who holds the horizon, who works on which table (by oid), and the server, as of one moment."""

    server: Row
    rows: Sequence[Row]
    holders: Sequence[Holder]
    busy: Mapping[int, Busy]

    @property
    def tables(self) -> list[Table]:
        """All tables."""
        return [vacuuming.table(row) for row in self.rows]

    @property
    def now(self) -> datetime:
        """The server's clock."""
        return datetime.fromtimestamp(self.server["now_epoch_seconds"], UTC)

    def of(self, oid: int) -> Table | None:
        """The table, unless it is gone."""
        return next((table for table in self.tables if table.oid == oid), None)


def look(database: Database, oid: int | None = None) -> Look:
    """Look at all tables, or at one."""
    values = {
        "oid": oid,
        "maintain": database.version >= _MAINTAIN_SINCE,
        "privilege": "MAINTAIN" if database.version >= _MAINTAIN_SINCE else "TRIGGER",
    }
    with database.transaction(read_only=True) as ask:
        server = ask(upkeep_queries.SERVER)[0]
        rows = ask(upkeep_queries.TABLES, values)
        holders = horizon.holders(ask(upkeep_queries.HOLDERS))
        locks = ask(upkeep_queries.BUSY)
    return Look(server, rows, holders, busy(locks))


def busy(locks: Sequence[Row]) -> dict[int, Busy]:
    """Who works on which table, by its oid."""
    return {lock["oid"]: _busy(lock) for lock in locks}


def unfit(session: DatabaseSession, server: Row) -> list[Fault]:
    """Why this connection can maintain nothing, all of it."""
    place, version = session.target.name, session.database.version
    place = place[:1].upper() + place[1:]
    faults = []
    if version < upkeep_queries.OLDEST:
        faults.append(
            Fault("version", f"{place} is PostgreSQL {version // 10000}.", "This needs PostgreSQL 13 or later.")
        )
    if session.target.pooled or server["pid"] != session.database.backend:
        faults.append(
            Fault(
                "pooled",
                f"A pooler stands between here and {session.target.name}; settings of a session do not hold there.",
                "Give the server's own address (database_host and database_port in the inventory).",
            )
        )
    if server["in_recovery"]:
        faults.append(Fault("read_only", f"{place} is a standby, which is read-only.", "Press for the primary."))
    elif server["read_only_by_default"]:
        faults.append(
            Fault(
                "read_only",
                f"{place} is read-only for the role {session.target.user} (default_transaction_read_only).",
                "Find out why before you turn it off, or ask as another role.",
            )
        )
    return faults


def chosen(current: Look, typed: Sequence[str], place: str, schema: str) -> tuple[list[Table], list[Fault]]:
    """The tables that the names mean, all of them without names; a partitioned table means its partitions."""
    if not typed:
        return current.tables, []
    there: list[dict[str, Any]] = [
        {"oid": row["oid"], "schema": row["schema"], "name": row["name"], "parts": {row["oid"]}} for row in current.rows
    ]
    roots: dict[tuple[str, str], set[int]] = {}
    for row in current.rows:
        if row["root"]:
            roots.setdefault((row["root_schema"], row["root"]), set()).add(row["oid"])
    there += [
        {"oid": (space, name), "schema": space, "name": name, "parts": parts} for (space, name), parts in roots.items()
    ]
    found, faults = names.found(typed, there, "table", place, schema)
    wanted = {oid for row in found for oid in row["parts"]}
    return [table for table in current.tables if table.oid in wanted], faults


def speed(database: Database, first: Row) -> freezing.Rate | None:
    """How fast transaction ids are taken, since a first look at the server; none where this role may not know."""
    try:
        now = database.read(upkeep_queries.PACE)[0]
    except Refused:
        return None
    return freezing.rate(
        now["next_transaction"],
        now["lifetime_seconds"],
        first["next_transaction"],
        now["now_epoch_seconds"] - first["now_epoch_seconds"],
    )


def _busy(lock: Row) -> Busy:
    who = f"pid {lock['pid']}, {lock['user'] or 'somebody'}, {lock['application'] or 'no application name'}"
    # A role that may not see a session's kind sees its user; only the server's own processes have none.
    hidden = lock["known"] and lock["backend_type"] is None and lock["user"] is None
    if lock["backend_type"] == "autovacuum worker" or hidden:
        return Busy(f"autovacuum works on it (pid {lock['pid']})", tends=True)
    if lock["vacuums"]:
        return Busy(f"another session vacuums or analyzes it ({who})", tends=True)
    who = who if lock["pid"] else "a prepared transaction"
    return Busy(f"another session holds a {lock['mode']} on it ({who})", tends=False)
