# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is kept of a failure before anything is changed again: manifests, pods, events, logs; redacted and bounded."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from ..errors import OperatorError
from ..redaction import redact, redact_manifest, redact_text
from . import diagnosis, fingerprint, paths, revisions
from .client import Cluster

LOG_LINES = 200
LAST_LINES = 5
MOST_PODS = 10
MOST_EVENTS = 200
SHORTEST_SECRET = 8  # characters; shorter values would blot out ordinary words
KEY_LINE = 32  # characters without a blank; shorter lines of a secret may be ordinary settings


def confidences(cluster: Cluster, *workloads: Mapping[str, Any]) -> tuple[str, ...]:
    """The values in the Secrets that these templates use, which a careless program may log without their names.

    What is short, or what the workload shows openly (a user, a host), is no secret; what may not be read is left out.
    """
    found: set[str] = set()
    namespace = workloads[0]["metadata"]["namespace"]
    used = {each for workload in workloads for each in fingerprint.references(workload["spec"]["template"])}
    for name in sorted(name for kind, name in used if kind == "Secret"):
        with contextlib.suppress(OperatorError):
            for content in (cluster.get(paths.path("Secret", namespace, name)).get("data") or {}).values():
                found |= _parts(base64.b64decode(content).decode("utf-8", "replace").strip())
    shown = json.dumps(workloads)
    return tuple(sorted(value for value in found if len(value) >= SHORTEST_SECRET and value not in shown))


def as_template(pod: Mapping[str, Any]) -> dict[str, Any]:
    """A pod as a workload of one, for C(confidences): an older pod may use other Secrets than the template of now."""
    return {"metadata": pod["metadata"], "spec": {"template": {"spec": pod["spec"]}}}


def collect(
    cluster: Cluster,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    pods: Iterable[Mapping[str, Any]],
    secrets: Iterable[str] = (),
) -> dict[str, str]:
    """Files of a bundle by name. What cannot be read is a sentence in its place: evidence must not fail a run."""
    listed = sorted(pods, key=_worth_reading_later)[:MOST_PODS]
    namespace = after["metadata"]["namespace"]
    bundle = {
        "workload-before.json": _dump(redact_manifest(before)),
        "workload-after.json": _dump(redact_manifest(after)),
        "pods.json": _dump([redact_manifest(pod) for pod in listed]),
        "events.json": _events(cluster, namespace, {after["metadata"]["uid"], *(p["metadata"]["uid"] for p in listed)}),
    }
    for pod in listed:
        name = pod["metadata"]["name"]
        for container, restarts in diagnosis.restart_counts(pod).items():
            bundle[f"logs/{name}-{container}.log"] = log(cluster, namespace, name, container)
            if restarts:
                bundle[f"logs/{name}-{container}-previous.log"] = log(
                    cluster, namespace, name, container, previous=True
                )
    return {name: redact_text(content, secrets) for name, content in bundle.items()}


def log(
    cluster: Cluster, namespace: str, pod: str, container: str, previous: bool = False, lines: int = LOG_LINES
) -> str:
    """The end of a container's log, redacted."""
    try:
        return redact_text(
            cluster.text(
                paths.path("Pod", namespace, pod, "log"),
                container=container,
                tailLines=str(lines),
                limitBytes=str(1 << 20),
                previous="true" if previous else "false",
            )
        )
    except OperatorError as fault:
        return f"(no log: {fault.faults[0].message})\n"


def last_words(cluster: Cluster, namespace: str, finding: diagnosis.Finding, secrets: Iterable[str] = ()) -> str:
    """The last log lines of the container that failed, of its previous life where it was restarted."""
    if not finding.container:
        return ""
    for previous in (True, False) if finding.restarts else (False,):
        text = log(cluster, namespace, finding.pod, finding.container, previous, LAST_LINES).strip()
        if text and not text.startswith(("(no log", "unable to retrieve")):
            return redact_text(text, secrets)
    return ""


def last_warning(cluster: Cluster, entry: Mapping[str, Any]) -> str:
    """The newest warning among an object's events, such as a volume that cannot be mounted; empty if there is none."""
    metadata = entry["metadata"]
    try:
        found = cluster.items(
            paths.path("Event", metadata["namespace"]),
            fieldSelector=f"involvedObject.uid={metadata['uid']},type=Warning",
        )
    except OperatorError as fault:
        return f"its events cannot be read ({fault.faults[0].message})"
    newest = max(found, key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime")), default=None)
    return redact_text(f"{newest.get('reason')}: {newest.get('message')}") if newest else ""


def _worth_reading_later(pod: Mapping[str, Any]) -> tuple[bool, bool]:
    """Pods that fail come first, then those that serve; one on its way out may be on a node that does not answer."""
    return bool(pod["metadata"].get("deletionTimestamp")), revisions.pod_is_ready(pod)


def _events(cluster: Cluster, namespace: str, uids: set[str]) -> str:
    found: list[dict[str, Any]] = []
    for uid in sorted(uids):
        try:
            found += cluster.items(
                paths.path("Event", namespace), fieldSelector=f"involvedObject.uid={uid}", limit=str(MOST_EVENTS)
            )
        except OperatorError as fault:
            return _dump({"unread": fault.faults[0].message})
    kept = [
        {
            "time": event.get("lastTimestamp") or event.get("eventTime"),
            "type": event.get("type"),
            "reason": event.get("reason"),
            "object": f"{event['involvedObject'].get('kind')}/{event['involvedObject'].get('name')}",
            "count": event.get("count"),
            "message": event.get("message"),
        }
        for event in found
    ]
    return _dump(redact(sorted(kept, key=lambda event: str(event["time"]))[-MOST_EVENTS:]))


def _parts(value: str) -> set[str]:
    """A secret value; of a URL also its password, as it is written and as it is meant; of a key also each line."""
    found = {value, *(line for line in value.splitlines() if len(line) >= KEY_LINE and " " not in line)}
    with contextlib.suppress(ValueError):
        password = urlsplit(value).password or value
        found |= {password, unquote(password)}
    return found


def _dump(value: Any) -> str:
    return json.dumps(value, indent=2, sort_keys=True) + "\n"
