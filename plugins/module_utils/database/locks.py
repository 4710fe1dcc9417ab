# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which locks others take on tables, how long at most, and whom these keep waiting. Pure, but for the sampler.

PostgreSQL keeps no history of locks, so they are sampled: one that is taken and given back between two samples is not
seen, and how long one was held is known up to the time between two samples.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import OperatorError
from .connection import Database, Row

#: Seconds from one sample to the next.
INTERVAL_SECONDS = 0.05

#: What the sessions of other clients hold, with the server's clock; a table that is being made is seen by nobody yet.
SAMPLE = """
SELECT extract(epoch FROM clock_timestamp())::float8 AS at, l.pid, l.mode,
       CASE WHEN n.nspname = 'public' THEN '' ELSE n.nspname || '.' END || c.relname AS relation
FROM (SELECT) AS once
LEFT JOIN (pg_locks l
           JOIN pg_stat_activity a
             ON a.pid = l.pid AND coalesce(a.backend_type, 'client backend') = 'client backend'
           JOIN pg_class c ON c.oid = l.relation AND c.relkind IN ('r', 'p', 'm')
           JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname !~ '^(pg_|information_schema$)')
  ON l.locktype = 'relation' AND l.granted AND l.pid <> pg_backend_pid() AND c.relname <> '_prisma_migrations'
     AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""

#: Whom a mode keeps waiting (PostgreSQL documentation, Table-Level Locks, conflicting lock modes).
READERS_AND_WRITERS = frozenset({"AccessExclusiveLock"})
WRITERS = frozenset({"ExclusiveLock", "ShareRowExclusiveLock", "ShareLock"})


@dataclass(frozen=True)
class Span:
    """A lock as it was seen; C(seconds) is how long it was held at most."""

    relation: str
    mode: str
    since: float
    seconds: float

    @property
    def keeps_out(self) -> str:
        """Who waits for it."""
        return "readers and writers" if self.mode in READERS_AND_WRITERS else "writers" if self.mode in WRITERS else ""

    def as_result(self) -> dict[str, Any]:
        """The lock as the module returns it."""
        return {
            "relation": self.relation,
            "mode": self.mode,
            "seconds_at_most": round(self.seconds, 2),
            "keeps_out": self.keeps_out,
        }


def spans(samples: Iterable[Sequence[Row]]) -> list[Span]:
    """The locks in the order in which they were seen first; each sample has a row at least, which says when it was."""
    found: list[Span] = []
    standing: dict[tuple[int, str, str], tuple[float, float]] = {}  # since, and the sample before
    before: float | None = None
    for rows in samples:
        now = float(rows[0]["at"])
        held = {(row["pid"], row["relation"], row["mode"]) for row in rows if row["pid"] is not None}
        for key in [each for each in standing if each not in held]:
            since, earlier = standing.pop(key)
            found.append(Span(key[1], key[2], since, now - earlier))
        for key in held - standing.keys():
            standing[key] = (now, before if before is not None else now)
        before = now
    for key, (since, earlier) in standing.items():
        found.append(Span(key[1], key[2], since, (before or since) - earlier))
    return sorted(found, key=lambda each: (each.since, each.relation, each.mode))


def worst(found: Iterable[Span]) -> str:
    """The longest that somebody is kept out of each table, in words; empty where nobody is."""
    longest: dict[str, Span] = {}
    for each in found:
        if each.keeps_out and each.seconds > (longest[each.relation].seconds if each.relation in longest else -1.0):
            longest[each.relation] = each
    return ", ".join(f"{each.keeps_out} of {name} wait up to {each.seconds:.1f} s" for name, each in longest.items())


def between(found: Iterable[Span], start: float, end: float | None) -> list[Span]:
    """Those that were taken in this time."""
    return [each for each in found if start <= each.since and (end is None or each.since <= end)]


@dataclass
class Sampler:
    """Samples in a thread of its own, over a connection of its own, as long as its context goes on."""

    database: Database
    samples: list[Sequence[Row]] = field(default_factory=list)
    trouble: str = ""

    def __enter__(self) -> Sampler:
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        self._thread.join(10)

    def _work(self) -> None:
        while not self._ended.is_set():
            try:
                self._keep(self.database.read(SAMPLE))
            except OperatorError as fault:
                self.trouble = str(fault.faults[0])
                return
            self._ended.wait(INTERVAL_SECONDS)

    def _keep(self, rows: Sequence[Row]) -> None:
        """Of samples in which nobody holds anything, only the first and the last of a row are kept."""
        quiet = [len(each) == 1 and each[0]["pid"] is None for each in (*self.samples[-2:], rows)]
        if len(quiet) == 3 and all(quiet):
            self.samples[-1] = rows
        else:
            self.samples.append(rows)


def told(found: Iterable[Span]) -> list[Mapping[str, Any]]:
    """The locks as a module returns them."""
    return [each.as_result() for each in found]
