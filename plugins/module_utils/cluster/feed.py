# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Watches as one stream: each object kind is followed in a thread of its own, the reader takes from one queue."""

from __future__ import annotations

import queue
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..deadline import Deadline
from ..errors import OperatorError
from . import paths, snapshot
from .client import ApiFault, Cluster, events

try:
    from urllib3.exceptions import HTTPError
except ImportError:  # connect() has reported it
    HTTPError = OSError  # type: ignore[assignment,misc]

RECONNECT_SECONDS = 0.2
#: A watch is renewed this often, so that a connection that died in silence is not listened to for much longer.
LONGEST_SECONDS = 30.0
#: For the last look before time is up, which is tried again on transient faults.
LOOK_SECONDS = 10.0
GONE = 410  # too old a resourceVersion to resume from


@dataclass(frozen=True)
class Change:
    """One event: C(type) ADDED, MODIFIED or DELETED as Kubernetes has it; RESET before a list begins anew."""

    kind: str
    type: str
    entry: dict[str, Any] = field(default_factory=dict)


class Feed:
    """Follows collections until the deadline or C(close). A broken watch is resumed, an expired one begins anew."""

    def __init__(self, cluster: Cluster, deadline: Deadline) -> None:
        self._cluster = cluster
        self._deadline = deadline
        self._changes: queue.Queue[Change | OperatorError] = queue.Queue()
        self._closed = threading.Event()

    def follow(self, kind: str, path: str, resource_version: str = "", **query: str) -> None:
        """Begin to follow. Without a resourceVersion the present objects come first, as ADDED."""
        threading.Thread(
            target=self._follow, args=(kind, path, resource_version, query), name=f"watch-{kind}", daemon=True
        ).start()

    def next(self, seconds: float) -> Change | None:
        """The next change, or nothing within these seconds. Raises what a watch cannot recover from."""
        try:
            change = self._changes.get(timeout=max(seconds, 0.0))
        except queue.Empty:
            return None
        if isinstance(change, OperatorError):
            raise change
        return change

    def close(self) -> None:
        """Stop following; the threads end with their connections."""
        self._closed.set()

    def _follow(self, kind: str, path: str, resource_version: str, query: Mapping[str, str]) -> None:
        version = resource_version
        while not (self._closed.is_set() or self._deadline.expired):
            try:
                version = self._read(kind, path, version, query)
            except OperatorError as fault:
                if fault.reason in ("unauthorized", "forbidden", "not_found", "tls"):
                    self._changes.put(fault)
                    return
            except (HTTPError, ValueError):
                pass  # the connection broke in the middle of an event; the watch resumes from the last whole one
            self._closed.wait(RECONNECT_SECONDS)

    def _read(self, kind: str, path: str, version: str, query: Mapping[str, str]) -> str:
        if not version:
            self._changes.put(Change(kind, "RESET"))
        since = {"resourceVersion": version} if version else {}
        seconds = min(self._deadline.remaining, LONGEST_SECONDS)
        try:
            answer = self._cluster.stream(path, seconds, allowWatchBookmarks="true", **since, **query)
        except ApiFault as fault:
            if fault.status == GONE:
                return ""
            raise
        for event in events(answer):
            if self._closed.is_set():
                break
            entry = event["object"]
            if event["type"] == "ERROR":  # GONE
                return ""
            version = entry["metadata"]["resourceVersion"]
            if event["type"] != "BOOKMARK":
                self._changes.put(Change(kind, event["type"], {**entry, "kind": kind}))
        return version


def present(cluster: Cluster, workload: Mapping[str, Any]) -> list[Change]:
    """A workload and its pods as they are now, as changes; for the last look, since a watch may have died in silence.

    Empty where the API server does not answer.
    """
    kind, metadata = workload["kind"], workload["metadata"]
    namespace = metadata["namespace"]
    selector = snapshot.selector_text(workload["spec"]["selector"])
    cluster.persist(Deadline(LOOK_SECONDS))
    try:
        now = cluster.get(paths.path(kind, namespace, metadata["name"]))
        pods = cluster.items(paths.path("Pod", namespace), labelSelector=selector)
    except OperatorError as fault:
        return [Change(kind, "DELETED", dict(workload))] if fault.reason == "not_found" else []
    return [
        Change(kind, "MODIFIED", {**now, "kind": kind}),
        Change("Pod", "RESET"),
        *(Change("Pod", "ADDED", {**pod, "kind": "Pod"}) for pod in pods),
    ]
