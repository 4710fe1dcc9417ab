# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation behind M(linkops.runbooks.database_vacuum), where the database meets the run's Leases.

Which tables need something, and what stands in the way, is decided in C(database/vacuuming); each table is looked at
once more right before its turn, and after it, since what the server counted is the only proof.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from .call import Call
from .database import freezing, upkeep, upkeep_queries, vacuuming, window
from .database.arguments import TIMEOUTS
from .database.connection import Database, Overrun
from .database.refusals import Refused
from .database.session import DatabaseSession, opened
from .database.upkeep import Look
from .database.vacuuming import Decision, Limits, Table
from .deadline import Deadline
from .dependency import above_zero
from .errors import Fault, OperatorError
from .holding import Hold, held
from .verdict import Status, Verdict, worst

#: How long the server may take to count a vacuum that it has done.
_COUNTED_SECONDS = 3.0
_SAY_SECONDS = 10.0
_LINES = 20
#: A stop of the server that is this near is worth a warning.
_NEAR_SECONDS = 30 * 86400
_LIMITS = ("minimum_rows", "dead_ratio", "changed_ratio", "freeze_ratio", "old_snapshot_seconds")


@dataclass
class Turn:
    """What became of one table."""

    decision: Decision
    status: Status
    sentence: str
    changed: bool = False
    seconds: float | None = None
    after: Table | None = None

    def as_result(self) -> dict[str, Any]:
        """The turn as the module returns it."""
        return {
            "table": self.decision.table.shown,
            "schema": self.decision.table.schema,
            "name": self.decision.table.name,
            "act": self.decision.act,
            "needs": [{"kind": need.kind, "reason": need.reason} for need in self.decision.needs],
            "status": self.status,
            "sentence": self.sentence,
            "seconds": None if self.seconds is None else round(self.seconds, 2),
            "before": self.decision.table.as_result(),
            "after": self.after.as_result() if self.after else None,
        }


@dataclass
class Run:
    """One vacuuming of a database: what it works with, and how far it is."""

    session: DatabaseSession
    hold: Hold
    limits: Limits
    deadline: Deadline
    turns: list[Turn] = field(default_factory=list)

    @property
    def force(self) -> bool:
        """Whether need is not asked for."""
        return bool(self.session.params["force"])


def vacuum(call: Call) -> dict[str, Any]:
    """Vacuum and analyze the tables that need it, as far as time and other sessions let it."""
    params = call.params
    opening, faults = _window(params["window"])
    with held(call) as hold, opened(call, *faults, *_faults(params)) as session:
        limits = _limits(params)
        current = upkeep.look(session.database)
        tables, unknown = upkeep.chosen(
            current, params["tables"], _upper(session.target.name), session.target.schema or "public"
        )
        decisions = vacuuming.decide(tables, limits, current.holders, current.busy, params["force"])
        refused = [*upkeep.unfit(session, current.server), *unknown, *_denied(decisions, params["tables"], session)]
        closes = opening.open_until(current.now) if opening else None
        if opening and not closes and any(decision.acts for decision in decisions):
            refused.append(_closed(params["window"], opening.opens(current.now)))
        if refused:
            raise OperatorError(refused)
        seconds = params["max_minutes"] * 60
        if closes:
            seconds = min(seconds, (closes - current.now).total_seconds())
        for decision in [each for each in decisions if each.act != "none"][:_LINES] if call.check_mode else []:
            call.say(f"{decision.table.shown}: {decision.act}: {decision.why}")
        run = Run(session, hold, limits, Deadline(seconds))
        if call.check_mode:
            run.turns = [_planned(decision) for decision in decisions]
        else:
            _work(run, decisions)
        return _result(run, current, upkeep.speed(session.database, current.server))


def _work(run: Run, decisions: Sequence[Decision]) -> None:
    """Each table in turn; none is begun after the deadline, nor after the server was lost."""
    lost = ""
    for decision in decisions:
        if not decision.acts:
            run.turns.append(_planned(decision))
        elif lost:
            run.turns.append(Turn(decision, "fail", f"not begun: {lost}"))
        elif run.deadline.expired:
            run.turns.append(Turn(decision, "fail", f"not begun within {run.deadline.seconds / 60:g} min"))
        else:
            run.hold.renew()
            turn = _turn(run, decision)
            run.turns.append(turn)
            run.session.call.say(f"{decision.table.shown}: {turn.sentence}")
            if turn.status == "fail":
                lost = _lost(run.session.database)


def _turn(run: Run, decision: Decision) -> Turn:
    """One table: look again, act, look what the server counted."""
    started = time.monotonic()
    changed = False
    try:
        for _attempt in range(2):  # an analysis may find the dead rows that the statistics did not know
            before = upkeep.look(run.session.database, decision.table.oid)
            table = before.of(decision.table.oid)
            if table is None:
                return Turn(decision, "pass", "is gone meanwhile", changed)
            now = vacuuming.decide([table], run.limits, before.holders, before.busy, run.force)[0]
            if not now.acts:
                return _overtaken(decision, now, changed, table)
            _carry_out(run, now, before)
            after = _counted(run, now)
            changed = changed or _was_done(now, after)
            turn = _judged(run, decision, now, after, changed, time.monotonic() - started)
            if now.act == "vacuum" or not turn.changed:
                break
            again = vacuuming.decide(after.tables, run.limits, after.holders, after.busy)
            if not any(each.act == "vacuum" for each in again):
                break
    except (Refused, Overrun) as fault:
        return Turn(decision, "fail", f"{fault.faults[0].message.rstrip('.')}", changed, time.monotonic() - started)
    return turn


def _carry_out(run: Run, decision: Decision, before: Look) -> None:
    """Run the statement in a session of its own, telling how far it is."""
    session, table, params = run.session, decision.table, run.session.params
    run.session.call.journal.note("write", what=decision.act, table=table.shown, why=decision.why)
    with session.another() as worker:
        worker.set(
            vacuum_cost_delay=params["cost_delay_milliseconds"],
            vacuum_cost_limit=params["cost_limit"],
        )
        if decision.freezes:  # all pages, down to well below the limit
            least = int(min(before.server["freeze_minimum"], run.limits.freeze_ratio * table.freeze_limit / 2))
            worker.set(vacuum_freeze_table_age=0, vacuum_multixact_freeze_table_age=0, vacuum_freeze_min_age=least)
        # SKIP_LOCKED: neither waits in the queue of a lock, where readers would wait behind it, nor ends an autovacuum.
        # TRUNCATE FALSE: giving pages back to the disk locks readers out for a moment.
        options = "ANALYZE, SKIP_LOCKED, TRUNCATE FALSE" if decision.act == "vacuum" else "SKIP_LOCKED"
        sql = session.database.sql
        statement = sql.SQL(f"{decision.act.upper()} ({options}) {{}}").format(sql.Identifier(table.schema, table.name))
        worker.at_length(statement, run.deadline, _Watch(run, worker.backend, table))


class _Watch:
    """What happens while a statement runs: the lock is renewed, and how far it is is told when there is news."""

    def __init__(self, run: Run, pid: int, table: Table) -> None:
        self._run, self._pid, self._table = run, pid, table
        self._said, self._phase = Deadline(0), ""

    def __call__(self) -> None:
        self._run.hold.renew_if_due()
        rows = self._run.session.database.read(upkeep_queries.PROGRESS, {"pid": self._pid})
        if rows and (rows[0]["phase"] != self._phase or self._said.expired):
            self._phase, self._said = rows[0]["phase"], Deadline(_SAY_SECONDS)
            done = {"scanning heap": "heap_blks_scanned", "vacuuming heap": "heap_blks_vacuumed"}.get(self._phase)
            part = f" {rows[0][done] / max(1, rows[0]['heap_blks_total']):.0%}" if done else ""
            self._run.session.call.say(f"{self._table.shown}: {self._phase}{part}")


def _counted(run: Run, decision: Decision) -> Look:
    """What the server says afterwards, once it has counted what was done, or does not."""
    deadline = Deadline(_COUNTED_SECONDS)
    while True:
        after = upkeep.look(run.session.database, decision.table.oid)
        if _was_done(decision, after) or deadline.expired:
            return after
        time.sleep(0.1)


def _was_done(decision: Decision, after: Look) -> bool:
    table = after.of(decision.table.oid)
    if table is None:
        return False
    if decision.act == "vacuum":
        return table.vacuums > decision.table.vacuums
    return table.analyses > decision.table.analyses


def _judged(run: Run, first: Decision, now: Decision, after: Look, changed: bool, seconds: float) -> Turn:
    """What became of it, by the server's own count."""
    table = after.of(now.table.oid)
    if table is None or not _was_done(now, after):
        other = after.busy.get(now.table.oid)
        who = other.reason if other else "its lock was not to be had"
        return Turn(first, "unknown", f"the server skipped it: {who}", False, seconds, table)
    verb = "vacuumed and analyzed" if now.act == "vacuum" else "analyzed"
    left = [need for need in vacuuming.needs(table, run.limits) if need.kind in ("dead", "freeze")]
    if now.act == "vacuum" and left:
        holder = after.holders[0].sentence if after.holders else "they came meanwhile"
        return Turn(first, "unknown", f"{verb}, but {left[0].reason}: {holder}", changed, seconds, table)
    gone = max(0, now.table.dead - table.dead)
    return Turn(first, "pass", f"{verb} in {seconds:.1f} s, {gone:,} dead rows gone", changed, seconds, table)


def _overtaken(first: Decision, now: Decision, changed: bool, table: Table) -> Turn:
    """The table is not what it was when it was planned, or somebody has come to it."""
    if now.act == "none":
        return Turn(first, "pass", "needs nothing any more", changed, after=table)
    turn = _planned(now)
    return Turn(first, turn.status, turn.sentence, changed, after=table)


def _planned(decision: Decision) -> Turn:
    """A table that nothing is done with, or not yet."""
    if decision.acts or decision.act == "none":
        return Turn(decision, "pass", decision.why)
    if decision.act == "tended":
        return Turn(decision, "pass", f"left alone: {decision.why}")
    return Turn(decision, "unknown", f"not vacuumed: {decision.why}")


def _result(run: Run, current: Look, speed: freezing.Rate | None) -> dict[str, Any]:
    call, turns = run.session.call, run.turns
    verdict = _verdict(turns)
    rows = []
    for turn in turns:
        row = turn.as_result()
        table = turn.after or turn.decision.table
        row["forecast"] = (
            freezing.forecast(table.transactions, table.freeze_limit, current.now, speed) if speed else None
        )
        rows.append(row)
    for row in rows:
        stop = (row["forecast"] or {}).get("stop_at")
        if stop and (datetime.fromisoformat(stop) - current.now).total_seconds() < _NEAR_SECONDS:
            call.warn(f"{row['table']}: the server stops writing at {stop} unless it is vacuumed.")
    slow = [turn.decision.table.shown for turn in turns if turn.decision.acts and turn.decision.table.vector_indexes]
    if slow:
        call.warn(f"{', '.join(slow)}: an HNSW or IVFFlat index makes a vacuum slow; REINDEX CONCURRENTLY it first.")
    acting = [turn for turn in turns if turn.decision.acts]
    changed = bool(acting) if call.check_mode else any(turn.changed for turn in turns)
    old = [holder for holder in current.holders if holder.is_old(run.limits.old_snapshot_seconds)]
    sentence = _sentence(turns, call.check_mode, verdict)
    call.journal.note(
        "vacuum", verdict=verdict.status, reason=verdict.reason, tables=[r for r in rows if r["act"] != "none"]
    )
    return {
        "changed": changed,
        "verdict": verdict.as_result(),
        "tables": rows,
        "blockers": [holder.as_result() for holder in old],
        "database": {
            "name": current.server["database"],
            "transaction_age": current.server["transactions"],
            "transactions_per_second": round(speed.per_second, 3) if speed else None,
            "rate_basis": speed.basis if speed else "",
        },
        "diff": {
            "before": "".join(f"{turn.decision.table.shown}: {turn.decision.why}\n" for turn in acting),
            "after": "".join(f"{turn.decision.table.shown}: {turn.decision.act}\n" for turn in acting),
        },
        "msg": sentence,
    }


def _verdict(turns: Sequence[Turn]) -> Verdict:
    verdicts = [Verdict(turn.status, f"{turn.decision.table.shown}: {turn.sentence}") for turn in turns]
    found = worst(verdicts, "there is no table")
    if found.passed or not turns:
        return Verdict("pass", "every table has what it needs")
    return found


def _sentence(turns: Sequence[Turn], check_mode: bool, verdict: Verdict) -> str:
    """What was done, what was left, in one sentence."""
    acting = [turn for turn in turns if (turn.decision.acts if check_mode else turn.changed)]
    names = ", ".join(turn.decision.table.shown for turn in acting[:_LINES])
    counts = Counter(turn.decision.act for turn in turns)
    done = f"{'Would vacuum or analyze' if check_mode else 'Vacuumed or analyzed'} {names}" if acting else ""
    idle = f"{counts['none']} of {len(turns)} tables need nothing"
    parts = [done or ("Nothing to do" if verdict.passed else "Nothing was done"), idle]
    return "; ".join(parts if verdict.passed else [*parts, verdict.reason])


def _lost(database: Database) -> str:
    """Why the server cannot be asked any more, empty if it can."""
    try:
        database.read("SELECT 1 AS one")
    except OperatorError as fault:
        return fault.faults[0].message.rstrip(".")
    return ""


def _limits(params: Any) -> Limits:
    return Limits(
        **{name: params[name] for name in _LIMITS},
        large_dead_ratio=params["dead_ratio"] / 5,
        stale_seconds=params["stale_days"] * 86400,
    )


def _denied(decisions: Sequence[Decision], named: Sequence[str], session: DatabaseSession) -> list[Fault]:
    """Tables that were named and that this role may not vacuum: VACUUM itself would say so and succeed."""
    tables = [decision.table.shown for decision in decisions if decision.act == "denied"]
    if not named or not tables:
        return []
    said = f"The role {session.target.user} may not vacuum {', '.join(tables)}: it neither owns them nor has MAINTAIN."
    return [Fault("privilege", said, "Ask as the owner, or GRANT MAINTAIN (PostgreSQL 17 and later).")]


def _window(text: str | None) -> tuple[window.Window | None, tuple[Fault, ...]]:
    try:
        return (window.parse(text) if text else None), ()
    except OperatorError as fault:
        return None, fault.faults


def _closed(text: str, opens: datetime) -> Fault:
    return Fault(
        "window_closed",
        f"The maintenance window {text} is closed; it opens at {opens.astimezone(UTC):%Y-%m-%d %H:%M} UTC.",
        "Wait for it, or press with -e maintenance_window= to do without.",
    )


def _faults(params: Any) -> list[Fault]:
    faults = above_zero(params, "max_minutes", *TIMEOUTS)
    faults += [
        Fault("input_invalid", f"{name} is {params[name]:g}, and must be above 0 and at most 1.", "Correct it.")
        for name in ("dead_ratio", "changed_ratio", "freeze_ratio")
        if not 0 < params[name] <= 1
    ]
    for name, least, most in (
        ("minimum_rows", 1, 10**12), ("stale_days", 0, 10**6), ("old_snapshot_seconds", 0, 10**9),
        ("cost_delay_milliseconds", 0, 100), ("cost_limit", 1, 10000),
    ):  # fmt: skip
        if not least <= params[name] <= most:
            said = f"{name} is {params[name]:g}, and must be between {least} and {most:g}."
            faults.append(Fault("input_invalid", said, "Correct it."))
    return faults


def _upper(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
