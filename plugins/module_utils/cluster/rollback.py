# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rolling a workload back: plan, write, watch, and where the rollout fails, evidence and the way back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from ..call import Call
from ..deadline import Deadline
from ..errors import Fault, OperatorError
from ..redaction import redact
from ..verdict import Verdict
from . import evidence, marks, paths, planning, revisions, snapshot
from .client import MERGE_PATCH, ApiFault, Cluster
from .leases import Held
from .planning import Plan, Wish
from .revisions import Revision
from .rights import right
from .session import opened
from .snapshot import Fingerprints, Snapshot
from .watching import RolloutWatch, Watched, watch

# Status updates move the resourceVersion too; only a change of the spec counts as somebody else's.
WRITE_ATTEMPTS = 5


def rollback(call: Call) -> dict[str, Any]:
    """The operation behind M(linkops.runbooks.workload_rollback): roll back as C(call.params) ask.

    In check mode it only plans.
    """
    params = call.params
    wish = Wish(params["revision"] or "", params["image"] or "", params["allow_schema_mismatch"])
    with opened(call, planning.wish_fault(wish)) as (cluster, held):
        found, planned, prints = _survey(cluster, params, wish)
        if params["prechecks"]:
            _show(call, found, planned)
        result = _described(found, planned, prints)
        if call.check_mode:
            return {**result, "changed": planned.changed, "msg": _intention(planned)}
        call.journal.note("plan", **result["plan"])
        return {**result, **_carry_out(call, cluster, held, found, planned, wish)}


def _survey(cluster: Cluster, params: Mapping[str, Any], wish: Wish) -> tuple[Snapshot, Plan, Fingerprints]:
    """Everything there is to know before a write; what stands against it is raised in one go."""
    faults = _precheck(cluster, params) if params["prechecks"] else []
    with_pods = params["prechecks"] or params["evidence_first"] or params["source_served"] is None
    details: dict[str, Any] = {}
    try:
        found = snapshot.read(cluster, params["namespace"], params["kind"], params["name"], with_pods)
        planned, prints = _planned(cluster, found, wish, params["prechecks"])
    except OperatorError as fault:
        said = {each.reason for each in faults}
        faults += [each for each in fault.faults if each.reason not in said]
        details = fault.details
    if faults:
        raise OperatorError(faults, **details)
    return found, planned, prints


def _precheck(cluster: Cluster, params: Mapping[str, Any]) -> list[Fault]:
    kind, namespace = params["kind"], params["namespace"]
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
    ]
    faults = [snapshot.check_cluster(cluster, params["cluster_uid"]), snapshot.check_rights(cluster, namespace, needed)]
    return [fault for fault in faults if fault]


def _planned(cluster: Cluster, found: Snapshot, wish: Wish, compare: bool) -> tuple[Plan, Fingerprints]:
    target = planning.choose(found.revisions, wish, found.workload["metadata"]["name"])[0] if compare else None
    prints = Fingerprints({}, "")
    if target is not None:
        prints = snapshot.read_fingerprints(cluster, found.workload["metadata"]["namespace"], target.template)
    return planning.plan(found.workload, found.revisions, wish, prints.by_name if target else None), prints


def _show(call: Call, found: Snapshot, planned: Plan) -> None:
    for line in planning.table(found.revisions, planned.target, datetime.now(UTC)):
        call.say(line)
    for sentence in planned.warnings:
        call.warn(sentence)


def _carry_out(call: Call, cluster: Cluster, held: Held, found: Snapshot, planned: Plan, wish: Wish) -> dict[str, Any]:
    deadline = Deadline(call.params["deadline_seconds"])
    if call.params["evidence_first"]:
        secrets = evidence.confidences(cluster, found.workload)
        _keep_evidence(call, cluster, found.workload, found.workload, found.pods, secrets)
    served = _source_served(call, found, planned)
    if planned.changed:
        found, planned, workload = _write(call, cluster, held, found, planned, wish, deadline)
    else:
        workload = found.workload
        call.say(f"revision {planned.target.number} is active already; nothing is written, it is watched all the same")
    watched = _watched(call, cluster, held, found, planned.target, workload, deadline)
    outcome = _outcome(planned, watched, found.revisions)
    if watched.state == "done":
        return outcome
    secrets = evidence.confidences(cluster, found.workload, watched.workload)
    outcome["evidence"] = _keep_evidence(call, cluster, found.workload, watched.workload, watched.pods, secrets)
    words = evidence.last_words(cluster, call.params["namespace"], watched.finding, secrets) if watched.finding else ""
    told = f"The rollout of revision {planned.target.number} failed: {watched.detail}."
    told += f' Its last words: "{words}".' if words else ""
    forbidden = _stays(planned, watched, served)
    if forbidden:
        return {**outcome, "failed": True, "msg": f"{told} {forbidden}", "verdict": Verdict("fail", told).as_result()}
    back = _return(call, cluster, held, planned, told)
    return {**outcome, **back, "failed": True, "verdict": Verdict("fail", back["msg"]).as_result()}


def _write(
    call: Call, cluster: Cluster, held: Held, found: Snapshot, planned: Plan, wish: Wish, deadline: Deadline
) -> tuple[Snapshot, Plan, dict[str, Any]]:
    """Write the target's template on exactly the state that was planned on; replan once if the spec moved."""
    kind, namespace, name = (call.params[key] for key in ("kind", "namespace", "name"))
    foreign = 0
    for _attempt in range(WRITE_ATTEMPTS):
        held.renew()
        cluster.persist(deadline)
        try:
            _remember_number(cluster, namespace, planned.target, kind)
            workload = {**cluster.patch(paths.path(kind, namespace, name), planned.patch), "kind": kind}
        except ApiFault as fault:
            if fault.status != 409:
                raise
            generation = found.workload["metadata"].get("generation")
            found = snapshot.read(cluster, namespace, kind, name, with_pods=False)
            foreign += found.workload["metadata"].get("generation") != generation
            if foreign > 1:
                break
            planned = planning.plan(found.workload, found.revisions, wish)
            if not planned.changed:
                return found, planned, found.workload
            continue
        call.journal.note("write", revision=planned.target.number, name=planned.target.name)
        call.say(
            f"template of revision {planned.target.number} ({planned.target.name}) is written; watching the rollout"
        )
        return found, planned, workload
    raise OperatorError(planning.reply_to_conflict(found.workload))


def _remember_number(cluster: Cluster, namespace: str, target: Revision, kind: str) -> None:
    """Keep the number that a ControllerRevision is about to lose; ReplicaSets have revision-history for that."""
    if kind == "Deployment" or target.number in target.earlier:
        return
    numbers = ",".join(str(number) for number in [*target.earlier, target.number])
    body = {"metadata": {"annotations": {marks.EARLIER_REVISIONS: numbers}}}
    cluster.patch(paths.path(snapshot.history_kind(kind), namespace, target.name), body, MERGE_PATCH)


def _watched(
    call: Call,
    cluster: Cluster,
    held: Held,
    found: Snapshot,
    target: Revision,
    workload: dict[str, Any],
    deadline: Deadline,
) -> Watched:
    state = RolloutWatch(workload, target, found.revisions, call.params["crash_restarts"])
    watched = watch(cluster, state, deadline, held, call.say)
    call.journal.note(
        "rollout",
        revision=target.number,
        state=watched.state,
        detail=watched.detail,
        seconds=watched.seconds,
        timeline=watched.timeline,
    )
    return watched


def _source_served(call: Call, found: Snapshot, planned: Plan) -> bool:
    """Whether the version that is left was serving: as the caller found out, else by the readiness of its pods."""
    served: bool | None = call.params["source_served"]
    return bool(_ready(planned.source, found)) if served is None else served


def _ready(revision: Revision | None, found: Snapshot) -> list[str]:
    pods = revisions.pods_of(revision, found.pods) if revision else []
    return sorted(pod["metadata"]["name"] for pod in pods if revisions.pod_is_ready(pod))


def _stays(planned: Plan, watched: Watched, served: bool) -> str:
    """Why a failed rollout is not returned, empty if it is."""
    if not planned.changed:
        return "Nothing was written, so there is nothing to return."
    if watched.state == "superseded":
        return "It is somebody else's rollout now, so nothing is returned."
    if planned.source is None:
        return "The template it had before belongs to no revision, so there is nothing to return to."
    if not served:
        return f"Revision {planned.source.number} was not serving either, so it is not returned to; choose another one."
    return ""


def _return(call: Call, cluster: Cluster, held: Held, planned: Plan, told: str) -> dict[str, Any]:
    """Go back to the revision that was left, watched as well."""
    source = planned.source
    if source is None:
        raise OperatorError(Fault("no_source", "There is no revision to return to."))
    kind, namespace, name = (call.params[key] for key in ("kind", "namespace", "name"))
    call.say(f"returning to revision {source.number}, which was serving")
    deadline = Deadline(call.params["deadline_seconds"])
    try:
        found = snapshot.read(cluster, namespace, kind, name, with_pods=False)
        back = next((each for each in found.revisions if each.name == source.name), None)
        if back is None:
            raise OperatorError(Fault("revision_gone", f"Revision {source.number} is collected as garbage."))
        wish = Wish(str(back.number), allow_schema_mismatch=True)
        replanned = planning.plan(found.workload, found.revisions, wish)
        found, replanned, workload = _write(call, cluster, held, found, replanned, wish, deadline)
        watched = _watched(call, cluster, held, found, replanned.target, workload, deadline)
    except OperatorError as fault:
        return {"returned": False, "msg": f"{told} The return to revision {source.number} failed too: {fault}"}
    if watched.state == "done":
        again = f"revision {source.number}, which serves again after {watched.seconds:.1f} s"
        return {"returned": True, "msg": f"{told} It was returned to {again}."}
    why = f"{watched.detail}. State left: {_state(watched)}"
    return {"returned": False, "msg": f"{told} The return to revision {source.number} failed too: {why}."}


def _keep_evidence(
    call: Call,
    cluster: Cluster,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    pods: Iterable[Mapping[str, Any]],
    secrets: Iterable[str],
) -> list[str]:
    bundle = evidence.collect(cluster, before, after, pods, secrets)
    for name, content in bundle.items():
        call.journal.attach(name, content)
    return sorted(bundle)


def _described(found: Snapshot, planned: Plan, prints: Fingerprints) -> dict[str, Any]:
    source, target = planned.source, planned.target
    metadata = found.workload["metadata"]
    return {
        "changed": False,
        "plan": {
            "from_revision": source.number if source else None,
            "from_images": source.images if source else revisions.images(found.workload["spec"]["template"]),
            "to_revision": target.number,
            "to_images": target.images,
            "change_cause": target.change_cause,
            "warnings": planned.warnings,
        },
        "revisions": [revision.as_result() for revision in found.revisions],
        "from_name": source.name if source else "",
        "to_name": target.name,
        "from_pods": _ready(source, found),
        "fingerprints": prints.by_name,
        "fingerprint_key": prints.key,
        "ready_pods": sorted(pod["metadata"]["name"] for pod in found.pods if revisions.pod_is_ready(pod)),
        "diff": {
            "before_header": f"{metadata['name']} revision {source.number if source else 'unknown'}",
            "after_header": f"{metadata['name']} revision {target.number}",
            "before": redact(revisions.bare_template(found.workload["spec"]["template"])),
            "after": redact(target.template),
        },
    }


def _outcome(planned: Plan, watched: Watched, known: Iterable[Revision]) -> dict[str, Any]:
    done = watched.state == "done"
    # Where pods keep their version until they are deleted, a rollout is done before any pod runs the target.
    ran = any(revisions.pod_is_ready(pod) for pod in revisions.pods_of(planned.target, watched.pods))
    verdict = Verdict(("pass" if ran else "unknown") if done else "fail", watched.detail)
    return {
        "changed": planned.changed,
        "from_revision": planned.source.number if planned.source else None,
        "to_revision": planned.target.number,
        "active_revision": _number_now(planned, watched, known) if done else planned.target.number,
        "returned": False,
        "rollout": {
            "state": watched.state,
            "reason": watched.reason,
            "detail": watched.detail,
            "seconds": watched.seconds,
            "timeline": watched.timeline,
            "freed_pods": len(watched.freed_pods),
            "terminating": watched.terminating,
        },
        "ready_pods": sorted(pod["metadata"]["name"] for pod in watched.pods if revisions.pod_is_ready(pod)),
        "verdict": verdict.as_result(),
        "msg": f"Revision {planned.target.number} is rolled out: {watched.detail}." if done else watched.detail,
    }


def _number_now(planned: Plan, watched: Watched, known: Iterable[Revision]) -> int:
    """The target's number after the write: a Deployment bears it, the other controllers give the highest plus one."""
    annotations = watched.workload["metadata"].get("annotations") or {}
    if revisions.REVISION in annotations:
        return int(annotations[revisions.REVISION])
    return max(each.number for each in known) + 1 if planned.changed else planned.target.number


def _intention(planned: Plan) -> str:
    source = f"revision {planned.source.number}" if planned.source else "its present template"
    if not planned.changed:
        return f"Revision {planned.target.number} is active already; it would be watched and verified."
    return f"Would roll back from {source} to revision {planned.target.number}."


def _state(watched: Watched) -> str:
    counted = watched.timeline[-1]["revisions"] if watched.timeline else {}
    shown = [
        f"revision {number}: {each['ready']} of {each['pods']} pods ready" for number, each in sorted(counted.items())
    ]
    return "; ".join(shown) or "no pods"
