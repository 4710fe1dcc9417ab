# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a server and the sessions in one of its databases do, each question with a verdict. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..lines import WARNING
from ..verdict import Verdict
from ..wording import counted, duration, listed, size
from . import activity, connections
from .connections import CLIENT, Census
from .names import shown

Row = Mapping[str, Any]

#: A reason names so many; all are in the evidence.
NAMED = 5
IDLE = ("idle in transaction", "idle in transaction (aborted)")
_FRESH_SECONDS = 600
#: A cache that was read less says nothing.
_BLOCKS = 10_000


@dataclass(frozen=True)
class Limits:
    """From where on a line warns, and from where on it fails; C(connections_warning) of 0 is none."""

    connections_warning: float
    connections_warning_ratio: float
    connections_critical_ratio: float
    idle_warning_seconds: float
    idle_critical_seconds: float
    transaction_warning_seconds: float
    transaction_critical_seconds: float
    blocked_critical_seconds: float
    query_warning_milliseconds: float
    query_critical_milliseconds: float
    cache_warning_ratio: float
    large_bytes: float
    bloat_warning_ratio: float
    bloat_critical_ratio: float
    lag_warning_seconds: float
    lag_critical_seconds: float
    slot_critical_bytes: float


def graded(reason: str, evidence: Mapping[str, Any], *, fails: bool, warns: bool, blind: str = "") -> Verdict:
    """The verdict on a reason; C(blind) says what could not be seen, and makes unknown what would not fail."""
    said = "; ".join(part for part in (reason, blind) if part)
    if fails:
        return Verdict("fail", said, dict(evidence))
    if blind:
        return Verdict("unknown", said, dict(evidence))
    return Verdict("pass", f"{WARNING}{said}" if warns else said, dict(evidence))


def server(described: Mapping[str, Any]) -> Verdict:
    """What answers; a server that started just now deserves a look."""
    role = "a standby" if described["in_recovery"] else "a primary"
    through = ", through a pooler" if described["through_pooler"] else ""
    said = f"PostgreSQL {described['version']}, {role}, up for {duration(described['uptime_seconds'])}{through}"
    return graded(said, described, fails=False, warns=described["uptime_seconds"] < _FRESH_SECONDS)


def taken(census: Census, limits: Limits) -> Verdict:
    """The connections by state, application and user, against what there is room for."""
    judged = connections.judge(census, 0, limits.connections_warning_ratio, limits.connections_critical_ratio)
    evidence = {**judged.evidence, **census.as_result(0), "by_user": by_user(census)}
    applications = connections.by_name(census.by_application)
    users = [f"{name or 'nobody'} {number}" for name, number in evidence["by_user"].items()]
    parts = [judged.reason]
    if many := 0 < limits.connections_warning < census.server.taken:
        parts.append(f"more than the {limits.connections_warning:.0f} of the inventory")
    parts += [
        f"{what}: {', '.join(each[:NAMED])}"
        for what, each in (("by application", applications), ("by user", users))
        if each
    ]
    warns = many or census.server.ratio() >= limits.connections_warning_ratio
    reason = "; ".join(parts)
    return Verdict(judged.status, f"{WARNING}{reason}" if warns and judged.passed else reason, evidence)


def by_user(census: Census) -> dict[str, int]:
    """The connections of each role, the most first."""
    users: Counter[str] = Counter()
    for each in census.by_application:
        users[each["user"]] += each["connections"]
    return dict(users.most_common())


class Sessions:
    """The sessions of a server, seen from one of its databases."""

    def __init__(self, rows: Iterable[Row], database: str, user: str) -> None:
        self._all = list(rows)
        self._own = [row for row in self._all if row["database"] == database]
        self._clients = [row for row in self._own if row["backend_type"] == CLIENT]
        self._blind = unseen_sessions(sum(concealed(row) for row in self._own), user)

    def busy(self) -> Verdict:
        """The client sessions that are not idle, in any database."""
        found = activity.busy(self._all)
        told = [f"{who(each)} {each['state']} for {age(each)}: {each['query'] or 'text hidden'}" for each in found]
        said = f"{len(found)} not idle: {listed(told)}" if told else "none but idle ones"
        return graded(said, {"sessions": found}, fails=False, warns=False, blind=self._blind)

    def idle(self, limits: Limits) -> Verdict:
        """Those that hold a transaction open and do nothing."""
        rows = [row for row in self._clients if row["state"] in IDLE]
        rows.sort(key=lambda row: -(row["state_seconds"] or 0.0))
        longest = max((row["state_seconds"] or 0.0 for row in rows), default=0.0)
        found = [activity.described(row) for row in rows[: activity.MOST]]
        told = [
            f"{who(each)} for {duration(each['state_seconds'] or 0)}, after {each['query'] or '?'}" for each in found
        ]
        said = f"{len(rows)}: {listed(told)}" if rows else "none"
        fails = bool(rows) and longest >= limits.idle_critical_seconds
        if fails:
            said += "; end them with -e end_sessions=idle_in_transaction -e older_than=10m"
        return graded(
            said, {"sessions": found}, fails=fails, warns=longest >= limits.idle_warning_seconds, blind=self._blind
        )

    def long(self, limits: Limits, prepared: Sequence[Row]) -> Verdict:
        """Transactions that have been open for long, prepared ones included."""
        old = [row for row in self._clients if (row["transaction_seconds"] or 0) >= limits.transaction_warning_seconds]
        old.sort(key=lambda row: -row["transaction_seconds"])
        found = [activity.described(row) for row in old[: activity.MOST]]
        told = [f"{who(each)} {each['state']}, open for {duration(each['transaction_seconds'])}" for each in found]
        left = [row for row in prepared if row["seconds"] >= limits.transaction_warning_seconds]
        told += [f"the prepared transaction {row['name']} for {duration(row['seconds'])}" for row in left]
        longest = max([0.0, *(row["transaction_seconds"] for row in old), *(row["seconds"] for row in left)])
        said = listed(told) or f"none open for {duration(limits.transaction_warning_seconds)}"
        evidence = {
            "sessions": found,
            "prepared": [{"name": row["name"], "seconds": round(row["seconds"])} for row in left],
        }
        fails = longest >= limits.transaction_critical_seconds
        return graded(said, evidence, fails=fails, warns=bool(told), blind=self._blind)

    def blocked(self, limits: Limits) -> Verdict:
        """Who waits for whose lock."""
        trees = activity.blocking(self._own)
        longest = max((_longest(tree) for tree in trees), default=0.0)
        said = listed([f"{who(tree)} blocks {tree['waiting']}: {_waiters(tree)}" for tree in trees]) or "nobody waits"
        fails = bool(trees) and longest >= limits.blocked_critical_seconds
        return graded(said, {"trees": trees}, fails=fails, warns=bool(trees), blind=self._blind)


def concealed(row: Row) -> bool:
    """Whether a session shows neither kind nor state to this role; the server's own processes have no user."""
    return row["backend_type"] is None and row["user"] is not None


def unseen(hidden: int, user: str, noun: str, plural: str = "") -> str:
    """How many of something this role may not look at, and what would help; empty where there are none."""
    if not hidden:
        return ""
    has = "has" if hidden == 1 else "have"
    grant = f"GRANT pg_read_all_stats TO {shown('', user)}"
    return f"{counted(hidden, noun, plural)} {has} a state that {user} may not see: {grant}"


def unseen_sessions(hidden: int, user: str) -> str:
    """The same of sessions."""
    return unseen(hidden, user, "session of other roles", "sessions of other roles")


def who(session: Row) -> str:
    """A session as one finds it again."""
    if "user" not in session:
        return "a prepared transaction" if not session["pid"] else f"pid {session['pid']}, which is gone"
    parts = (session["user"] or "somebody", session["application"] or "no application name", session["client"])
    return f"pid {session['pid']} ({', '.join(part for part in parts if part)})"


def age(session: Row) -> str:
    """How long a session has been in its state; a query that runs counts from its start."""
    seconds = session["query_seconds"] if session["state"] == "active" else session["state_seconds"]
    return duration(seconds or 0.0)


def _longest(tree: Row) -> float:
    waits = [each.get("query_seconds") or 0.0 for each in tree["waiters"]]
    return max([0.0, *waits, *(_longest(each) for each in tree["waiters"])])


def _waiters(tree: Row) -> str:
    """Those that wait for a session, each with those that wait for it."""
    told = []
    for each in tree["waiters"][:NAMED]:
        below = f" [{_waiters(each)}]" if each["waiters"] else ""
        told.append(
            f"pid {each['pid']} for {duration(each.get('query_seconds') or 0)}: {each.get('query') or '?'}{below}"
        )
    more = len(tree["waiters"]) - NAMED
    return ", ".join(told) + (f", and {more} more" if more > 0 else "")


def slow(found: Sequence[Row], limits: Limits) -> Verdict:
    """The statements that take long on average, as M(linkops.runbooks.database_info) describes them."""
    told = [
        f"{each['mean_milliseconds']:,.0f} ms x {each['calls']:,}: {each['query'] or 'text hidden'}"
        for each in found
        if each["mean_milliseconds"] >= limits.query_warning_milliseconds
    ]
    said = listed(told) or f"none takes {limits.query_warning_milliseconds:g} ms and more on average"
    fails = any(each["mean_milliseconds"] >= limits.query_critical_milliseconds for each in found)
    return graded(said, {"statements": list(found)}, fails=fails, warns=bool(told))


def sizes(database: Row, tables: Sequence[Row], indexes: Sequence[Row], blind: str = "") -> Verdict:
    """How large the database is, and what in it is largest; no size is wrong by itself.

    To measure a table takes a reader's lock: C(blind) says why that was not to be had.
    """
    parts = [size(database["database_bytes"])]
    for what, rows, column, measure in (
        ("tables", tables, "table", "total_bytes"),
        ("indexes", indexes, "index", "bytes"),
    ):
        told = [f"{shown(row['schema'], row[column])} {size(row[measure] or 0)}" for row in rows[:NAMED]]
        parts += [f"{what}: {', '.join(told)}"] if told else []
    evidence = {**database, "tables": list(tables), "indexes": list(indexes)}
    return graded("; ".join(parts), evidence, fails=False, warns=False, blind=blind)


def cache(figures: Row, limits: Limits) -> Verdict:
    """The part of the blocks that were found in memory, since the statistics began."""
    blocks = figures["hit_blocks"] + figures["read_blocks"]
    if blocks < _BLOCKS:
        return Verdict("unknown", f"{blocks:,} blocks were read, too few to judge ({_BLOCKS:,})", dict(figures))
    ratio = figures["hit_blocks"] / blocks
    said = f"{100 * ratio:.1f} % of {blocks:,} blocks were in memory"
    return graded(said, figures, fails=False, warns=ratio < limits.cache_warning_ratio)
