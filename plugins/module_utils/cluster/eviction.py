# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Restarting pod by pod through the eviction API, which honours PodDisruptionBudgets.

A budget in the way answers 429, which is waited for and named; more than one budget for a pod is an error 500 that does
not go away (kubernetes/kubernetes:pkg/registry/core/pod/storage/eviction.go).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from ..deadline import Deadline
from ..errors import OperatorError
from ..verdict import Verdict
from . import budgets, paths, planning, refusals, revisions, rolling, snapshot
from .client import ApiFault, Unreachable
from .diagnosis import Finding
from .feed import Change, Feed, present
from .restarting import Restart
from .revisions import Object
from .session import Session
from .snapshot import Snapshot
from .turnover import Turnover

PROGRESS_SECONDS = 5.0
#: A refused eviction is tried again after this long, doubled each time up to the most.
LEAST_PAUSE_SECONDS = 1.0
MOST_PAUSE_SECONDS = 5.0
_TWO_BUDGETS = "more than one PodDisruptionBudget"

Replan = Callable[[Snapshot], Restart]


@dataclass
class Ended:
    """How it ended: C(done), or why not, with the pod's finding where a pod is the reason."""

    state: Literal["done", "failed", "timeout", "superseded"]
    reason: str
    detail: str
    finding: Finding | None = None


@dataclass
class Refusals:
    """The eviction that is being tried: whose, why it was refused last, and when it is tried again."""

    pod: str = ""
    why: str = ""
    pause: float = LEAST_PAUSE_SECONDS
    again_at: float = 0.0
    evicted: list[str] = field(default_factory=list)

    def refused(self, pod: str, why: str, seconds: float) -> None:
        """Note a refusal at this second, and wait longer than the last time."""
        self.pause = min(2 * self.pause, MOST_PAUSE_SECONDS) if pod == self.pod else LEAST_PAUSE_SECONDS
        self.pod, self.why, self.again_at = pod, why, seconds + self.pause


def budgets_of(session: Session, labels: dict[str, str]) -> list[Object]:
    """The budgets that guard pods with these labels."""
    listed = session.cluster.items(paths.path("PodDisruptionBudget", session.params["namespace"]))
    return budgets.guarding(listed, labels)


def evict_all(session: Session, found: Snapshot, planned: Restart, replan: Replan) -> dict[str, Any]:
    """Write key and start on the workload, then evict one due pod after the other, each when the last is replaced.

    Returns the fields that M(linkops.runbooks.workload_restart) documents, C(failed) among them.
    """
    workload, planned, found = _begun(session, found, planned, replan)
    owners = {each.uid for each in found.revisions} | {workload["metadata"]["uid"]}
    target, since = planned.source, planned.since
    if target is None or since is None:  # a plan has both, else it was refused
        raise OperatorError(planning.reply_to_conflict(workload))
    state = Turnover(workload, target, owners, since, session.params["crash_restarts"])
    tries = Refusals()
    clock = Deadline(session.params["deadline_seconds"] * (len(planned.due) + 1))
    ended = _watched(session, state, tries, clock)
    session.call.journal.note(
        "rollout",
        revision=target.number,
        state=ended.state,
        detail=ended.detail,
        seconds=round(clock.elapsed, 2),
        timeline=state.timeline,
        evicted=tries.evicted,
    )
    return _outcome(session, found, planned, state, tries, ended, clock.elapsed)


def _begun(
    session: Session, found: Snapshot, planned: Restart, replan: Replan
) -> tuple[dict[str, Any], Restart, Snapshot]:
    """Write the annotations on exactly the state that was planned on; plan anew where that has moved."""
    namespace, kind, name = session.workload
    for _attempt in range(rolling.WRITE_ATTEMPTS):
        if not planned.patch:
            return found.workload, planned, found
        session.held.renew()
        session.cluster.persist(Deadline(session.params["deadline_seconds"]))
        try:
            written = session.cluster.patch(paths.path(kind, namespace, name), planned.patch)
        except ApiFault as fault:
            if fault.status != 409:
                raise
            found = snapshot.read(session.cluster, namespace, kind, name, with_pods=False)
            planned = replan(found)
            continue
        session.call.journal.note("write", due=planned.due)
        session.call.say(f"due: {', '.join(planned.due)}; evicting them one by one")
        return {**written, "kind": kind}, planned, found
    raise OperatorError(planning.reply_to_conflict(found.workload))


def _watched(session: Session, state: Turnover, tries: Refusals, clock: Deadline) -> Ended:
    """Evict and wait until no pod is due and all are ready; each pod has the call's deadline for itself."""
    cluster, held, say = session.cluster, session.held, session.call.say
    namespace, kind, name = session.workload
    patience, looked = Deadline(session.params["deadline_seconds"]), False
    said, said_at = "", 0.0
    feed = Feed(cluster, clock)
    with contextlib.closing(feed):
        version = state.workload["metadata"]["resourceVersion"]
        feed.follow(kind, paths.path(kind, namespace), version, fieldSelector=f"metadata.name={name}")
        selector = snapshot.selector_text(state.workload["spec"]["selector"])
        pods, version = cluster.listed(paths.path("Pod", namespace), labelSelector=selector)
        for pod in pods:
            state.apply(Change("Pod", "ADDED", {**pod, "kind": "Pod"}))
        feed.follow("Pod", paths.path("Pod", namespace), version, labelSelector=selector)
        while True:
            held.renew_if_due()
            state.record(clock.elapsed)
            due, waits = state.due(), state.waits_for(cluster.now)
            if (ended := _end(state, len(due), waits)) is not None:
                return ended
            if not waits and clock.elapsed >= tries.again_at:
                held.renew()
                cluster.persist(patience)
                if refused := _evict(session, due[0]):
                    tries.refused(due[0]["metadata"]["name"], refused, clock.elapsed)
                else:
                    say(f"evicted {due[0]['metadata']['name']}, {len(due) - 1} still due")
                    tries.evicted.append(due[0]["metadata"]["name"])
                    tries.why, patience, looked = "", Deadline(session.params["deadline_seconds"]), False
                    state.send_away(due[0])
                    continue
            line = f"{len(due)} still due, {waits or tries.why}"
            if line != said or clock.elapsed - said_at >= PROGRESS_SECONDS:
                say(line)
                said, said_at = line, clock.elapsed
            if patience.expired:
                if looked:
                    blocked = waits or tries.why
                    return Ended("timeout", "deadline", f"no progress for {patience.seconds:.0f} s: {blocked}")
                looked = True
                for change in present(cluster, state.workload):
                    state.apply(change)
            elif (heard := feed.next(min(1.0, patience.remaining))) is not None:
                state.apply(heard)


def _end(state: Turnover, due: int, waits: str) -> Ended | None:
    if state.deleted:
        return Ended("failed", "deleted", "the workload was deleted by somebody else")
    if state.superseded:
        return Ended("superseded", "superseded", "the template was changed by somebody else")
    if (finding := state.fatal()) is not None:
        return Ended("failed", finding.reason, str(finding), finding)
    if due or waits:
        return None
    alive = len(state.alive)
    return Ended("done", "", f"{len(state.fresh())} of {alive} pods are new and ready")


def _evict(session: Session, pod: Object) -> str:
    """Ask for one eviction; why it is refused for now, empty when it is granted or the pod is gone already."""
    metadata = pod["metadata"]
    body = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": metadata["name"], "namespace": metadata["namespace"]},
        "deleteOptions": {"preconditions": {"uid": metadata["uid"]}},
    }
    path = paths.path("Pod", metadata["namespace"], metadata["name"], "eviction")
    try:
        session.cluster.create_once(path, body)
    except ApiFault as fault:
        if fault.status in (404, 409):  # gone, or replaced under the same name
            return ""
        if fault.status not in refusals.TRANSIENT or _TWO_BUDGETS in fault.message:
            raise
        guarding = budgets_of(session, metadata.get("labels") or {}) if fault.status == 429 else []
        named = [why for why in map(budgets.refusal, guarding) if why]
        return f"eviction of {metadata['name']} is refused: {'; '.join(named) or fault.message.rstrip('.')}"
    except Unreachable as fault:
        return str(fault)
    session.call.journal.note("evicted", pod=metadata["name"])
    return ""


def _outcome(
    session: Session,
    found: Snapshot,
    planned: Restart,
    state: Turnover,
    tries: Refusals,
    ended: Ended,
    seconds: float,
) -> dict[str, Any]:
    target, done = state.target, ended.state == "done"
    ran = revisions.ready_names(revisions.pods_of(target, state.alive))
    result: dict[str, Any] = {
        "changed": bool(planned.patch or tries.evicted),
        "from_revision": target.number,
        "to_revision": target.number,
        "active_revision": target.number,
        "to_name": target.name if ran else "",
        "from_pods_left": len(state.due()),
        "evicted_pods": tries.evicted,
        "returned": False,
        "rollout": {
            "state": ended.state,
            "reason": ended.reason,
            "detail": ended.detail,
            "seconds": round(seconds, 2),
            "timeline": state.timeline,
            "freed_pods": 0,
            "terminating": len(state.pods) - len(state.alive),
        },
        "ready_pods": revisions.ready_names(state.alive),
    }
    if done:
        return {**result, "verdict": Verdict("pass", ended.detail).as_result(), "msg": f"Restarted: {ended.detail}."}
    at_hand = Snapshot(state.workload, found.history, list(state.pods.values()), found.revisions)
    result["evidence"], words = rolling.keep_evidence(session, at_hand, ended.finding)
    told = f"The restart stopped after {len(tries.evicted)} of {len(planned.due)} evictions: {ended.detail}.{words}"
    ready = len(result["ready_pods"])
    told += f" State left: {ready} of {len(state.alive)} pods ready, {len(state.due())} not restarted."
    return {**result, "failed": True, "msg": told, "verdict": Verdict("fail", told).as_result()}
