# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation behind M(linkops.runbooks.workload_restart): what is checked, planned and seen through."""

from __future__ import annotations

from typing import Any

from ..call import Call
from ..errors import Fault, OperatorError
from ..redaction import redact
from . import creation, restarting, revisions, rolling, snapshot
from .restarting import Restart, Wish
from .session import Session, opened
from .snapshot import Snapshot


def restart(call: Call) -> dict[str, Any]:
    """Restart as C(call.params) ask; in check mode only plan."""
    params = call.params
    with opened(call, restarting.key_fault(params["key"])) as session:
        found, planned, wish = _survey(session)
        for sentence in planned.warnings:
            call.warn(sentence)
        result = _described(found, planned)
        if call.check_mode:
            return {**result, "changed": planned.changed, "msg": _intention(planned, wish)}
        call.journal.note("plan", key=wish.key, method=wish.method, **result["plan"])
        if planned.settled:
            call.say(planned.settled)

        def replan(again: Snapshot) -> Restart:
            return _planned(session, again, found, wish)

        served = rolling.source_served(session, found, planned.source)
        return {**result, **rolling.see_through(session, found, planned, replan, served)}


def _survey(session: Session) -> tuple[Snapshot, Restart, Wish]:
    """Everything there is to know before a write; what stands against it is raised in one go."""
    params = session.params
    with rolling.prechecked(session):
        found = snapshot.read(session.cluster, *session.workload)
        faults: list[Fault] = []
        try:
            since = restarting.moment(params["not_before"] or "", session.cluster.now)
        except OperatorError as fault:
            since, faults = None, list(fault.faults)
        wish = Wish(params["key"], params.get("method", "rollout"), since, params["confirm"] or "")
        try:
            planned = _planned(session, found, found, wish)
        except OperatorError as fault:
            raise OperatorError([*faults, *fault.faults], **fault.details) from fault
        if params["prechecks"] and planned.changed:
            faults += _creation_faults(session, found)
        if faults:
            raise OperatorError(faults)
    return found, planned, wish


def _planned(session: Session, now: Snapshot, with_pods: Snapshot, wish: Wish) -> Restart:
    return restarting.plan(
        now.workload, now.revisions, with_pods.pods, wish, session.cluster.now, session.params["crash_restarts"]
    )


def _creation_faults(session: Session, found: Snapshot) -> list[Fault]:
    """Whether the API server would let the pods be created, asked by a dry run."""
    template = restarting.template(found.workload, session.params["key"], session.cluster.now)
    answer = creation.ask(session.cluster, found.workload, template)
    if answer.status == "unknown":
        session.call.warn(f"{answer.reason[:1].upper()}{answer.reason[1:]}.")
    fault = creation.refusal(answer, found.workload["metadata"]["name"])
    return [fault] if fault else []


def _described(found: Snapshot, planned: Restart) -> dict[str, Any]:
    source = planned.source
    metadata = found.workload["metadata"]
    before = revisions.bare_template(found.workload["spec"]["template"])
    after = next((each["value"] for each in planned.patch if each["path"] == "/spec/template"), before)
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
            "after": redact(after),
        },
    }


def _intention(planned: Restart, wish: Wish) -> str:
    if planned.settled:
        return f"Nothing would be restarted: {planned.settled}; it would be watched and verified."
    more = f", {planned.surge_pods} more at the same time" if planned.surge_pods else ""
    return f"Would restart {len(planned.due)} pods{more}, key {wish.key}."
