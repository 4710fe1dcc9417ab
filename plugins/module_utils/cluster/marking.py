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
from .client import MERGE_PATCH, ApiFault, Cluster
from .leases import Held
from .marks import Mark
from .revisions import Revision
from .session import opened


def mark(call: Call) -> dict[str, Any]:
    """Mark a revision good, another one bad, or lift a mark; bad wins over good. Unchanged where the mark stands."""
    with opened(call) as (cluster, held):
        changes: list[dict[str, str]] = []
        for verdict, revision in _wanted(call, cluster, held):
            body = _annotations(call, cluster, revision, verdict)
            if body is None:
                continue
            changes.append({"revision": str(revision.number), "name": revision.name, "mark": verdict})
            if not call.check_mode:
                held.renew_if_due()
                cluster.patch(_path(call, revision.name), {"metadata": {"annotations": body}}, MERGE_PATCH)
                call.journal.note("mark", revision=revision.number, name=revision.name, mark=verdict)
        return {"changed": bool(changes), "marks": changes, "msg": _told(changes)}


def _wanted(call: Call, cluster: Cluster, held: Held) -> list[tuple[str, Revision]]:
    """The revisions to mark. Those that are named are read one by one, the active one takes the whole workload."""
    wanted = [(verdict, call.params[verdict]) for verdict in ("good", "bad", "absent") if call.params[verdict]]
    active = _active(call, cluster, held) if any(name == "active" for _verdict, name in wanted) else None
    return [
        (verdict, active if name == "active" and active else _read(call, cluster, name)) for verdict, name in wanted
    ]


def _active(call: Call, cluster: Cluster, held: Held) -> Revision:
    params = call.params
    found = snapshot.read(cluster, params["namespace"], params["kind"], params["name"], with_pods=False)
    _remove_strays(call, cluster, held, found.workload)
    active = revisions.active_revision(found.revisions)
    if active is None:
        raise OperatorError(
            Fault(
                "no_active_revision",
                f"The template of {params['kind']} {params['name']} belongs to no revision yet.",
                "Wait until its controller has seen it.",
            )
        )
    return active


def _read(call: Call, cluster: Cluster, name: str) -> Revision:
    workload = call.params["name"]
    try:
        entry = cluster.get(_path(call, name))
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
    return revisions.revision({**entry, "kind": snapshot.history_kind(call.params["kind"])})


def _path(call: Call, name: str) -> str:
    return paths.path(snapshot.history_kind(call.params["kind"]), call.params["namespace"], name)


def _annotations(call: Call, cluster: Cluster, revision: Revision, verdict: str) -> dict[str, Any] | None:
    """The annotation to write, C(None) where nothing is to change."""
    standing = revision.mark
    if verdict == "absent":
        return {marks.PREFIX + revision.certified: None} if standing else None
    if marks.outweighs(standing, verdict):
        call.warn(
            f"Revision {revision.number} stays bad ({standing.reason if standing else ''}); lift that mark first."
        )
        return None
    prints = _fingerprints(call, cluster, revision) if verdict == "good" else {}
    migration = call.params["migration"] or revision.migration
    if standing and (standing.verdict, standing.fingerprint, standing.migration) == (verdict, prints, migration):
        return None
    if standing and standing.verdict == verdict == "bad":
        return None
    since = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    run = call.params["run"] or {}
    reason = call.params["reason"] or ""
    content = Mark("good" if verdict == "good" else "bad", since, prints, migration, str(run.get("id") or ""), reason)
    return dict(marks.write(content, revision.certified))


def _fingerprints(call: Call, cluster: Cluster, revision: Revision) -> dict[str, str]:
    """Those that the plan read already, else read now; the HMAC key is made where there is none yet."""
    namespace = call.params["namespace"]
    if call.params["fingerprint_key"] in ("present", "forbidden"):
        return dict(call.params["fingerprints"] or {})
    used = fingerprint.references(revision.template)
    if call.params["fingerprint_key"] == "absent":  # the plan has looked; a key made since is a 409 below
        found = snapshot.Fingerprints({}, "absent")
    else:
        found = snapshot.read_fingerprints(cluster, namespace, revision.template)
    if found.key != "absent" or not used or call.check_mode:
        return found.by_name
    key = secrets.token_bytes(32)
    try:
        cluster.create(paths.path("Secret", namespace), _key_secret(namespace, key))
    except ApiFault as fault:
        if fault.status == 409:  # another run made it meanwhile
            return snapshot.read_fingerprints(cluster, namespace, revision.template).by_name
        if fault.status != 403:
            raise
        return snapshot.fingerprints(cluster, namespace, used, None)
    return snapshot.fingerprints(cluster, namespace, used, key)


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


def _remove_strays(call: Call, cluster: Cluster, held: Held, workload: dict[str, Any]) -> None:
    """Take off the workload the marks that a foreign undo copied onto it, before they spread further."""
    metadata = workload["metadata"]
    strays = marks.strays(metadata.get("annotations") or {})
    if strays and not call.check_mode:
        held.renew()
        body = {"metadata": {"annotations": dict.fromkeys(strays)}}
        cluster.patch(paths.path(workload["kind"], metadata["namespace"], metadata["name"]), body, MERGE_PATCH)


def _told(changes: list[dict[str, str]]) -> str:
    return (
        ", ".join(f"revision {each['revision']} is marked {each['mark']}" for each in changes)
        or "marks stand as they were"
    )
