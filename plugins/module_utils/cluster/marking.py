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
from . import fingerprint, marks, paths, snapshot
from .client import MERGE_PATCH, ApiFault, Cluster
from .leases import Held
from .marks import Mark
from .revisions import Revision
from .session import opened


def mark(call: Call) -> dict[str, Any]:
    """Mark a revision good, another one bad, or lift a mark; bad wins over good. Unchanged where the mark stands."""
    params = call.params
    with opened(call) as (cluster, held):
        kind, namespace = params["kind"], params["namespace"]
        found = snapshot.read(cluster, namespace, kind, params["name"])
        changes: list[dict[str, str]] = []
        for verdict in ("good", "bad", "absent"):
            if not (wanted := params[verdict]):
                continue
            revision = _named(found.revisions, wanted, params["name"])
            body = _annotations(call, cluster, revision, verdict)
            if body is None:
                continue
            changes.append({"revision": str(revision.number), "name": revision.name, "mark": verdict})
            if not call.check_mode:
                held.renew()
                path = paths.path(snapshot.history_kind(kind), namespace, revision.name)
                cluster.patch(path, {"metadata": {"annotations": body}}, MERGE_PATCH)
                call.journal.note("mark", revision=revision.number, name=revision.name, mark=verdict)
        _remove_strays(call, cluster, held, found.workload)
        return {"changed": bool(changes), "marks": changes, "msg": _told(changes)}


def _named(known: list[Revision], wanted: str, workload: str) -> Revision:
    found = next((each for each in known if each.name == wanted or (wanted == "active" and each.active)), None)
    if found is None:
        raise OperatorError(
            Fault(
                "revision_unknown", f"{workload} has no revision named {wanted}.", "It may be garbage-collected by now."
            )
        )
    return found


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
    if call.params["fingerprint_key"] == "present":
        return dict(call.params["fingerprints"] or {})
    found = snapshot.read_fingerprints(cluster, namespace, revision.template)
    if found.key != "absent" or not found.by_name or call.check_mode:
        return found.by_name
    try:
        cluster.create(paths.path("Secret", namespace), _key_secret(namespace))
    except ApiFault as fault:
        if fault.status == 403:
            return found.by_name
        if fault.status != 409:
            raise
    return snapshot.read_fingerprints(cluster, namespace, revision.template).by_name


def _key_secret(namespace: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": fingerprint.KEY_SECRET,
            "namespace": namespace,
            "labels": {"app.kubernetes.io/managed-by": "linkops.runbooks"},
        },
        "data": {"key": base64.b64encode(secrets.token_bytes(32)).decode()},
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
