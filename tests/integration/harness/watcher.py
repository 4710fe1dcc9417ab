# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A watch that remembers: every state of every object of a kind in a namespace, with the moment it was seen."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from kubernetes import client, config, watch
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from lab.cluster import Cluster, Manifest

Predicate = Callable[[Manifest], bool]

_LISTS: dict[str, Callable[[client.ApiClient], Any]] = {
    "Pod": lambda api: client.CoreV1Api(api).list_namespaced_pod,
    "Event": lambda api: client.CoreV1Api(api).list_namespaced_event,
    "Lease": lambda api: client.CoordinationV1Api(api).list_namespaced_lease,
    "Deployment": lambda api: client.AppsV1Api(api).list_namespaced_deployment,
}


class Watcher:
    """Follows a kind in a thread of its own until ``close``."""

    def __init__(self, cluster: Cluster, namespace: str, kind: str) -> None:
        self._seen: list[tuple[float, str, Manifest]] = []
        self._news = threading.Condition()
        self._watch = watch.Watch()
        self._closed = False
        api = config.new_client_from_config(str(cluster.lab.kubeconfig), context=cluster.lab.context)
        self._thread = threading.Thread(target=self._follow, args=(_LISTS[kind](api), namespace), daemon=True)
        self._thread.start()

    def first(self, predicate: Predicate) -> float | None:
        """When an object first was so (seconds since the epoch), None if none was."""
        with self._news:
            return next((moment for moment, _type, seen in self._seen if predicate(seen)), None)

    def wait(self, predicate: Predicate, seconds: float = 60.0) -> Manifest:
        """The first object that is so, now or within these seconds."""
        with self._news:
            assert self._news.wait_for(lambda: self._find(predicate) is not None, seconds), (
                f"nothing of the kind was seen in {seconds:.0f} s; "
                f"last seen: {[seen['metadata']['name'] for _moment, _type, seen in self._seen[-5:]]}"
            )
            found = self._find(predicate)
        assert found is not None
        return found

    def states(self, predicate: Predicate) -> list[Manifest]:
        """Every state seen so far that is so, in order."""
        with self._news:
            return [seen for _moment, _type, seen in self._seen if predicate(seen)]

    def deleted(self) -> list[str]:
        """Names of the objects that went away."""
        with self._news:
            return [seen["metadata"]["name"] for _moment, kind, seen in self._seen if kind == "DELETED"]

    def close(self) -> None:
        """Stop following; the thread ends with its connection."""
        self._closed = True
        self._watch.stop()

    def _find(self, predicate: Predicate) -> Manifest | None:
        return next((seen for _moment, _type, seen in self._seen if predicate(seen)), None)

    def _follow(self, listed: Any, namespace: str) -> None:
        while not self._closed:
            try:
                for event in self._watch.stream(listed, namespace, timeout_seconds=300):
                    with self._news:
                        self._seen.append((time.time(), event["type"], event["raw_object"]))
                        self._news.notify_all()
            except (ApiException, HTTPError):
                time.sleep(0.2)
