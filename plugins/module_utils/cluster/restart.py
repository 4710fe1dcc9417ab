# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation behind M(linkops.runbooks.workload_restart): what is checked, planned and seen through."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..call import Call
from ..errors import Fault, OperatorError
from ..redaction import redact
from . import budgets, creation, eviction, restarting, revisions, rolling, snapshot
from .restarting import Restart, Wish
from .revisions import Object
from .rights import right
from .session import Session, opened
from .snapshot import Snapshot


def restart(call: Call) -> dict[str, Any]:
    """Restart as C(call.params) ask; in check mode only plan."""
    params = call.params
    with opened(call, *restarting.input_faults(params["key"], params["not_before"] or "")) as session:
        found, planned, wish = _survey(session)
        result = _described(found, planned)
        if call.check_mode:
            return {**result, "changed": planned.acts, "msg": _intention(planned, wish)}
        call.journal.note("plan", key=wish.key, method=wish.method, **result["plan"])
        if planned.settled:
            call.say(planned.settled)

        def replan(again: Snapshot) -> Restart:
            return _planned(session, again, found.pods, wish)

        if wish.method == "evict":
            return {**result, **eviction.evict_all(session, found, planned, replan)}
        served = rolling.source_served(session, found, planned.source)
        return {**result, **rolling.see_through(session, found, planned, replan, served)}


def _survey(session: Session) -> tuple[Snapshot, Restart, Wish]:
    """Everything there is to know before a write; what stands against it is raised in one go."""
    params = session.params
    evicting = params["method"] == "evict"
    more = (right("create", "Pod", "eviction"), right("list", "PodDisruptionBudget")) if evicting else ()
    with rolling.prechecked(session, *more):
        found = snapshot.read(session.cluster, *session.workload)
        since = restarting.moment(params["not_before"] or "", session.cluster.now)
        wish = Wish(params["key"], params["method"], since, params["confirm"] or "")
        planned = _planned(session, found, found.pods, wish)
        if params["prechecks"]:
            faults = _obstacles(session, found, planned, evicting)
            for sentence in planned.warnings:
                session.call.warn(sentence)
            if faults:
                raise OperatorError(faults)
    return found, planned, wish


def _planned(session: Session, found: Snapshot, pods: Sequence[Object], wish: Wish) -> Restart:
    return restarting.plan(
        found.workload, found.revisions, pods, wish, session.cluster.now, session.params["crash_restarts"]
    )


def _obstacles(session: Session, found: Snapshot, planned: Restart, evicting: bool) -> list[Fault]:
    """What keeps pods from being created, asked by a dry run, or evicted; what may pass is added to the warnings."""
    if not planned.acts:
        return []
    template = _template(found, planned)
    answer = creation.ask(session.cluster, found.workload, template)
    if planned.surge_pods == 0:
        answer = creation.in_place(answer)
    if answer.status == "unknown":
        planned.warnings.append(f"{answer.reason[:1].upper()}{answer.reason[1:]}.")
    fault = creation.refusal(answer, found.workload["metadata"]["name"])
    faults = [fault] if fault else []
    if evicting:
        guarding = eviction.budgets_of(session, template["metadata"].get("labels") or {})
        planned.warnings.extend(f"{why}; that is waited for." for why in map(budgets.refusal, guarding) if why)
        if fault := budgets.too_many(guarding):
            faults.append(fault)
    return faults


def _template(found: Snapshot, planned: Restart) -> dict[str, Any]:
    """The pod template as it is to be."""
    present = revisions.bare_template(found.workload["spec"]["template"])
    changed: list[dict[str, Any]] = [each["value"] for each in planned.patch if each["path"] == "/spec/template"]
    return changed[0] if changed else present


def _described(found: Snapshot, planned: Restart) -> dict[str, Any]:
    source = planned.source
    metadata = found.workload["metadata"]
    before = revisions.bare_template(found.workload["spec"]["template"])
    number = f"revision {source.number}" if source else "revision unknown"
    return {
        "changed": False,
        "plan": {
            "from_revision": source.number if source else None,
            "images": revisions.images(found.workload["spec"]["template"]),
            "due_pods": planned.due,
            "surge_pods": planned.surge_pods,
            "settled": planned.settled,
            "warnings": planned.warnings,
        },
        "surge_pods": planned.surge_pods,
        "from_name": source.name if source else "",
        "from_pods": revisions.ready_names(revisions.pods_of(source, found.pods) if source else []),
        "ready_pods": revisions.ready_names(found.pods),
        "diff": {
            "before_header": f"{metadata['name']} {number}",
            "after_header": f"{metadata['name']} restarted" if planned.changed else f"{metadata['name']} {number}",
            "before": redact(before),
            "after": redact(_template(found, planned)),
        },
    }


def _intention(planned: Restart, wish: Wish) -> str:
    if planned.settled:
        return f"Nothing would be restarted: {planned.settled}; it would be watched and verified."
    more = f", {planned.surge_pods} more at the same time" if planned.surge_pods else ""
    how = ", one by one" if wish.method == "evict" else more
    pods = "1 pod" if len(planned.due) == 1 else f"{len(planned.due)} pods"
    return f"Would restart {pods}{how}, key {wish.key}."
