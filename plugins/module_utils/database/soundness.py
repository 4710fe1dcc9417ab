# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a database's storage is, and those that follow it, each question with a verdict. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..verdict import Verdict
from ..wording import counted, duration, listed, share, size
from . import freezing
from .condition import Limits, graded, unseen
from .horizon import Holder
from .names import shown

Row = Mapping[str, Any]

#: PostgreSQL's own default of autovacuum_vacuum_scale_factor; fewer dead rows than these are no matter.
_DEAD_RATIO, _DEAD_ROWS = 0.2, 10_000
#: A row's header, and the place in the page that points to it (postgres:src/include/access/htup_details.h, itemid.h).
_HEADER, _POINTER, _PAGE_HEADER, _ALIGN = 23, 4, 24, 8
#: Autovacuum begins at its limit, and has failed to keep up when a database is that much older.
_LATE = 1.5
#: From this age on VACUUM leaves everything else aside (PostgreSQL documentation, vacuum_failsafe_age).
_FAILSAFE = 1_600_000_000


@dataclass(frozen=True)
class Air:
    """How much of a table is neither rows nor the room that they shall have; C(measured) or by the statistics."""

    table: str
    bytes: int
    wasted: float
    measured: bool

    @property
    def ratio(self) -> float:
        """The part of it that is wasted."""
        return self.wasted / self.bytes if self.bytes else 0.0

    def as_result(self) -> dict[str, Any]:
        """The figures as evidence."""
        return {"table": self.table, "bytes": self.bytes, "wasted_bytes": round(self.wasted), "measured": self.measured}


def estimated(row: Row) -> Air | None:
    """The air in a table by its statistics; none where there are none. It errs on the silent side."""
    if not row["known"] or row["rows"] < 0 or not row["pages"]:
        return None
    nulls = math.ceil(row["columns"] / 8) if row["nullable"] else 0
    tuple_ = _aligned(_HEADER + nulls) + _aligned(row["width"]) + _POINTER
    room = (row["page_bytes"] - _PAGE_HEADER) * row["fill_percent"] / 100
    expected = math.ceil(row["rows"] / max(1, room // tuple_))
    wasted = max(0, row["pages"] - expected) * row["page_bytes"]
    return Air(shown(row["schema"], row["name"]), row["pages"] * row["page_bytes"], wasted, measured=False)


def _aligned(count: float) -> int:
    return math.ceil(count / _ALIGN) * _ALIGN


def large(tables: Sequence[Row], limits: Limits) -> list[Row]:
    """The tables that are worth a look, the largest first."""
    found = [row for row in tables if row["pages"] * row["page_bytes"] >= limits.large_bytes]
    return sorted(found, key=lambda row: -row["pages"])


def bloat(found: Sequence[Air], unknown: Sequence[str], how: str, limits: Limits) -> Verdict:
    """The air in large tables; C(unknown) names those without statistics, C(how) says what the figures rest on."""
    worst = sorted(found, key=lambda air: -air.ratio)
    told = [
        f"{air.table} {share(air.ratio)} of {size(air.bytes)} ({'measured' if air.measured else 'estimated'})"
        for air in worst
        if air.ratio >= limits.bloat_warning_ratio
    ]
    said = listed(told) or f"none of {counted(len(found), 'table')} of {size(limits.large_bytes)} and more"
    if not found and not unknown:
        return Verdict("pass", f"no table of {size(limits.large_bytes)} and more")
    fails = bool(worst) and worst[0].ratio >= limits.bloat_critical_ratio
    blind = f"no statistics of {listed(unknown)}: press vacuum.yml, which analyzes them" if unknown else ""
    evidence = {"tables": [air.as_result() for air in worst], "without_statistics": list(unknown)}
    return graded("; ".join(filter(None, [said, how])), evidence, fails=fails, warns=bool(told), blind=blind)


def dead(tables: Sequence[Row]) -> Verdict:
    """Rows that wait for a vacuum, by the server's own count."""
    many = [
        row for row in tables if row["dead"] >= _DEAD_ROWS and row["dead"] >= _DEAD_RATIO * (row["dead"] + row["live"])
    ]
    many.sort(key=lambda row: -row["dead"])
    told = [
        f"{shown(row['schema'], row['name'])} {row['dead']:,} ({share(row['dead'] / (row['dead'] + row['live']))})"
        for row in many
    ]
    total = sum(row["dead"] for row in tables)
    said = f"{listed(told)}; press vacuum.yml" if told else f"{total:,} in {counted(len(tables), 'table')}"
    most = sorted(tables, key=lambda row: -row["dead"])[:20]
    evidence = {
        "dead_rows": total,
        "tables": [
            {"table": shown(row["schema"], row["name"]), "dead": row["dead"], "live": row["live"]} for row in most
        ],
    }
    return graded(said, evidence, fails=False, warns=bool(told))


def invalid(rows: Sequence[Row]) -> Verdict:
    """Indexes that no query uses and that cost writes all the same."""
    built = [shown(row["schema"], row["name"]) for row in rows if row["built"]]
    doubtful = [shown(row["schema"], row["name"]) for row in rows if row["hidden"] and not row["built"]]
    left = [shown(row["schema"], row["name"]) for row in rows if not row["built"] and not row["hidden"]]
    parts = [f"invalid: {listed(left)}; press index.yml"] if left else []
    parts += [f"being built: {listed(built)}"] if built else []
    blind = f"{listed(doubtful)}: invalid, or what another role builds, which is hidden" if doubtful else ""
    evidence = {"invalid": left, "being_built": built, "doubtful": doubtful}
    said = "; ".join(parts) or ("" if doubtful else "none is invalid")
    return graded(said, evidence, fails=bool(left), warns=bool(built), blind=blind)


def wraparound(
    databases: Sequence[Row], holders: Sequence[Holder], now: datetime, speed: freezing.Rate | None
) -> Verdict:
    """How far the oldest database is from the end of the transaction ids."""
    oldest = max(databases, key=lambda row: max(row["transactions"], row["multixacts"]))
    age = max(oldest["transactions"], oldest["multixacts"])
    left = freezing.WRAPAROUND - age
    said = (
        f"{oldest['database']} is the oldest: {oldest['transactions']:,} transactions,"
        f" {oldest['multixacts']:,} multixacts, forced vacuums from {oldest['freeze_limit']:,} on"
    )
    stop = None
    if speed is not None:
        transactions = max(row["transactions"] for row in databases)
        stop = freezing.forecast(transactions, oldest["freeze_limit"], now, speed)["stop_at"]
    soon = any(row["transactions"] >= _LATE * row["freeze_limit"] for row in databases)
    late = soon or any(row["multixacts"] >= _LATE * row["multixact_limit"] for row in databases)
    if late:
        said += "; autovacuum does not keep up" + (
            f", the server would stop writing at {stop}" if soon and stop else ""
        )
        said += f"; {holders[0].sentence}" if holders else "; press vacuum.yml for it"
    evidence = {"databases": [dict(row) for row in databases], "stop_at": stop}
    return graded(said, evidence, fails=age >= _FAILSAFE or left <= freezing.WARN_LEFT, warns=late)


def replication(standbys: Sequence[Row], own: Row, user: str, limits: Limits) -> Verdict:
    """How far behind those are that follow this server, and this one behind whom it follows."""
    hidden = sum(row["state"] is None for row in standbys)
    seen = [row for row in standbys if row["state"] is not None]
    told = [
        f"{row['name'] or 'a standby'} ({row['client'] or 'this host'}) {row['state']}, {_behind(row)}" for row in seen
    ]
    lags = [_lag(row) for row in seen]
    fails = any(lag >= limits.lag_critical_seconds for lag in lags)
    warns = any(row["state"] != "streaming" for row in seen) or any(lag >= limits.lag_warning_seconds for lag in lags)
    if own["in_recovery"]:
        told.append(f"this server follows, {_behind(own)}")
        fails = fails or not own["receiving"] or _lag(own) >= limits.lag_critical_seconds
        warns = warns or bool(own["paused"]) or _lag(own) >= limits.lag_warning_seconds
        told += ["it receives nothing"] if not own["receiving"] else []
        told += ["replay is paused"] if own["paused"] else []
    blind = unseen(hidden, user, "standby")
    evidence = {"standbys": [dict(row) for row in standbys], "own": dict(own)}
    return graded(listed(told) or ("" if hidden else "nobody follows"), evidence, fails=fails, warns=warns, blind=blind)


def _lag(row: Row) -> float:
    """Seconds; who has replayed everything is not behind, however long ago that was."""
    return 0.0 if not row["bytes"] else row["seconds"] or 0.0


def _behind(row: Row) -> str:
    if not row["bytes"]:
        return "not behind"
    return f"{size(row['bytes'])} behind" + (f", {duration(row['seconds'])}" if row["seconds"] else "")


def slots(rows: Sequence[Row], limits: Limits) -> Verdict:
    """Replication slots, which keep the log for whoever reads it; an abandoned one fills the disk."""
    told, fails, warns = [], False, False
    for row in rows:
        kept = row["bytes"] or 0.0
        state = "active" if row["active"] else "inactive"
        gone = row["wal_status"] in ("lost", "unreserved")
        said = f"the {state} {row['kind']} slot {row['name']} keeps {size(kept)}"
        told.append(f"{said}, its log is {row['wal_status']}" if gone else said)
        fails = fails or gone or kept >= limits.slot_critical_bytes
        warns = warns or not row["active"]
    if warns or fails:
        told.append("bring its consumer back, or SELECT pg_drop_replication_slot(...)")
    return graded(listed(told) or "none", {"slots": [dict(row) for row in rows]}, fails=fails, warns=warns)


def corruption(found: Sequence[str], checked: int, wanted: int, why: str) -> Verdict:
    """What amcheck found in tables and B-trees; C(why) says why it did not look at all of them."""
    said = listed(found) or f"none in {counted(checked, 'relation')}"
    blind = f"{checked} of {wanted} were checked: {why}" if checked < wanted else ""
    evidence = {"checked": checked, "wanted": wanted, "found": list(found)}
    return graded(said if found or not blind else "", evidence, fails=bool(found), warns=False, blind=blind)
