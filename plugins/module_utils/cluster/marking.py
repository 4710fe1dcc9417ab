# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation behind M(linkops.runbooks.workload_mark): what verification found, kept on the revision."""

from __future__ import annotations

import base64
import secrets
from datetime import UTC, datetime
from typing import Any

from ..call import Call
from ..errors import Fault, OperatorError
from . import fingerprint, marks, paths, revisions, snapshot
from .client import MERGE_PATCH, ApiFault
from .marks import Mark
from .revisions import Revision
from .session import Session, opened


def mark(call: Call) -> dict[str, Any]:
    """Mark a revision good, another one bad, or lift a mark; bad wins over good. Unchanged where the mark stands."""
    with opened(call) as session:
        changes: list[dict[str, str]] = []
        for verdict, revision in _wanted(session):
            body = _annotations(session, revision, verdict)
            if body is None:
                continue
            changes.append({"revision": str(revision.number), "name": revision.name, "mark": verdict})
            if not call.check_mode:
                session.held.renew_if_due()
                session.cluster.patch(_path(session, revision.name), {"metadata": {"annotations": body}}, MERGE_PATCH)
                call.journal.note("mark", revision=revision.number, name=revision.name, mark=verdict)
        return {"changed": bool(changes), "marks": changes, "msg": _told(changes)}


def _wanted(session: Session) -> list[tuple[str, Revision]]:
    """The revisions to mark. Those that are named are read one by one, the active one takes the whole workload."""
    wanted = [(verdict, session.params[verdict]) for verdict in ("good", "bad", "absent") if session.params[verdict]]
    active = _active(session) if any(name == "active" for _verdict, name in wanted) else None
    return [(verdict, active if name == "active" and active else _read(session, name)) for verdict, name in wanted]


def _active(session: Session) -> Revision:
    namespace, kind, name = session.workload
    found = snapshot.read(session.cluster, namespace, kind, name, with_pods=False)
    _remove_strays(session, found.workload)
    active = revisions.active_revision(found.revisions)
    if active is None:
        raise OperatorError(
            Fault(
                "no_active_revision",
                f"The template of {kind} {name} belongs to no revision yet.",
                "Wait until its controller has seen it.",
            )
        )
    return active


def _read(session: Session, name: str) -> Revision:
    workload = session.params["name"]
    try:
        entry = session.cluster.get(_path(session, name))
    except ApiFault as fault:
        if fault.status != 404:
            raise
        entry = {"metadata": {}}
    owners = [each["name"] for each in entry["metadata"].get("ownerReferences") or [] if each.get("controller")]
    if owners != [workload]:
        raise OperatorError(
            Fault(
                "revision_unknown", f"{workload} has no revision named {name}.", "It may be garbage-collected by now."
            )
        )
    return revisions.revision({**entry, "kind": snapshot.history_kind(session.params["kind"])})


def _path(session: Session, name: str) -> str:
    return paths.path(snapshot.history_kind(session.params["kind"]), session.params["namespace"], name)


def _annotations(session: Session, revision: Revision, verdict: str) -> dict[str, Any] | None:
    """The annotation to write, C(None) where nothing is to change."""
    standing = revision.mark
    if verdict == "absent":
        return {marks.PREFIX + revision.certified: None} if standing else None
    if marks.outweighs(standing, verdict):
        session.call.warn(
            f"Revision {revision.number} stays bad ({standing.reason if standing else ''}); lift that mark first."
        )
        return None
    prints = _fingerprints(session, revision) if verdict == "good" else {}
    migration = session.params["migration"] or revision.migration
    said = (verdict, prints, migration, revision.number)
    if standing and (standing.verdict, standing.fingerprint, standing.migration, standing.revision) == said:
        return None
    if standing and standing.verdict == verdict == "bad":
        return None
    since = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    run = session.params["run"] or {}
    reason = session.params["reason"] or ""
    content = Mark(
        "good" if verdict == "good" else "bad", since, prints, migration, str(run.get("id") or ""), reason,
        revision.number,
    )  # fmt: skip
    return dict(marks.write(content, revision.certified))


def _fingerprints(session: Session, revision: Revision) -> dict[str, str]:
    """Those that the plan read already, else read now; the HMAC key is made where there is none yet."""
    namespace = session.params["namespace"]
    if session.params["fingerprint_key"] in ("present", "forbidden"):
        return dict(session.params["fingerprints"] or {})
    used = fingerprint.references(revision.template)
    if session.params["fingerprint_key"] == "absent":  # the plan has looked; a key made since is a 409 below
        found = snapshot.Fingerprints({}, "absent")
    else:
        found = snapshot.read_fingerprints(session.cluster, namespace, revision.template)
    if found.key != "absent" or not used or session.call.check_mode:
        return found.by_name
    key = secrets.token_bytes(32)
    try:
        session.cluster.create(paths.path("Secret", namespace), _key_secret(namespace, key))
    except ApiFault as fault:
        if fault.status == 409:  # another run made it meanwhile
            return snapshot.read_fingerprints(session.cluster, namespace, revision.template).by_name
        if fault.status != 403:
            raise
        return snapshot.fingerprints(session.cluster, namespace, used, None)
    return snapshot.fingerprints(session.cluster, namespace, used, key)


def _key_secret(namespace: str, key: bytes) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": fingerprint.KEY_SECRET,
            "namespace": namespace,
            "labels": {"app.kubernetes.io/managed-by": "linkops.runbooks"},
        },
        "data": {"key": base64.b64encode(key).decode()},
    }


def _remove_strays(session: Session, workload: dict[str, Any]) -> None:
    """Take off the workload the marks that a foreign undo copied onto it, before they spread further."""
    metadata = workload["metadata"]
    strays = marks.strays(metadata.get("annotations") or {})
    if strays and not session.call.check_mode:
        session.held.renew()
        body = {"metadata": {"annotations": dict.fromkeys(strays)}}
        session.cluster.patch(paths.path(workload["kind"], metadata["namespace"], metadata["name"]), body, MERGE_PATCH)


def _told(changes: list[dict[str, str]]) -> str:
    return (
        ", ".join(f"revision {each['revision']} is marked {each['mark']}" for each in changes)
        or "marks stand as they were"
    )
