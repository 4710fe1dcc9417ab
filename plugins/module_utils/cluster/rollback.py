# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation behind M(linkops.runbooks.workload_rollback): what is checked and planned before a rollback."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ..call import Call
from ..redaction import redact
from . import planning, revisions, rolling, snapshot
from .planning import Plan, Wish
from .session import Session, opened
from .snapshot import Fingerprints, Snapshot


def rollback(call: Call) -> dict[str, Any]:
    """Roll back as C(call.params) ask; in check mode only plan."""
    params = call.params
    wish = Wish(params["revision"] or "", params["image"] or "", params["allow_schema_mismatch"])
    with opened(call, planning.wish_fault(wish)) as session:
        found, planned, prints = _survey(session, wish)
        if params["prechecks"]:
            _show(call, found, planned)
        result = _described(found, planned, prints, params["container"] or "")
        if call.check_mode:
            return {**result, "changed": planned.changed, "msg": _intention(planned)}
        call.journal.note("plan", **result["plan"])
        if params["evidence_first"]:
            rolling.keep_evidence(session, found)

        def replan(again: Snapshot) -> Plan:
            return planning.plan(again.workload, again.revisions, wish)

        served = rolling.source_served(session, found, planned.source)
        return {**result, **rolling.see_through(session, found, planned, replan, served)}


def _survey(session: Session, wish: Wish) -> tuple[Snapshot, Plan, Fingerprints]:
    """Everything there is to know before a write; what stands against it is raised in one go."""
    params = session.params
    with_pods = params["prechecks"] or params["evidence_first"] or params["source_served"] is None
    with rolling.prechecked(session):
        found = snapshot.read(session.cluster, *session.workload, with_pods)
        planned, prints = _planned(session, found, wish, params["prechecks"])
    return found, planned, prints


def _planned(session: Session, found: Snapshot, wish: Wish, compare: bool) -> tuple[Plan, Fingerprints]:
    target = planning.choose(found.revisions, wish, found.workload["metadata"]["name"])[0] if compare else None
    prints = Fingerprints({}, "")
    if target is not None:
        prints = snapshot.read_fingerprints(session.cluster, found.workload["metadata"]["namespace"], target.template)
    return planning.plan(found.workload, found.revisions, wish, prints.by_name if target else None), prints


def _show(call: Call, found: Snapshot, planned: Plan) -> None:
    for line in planning.table(found.revisions, planned.target, datetime.now(UTC)):
        call.say(line)
    for sentence in planned.warnings:
        call.warn(sentence)


def _described(found: Snapshot, planned: Plan, prints: Fingerprints, container: str) -> dict[str, Any]:
    source, target = planned.source, planned.target
    metadata, template = found.workload["metadata"], found.workload["spec"]["template"]
    return {
        "changed": False,
        "plan": {
            "from_revision": source.number if source else None,
            "from_images": source.images if source else revisions.images(template),
            "to_revision": target.number,
            "to_images": target.images,
            "change_cause": target.change_cause,
            "warnings": planned.warnings,
        },
        "schema": planning.schema_question(template, target, container),
        "revisions": [revision.as_result() for revision in found.revisions],
        "from_name": source.name if source else "",
        "to_name": target.name,
        "from_pods": revisions.ready_names(revisions.pods_of(source, found.pods)) if source else [],
        "fingerprints": prints.by_name,
        "fingerprint_key": prints.key,
        "ready_pods": revisions.ready_names(found.pods),
        "diff": {
            "before_header": f"{metadata['name']} revision {source.number if source else 'unknown'}",
            "after_header": f"{metadata['name']} revision {target.number}",
            "before": redact(revisions.bare_template(template)),
            "after": redact(target.template),
        },
    }


def _intention(planned: Plan) -> str:
    source = f"revision {planned.source.number}" if planned.source else "its present template"
    if not planned.changed:
        return f"Revision {planned.target.number} is active already; it would be watched and verified."
    return f"Would roll back from {source} to revision {planned.target.number}."
