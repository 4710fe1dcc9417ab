# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation behind M(linkops.runbooks.workload_configure): what is asked before a change, and the change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..call import Call
from ..errors import Fault, OperatorError
from ..redaction import redact
from ..verdict import Verdict
from . import autoscaling, configuring, creation, metrics, paths, planning, restarting, revisions, rolling, snapshot
from .assignments import Source
from .client import ApiFault
from .configuring import Edited, Wish
from .planning import Change
from .session import Session, opened
from .snapshot import Snapshot


@dataclass(frozen=True)
class Planned:
    """The change of a workload's template, and what it is made of."""

    change: Change
    edited: Edited
    warnings: list[str]


def configure(call: Call) -> dict[str, Any]:
    """Set what C(call.params) ask for; in check mode only plan."""
    wished, faults = configuring.wish(call.params)
    with opened(call, *faults) as session:
        found, planned = survey(session, wished)
        result = described(found, planned)
        if call.check_mode:
            return {**result, "changed": planned.change.changed, "msg": _intention(planned)}
        call.journal.note("plan", **result["plan"])
        return {**result, **carry_out(session, found, planned, wished)}


def survey(session: Session, wished: Wish) -> tuple[Snapshot, Planned]:
    """Everything there is to know before a write; what stands against it is raised in one go."""
    with rolling.prechecked(session):
        found = snapshot.read(session.cluster, *session.workload)
        planned = plan(session, found, wished)
        if session.params["prechecks"]:
            if faults := _obstacles(session, found, planned, wished):
                raise OperatorError(faults)
            for sentence in planned.warnings:
                session.call.warn(sentence)
    return found, planned


def plan(session: Session, found: Snapshot, wished: Wish) -> Planned:
    """The change on a workload as it was read.

    The edited template is shown to the API server by a dry run, whose answer is what it would store: quantities in its
    own words, which an earlier revision has as well. It refuses what would be refused in earnest.
    """
    workload = found.workload
    if fault := planning.paused(workload, "a change"):
        raise OperatorError(fault)
    inherited = _inherited(session, workload["spec"]["template"], wished)
    edited = configuring.edit(workload["spec"]["template"], wished, inherited)
    change = planning.edit(workload, found.revisions, edited.template)
    if not change.changed:
        return Planned(change, edited, [])
    change = planning.edit(workload, found.revisions, _stored(session, edited))
    if workload["kind"] == "Deployment" and change.changed:
        cause = {revisions.CHANGE_CAUSE: f"configured: {edited.sentence}"}
        annotations = {**(workload["metadata"].get("annotations") or {}), **cause}
        change.patch.append({"op": "add", "path": "/metadata/annotations", "value": annotations})
    return Planned(change, edited, configuring.plan_notes(workload, edited))


def carry_out(
    session: Session,
    found: Snapshot,
    planned: Planned,
    wished: Wish,
    undo: Callable[[], None] | None = None,
    back: bool = False,
) -> dict[str, Any]:
    """Write and watch what was planned; C(undo) takes back what else was written, before a failed rollout returns.

    C(back) is for a return: should that fail too, nothing goes back to what it leaves.
    """

    def replan(again: Snapshot) -> Change:
        return plan(session, again, wished).change

    served = not back and rolling.source_served(session, found, planned.change.source)
    return rolling.see_through(session, found, planned.change, replan, served, undo)


def described(found: Snapshot, planned: Planned) -> dict[str, Any]:
    """A plan as the module returns it."""
    source, workload = planned.change.source, found.workload
    name = workload["metadata"]["name"]
    return {
        "changed": False,
        "plan": {
            "container": planned.edited.container,
            "changes": [
                {"setting": setting, "before": before, "after": after}
                for setting, (before, after) in planned.edited.changes.items()
            ],
            "summary": planned.edited.sentence,
            "from_revision": source.number if source else None,
            "warnings": planned.warnings,
        },
        "from_pods": revisions.ready_names(revisions.pods_of(source, found.pods)) if source else [],
        "ready_pods": revisions.ready_names(found.pods),
        "diff": {
            "before_header": f"{name} revision {source.number if source else 'unknown'}",
            "after_header": f"{name} configured",
            "before": redact(revisions.bare_template(workload["spec"]["template"])),
            "after": redact(revisions.bare_template(planned.edited.template)),
        },
    }


def _obstacles(session: Session, found: Snapshot, planned: Planned, wished: Wish) -> list[Fault]:
    """What would end the rollout: missing sources, refused pods, a memory limit below the present use."""
    faults = [_source_fault(session, name, source) for name, source in wished.references.items()]
    if planned.change.changed:
        _note_autoscaler(session, found, planned)
        faults += [
            _refused(session, found, planned),
            _below_use(session, found, planned, wished.resources.get("memory_limit", configuring.REMOVE)),
        ]
    return [fault for fault in faults if fault]


def _stored(session: Session, edited: Edited) -> dict[str, Any]:
    namespace, kind, name = session.workload
    patch = [{"op": "replace", "path": "/spec/template", "value": edited.template}]
    try:
        answer = session.cluster.patch(paths.path(kind, namespace, name), patch, dryRun="All")
    except ApiFault as fault:
        if fault.status not in (400, 403, 422):
            raise
        raise OperatorError(
            Fault(
                "template_refused",
                f"The API server would refuse this change of {kind} {name}: {fault.message.rstrip('.')}.",
                "Correct what it names; nothing was changed.",
            )
        ) from fault
    template: dict[str, Any] = answer["spec"]["template"]
    return template


def _inherited(session: Session, template: dict[str, Any], wished: Wish) -> dict[str, Source]:
    """Where variables come from that the container takes with whole ConfigMaps and Secrets; the last of a name counts.

    What these credentials may not read is warned about, where it might matter.
    """
    found: dict[str, Source] = {}
    if not wished.variables:
        return found
    for each in configuring.container_of(template, wished.container).get("envFrom") or []:
        kind, reference = ("Secret", each["secretRef"]) if "secretRef" in each else ("ConfigMap", each["configMapRef"])
        try:
            entry = session.cluster.get(paths.path(kind, session.params["namespace"], reference["name"]))
        except ApiFault as fault:
            if fault.status == 403:
                session.call.warn(
                    f"Whether {kind} {reference['name']} sets it as well is unknown: no right to read it."
                )
            elif fault.status not in (403, 404):
                raise
            continue
        prefix = each.get("prefix") or ""
        found |= {f"{prefix}{key}": Source(kind, reference["name"], key) for key in entry.get("data") or {}}
    return found


def _source_fault(session: Session, variable: str, source: Source) -> Fault | None:
    """The fault of a source that is not there. Of a Secret only the names of its keys are looked at."""
    try:
        entry = session.cluster.get(paths.path(source.kind, session.params["namespace"], source.name))
    except ApiFault as fault:
        if fault.status == 403:
            session.call.warn(f"Whether {source} is there is unknown: no right to read it.")
            return None
        if fault.status != 404:
            raise
        told = f"{variable} is to come from {source.kind} {source.name}, which is not there."
        return Fault("source_missing", told, "Make it first; its name may be misspelt.")
    keys = sorted({**(entry.get("data") or {}), **(entry.get("binaryData") or {})})
    if source.key in keys:
        return None
    told = f"{variable} is to come from {source}, and it has no such key; it has {', '.join(keys) or 'none'}."
    return Fault("source_missing", told, "Give one of these, or put the key there first.")


def _refused(session: Session, found: Snapshot, planned: Planned) -> Fault | None:
    """The fault of pods that admission would refuse; a full quota ends only a rollout that needs one pod more."""
    verdict = creation.ask(session.cluster, found.workload, planned.edited.template)
    if verdict.status == "unknown" or (
        "exceeded quota" in verdict.reason and not restarting.pace(found.workload, "rollout").surge
    ):
        session.call.warn(f"{verdict.reason[:1].upper()}{verdict.reason[1:]}.")
        verdict = Verdict("unknown", verdict.reason)
    return creation.refusal(verdict, found.workload["metadata"]["name"])


def _below_use(session: Session, found: Snapshot, planned: Planned, limit: str) -> Fault | None:
    if limit == configuring.REMOVE or "limits.memory" not in planned.edited.changes:
        return None
    ready = revisions.ready_names(found.pods)
    try:
        selector = snapshot.selector_text(found.workload["spec"]["selector"])
        usages = metrics.read(session.cluster, session.params["namespace"], selector)
    except OperatorError as fault:
        session.call.warn(fault.faults[0].message)
        return None
    refusal, warning = configuring.memory_verdict(planned.edited, limit, [u for u in usages if u.pod in ready])
    if refusal and session.params["force"]:
        session.call.warn(f"{refusal.message} It goes on, as force says.")
        return None
    if warning:
        session.call.warn(warning)
    return refusal


def _note_autoscaler(session: Session, found: Snapshot, planned: Planned) -> None:
    """A utilisation is a share of the request, so that another request scales otherwise."""
    if "requests.cpu" not in planned.edited.changes:
        return
    scaler = autoscaling.describe(autoscaling.read(session.cluster, found.workload), planned.edited.template)
    if scaler:
        session.call.warn(f"It is scaled by a share of its CPU request, which changes, or may be: {scaler}.")


def _intention(planned: Planned) -> str:
    if not planned.change.changed:
        return "All of it is configured already; it would be watched and verified."
    return f"Would configure container {planned.edited.container}: {planned.edited.sentence}."
