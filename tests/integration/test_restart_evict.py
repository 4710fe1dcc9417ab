# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A restart pod by pod through the eviction API: budgets waited for and named, young pods left alone."""

from __future__ import annotations

from collections.abc import Callable

from tests.integration.harness.ground import Ground
from tests.integration.harness.services import Service
from tests.integration.harness.watcher import Watcher

KEY = "runbooks.linkops.io/restart-key"
STARTED = "runbooks.linkops.io/restart-started"
BUDGETS = "/apis/policy/v1/namespaces/{}/poddisruptionbudgets"


def test_a_stateful_set_pod_by_pod(ground: Ground, watcher: Callable[[str], Watcher]) -> None:
    store = ground.service(["v1.2.0"], "store", kind="StatefulSet", replicas=2)
    before, pods = _uids(store), watcher("Pod")

    pressed = ground.press("restart", store, key="INC-2", method="evict")
    assert pressed.rc == 0, pressed.output
    assert "pass: Restarted 2 pods (key INC-2, revision 1), one by one" in pressed.closing()
    assert not _uids(store) & before
    assert KEY not in store.workload.live["spec"]["template"]["metadata"].get("annotations", {})
    annotations = store.workload.live["metadata"]["annotations"]
    assert (annotations[KEY], annotations[STARTED][-1]) == ("INC-2", "Z")
    assert _most_away(pods, store) == 1

    # The same key again: no pod is older than its start.
    after = _uids(store)
    again = ground.press("restart", store, key="INC-2", method="evict")
    assert again.rc == 0, again.output
    assert "Nothing was restarted: key INC-2 was restarted already" in again.closing()
    assert "changed=0" in again.output.rpartition("PLAY RECAP")[2]
    assert _uids(store) == after


def _uids(service: Service) -> set[str]:
    return {pod["metadata"]["uid"] for pod in service.workload.pods}


def _most_away(pods: Watcher, service: Service) -> int:
    """How many of the pods were away or not ready at the same time, at most."""
    ready = {pod["metadata"]["name"] for pod in service.workload.pods}
    wanted, most = len(ready), 0
    for pod in pods.states(lambda pod: pod["metadata"]["name"].startswith(service.name)):
        serves = "deletionTimestamp" not in pod["metadata"] and any(
            c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", [])
        )
        ready = ready | {pod["metadata"]["name"]} if serves else ready - {pod["metadata"]["name"]}
        most = max(most, wanted - len(ready))
    return most
