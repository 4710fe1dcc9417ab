# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation behind M(linkops.runbooks.feature_flag): set in its store, proved in every pod, taken back if not."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from . import flag_stores, pod_answers
from .call import Call
from .cluster import assignments, configure, revisions, rolling, snapshot
from .cluster.config_map import Before
from .cluster.rights import right
from .cluster.session import Session, opened
from .deadline import Deadline
from .flag_stores import Rollout, Standing, Store
from .signals import flags
from .signals.flags import Flag
from .verdict import Verdict, worst

POLL_SECONDS = 0.5
MOST_AT_ONCE = 8
PROOF_TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True)
class Step:
    """What setting a flag takes, as it was found: C(done) where every pod shows the value already."""

    flag: Flag
    value: str | None
    standing: Standing
    rollout: Rollout | None
    proof: dict[str, Verdict]

    @property
    def stands(self) -> bool:
        """Whether the store has the value."""
        return (
            self.value is None if self.standing.value is None else flags.is_same(self.standing.value, str(self.value))
        )

    @property
    def taken_up(self) -> Before | None:
        """What it was before an earlier run set it to the same value, and did not prove that."""
        return self.standing.before if self.stands else None

    @property
    def previous(self) -> str | None:
        """The value to return to."""
        return self.taken_up.value if self.taken_up else _text(self.standing.value)

    @property
    def done(self) -> bool:
        """Whether there is nothing left to do, not even a rollout that somebody began."""
        return self.stands and bool(self.proof) and worst(self.proof.values()).passed

    @property
    def rolls(self) -> bool:
        """Whether pods are to be replaced."""
        return not self.done and self.rollout is not None

    @property
    def changed(self) -> bool:
        """Whether anything is to be written."""
        return not self.stands or bool(self.rolls and self.rollout and self.rollout.planned.change.changed)


def feature_flag(call: Call) -> dict[str, Any]:
    """Set a flag as C(call.params) ask; in check mode only plan."""
    params = call.params
    value = None if params["state"] == "absent" else params["value"] or ""
    flag, faults = flags.flag(params["flag"], value, params["flags"])
    with opened(call, *faults) as session:
        needed = [right(verb, "ConfigMap") for verb in ("get", "patch")] if flag.store == "config_map" else []
        with rolling.prechecked(session, *needed):
            store = flag_stores.store(session, flag)
            if params["state"] == "proved":
                return _settled(call, flag, store, str(value))
            step = _look(session, flag, store, value)
        result = _described(step, params["service_passed"])
        if step.rolls and step.rollout:
            for sentence in step.rollout.planned.warnings if params["prechecks"] else []:
                call.warn(sentence)
        if call.check_mode:
            return {**result, "changed": step.changed, "msg": _intention(step)}
        call.journal.note("plan", **result["plan"])
        return {**result, **_set(session, store, step)}


def _look(session: Session, flag: Flag, store: Store, value: str | None) -> Step:
    standing = store.read()
    rollout = store.rollout(standing, value)
    proof = {} if value is None else _ask(session, flag, value, revisions.ready_names(standing.workload.pods))
    return Step(flag, value, standing, rollout, proof)


def _settled(call: Call, flag: Flag, store: Store, value: str) -> dict[str, Any]:
    """Forget the value before, unless somebody set another one meanwhile."""
    step = Step(flag, value, store.read(), None, {})
    pending = step.taken_up is not None
    if pending and not call.check_mode:
        store.settle()
    return {
        "changed": pending,
        "previous": step.previous,
        "msg": f"The flag {flag.name} is proved to be {value}."
        if step.stands
        else f"The flag {flag.name} is {_shown(step.standing.value)}, so {value} is not what was proved.",
    }


def _text(value: Any) -> str | None:
    return None if value is None else assignments.text(value)


def _set(session: Session, store: Store, step: Step) -> dict[str, Any]:
    """Write, roll where pods need it, prove; what is not proved is taken back."""
    told = session.params["service_passed"]
    if step.taken_up:
        session.call.say(
            f"flag {step.flag.name}: its value was never proved; before that it was {_shown(step.previous)}"
        )
    if step.done:
        return {
            "changed": told is None and store.settle(),
            "msg": f"The flag {step.flag.name} is {step.value} already, and {_told(step.proof)}.",
        }
    served = _served(session, step)
    outcome = _write(session, store, step, Before(step.previous, bool(told)) if served else None)
    if outcome.get("failed"):
        return outcome
    proof = _prove(session, store, step.flag, step.value)
    verdict = worst(proof.values(), "no pod is ready, so none shows it") if step.value is not None else _unasked()
    session.call.say(f"flag {step.flag.name}: {verdict.status}: {verdict.reason}")
    session.call.journal.note("flag", flag=step.flag.name, verdict=verdict.status, pods=_listed(proof))
    outcome |= {"verdict": verdict.as_result(), "proof": _listed(proof), "msg": f"{_done(step)}; {_told(proof)}."}
    if verdict.status == "fail":
        return {**outcome, "failed": True, **_take_back(session, store, step, served, verdict)}
    if verdict.passed and told is None:
        store.settle()
    elif verdict.status == "unknown":
        outcome["msg"] = f"{_done(step)}, which could not be proved, so it stays: {verdict.reason}."
    return outcome


def _served(session: Session, step: Step) -> bool:
    """Whether pods served with the value before; without a rollout they are assumed to, unless the caller knows."""
    if step.taken_up:
        return True
    if step.rollout is None:
        return session.params["source_served"] is not False
    return rolling.source_served(session, step.standing.workload, step.rollout.planned.change.source)


def _write(session: Session, store: Store, step: Step, before: Before | None) -> dict[str, Any]:
    """The store's own write, then the rollout, which takes the write back before it returns pods to what they were.

    C(before) is kept until the value is proved.
    """
    deadline = Deadline(session.params["deadline_seconds"])
    session.cluster.persist(deadline)
    if not step.stands:
        store.write(step.value, before)
        session.call.say(f"flag {step.flag.name} is set to {step.value}")
    if not (step.rolls and step.rollout):
        return {"changed": step.changed, "returned": False}

    def undo() -> None:
        store.write(step.previous, None)

    seen = configure.carry_out(session, step.standing.workload, step.rollout.planned, step.rollout.wish, undo)
    returnable = _returnable(step, session.params["service_passed"])
    return {**seen, "changed": step.changed or seen["changed"], "returnable": returnable}


def _take_back(session: Session, store: Store, step: Step, served: bool, verdict: Verdict) -> dict[str, Any]:
    """Return to the value before, where this run or one that was killed changed it."""
    told = f"The flag {step.flag.name} was set to {step.value}, and it does not work: {verdict.reason}."
    if step.stands and not step.taken_up:
        return {"msg": f"{told} It had that value before this run, so there is none to return to."}
    if not served:
        return {"msg": f"{told} The pods before did not serve either, so it stays; give value= to choose another."}
    shown = _shown(step.previous)
    session.call.say(f"returning the flag {step.flag.name} to {shown}")
    store.write(step.previous, None)
    again = store.read()
    rollout = store.rollout(again, step.previous)
    if rollout:
        seen = configure.carry_out(session, again.workload, rollout.planned, rollout.wish, back=True)
        if seen.get("failed"):
            return {"msg": f"{told} The return to {shown} failed too: {seen['msg']}"}
    return {"returned": True, "msg": f"{told} It was returned to {shown}."}


def _prove(session: Session, store: Store, flag: Flag, value: str | None) -> dict[str, Verdict]:
    """Ask all ready pods until each shows the value, or the time is over in which it must show."""
    if value is None:
        return {}
    deadline = Deadline(session.params["settle_seconds"] or store.settle_seconds)
    while True:
        found = snapshot.read(session.cluster, *session.workload)
        proof = _ask(session, flag, value, revisions.ready_names(found.pods))
        if worst(proof.values()).passed or deadline.expired:
            return proof
        session.held.renew_if_due()
        time.sleep(min(POLL_SECONDS, deadline.remaining))


def _ask(session: Session, flag: Flag, value: str, pods: list[str]) -> dict[str, Verdict]:
    """What each pod shows now."""
    proof = flag.proof
    judge = partial(flags.judge, str(proof["expect"]), value)
    port = int(proof.get("port") or session.params["port"])
    timeout = float(proof.get("timeout_seconds") or PROOF_TIMEOUT_SECONDS)
    forward = not session.call.check_mode

    def ask(pod: str) -> Verdict:
        return pod_answers.ask(
            session.cluster, session.params["namespace"], pod, port, str(proof["path"]), timeout, forward, judge
        )

    with ThreadPoolExecutor(MOST_AT_ONCE) as pool:
        return dict(zip(pods, pool.map(ask, pods), strict=True))


def _returnable(step: Step, passed: bool | None) -> bool:
    """Whether a service that is worse now may have the value before again: it passed with that one."""
    return step.taken_up.passed if step.taken_up else not step.stands and bool(passed)


def _described(step: Step, passed: bool | None) -> dict[str, Any]:
    rollout = configure.described(step.standing.workload, step.rollout.planned) if step.rollout else {}
    changes = rollout.get("plan", {}).get("changes", [])
    name, before = step.flag.name, _text(step.standing.value)
    return {
        "changed": False,
        "previous": step.previous,
        "returnable": _returnable(step, passed),
        "plan": {
            "flag": name,
            "store": step.flag.store,
            "before": before,
            "after": step.value,
            "changes": changes if step.rolls else [],
            "rollout": step.rolls,
        },
        "from_pods": rollout.get("from_pods", []),
        "ready_pods": revisions.ready_names(step.standing.workload.pods),
        "proof": _listed(step.proof),
        "returned": False,
        "verdict": worst(step.proof.values()).as_result(),
        "diff": {
            "before_header": f"flag {name}",
            "after_header": f"flag {name}",
            "before": f"{name}: {before}\n",
            "after": f"{name}: {before if step.stands else step.value}\n",
        },
    }


def _listed(proof: dict[str, Verdict]) -> list[dict[str, str]]:
    return [{"pod": pod, "status": each.status, "reason": each.reason} for pod, each in proof.items()]


def _told(proof: dict[str, Verdict]) -> str:
    return f"every one of {len(proof)} pods shows it" if proof else "no pod was asked"


def _unasked() -> Verdict:
    return Verdict("pass", "nothing shows a flag that is not set")


def _done(step: Step) -> str:
    return f"The flag {step.flag.name} is {_shown(step.value)} (before: {_shown(step.previous)})"


def _shown(value: Any) -> str:
    return "absent" if value is None else str(assignments.text(value))


def _intention(step: Step) -> str:
    if step.done:
        return f"The flag {step.flag.name} is {step.value} already, and {_told(step.proof)}."
    how = "a rollout, so that pods see it" if step.rolls else "no rollout"
    if step.stands:
        return f"The flag {step.flag.name} is {step.value} already, and pods do not show it; it needs {how}."
    return (
        f"Would set the flag {step.flag.name} from {_shown(step.standing.value)} to {_shown(step.value)}, with {how}."
    )
