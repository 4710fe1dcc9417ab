# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which tables need a VACUUM or an ANALYZE, by what the server measured, and what stands in the way. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from .horizon import Holder
from .names import shown

Kind = Literal["freeze", "dead", "inserted", "stale", "analyze"]
Act = Literal["vacuum", "analyze", "none", "blocked", "tended", "busy", "denied"]

_ORDER: dict[str, int] = {"freeze": 0, "dead": 1, "stale": 2, "inserted": 3, "analyze": 4}


@dataclass(frozen=True)
class Limits:
    """From where on a table needs something.

    Rows count from C(minimum_rows) on, ratios are of all rows; a table of C(large_pages) (of 8 KiB) is large, for
    which autovacuum's ratios are too high. Seconds are since the last vacuum, analysis, or a snapshot's taking.
    """

    minimum_rows: int = 1000
    dead_ratio: float = 0.1
    large_dead_ratio: float = 0.02
    changed_ratio: float = 0.1
    inserted_ratio: float = 0.2
    stale_seconds: float = 7 * 86400
    freeze_ratio: float = 0.75
    large_pages: int = 131072
    old_snapshot_seconds: float = 60


@dataclass(frozen=True)
class Need:
    """One reason to act."""

    kind: Kind
    reason: str
    weight: float


@dataclass(frozen=True)
class Busy:
    """Somebody who holds a lock on a table that a vacuum needs; C(tends) says that it is a vacuum itself."""

    reason: str
    tends: bool


@dataclass(frozen=True)
class Table:
    """What the server says of a table; ages in seconds, none where it never happened since the statistics began."""

    oid: int
    schema: str
    name: str
    pages: int
    live: int
    dead: int
    changed: int
    inserted: int
    vacuums: int
    analyses: int
    vacuumed_seconds: float | None
    analyzed_seconds: float | None
    transactions: int
    freeze_limit: int
    multixacts: int
    multixact_limit: int
    permitted: bool
    vector_indexes: int = 0

    @property
    def shown(self) -> str:
        """The name as SQL would have it."""
        return shown(self.schema, self.name)

    @property
    def dead_ratio(self) -> float:
        """The part of its rows that is dead."""
        return self.dead / max(1, self.live + self.dead)

    def as_result(self) -> dict[str, Any]:
        """The figures as modules return them."""
        return {
            "pages": self.pages,
            "live_rows": self.live,
            "dead_rows": self.dead,
            "dead_ratio": round(self.dead_ratio, 4),
            "changed_rows": self.changed,
            "vacuumed_seconds_ago": _rounded(self.vacuumed_seconds),
            "analyzed_seconds_ago": _rounded(self.analyzed_seconds),
            "transaction_age": self.transactions,
        }


@dataclass(frozen=True)
class Decision:
    """What is to be done with a table, and why."""

    table: Table
    act: Act
    needs: tuple[Need, ...] = ()
    reason: str = ""

    @property
    def acts(self) -> bool:
        """Whether this changes anything."""
        return self.act in ("vacuum", "analyze")

    @property
    def freezes(self) -> bool:
        """Whether the whole table must be looked at, not only pages with changes."""
        return any(need.kind == "freeze" for need in self.needs)

    @property
    def why(self) -> str:
        """The needs, or what stands in the way."""
        return self.reason or "; ".join(need.reason for need in self.needs) or "no need"


def table(row: Mapping[str, Any]) -> Table:
    """A table from the server's row."""
    names = (name for name in Table.__dataclass_fields__)
    return Table(**{name: row[name] for name in names})


def needs(table: Table, limits: Limits) -> tuple[Need, ...]:
    """What a table needs, most urgent first; nothing where the figures are below the limits."""
    found = [*_freeze(table, limits), *_cleanup(table, limits), *_analysis(table, limits)]
    return tuple(sorted(found, key=lambda need: (_ORDER[need.kind], -need.weight)))


def decide(
    tables: Iterable[Table], limits: Limits, holders: Sequence[Holder], busy: Mapping[int, Busy], force: bool = False
) -> list[Decision]:
    """What to do with each table, the most urgent first.

    C(busy) says of a table's oid who works on it; C(force) acts without need, and although an old snapshot makes it
    vain, never where somebody else works or the role may not.
    """
    decisions = [_decide(each, limits, holders, busy, force) for each in tables]
    return sorted(decisions, key=_urgency)


def blocking(table: Table, wanted: Sequence[Need], limits: Limits, holders: Sequence[Holder]) -> Holder | None:
    """The holder of an old snapshot that makes a vacuum of this table vain; none where it helps all the same.

    A younger snapshot counts as well, if the table was vacuumed since it was taken and needs it again.
    """
    for holder in holders:
        vacuumed, old = table.vacuumed_seconds, limits.old_snapshot_seconds
        again = vacuumed is not None and holder.may_precede(vacuumed, old)
        if not again and not holder.is_old(old):
            continue
        if any(_vain(need, table, limits, holder) for need in wanted) and not any(
            need.kind == "freeze" and not _vain(need, table, limits, holder) for need in wanted
        ):
            return holder
    return None


def _vain(need: Need, table: Table, limits: Limits, holder: Holder) -> bool:
    """Freezing helps up to the horizon; what has died may have died after it."""
    if need.kind == "analyze":
        return False
    if need.kind == "freeze":
        return holder.transactions >= limits.freeze_ratio * table.freeze_limit
    return True


def _decide(table: Table, limits: Limits, holders: Sequence[Holder], busy: Mapping[int, Busy], force: bool) -> Decision:
    wanted = needs(table, limits)
    if not wanted and not force:
        return Decision(table, "none")
    if not table.permitted:
        return Decision(table, "denied", wanted, "this role neither owns it nor has MAINTAIN on it")
    if table.oid in busy:
        other = busy[table.oid]
        return Decision(table, "tended" if other.tends else "busy", wanted, other.reason)
    if force:
        return Decision(table, "vacuum", wanted or (Need("stale", "force=true", 0.0),))
    holder = blocking(table, wanted, limits, holders)
    if holder:
        return Decision(table, "blocked", wanted, f"{holder.sentence}, so what died since cannot be removed")
    return Decision(table, "analyze" if all(need.kind == "analyze" for need in wanted) else "vacuum", wanted)


def _freeze(table: Table, limits: Limits) -> Iterable[Need]:
    for age, limit, what in (
        (table.transactions, table.freeze_limit, "transactions"),
        (table.multixacts, table.multixact_limit, "multixacts"),
    ):
        if limit > 0 and age >= limits.freeze_ratio * limit:
            yield Need("freeze", f"its oldest rows are {age:,} {what} old, the limit is {limit:,}", age / limit)


def _cleanup(table: Table, limits: Limits) -> Iterable[Need]:
    rows = table.live + table.dead
    large = table.pages >= limits.large_pages
    ratio = limits.large_dead_ratio if large else limits.dead_ratio
    if table.dead >= limits.minimum_rows and table.dead >= ratio * rows:
        yield Need("dead", f"{table.dead:,} of {rows:,} rows are dead ({table.dead_ratio:.0%})", table.dead_ratio)
    elif table.inserted >= limits.minimum_rows and table.inserted >= limits.inserted_ratio * rows:
        yield Need("inserted", f"{table.inserted:,} rows came since the last vacuum", table.inserted / max(1, rows))
    elif (
        table.dead + table.inserted >= limits.minimum_rows
        and table.vacuumed_seconds is not None
        and table.vacuumed_seconds >= limits.stale_seconds
    ):
        days = table.vacuumed_seconds / 86400
        yield Need("stale", f"last vacuumed {days:.0f} days ago, {table.dead + table.inserted:,} rows changed", days)


def _analysis(table: Table, limits: Limits) -> Iterable[Need]:
    if table.changed < limits.minimum_rows:
        return
    ratio = table.changed / max(1, table.live)
    if table.analyzed_seconds is None:
        yield Need("analyze", f"never analyzed, {table.changed:,} rows changed", ratio)
    elif ratio >= limits.changed_ratio:
        yield Need("analyze", f"{table.changed:,} rows changed since the last analysis", ratio)
    elif table.analyzed_seconds >= limits.stale_seconds:
        days = table.analyzed_seconds / 86400
        yield Need("analyze", f"last analyzed {days:.0f} days ago, {table.changed:,} rows changed", ratio)


def _urgency(decision: Decision) -> tuple[int, float, str]:
    first = decision.needs[0] if decision.needs else None
    return (_ORDER[first.kind], -first.weight, decision.table.shown) if first else (9, 0.0, decision.table.shown)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(max(0.0, seconds), 1)
