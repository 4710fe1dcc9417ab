# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation behind M(linkops.runbooks.workload_scale): what is checked, written and watched."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from ..call import Call
from ..deadline import Deadline
from ..errors import Fault, OperatorError
from ..verdict import Verdict
from . import (
    autoscaling,
    capacity,
    creation,
    diagnosis,
    metrics,
    overrides,
    paths,
    planning,
    revisions,
    rolling,
    scaling,
    snapshot,
)  # fmt: skip
from .autoscaling import Found
from .client import ApiFault
from .counting import ScaleWatch
from .rights import right
from .scaling import Author, Plan, Step, Wish
from .session import Session, opened
from .snapshot import Snapshot
from .watching import Watched, watch

# Status updates move the resourceVersion of an autoscaler every few seconds; only other values count as somebody's.
WRITE_ATTEMPTS = 8


@dataclass(frozen=True)
class Scene:
    """A workload and what scales it, at one moment."""

    snapshot: Snapshot
    found: Found

    @property
    def workload(self) -> dict[str, Any]:
        """The workload."""
        return self.snapshot.workload

    @property
    def entries(self) -> list[dict[str, Any]]:
        """All objects that say how many pods there are."""
        return [*self.found.entries, self.workload]


def scale(call: Call) -> dict[str, Any]:
    """Scale as C(call.params) ask; in check mode only plan."""
    asked, faults = scaling.wish(call.params)
    with opened(call, *faults) as session:
        scene, planned, warnings = _survey(session, asked)
        for sentence in warnings:
            call.warn(sentence)
        result = _described(session, scene, planned, warnings)
        if call.check_mode:
            return {**result, "changed": planned.changed, "msg": _intention(asked, scene, planned)}
        call.journal.note("plan", **result["plan"])
        return {**result, **_carry_out(session, asked, scene, planned)}


def _survey(session: Session, asked: Wish) -> tuple[Scene, Plan, list[str]]:
    """Everything there is to know before a write; what stands against it is raised in one go."""
    with rolling.prechecked(session, right("list", "HorizontalPodAutoscaler")):
        scene = _read(session)
        planned = _planned(session, asked, scene)
        warnings = list(planned.warnings)
        if session.params["prechecks"]:
            faults, told = _objections(session, asked, scene, planned)
            warnings += told
            if faults:
                raise OperatorError(faults)
    return scene, planned, warnings


def _read(session: Session) -> Scene:
    found = snapshot.read(session.cluster, *session.workload)
    return Scene(found, autoscaling.read(session.cluster, found.workload))


def _planned(session: Session, asked: Wish, scene: Scene) -> Plan:
    run = session.params.get("run") or {}
    author = Author(run.get("operator") or "", run.get("id") or "", run.get("reason") or "")
    return scaling.plan(scene.workload, scene.found, asked, session.cluster.now, author)


def _objections(session: Session, asked: Wish, scene: Scene, planned: Plan) -> tuple[list[Fault], list[str]]:
    """What stands against the plan beside the plan itself: rights, room for more pods, load on fewer."""
    namespace, _kind, name = session.workload
    kinds = {step.entry["kind"] for step in planned.steps if step.entry is not scene.workload}
    lacking = (
        snapshot.check_rights(session.cluster, namespace, [right("patch", kind) for kind in kinds]) if kinds else None
    )
    faults: list[Fault] = [lacking] if lacking else []
    warnings: list[str] = []
    more = scaling.added(scene.snapshot.pods, planned)
    if planned.changed and more:
        refused, told = _room(session, scene, more)
        faults, warnings = faults + refused, warnings + told
    goal = scaling.removes(scene.workload, planned)
    if goal is not None:
        needed, measured = _load(session, scene)
        allowed = scaling.regardless(asked, session.params["force"])
        refused, told = capacity.too_few(name, goal, needed, measured, allowed)
        faults, warnings = faults + refused, warnings + told
    return faults, warnings


def _room(session: Session, scene: Scene, more: int) -> tuple[list[Fault], list[str]]:
    """Whether the API server would let so many more pods be created."""
    name = scene.workload["metadata"]["name"]
    answer, spec = creation.tried(session.cluster, scene.workload, scene.workload["spec"]["template"])
    warnings: list[str] = []
    if answer.status == "unknown":
        warnings.append(f"{answer.reason[:1].upper()}{answer.reason[1:]}.")
    try:
        quotas = session.cluster.items(paths.path("ResourceQuota", scene.workload["metadata"]["namespace"]))
    except ApiFault as fault:
        if fault.status != 403:
            raise
        quotas = []
        warnings.append(
            f"Whether quotas have room for {more} more pods was not asked: no right to list resourcequotas."
        )
    full = capacity.full(capacity.lacking(quotas, spec, more), name)
    refused = creation.refusal(answer, name)
    # A quota that has no room for one pod has none for all: its figures say more than the refusal.
    return full or ([refused] if refused else []), warnings


def _load(session: Session, scene: Scene) -> tuple[int | None, str]:
    """How many pods the CPU in use needs, and the figures; nothing, and why, where that cannot be known."""
    template = scene.workload["spec"]["template"]
    if lacking := autoscaling.without_cpu_request(template):
        return None, f"{', '.join(lacking)} requests no CPU to measure its use by"
    selector = snapshot.selector_text(scene.workload["spec"]["selector"])
    try:
        usages = metrics.read(session.cluster, scene.workload["metadata"]["namespace"], selector)
    except OperatorError as fault:
        if fault.reason != "metrics_missing":
            raise
        return None, fault.faults[0].message.rstrip(".")
    ready = set(revisions.ready_names(scene.snapshot.pods))
    used = [each for each in usages if each.pod in ready]
    if unseen := len(ready - {each.pod for each in used}):
        return None, f"the metrics API has no figures of {unseen} of its {len(ready)} ready pods yet"
    total = sum(each.cpu_cores for each in used)
    needed = capacity.needed_for(total, template["spec"])
    return (
        needed,
        f"{len(ready)} pods use {total * 1000:.0f}m CPU, each requests {capacity.cpu_request(template['spec'])}",
    )


def _carry_out(session: Session, asked: Wish, scene: Scene, planned: Plan) -> dict[str, Any]:
    """Write what was planned, wait for the pods, and where none more get ready put back what stood before."""
    deadline = Deadline(session.params["deadline_seconds"])
    before = len(revisions.ready_names(scene.snapshot.pods))
    scene, planned, done = _write(session, asked, scene, planned, deadline)
    outcome: dict[str, Any] = {"changed": bool(done), "returned": False}
    if planned.goal is None:
        return {**outcome, **_passed(_told(asked, scene, done), planned), "scaled": None}
    watched = _watched(session, scene, planned, bool(done), deadline)
    ready = revisions.ready_names(watched.pods)
    outcome |= {"ready_pods": ready, "scaled": _how(watched)}
    if watched.state == "done":
        counted = f"{watched.detail} after {watched.seconds:.1f} s"
        return {**outcome, **_passed(f"{_told(asked, scene, done)}; {counted}", planned)}
    if watched.state == "superseded":
        told = f"{_moves(done)}; then {watched.detail}, so how many get ready is not watched any more."
        return {**outcome, "msg": told, "verdict": Verdict("unknown", told).as_result()}
    latest = dataclasses.replace(scene.snapshot, workload=watched.workload, pods=watched.pods)
    outcome["evidence"], words = rolling.keep_evidence(session, latest, watched.finding)
    told = f"{session.params['name']} did not get its {planned.goal} pods: {watched.detail}.{words}"
    if len(ready) <= before and done and planned.goal > before:
        returned, back = _put_back(session, done)
        outcome["returned"] = returned
        told = f"{told} {back}"
    else:
        told = f"{told} Nothing was taken back: {len(ready)} pods are ready, {before} were before."
    return {**outcome, "failed": True, "msg": told, "verdict": Verdict("fail", told).as_result()}


def _write(
    session: Session, asked: Wish, scene: Scene, planned: Plan, deadline: Deadline
) -> tuple[Scene, Plan, list[Step]]:
    """Write each step on exactly the state that was planned on; plan once more if somebody else changed a number."""
    done: list[Step] = []
    foreign = 0
    for _attempt in range(WRITE_ATTEMPTS):
        pending = list(planned.steps)
        try:
            while pending:
                _put(session, pending[0], deadline)
                done.append(pending.pop(0))
        except ApiFault as fault:
            if fault.status != 409:
                raise
        if not pending:
            return _fresh(session, scene, done), planned, done
        conflicting = pending[0].entry
        scene = _read(session)
        now = next((each for each in scene.entries if _same(each, conflicting)), None)
        foreign += now is None or overrides.settings(now) != overrides.settings(conflicting)
        if foreign > 1:
            break
        planned = _planned(session, asked, scene)
    raise OperatorError(planning.reply_to_conflict(conflicting))


def _put(session: Session, step: Step, deadline: Deadline) -> None:
    session.held.renew()
    session.cluster.persist(deadline)
    metadata = step.entry["metadata"]
    session.cluster.patch(paths.path(step.entry["kind"], metadata["namespace"], metadata["name"]), step.patch)
    session.call.journal.note("write", object=step.entry["kind"], name=metadata["name"], wanted=step.wanted)
    session.call.say(f"{step} is written")


def _fresh(session: Session, scene: Scene, done: list[Step]) -> Scene:
    """The scene with the workload as it was written, which the watch begins from."""
    if not done:
        return scene
    namespace, kind, name = session.workload
    workload = {**session.cluster.get(paths.path(kind, namespace, name)), "kind": kind}
    return Scene(dataclasses.replace(scene.snapshot, workload=workload), scene.found)


def _watched(session: Session, scene: Scene, planned: Plan, changed: bool, deadline: Deadline) -> Watched:
    known = scene.snapshot.revisions
    target = revisions.active_revision(known) or max(known, key=lambda each: each.replicas, default=None)
    if target is None:
        raise OperatorError(
            Fault(
                "no_revision",
                f"{session.params['name']} has no revision whose pods could come; its number of replicas is set.",
                "Resume its rollouts if they are paused, then press again.",
            )
        )
    crashes = session.params["crash_restarts"]
    broken = [
        pod["metadata"]["name"]
        for pod in (scene.snapshot.pods if changed else ())
        if diagnosis.first_fatal(diagnosis.diagnose(pod, crashes))
    ]
    state = ScaleWatch(scene.workload, target, known, crashes, planned.goal or 0, planned.exact, broken)
    watched = watch(session.cluster, state, deadline, session.held, session.call.say)
    session.call.journal.note("scaled", goal=planned.goal, **_how(watched))
    return watched


def _put_back(session: Session, done: list[Step]) -> tuple[bool, str]:
    """Bring back what these steps changed, where nobody changed it since."""
    session.call.say("not one more pod got ready; what stood before is put back")
    deadline = Deadline(session.params["deadline_seconds"])
    try:
        for step in done:
            _put_one_back(session, step, deadline)
    except OperatorError as fault:
        return False, f"What stood before could not be put back: {fault}"
    return True, "Not one more pod got ready, so what stood before was put back."


def _put_one_back(session: Session, step: Step, deadline: Deadline) -> None:
    metadata = step.entry["metadata"]
    path = paths.path(step.entry["kind"], metadata["namespace"], metadata["name"])
    for attempt in range(WRITE_ATTEMPTS):
        now = {**session.cluster.get(path), "kind": step.entry["kind"]}
        if overrides.settings(now) != step.wanted:
            return
        try:
            _put(session, Step(now, overrides.settings(step.entry), overrides.of(step.entry)), deadline)
        except ApiFault as fault:
            if fault.status != 409 or attempt == WRITE_ATTEMPTS - 1:
                raise
        else:
            return


def _same(one: dict[str, Any], other: Any) -> bool:
    return bool(one["metadata"]["uid"] == other["metadata"]["uid"])


def _how(watched: Watched) -> dict[str, Any]:
    return {
        "state": watched.state,
        "reason": watched.reason,
        "detail": watched.detail,
        "seconds": watched.seconds,
        "timeline": watched.timeline,
        "terminating": watched.terminating,
    }


def _described(session: Session, scene: Scene, planned: Plan, warnings: list[str]) -> dict[str, Any]:
    described = autoscaling.describe(scene.found, scene.workload["spec"]["template"])
    present = {_label(each): overrides.settings(each) for each in scene.entries}
    wanted = present | {_label(step.entry): step.wanted for step in planned.steps}
    more = scaling.added(scene.snapshot.pods, planned)
    return {
        "changed": False,
        "plan": {
            "steps": [str(step) for step in planned.steps],
            "goal": planned.goal,
            "forecast": planned.forecast,
            "warnings": warnings,
        },
        "added_pods": more,
        "autoscaler": described.as_result() if described else None,
        "overrides": overrides.listed(scene.entries, session.cluster.now),
        "ready_pods": revisions.ready_names(scene.snapshot.pods),
        "diff": {
            "before_header": session.params["name"],
            "after_header": session.params["name"],
            "before": present,
            "after": wanted,
        },
    }


def _label(entry: dict[str, Any] | Any) -> str:
    return f"{entry['kind']} {entry['metadata']['name']}"


def _intention(asked: Wish, scene: Scene, planned: Plan) -> str:
    would = f"Would set {'; '.join(map(str, planned.steps))}" if planned.changed else _told(asked, scene, [])
    return would + _sentence(planned.forecast)


def _passed(told: str, planned: Plan) -> dict[str, Any]:
    return {"msg": told + _sentence(planned.forecast), "verdict": Verdict("pass", told).as_result()}


def _told(asked: Wish, scene: Scene, done: list[Step]) -> str:
    if done:
        return _moves(done)
    name = scene.workload["metadata"]["name"]
    if asked.state == "present":
        return f"{name} is to have {asked.replicas} pods already"
    if asked.state == "returned":
        return f"{name} has no override that could be returned"
    ends = [override.until for entry in scene.entries if (override := overrides.of(entry)) and override.until]
    return f"{name} has no override that is due{f'; the next is at {min(ends)}' if ends else ''}"


def _moves(done: list[Step]) -> str:
    return f"Set {'; '.join(map(str, done))}" if done else "Nothing was written"


def _sentence(forecast: str) -> str:
    return f". {forecast[:1].upper()}{forecast[1:]}" if forecast else ""
