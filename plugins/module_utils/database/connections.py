# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many connections there are, how many there may be, and whether more of them fit. Pure.

Only client backends take one of C(max_connections); background processes do not (postgres:src/backend/storage/lmgr/
proc.c keeps them in lists of their own). An ordinary role gets none of the last C(superuser_reserved_connections) plus,
since PostgreSQL 16, C(reserved_connections) (PostgreSQL documentation, runtime-config-connection).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import Fault
from ..verdict import Verdict

CLIENT = "client backend"

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Limit:
    """How many connections something allows, and how many of those it counts are taken.

    C(hidden) more may be: sessions whose kind this role has no right to see.
    """

    what: str
    allowed: int
    taken: int
    hidden: int = 0

    def fits(self, more: int) -> bool | None:
        """Whether more connections fit; none where it depends on what is hidden."""
        if self.taken + more > self.allowed:
            return False
        return True if self.taken + self.hidden + more <= self.allowed else None

    def ratio(self, more: int = 0) -> float:
        """The part that is taken, and would be with more."""
        return (self.taken + more) / self.allowed if self.allowed else 1.0


@dataclass(frozen=True)
class Census:
    """The client backends of a server, but for the session that counted them."""

    server: Limit
    narrower: tuple[Limit, ...]
    max_connections: int
    reserved: int
    by_state: dict[str, int]
    by_application: list[dict[str, Any]]

    @property
    def limits(self) -> tuple[Limit, ...]:
        """All that more connections have to fit into."""
        return (self.server, *self.narrower)

    def fits(self, more: int) -> bool | None:
        """Whether more connections fit; none where that cannot be told."""
        answers = [limit.fits(more) for limit in self.limits]
        if False in answers:
            return False
        return None if None in answers else True

    def as_result(self, more: int) -> dict[str, Any]:
        """The census as the module returns it."""
        server = self.server
        return {
            "client_backends": server.taken,
            "hidden_sessions": server.hidden,
            "max_connections": self.max_connections,
            "reserved_connections": self.reserved,
            "limit": server.allowed,
            "free": max(0, server.allowed - server.taken - server.hidden),
            "ratio": round(server.ratio(), 4),
            "more_connections": more,
            "fits": self.fits(more),
            "narrower_limits": [{"what": x.what, "limit": x.allowed, "taken": x.taken} for x in self.narrower],
            "by_state": self.by_state,
            "by_application": self.by_application,
        }


def count(sessions: Iterable[Row], settings: Row, role: str, database: str) -> Census:
    """Count the sessions (see C(queries.SESSIONS)) against the settings (C(queries.LIMITS)).

    C(role) and C(database) are those that more connections would be made with: each may have a limit of its own.
    """
    listed = list(sessions)
    clients = [row for row in listed if row["backend_type"] == CLIENT]
    hidden = [row for row in listed if row["backend_type"] is None]
    reserved = int(settings["superuser_reserved"]) + int(settings["reserved"] or 0)
    narrower = [
        Limit(
            f"the {kind} {name}",
            settings[f"{kind}_limit"],
            sum(row[column] == name for row in clients),
            sum(row[column] == name for row in hidden),
        )
        for kind, column, name in (("role", "user", role), ("database", "database", database))
        # -1 is no limit; a superuser is held by none (postgres:src/backend/utils/init/postinit.c)
        if settings[f"{kind}_limit"] is not None and settings[f"{kind}_limit"] >= 0 and not settings["role_is_super"]
    ]
    groups: dict[tuple[str, ...], Counter[str]] = {}
    for row in (*clients, *hidden):
        key = tuple(row[each] or "" for each in ("application", "user", "database"))
        groups.setdefault(key, Counter())[state(row)] += 1
    return Census(
        server=Limit("the server", int(settings["max_connections"]) - reserved, len(clients), len(hidden)),
        narrower=tuple(narrower),
        max_connections=int(settings["max_connections"]),
        reserved=reserved,
        by_state=dict(Counter(state(row) for row in (*clients, *hidden)).most_common()),
        by_application=[
            {"application": name[0], "user": name[1], "database": name[2], "connections": states.total(),
             "by_state": dict(states.most_common())}
            for name, states in sorted(groups.items(), key=lambda group: (-group[1].total(), group[0]))
        ],
    )  # fmt: skip


def state(row: Row) -> str:
    """What a session does, as pg_stat_activity calls it; C(hidden) where this role has no right to see it."""
    return "hidden" if row["backend_type"] is None else row["state"] or "starting"


def by_name(rows: Iterable[Row], nameless: str = "without a name") -> list[str]:
    """The connections of each application, as C(Census.by_application) has them, in words."""
    return [f"{row['application'] or nameless} {row['connections']}" for row in rows]


def judge(census: Census, more: int, warning_ratio: float, critical_ratio: float) -> Verdict:
    """Whether the connections there are, and C(more) at the same time, fit: into every limit, and below the critical
    part of the server's. From the warning part on the reason says so.
    """
    server = census.server
    evidence = {"taken": server.taken, "hidden": server.hidden, "limit": server.allowed, "more": more}
    doing = ", ".join(f"{number} {name}" for name, number in census.by_state.items())
    taken = f"{server.taken} to {server.taken + server.hidden}" if server.hidden else str(server.taken)
    now = f"{taken} of {server.allowed} connections are taken" + (f" ({doing})" if doing else "")
    adding = f", and {more} more" if more else ""
    for limit in census.limits:
        if limit.fits(more) is False:
            room = f"{max(0, limit.allowed - limit.taken)} more" if limit.allowed > limit.taken else "none"
            own = "" if limit is server else f"; {limit.what} may have {limit.allowed} and has {limit.taken}"
            wanted = f"{more} more do not fit, {room} would" if more else "none is left"
            return Verdict("fail", f"{now}{own}: {wanted}", evidence)
    ratio = server.ratio(more)
    if ratio >= critical_ratio:
        return Verdict("fail", f"{now}{adding}: {ratio:.0%}, critical from {critical_ratio:.0%} on", evidence)
    if census.fits(more) is None or (server.taken + server.hidden + more) / server.allowed >= critical_ratio:
        reason = f"{server.hidden} sessions of other roles are hidden from this one, so it cannot be told what is left"
        return Verdict("unknown", f"{now}; {reason}", evidence)
    return Verdict("pass", f"{now}{adding}" + (f": {ratio:.0%}" if ratio >= warning_ratio else ""), evidence)


def lack(found: Row, refusal: str, remedy: str) -> Fault | None:
    """Why what M(linkops.runbooks.database_info) found has no room for more connections, and who has those there are.

    C(refusal) begins the sentence. None where they fit, and where that is not known.
    """
    census, verdict = found.get("connections") or {}, found["verdict"]
    if verdict["status"] != "fail" or census.get("fits"):
        return None
    said = [f"{refusal} {verdict['reason'].rstrip('.')}."]
    if users := by_name(census.get("by_application", ()), "unnamed"):
        said.append(f"By application: {', '.join(users)}.")
    idle = [row for row in found.get("activity", ()) if row["state"].startswith("idle in transaction")]
    if holders := [f"{row['application'] or 'unnamed'} (pid {row['pid']}, {row['user']}, {_age(row)})" for row in idle]:
        ended = "end these first by database_health.yml -e end_sessions=idle_in_transaction"
        said.append(f"Idle in a transaction: {', '.join(holders)}; {ended}.")
    return Fault("connections_lacking", " ".join(said), remedy)


def _age(row: Row) -> str:
    return f"for {row['transaction_seconds'] or 0:.0f} s"
