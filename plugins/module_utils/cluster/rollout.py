# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Judging a rollout by its status, exactly as C(kubectl rollout status) does. Pure.

Source of the rules: kubernetes/kubectl:pkg/polymorphichelpers/rollout_status.go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from .revisions import Revision


@dataclass(frozen=True)
class Rollout:
    """C(state) done, waiting or failed; C(detail) says what it waits for, or why it failed; C(reason) is stable."""

    state: Literal["done", "waiting", "failed"]
    detail: str
    reason: str = ""


def judge(workload: Mapping[str, Any], target: Revision | None = None) -> Rollout:
    """The state of a workload's rollout to its present template.

    C(target) guards against a C(ProgressDeadlineExceeded) or C(ReplicaFailure) left over from another ReplicaSet: the
    condition names the one that failed, and the controller leaves it standing until the new one makes progress.
    """
    status = workload.get("status") or {}
    if int(workload["metadata"].get("generation") or 0) > int(status.get("observedGeneration") or 0):
        return Rollout("waiting", "the controller has not seen the new template yet")
    judged: Rollout = _JUDGES[workload["kind"]](workload, status, target)
    return judged


def in_progress(workload: Mapping[str, Any]) -> str:
    """What the rollout waits for or failed with, empty when it is done."""
    state = judge(workload)
    return "" if state.state == "done" else state.detail


def strategy_notes(workload: Mapping[str, Any]) -> list[str]:
    """What the update strategy keeps from rolling out by itself."""
    strategy = workload["spec"].get("updateStrategy") or {}
    partition = int((strategy.get("rollingUpdate") or {}).get("partition") or 0)
    if strategy.get("type") == "OnDelete":
        return [
            "Its update strategy is OnDelete: the template changes, and each pod keeps its version until it is deleted."
        ]
    if workload["kind"] == "StatefulSet" and partition > 0:
        return [f"Its partition is {partition}: pods with an ordinal below {partition} keep their version."]
    return []


def desired_replicas(workload: Mapping[str, Any]) -> int:
    """How many pods there shall be; a DaemonSet's number is the scheduler's to say."""
    if workload["kind"] == "DaemonSet":
        return int((workload.get("status") or {}).get("desiredNumberScheduled") or 0)
    replicas = workload["spec"].get("replicas")
    return 1 if replicas is None else int(replicas)


def ready_replicas(workload: Mapping[str, Any]) -> int:
    """How many pods its controller counts as ready."""
    status = workload.get("status") or {}
    return int(status.get("numberReady" if workload["kind"] == "DaemonSet" else "readyReplicas") or 0)


def condition(workload: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    """A status condition by type, empty when absent."""
    conditions: Sequence[Mapping[str, Any]] = (workload.get("status") or {}).get("conditions") or []
    return next((each for each in conditions if each.get("type") == kind), {})


def _deployment(workload: Mapping[str, Any], status: Mapping[str, Any], target: Revision | None) -> Rollout:
    failure = condition(workload, "ReplicaFailure")
    refused = str(failure.get("message"))
    if failure.get("status") == "True" and (target is None or not _of_another(refused, target)):
        return Rollout("failed", f"no pods can be created: {refused}", failure.get("reason") or "FailedCreate")
    progressing = condition(workload, "Progressing")
    if progressing.get("reason") == "ReplicaSetCreateError":
        return Rollout("failed", str(progressing.get("message")), "ReplicaSetCreateError")
    if progressing.get("reason") == "ProgressDeadlineExceeded" and (
        target is None or f'"{target.name}"' in str(progressing.get("message"))
    ):
        return Rollout("failed", str(progressing.get("message")), "ProgressDeadlineExceeded")
    replicas, updated, available = (
        int(status.get(n) or 0) for n in ("replicas", "updatedReplicas", "availableReplicas")
    )
    wanted = desired_replicas(workload)
    if updated < wanted:
        return Rollout("waiting", f"{updated} of {wanted} updated")
    if replicas > updated:
        return Rollout("waiting", f"{updated} of {wanted} updated, {replicas - updated} old still there")
    if available < updated:
        return Rollout("waiting", f"{available} of {updated} available")
    return Rollout("done", f"{updated} of {wanted} updated and available")


def _of_another(refused: str, target: Revision) -> bool:
    """Whether the message about a pod that was not created names one of another ReplicaSet.

    The condition stands until that ReplicaSet is scaled down, so it outlives the way back out of its rollout.
    """
    generated = f"{target.name}-"[:58]  # what a pod's generated name keeps of its ReplicaSet's
    return 'pods "' in refused and f'pods "{generated}' not in refused


def _stateful_set(workload: Mapping[str, Any], status: Mapping[str, Any], _target: Revision | None) -> Rollout:
    strategy = workload["spec"].get("updateStrategy") or {}
    wanted = desired_replicas(workload)
    ready, updated = int(status.get("readyReplicas") or 0), int(status.get("updatedReplicas") or 0)
    if strategy.get("type") == "OnDelete":
        return Rollout("done", f"the template is set; {updated} of {wanted} pods run it (OnDelete)")
    if ready < wanted:
        return Rollout("waiting", f"{ready} of {wanted} ready, {updated} updated")
    partition = int((strategy.get("rollingUpdate") or {}).get("partition") or 0)
    due, held_back = max(0, wanted - partition), f" (partition {partition})" if partition else ""
    # The pods are counted, since on the way back current and update revision are equal before all pods are there.
    if updated < due:
        return Rollout("waiting", f"{updated} of {due} updated{held_back}")
    return Rollout("done", f"{updated} of {due} updated and ready{held_back}")


def _daemon_set(workload: Mapping[str, Any], status: Mapping[str, Any], _target: Revision | None) -> Rollout:
    wanted = desired_replicas(workload)
    updated, available = int(status.get("updatedNumberScheduled") or 0), int(status.get("numberAvailable") or 0)
    if (workload["spec"].get("updateStrategy") or {}).get("type") == "OnDelete":
        return Rollout("done", f"the template is set; {updated} of {wanted} pods run it (OnDelete)")
    if updated < wanted:
        return Rollout("waiting", f"{updated} of {wanted} updated")
    if available < wanted:
        return Rollout("waiting", f"{available} of {wanted} available")
    return Rollout("done", f"{wanted} of {wanted} updated and available")


_JUDGES: Any = {"Deployment": _deployment, "StatefulSet": _stateful_set, "DaemonSet": _daemon_set}
