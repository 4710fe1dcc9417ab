# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which pod of a StatefulSet its rollout waits for in vain, so that it is to be deleted. Pure.

The controller replaces no pod while another one is not ready, not even a broken one by the version that would mend it
(kubernetes/website:content/en/docs/concepts/workloads/controllers/statefulset.md, "Forced rollback").
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from . import revisions, rollout
from .revisions import Object

#: A pod that is not ready for less may be back in a moment, such as a member that waits for a peer to come up.
GRACE_SECONDS = 30.0


def stuck(
    workload: Object, pods: Iterable[Object], target: str, hopeless: Collection[str], now: datetime
) -> Object | None:
    """The pod to delete, that of the highest ordinal: of another revision than C(target) and not ready for a while.

    Those whose uid is in C(hopeless) need no while. Only one is away at a time: none is named while another one leaves,
    or is to become ready as the target, or is still to be created. C(now) is by the API server's clock.
    """
    spec = workload["spec"]
    strategy = spec.get("updateStrategy") or {}
    if workload["kind"] != "StatefulSet" or strategy.get("type") == "OnDelete":
        return None
    there = [pod for pod in pods if not revisions.pod_ended(pod)]
    down = [pod for pod in there if not revisions.pod_is_ready(pod)]
    if any(pod["metadata"].get("deletionTimestamp") or revisions.pod_hash(pod) == target for pod in down):
        return None
    first = int((spec.get("ordinals") or {}).get("start") or 0)
    # Below the partition a pod keeps its version, so deleting it would bring it back as it was.
    lowest = first + int((strategy.get("rollingUpdate") or {}).get("partition") or 0)
    due = [
        pod
        for pod in down
        if _ordinal(pod) >= lowest and (pod["metadata"]["uid"] in hopeless or _down_for_long(pod, now))
    ]
    found = max(due, key=_ordinal, default=None)
    if found is None:
        return None
    # Pods are created in order, those above one that is not ready not at all, unless all are managed in parallel.
    parallel = spec.get("podManagementPolicy") == "Parallel"
    expected = range(first, first + rollout.desired_replicas(workload) if parallel else _ordinal(found))
    return found if {_ordinal(pod) for pod in there}.issuperset(expected) else None


def _down_for_long(pod: Object, now: datetime) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    since = next((each.get("lastTransitionTime") for each in conditions if each.get("type") == "Ready"), None)
    since = since or pod["metadata"].get("creationTimestamp")
    return bool(since) and datetime.fromisoformat(since) + timedelta(seconds=GRACE_SECONDS) <= now


def _ordinal(pod: Object) -> int:
    number = pod["metadata"]["name"].rsplit("-", 1)[-1]
    return int(number) if number.isdigit() else -1
