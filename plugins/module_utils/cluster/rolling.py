# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Seeing a planned template through: write it, watch its rollout; where that fails, evidence and the way back."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ..deadline import Deadline
from ..errors import Fault, OperatorError
from ..verdict import Verdict
from . import evidence, marks, paths, planning, revisions, snapshot, unproved
from .client import MERGE_PATCH, ApiFault
from .diagnosis import Finding
from .planning import Change, Plan, Wish
from .revisions import Revision
from .rights import Needed, right
from .session import Session
from .snapshot import Snapshot
from .watching import RolloutWatch, Watched, watch

#: How long to wait before looking again for the revision of a template that was just written.
MADE_SECONDS = 0.1
# Status updates move the resourceVersion too; only a change of the spec counts as somebody else's.
WRITE_ATTEMPTS = 5
#: For all reads of evidence: a pod on a dead node answers none of them, and the way back waits.
EVIDENCE_SECONDS = 10.0

Replan = Callable[[Snapshot], Change]


@dataclass(frozen=True)
class Move:
    """A change as it was written, or found written: C(made) if it made a revision; C(known) are those there are now.

    C(resumed) is one that an earlier run wrote and did not prove; C(passed) tells whether the service passed before it.
    """

    source: Revision | None
    target: Revision
    changed: bool
    made: bool
    known: list[Revision]
    resumed: bool = False
    passed: bool = False


@contextlib.contextmanager
def prechecked(session: Session, *more: Needed) -> Iterator[None]:
    """Where the call asks for prechecks, raise what they find together with what the block finds."""
    faults = precheck(session, *more) if session.params["prechecks"] else []
    details: dict[str, Any] = {}
    try:
        yield
    except OperatorError as fault:
        said = {each.reason for each in faults}
        faults += [each for each in fault.faults if each.reason not in said]
        details = fault.details
    if faults:
        raise OperatorError(faults, **details)


def precheck(session: Session, *more: Needed) -> list[Fault]:
    """What stands against any rollout in this namespace: another cluster than the pinned one, missing rights.

    C(more) are rights that this one needs besides.
    """
    kind = session.params["kind"]
    needed = [
        *(right(verb, kind) for verb in ("get", "list", "watch", "patch")),
        *(right(verb, "Pod") for verb in ("list", "watch")),
        right("get", "Pod", "log"),
        (right("get", "Pod", "proxy"), right("create", "Pod", "portforward")),
        *(right(verb, snapshot.history_kind(kind)) for verb in ("list", "get", "patch")),
        *(right(verb, "Lease") for verb in ("get", "create", "patch")),
        right("list", "Event"),
        *((right("watch", "Event"),) if kind != "Deployment" else ()),
        *((right("delete", "Pod"),) if kind == "StatefulSet" else ()),
        *more,
    ]
    return snapshot.unfit(session.cluster, session.params, needed)


def source_served(session: Session, found: Snapshot, source: Revision | None) -> bool:
    """Whether the version that is left was serving: as the caller found out, else by the readiness of its pods."""
    told: bool | None = session.params["source_served"]
    if told is not None:
        return told
    return source is not None and bool(revisions.ready_names(revisions.pods_of(source, found.pods)))


def see_through(
    session: Session,
    found: Snapshot,
    planned: Change,
    replan: Replan,
    served: bool,
    undo: Callable[[], None] | None = None,
) -> dict[str, Any]:
    """Write and watch what was planned, and return a failed rollout to the version that was left, if that C(served).

    C(replan) plans anew on a workload that somebody changed in between; C(undo) takes back what else belongs to the
    change, before pods of the version that was left start again. Returns the fields that
    M(linkops.runbooks.workload_rollback) documents, C(failed) among them.
    """
    deadline = Deadline(session.params["deadline_seconds"])
    move, workload = _moved(session, found, planned, replan, deadline, served)
    if move.resumed and move.source:
        place = f"it took the place of revision {move.source.number} and was never proved"
        session.call.say(
            f"revision {move.target.number} is active already; {place}, so it is watched as if just written"
        )
    elif not move.changed:
        session.call.say(f"revision {move.target.number} is active already; it is watched all the same")
    watched = _watched(session, move, workload, deadline)
    outcome = _outcome(move, watched)
    if watched.state == "done":
        return outcome
    latest = dataclasses.replace(found, workload=watched.workload, pods=watched.pods)
    outcome["evidence"], words = keep_evidence(session, latest, watched.finding, found.workload)
    told = f"The rollout of revision {move.target.number} failed: {watched.detail}.{words}"
    forbidden = _stays(move, watched, served)
    left = f"{told} {forbidden} State left: {_state(watched)}."
    back = {"msg": left} if forbidden else _return(session, move, told, undo)
    verdict = Verdict("fail", told if forbidden else back["msg"])
    return {**outcome, **back, "failed": True, "verdict": verdict.as_result()}


def keep_evidence(
    session: Session, found: Snapshot, finding: Finding | None = None, before: dict[str, Any] | None = None
) -> tuple[list[str], str]:
    """Keep the evidence of a version that fails: the names of the files, and the last words of the finding's container.

    C(before) is the workload as it was before the change. The reads share C(EVIDENCE_SECONDS), since the return waits
    for them, and the Leases are renewed meanwhile. Not so the Secrets: without their values nothing could be redacted.
    """

    def renew() -> None:
        with contextlib.suppress(OperatorError):  # a lost lock is told before the next write
            session.held.renew_if_due()

    before = before or found.workload
    secrets = evidence.confidences(session.cluster, before, found.workload)
    cluster = session.cluster.hurried(EVIDENCE_SECONDS, renew)
    words = evidence.last_words(cluster, session.params["namespace"], finding, secrets) if finding else ""
    bundle = evidence.collect(cluster, before, found.workload, found.pods, secrets)
    for name, content in bundle.items():
        session.call.journal.attach(name, content)
    return sorted(bundle), f' Its last words: "{words}".' if words else ""


def _moved(
    session: Session, found: Snapshot, planned: Change, replan: Replan, deadline: Deadline, served: bool = False
) -> tuple[Move, dict[str, Any]]:
    """Write what was planned, if anything, and learn which revision it made; what is left is noted if it C(served)."""
    workload = found.workload
    if planned.changed:
        found, planned, workload = _write(session, found, planned, replan, deadline, served)
    target, known = planned.target, found.revisions
    if target is None:
        target, known = _made(session, deadline)
        session.call.say(f"it is revision {target.number} ({target.name})")
    if not planned.changed and (begun := unproved.read(workload, known)):
        return Move(begun.left, target, False, False, known, resumed=True, passed=begun.passed), workload
    passed = planned.changed and _passed(session)
    return Move(planned.source, target, planned.changed, planned.target is None, known, passed=passed), workload


def _passed(session: Session) -> bool:
    """Whether the whole service passed before, as far as the caller says."""
    return bool(session.params.get("service_passed"))


def _write(
    session: Session, found: Snapshot, planned: Change, replan: Replan, deadline: Deadline, served: bool
) -> tuple[Snapshot, Change, dict[str, Any]]:
    """Write the template on exactly the state that was planned on; replan once if the spec moved."""
    namespace, kind, name = session.workload
    foreign = 0
    for _attempt in range(WRITE_ATTEMPTS):
        session.held.renew()
        session.cluster.persist(deadline)
        target, patch = planned.target, planned.patch
        if served:
            patch = unproved.noted(found.workload, found.revisions, planned, _passed(session))
        try:
            if target:
                _remember_number(session, target)
            workload = {**session.cluster.patch(paths.path(kind, namespace, name), patch), "kind": kind}
        except ApiFault as fault:
            if fault.status != 409:
                raise
            generation = found.workload["metadata"].get("generation")
            found = snapshot.read(session.cluster, namespace, kind, name, with_pods=False)
            foreign += found.workload["metadata"].get("generation") != generation
            if foreign > 1:
                break
            planned = replan(found)
            if not planned.changed:
                return found, planned, found.workload
            continue
        written = {"revision": target.number, "name": target.name} if target else {}
        session.call.journal.note("write", **written)
        shown = f"template of revision {target.number} ({target.name})" if target else "the changed template"
        session.call.say(f"{shown} is written; watching the rollout")
        return found, planned, workload
    raise OperatorError(planning.reply_to_conflict(found.workload))


def _made(session: Session, deadline: Deadline) -> tuple[Revision, list[Revision]]:
    """The revision that the controller made of the written template, with all that are known then."""
    while not deadline.expired:
        found = snapshot.read(session.cluster, *session.workload, with_pods=False)
        if target := revisions.active_revision(found.revisions):
            return target, found.revisions
        session.held.renew_if_due()
        time.sleep(MADE_SECONDS)
    raise OperatorError(
        Fault(
            "not_observed",
            f"The template is written, and its controller has made no revision of it in {deadline.seconds:.0f} s.",
            "Look at the controller manager of the cluster, then press again.",
        )
    )


def _remember_number(session: Session, target: Revision) -> None:
    """Keep the number that a ControllerRevision is about to lose; ReplicaSets have revision-history for that."""
    namespace, kind, _name = session.workload
    if kind == "Deployment" or target.number in target.earlier:
        return
    numbers = ",".join(str(number) for number in [*target.earlier, target.number])
    body = {"metadata": {"annotations": {marks.EARLIER_REVISIONS: numbers}}}
    session.cluster.patch(paths.path(snapshot.history_kind(kind), namespace, target.name), body, MERGE_PATCH)


def _watched(session: Session, move: Move, workload: dict[str, Any], deadline: Deadline) -> Watched:
    state = RolloutWatch(workload, move.target, move.known, session.params["crash_restarts"])
    watched = watch(session.cluster, state, deadline, session.held, session.call.say)
    session.call.journal.note(
        "rollout",
        revision=move.target.number,
        state=watched.state,
        detail=watched.detail,
        seconds=watched.seconds,
        timeline=watched.timeline,
    )
    return watched


def _stays(move: Move, watched: Watched, served: bool) -> str:
    """Why a failed rollout is not returned, empty if it is."""
    if not move.changed and not move.resumed:
        return "Nothing was written, so there is nothing to return."
    if watched.state == "superseded":
        return "It is somebody else's rollout now, so nothing is returned."
    if move.source is None:
        return "The template it had before belongs to no revision, so there is nothing to return to."
    if not served and not move.resumed:
        return f"Revision {move.source.number} was not serving either, so it is not returned to; choose another one."
    return ""


def _return(session: Session, move: Move, told: str, undo: Callable[[], None] | None) -> dict[str, Any]:
    """Go back to the revision that was left, watched as well."""
    source = move.source
    if source is None:
        raise OperatorError(Fault("no_source", "There is no revision to return to."))
    namespace, kind, name = session.workload
    session.call.say(f"returning to revision {source.number}, which was serving")
    deadline = Deadline(session.params["deadline_seconds"])
    session.cluster.persist(deadline)
    try:
        if undo:
            undo()
        found = snapshot.read(session.cluster, namespace, kind, name, with_pods=False)
        back = next((each for each in found.revisions if each.name == source.name), None)
        if back is None:
            raise OperatorError(Fault("revision_gone", f"Revision {source.number} is collected as garbage."))
        wish = Wish(str(back.number), allow_schema_mismatch=True)

        def replan(again: Snapshot) -> Plan:
            return planning.plan(again.workload, again.revisions, wish)

        returning, workload = _moved(session, found, replan(found), replan, deadline)
        watched = _watched(session, returning, workload, deadline)
    except OperatorError as fault:
        return {"returned": False, "msg": f"{told} The return to revision {source.number} failed too: {fault}"}
    if watched.state == "done":
        again = f"revision {source.number}, which serves again after {watched.seconds:.1f} s"
        return {"returned": True, "msg": f"{told} It was returned to {again}."}
    why = f"{watched.detail}. State left: {_state(watched)}"
    return {"returned": False, "msg": f"{told} The return to revision {source.number} failed too: {why}."}


def _outcome(move: Move, watched: Watched) -> dict[str, Any]:
    done = watched.state == "done"
    # Where pods keep their version until they are deleted, a rollout is done before any pod runs the target.
    ran = any(revisions.pod_is_ready(pod) for pod in revisions.pods_of(move.target, watched.pods))
    verdict = Verdict(("pass" if ran else "unknown") if done else "fail", watched.detail)
    return {
        "changed": move.changed,
        "from_revision": move.source.number if move.source else None,
        "to_revision": move.target.number,
        "from_name": move.source.name if move.source else "",
        "to_name": move.target.name,
        "from_pods_left": _left(move, watched),
        "active_revision": _number_now(move, watched) if done else move.target.number,
        "returned": False,
        "returnable": move.passed and move.source is not None,
        "rollout": {
            "state": watched.state,
            "reason": watched.reason,
            "detail": watched.detail,
            "seconds": watched.seconds,
            "timeline": watched.timeline,
            "freed_pods": len(watched.freed_pods),
            "terminating": watched.terminating,
        },
        "ready_pods": revisions.ready_names(watched.pods),
        "verdict": verdict.as_result(),
        "msg": f"Revision {move.target.number} is rolled out: {watched.detail}." if done else watched.detail,
    }


def _left(move: Move, watched: Watched) -> int:
    """Pods that still run the revision that was left, as a partition or OnDelete has it."""
    if move.source is None or move.source.name == move.target.name:
        return 0
    pods = revisions.pods_of(move.source, watched.pods)
    return sum(1 for pod in pods if not pod["metadata"].get("deletionTimestamp"))


def _number_now(move: Move, watched: Watched) -> int:
    """The target's number after the write: a Deployment bears it, the other controllers give the highest plus one."""
    annotations = watched.workload["metadata"].get("annotations") or {}
    if revisions.REVISION in annotations:
        return int(annotations[revisions.REVISION])
    renumbered = move.changed and not move.made
    return max(each.number for each in move.known) + 1 if renumbered else move.target.number


def _state(watched: Watched) -> str:
    counted = watched.timeline[-1]["revisions"] if watched.timeline else {}
    shown = [
        f"revision {number}: {each['ready']} of {each['pods']} pods ready" for number, each in sorted(counted.items())
    ]
    return "; ".join(shown) or "no pods"
