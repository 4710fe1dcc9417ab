# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation behind M(linkops.runbooks.database_index), where the database meets the run's Leases.

What is needed is decided in C(database/indexing); what was done is believed once the catalogue says so.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .call import Call
from .database import (
    advice,
    building,
    footprint,
    index_queries,
    indexes,
    indexing,
    meaning,
    names,
    upkeep,
    upkeep_queries,
)
from .database.arguments import TIMEOUTS
from .database.connection import Ask, Database, Overrun, Row
from .database.footprint import Need, index_bytes
from .database.indexes import Declared
from .database.indexing import Step
from .database.refusals import Refused
from .database.session import DatabaseSession, opened
from .deadline import Deadline
from .dependency import above_zero
from .errors import Fault, OperatorError
from .holding import Hold, held
from .verdict import Status, Verdict, worst
from .wording import duration, share

_SAY_SECONDS = 10.0
#: How long the drop of what a failed build left may take; it waits for the same transactions as the build.
_LEFTOVER_SECONDS = 15.0


@dataclass
class Turn:
    """What became of one step."""

    step: Step
    status: Status
    sentence: str
    changed: bool = False
    seconds: float | None = None


@dataclass
class Run:
    """One piece of work on indexes: what it works with, and how far it is."""

    session: DatabaseSession
    hold: Hold
    deadline: Deadline
    turns: list[Turn] = field(default_factory=list)


def index(call: Call) -> dict[str, Any]:
    """Bring the indexes to what is declared, drop named ones, or give advice."""
    params = call.params
    declared, faults = indexes.declared(params["indexes"])
    with held(call) as hold, opened(call, *faults, *_faults(params)) as session:
        if params["state"] == "advice":
            return _advised(session)
        server = session.database.read(upkeep_queries.SERVER)[0]
        unfit = upkeep.unfit(session, server)
        if unfit:
            raise OperatorError(unfit)
        steps, refused = _absent(session) if params["state"] == "absent" else _present(session, declared)
        full = footprint.room(
            _needs(session.database, steps), params["free_bytes"], params["free_bytes_unknown"] or "",
            params["reserve_bytes"], "Make room, build fewer at once, or lower index_disk_reserve_bytes.",
        )  # fmt: skip
        if isinstance(full, Fault):
            refused.append(full)
        elif full:
            call.warn(full)
        if refused:
            raise OperatorError(refused)
        for step in steps:
            if call.check_mode and step.act != "none":
                call.say(f"{step.shown}: {step.act}: {step.reason}")
        run = Run(session, hold, Deadline(params["max_minutes"] * 60))
        for step in steps:
            turn = _planned(step) if call.check_mode or not step.acts else _turn(run, step)
            run.turns.append(turn)
        return _result(run)


def _present(session: DatabaseSession, declared: Sequence[Declared]) -> tuple[list[Step], list[Fault]]:
    database, params = session.database, session.params
    with database.transaction(read_only=True) as ask:
        rows, tables = ask(index_queries.INDEXES), ask(index_queries.TABLES)
        built = _built(ask, rows)
        toast = [row["name"] for row in ask(index_queries.TOAST)]
    for name in toast:
        session.call.warn(f"pg_toast.{name} is an invalid leftover; a superuser drops it: DROP INDEX pg_toast.{name}.")
    steps: list[Step] = []
    faults: list[Fault] = []
    place = _upper(session.target.name)
    for each in declared:
        found, wrong = names.found([each.table], tables, "table", place, session.target.schema or "public")
        faults += wrong
        for table in found:
            unfit = indexes.unfit(each, table)
            faults += unfit
            if not unfit:
                try:
                    step = indexing.for_declared(each, table, rows, built, _Meanings(database, table))
                except OperatorError as fault:
                    faults += fault.faults
                    continue
                if isinstance(step, Fault):
                    faults.append(step)
                else:
                    steps.append(step)
    if params["repair"]:
        steps += indexing.for_leftovers(rows, {(step.schema, step.name) for step in steps}, built)
    return steps, faults


def _built(ask: Ask, rows: Sequence[Mapping[str, Any]]) -> set[int]:
    """The invalid indexes that another session builds, or may: which one it builds is hidden from other roles."""
    builds = {row["index_oid"] for row in ask(index_queries.BUILDS)}
    locked = {oid for oid, other in upkeep.busy(ask(upkeep_queries.BUSY)).items() if not other.tends}
    return {row["oid"] for row in rows if row["oid"] in builds or (not row["valid"] and row["table_oid"] in locked)}


def _needs(database: Database, steps: Sequence[Step]) -> list[Need]:
    """What the planned builds take, by the statistics of their tables."""
    builds = [step for step in steps if step.act in ("create", "rebuild", "reindex")]
    if not builds:
        return []
    with database.transaction(read_only=True) as ask:
        there = {(row["schema"], row["name"]): row for row in ask(index_queries.INDEXES)}
        places = {step.place for step in builds if step.index}
        oids = [row["oid"] for row in ask(index_queries.TABLES) if (row["schema"], row["name"]) in places]
        oids += [there[step.schema, step.name]["table_oid"] for step in builds if not step.index]
        tables = {(row["schema"], row["name"]): row for row in ask(index_queries.STATISTICS, {"oids": oids})}
    return [_need(step, there, tables) for step in builds]


def _need(step: Step, there: Mapping[Any, Row], tables: Mapping[Any, Row]) -> Need:
    declared, row = step.index, there.get((step.schema, step.name))
    if declared:
        table = tables[step.place]
        widths = [table["widths"].get(column.name) for column in declared.columns]
        widths += [table["widths"].get(name) for name in declared.include]
        return Need(step.shown, index_bytes(declared.method, table["entries"], widths, declared.settings))
    if row is None:
        return Need(step.shown, None, lasting=False)
    entries = tables[row["table_schema"], row["table"]]["entries"]
    widths = [column["width"] for column in row["columns"]]
    return Need(step.shown, index_bytes(row["method"], entries, widths), lasting=False)


def _absent(session: DatabaseSession) -> tuple[list[Step], list[Fault]]:
    rows = session.database.read(index_queries.INDEXES)
    return indexing.for_absent(session.params["names"], session.params["confirm"], rows, _upper(session.target.name))


class _Meanings:
    """Whether an index of a table means what is declared; the declared texts are asked about once."""

    def __init__(self, database: Database, table: Mapping[str, Any]) -> None:
        self._database, self._table = database, table
        self._meant: dict[str, list[str]] = {}

    def __call__(self, declared: Declared, row: Mapping[str, Any]) -> bool:
        if declared.name not in self._meant:
            self._meant[declared.name] = self._spelt(declared.texts, f"The declared index {declared.name}")
        there = indexes.texts(row)
        if len(there) != len(declared.texts):
            return False
        return indexes.same(declared, row, self._meant[declared.name], self._spelt(there, f"The index {row['name']}"))

    def _spelt(self, texts: list[str], where: str) -> list[str]:
        return meaning.canonical(self._database, self._table["schema"], self._table["name"], texts, where)


def _turn(run: Run, step: Step) -> Turn:
    """One step: act, and look whether the catalogue says that it is done."""
    if run.deadline.expired:
        return Turn(step, "fail", f"not begun within {run.deadline.seconds / 60:g} min")
    call, started = run.session.call, time.monotonic()
    call.journal.note("write", what=step.act, index=step.shown, table=step.table, why=step.reason)
    watch = _Watch(run, step)
    try:
        run.hold.renew()
        overtaken = _overtaken(run.session.database, step) if step.broken else None
        if overtaken:
            return overtaken
        if step.act in ("drop", "rebuild"):
            _long(run, building.drop(run.session.database, step), watch)
        if step.act in ("create", "rebuild"):
            _build(run, step, building.create(run.session.database, step), watch)
        elif step.act == "reindex":
            _build(run, step, building.reindex(run.session.database, step), watch)
        turn = _judged(run, step, time.monotonic() - started)
    except (Refused, Overrun) as fault:
        said = fault.faults[0].message.rstrip(".")
        waited = f", waiting for {watch.waited_for}" if watch.waited_for else ""
        turn = Turn(step, "fail", f"{said}{waited}{watch.leftover}", False, time.monotonic() - started)
    call.say(f"{step.shown}: {turn.sentence}")
    return turn


def _overtaken(database: Database, step: Step) -> Turn | None:
    """What has become of a broken index since it was planned about; nothing where it is as it was."""
    with database.transaction(read_only=True) as ask:
        rows = [row for row in ask(index_queries.INDEXES) if (row["schema"], row["name"]) == (step.schema, step.name)]
        built = _built(ask, rows)
    if not rows or rows[0]["valid"]:
        return Turn(step, "unknown", "somebody else dropped or repaired it meanwhile; press again")
    return Turn(step, "unknown", "another session builds it") if built else None


def _build(run: Run, step: Step, statement: Any, watch: _Watch) -> None:
    """Build; however it ends badly, what it leaves is dropped, or the sentence says that it is still there."""
    try:
        _long(run, statement, watch)
    except BaseException:
        watch.leftover = _cleared(run.session, step)
        raise


def _long(run: Run, statement: Any, watch: _Watch) -> None:
    memory = run.session.params["maintenance_work_mem"]
    with run.session.another() as worker:
        if memory:
            worker.set(maintenance_work_mem=memory)
        watch.pid = worker.backend
        worker.at_length(statement, run.deadline, watch)


def _cleared(session: DatabaseSession, step: Step) -> str:
    """Drop what a failed build left, and say whether it is gone."""
    try:
        with session.another() as looking:
            left = [
                row
                for row in looking.read(index_queries.INDEXES)
                if not row["valid"]
                and row["schema"] == step.schema
                and (row["name"] == step.name or (indexes.transient(row["name"]) or ("", ""))[1] == step.name)
            ]
            if step.act == "reindex":  # an index that was invalid before keeps its definition for the next run
                left = [row for row in left if row["name"] != step.name]
        for row in left:
            with session.another() as worker:
                drop = Step("drop", row["schema"], row["name"], step.table, "")
                worker.at_length(building.drop(worker, drop), Deadline(_LEFTOVER_SECONDS), lambda: None)
    except OperatorError:
        return "; what it left could not be dropped yet, the next run sees to it"
    return "; what it left is dropped" if left else "; it left nothing"


class _Watch:
    """What happens while a statement runs: the lock is renewed, how far it is and whom it waits for is told."""

    def __init__(self, run: Run, step: Step) -> None:
        self._run, self._step = run, step
        self.pid = 0
        self.waited_for = ""
        self.leftover = ""
        self._said, self._line = Deadline(0), ""

    def __call__(self) -> None:
        self._run.hold.renew_if_due()
        rows = self._run.session.database.read(index_queries.PROGRESS, {"pid": self.pid})
        if not rows:
            return
        row = rows[0]
        self.waited_for = _locker(row)
        phase = f"{row['phase']} {row['locker'] or ''}"
        if phase != self._line or self._said.expired:
            self._line, self._said = phase, Deadline(_SAY_SECONDS)
            self._run.session.call.say(f"{self._step.shown}: {_progress(row)}")


def _progress(row: Row) -> str:
    if row["locker"]:
        return f"{row['phase']}: {_locker(row)}"
    for unit in ("blocks", "tuples"):
        if row[f"{unit}_total"]:
            return f"{row['phase']} {share(row[f'{unit}_done'] / row[f'{unit}_total'])}"
    return str(row["phase"])


def _locker(row: Row) -> str:
    if not row["locker"]:
        return ""
    age = "" if row["seconds"] is None else f", its transaction is {duration(row['seconds'])} old"
    who = (
        f"{row['user'] or 'somebody'}, {row['application'] or 'no application name'}, {row['state'] or 'state hidden'}"
    )
    return f"pid {row['locker']} ({who}{age})"


def _judged(run: Run, step: Step, seconds: float) -> Turn:
    rows = run.session.database.read(index_queries.INDEXES)
    there = next((row for row in rows if (row["schema"], row["name"]) == (step.schema, step.name)), None)
    if step.act == "drop":
        done = there is None
        return Turn(step, "pass" if done else "unknown", "dropped" if done else "is still there", done, seconds)
    if there is None or not there["valid"]:
        return Turn(step, "fail", "is not valid after its build", True, seconds)
    verb = "built" if step.act == "create" else "rebuilt"
    return Turn(step, "pass", f"{verb} in {seconds:.1f} s", True, seconds)


def _planned(step: Step) -> Turn:
    if step.act in ("building", "keep"):
        return Turn(step, "unknown", step.reason)
    return Turn(step, "pass", step.reason)


def _result(run: Run) -> dict[str, Any]:
    call, turns = run.session.call, run.turns
    verdicts = [Verdict(turn.status, f"{turn.step.shown}: {turn.sentence}") for turn in turns]
    verdict = worst(verdicts) if verdicts else Verdict("pass", "no index is declared, and none is broken")
    if verdict.passed and turns:
        verdict = Verdict("pass", "every index is as it should be")
    acting = [turn for turn in turns if turn.step.acts]
    changed = bool(acting) if call.check_mode else any(turn.changed for turn in turns)
    rows = [
        {
            "index": turn.step.shown, "name": turn.step.name, "table": turn.step.table, "act": turn.step.act,
            "reason": turn.step.reason, "status": turn.status, "sentence": turn.sentence,
            "seconds": None if turn.seconds is None else round(turn.seconds, 2),
        }
        for turn in turns
    ]  # fmt: skip
    call.journal.note("index", verdict=verdict.status, reason=verdict.reason, indexes=rows)
    done = ", ".join(
        f"{turn.step.act} {turn.step.shown}" if call.check_mode else f"{turn.step.shown} {turn.sentence}"
        for turn in acting
        if call.check_mode or turn.changed
    )
    whole = sum(turn.step.act == "none" for turn in turns)
    parts = [f"{'Would ' if call.check_mode else ''}{done}" if done else "Nothing to do" if verdict.passed else ""]
    parts += [f"{whole} {'index' if whole == 1 else 'indexes'} as declared"] * bool(whole)
    return {
        "changed": changed,
        "verdict": verdict.as_result(),
        "indexes": rows,
        "advice": [],
        "diff": {
            "before": "".join(f"{turn.step.shown}: {turn.step.reason}\n" for turn in acting),
            "after": "".join(f"{turn.step.shown}: {turn.step.act}\n" for turn in acting),
        },
        "msg": "; ".join(filter(None, [*parts, "" if verdict.passed else verdict.reason])),
    }


def _advised(session: DatabaseSession) -> dict[str, Any]:
    with session.database.transaction(read_only=True) as ask:
        found = advice.advise(
            ask(index_queries.INDEXES), ask(index_queries.READS), ask(index_queries.USES),
            ask(index_queries.FOREIGN_KEYS), ask(index_queries.SINCE)[0]["seconds"],
            session.params["large_bytes"],
        )  # fmt: skip
        recovering = ask(upkeep_queries.SERVER)[0]["in_recovery"]
    if recovering:
        session.call.warn("This is a standby: what it counts is its own reads, not those of the primary.")
    for each in found:
        session.call.say(f"{each['kind']}: {each['sentence']}")
    session.call.journal.note("index_advice", advice=found)
    sentence = f"{len(found)} pieces of advice, nothing was changed" if found else "No advice"
    verdict = Verdict("pass", sentence)
    return {"changed": False, "verdict": verdict.as_result(), "indexes": [], "advice": found, "msg": sentence}


def _faults(params: Mapping[str, Any]) -> list[Fault]:
    return above_zero(params, "max_minutes", *TIMEOUTS)


def _upper(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
