# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A restart pod by pod, as its pods come and go: which pod is due next, and what it waits for. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from . import diagnosis, restarting, revisions, rollout, snapshot
from .diagnosis import Finding
from .feed import Change
from .revisions import Object, Revision


class Turnover:
    """The pods of one workload, fed with changes. Those created before C(since) are due.

    Nothing is remembered between two evictions but restarts that a container had when it was first seen; so a run that
    was killed is continued by the next one.
    """

    def __init__(
        self, workload: dict[str, Any], target: Revision, owners: set[str], since: datetime, crash_restarts: int
    ) -> None:
        self.workload = workload
        self.target = target
        self.since = since
        self.pods: dict[str, Object] = {}
        self.timeline: list[dict[str, Any]] = []
        self.deleted = False
        self._sent: set[str] = set()
        self._template = revisions.bare_template(workload["spec"]["template"])
        self._owners = owners
        self._crash_restarts = crash_restarts
        self._restarts: dict[str, dict[str, int]] = {}

    def apply(self, change: Change) -> None:
        """Take in one change."""
        entry = change.entry
        if change.type == "RESET":
            if change.kind == "Pod":
                self.pods.clear()
        elif change.kind != "Pod":
            self.deleted = change.type == "DELETED"
            self.workload = entry
        elif change.type == "DELETED":
            self.pods.pop(entry["metadata"]["name"], None)
        elif snapshot.belongs(entry, self._owners):
            self.pods[entry["metadata"]["name"]] = entry
            self._restarts.setdefault(entry["metadata"]["uid"], diagnosis.past_restarts(entry))

    def send_away(self, pod: Object) -> None:
        """Note that a pod's eviction was granted; what the watch says of it may be older for a moment."""
        self._sent.add(pod["metadata"]["uid"])

    @property
    def superseded(self) -> bool:
        """Whether somebody else changed the template."""
        return revisions.bare_template(self.workload["spec"]["template"]) != self._template

    @property
    def alive(self) -> list[Object]:
        """The pods that run or are to run."""
        return [pod for pod in restarting.alive(self.pods.values()) if not self._leaving(pod)]

    def due(self) -> list[Object]:
        """The pods to be evicted, in that order: those that are not ready, then the oldest."""
        due = [pod for pod in self.alive if restarting.created(pod) < self.since]
        return sorted(due, key=lambda pod: (revisions.pod_is_ready(pod), restarting.created(pod), _name(pod)))

    def fresh(self) -> list[Object]:
        """The pods that are not due."""
        return [pod for pod in self.alive if restarting.created(pod) >= self.since]

    def waits_for(self, now: datetime) -> str:
        """What has to come to an end before the next pod may go, empty if nothing."""
        leaving = sorted(_name(pod) for pod in self.pods.values() if self._awaited(pod, now))
        if leaving:
            return f"{leaving[0]} is on its way out"
        wanted = rollout.desired_replicas(self.workload)
        if len(self.alive) < wanted:
            refused = rollout.condition(self.workload, "ReplicaFailure")
            why = f" ({refused.get('message')})" if refused.get("status") == "True" else ""
            return f"{len(self.alive)} of {wanted} pods are there{why}"
        for pod in self.fresh():
            if not self._settled(pod, now):
                probe = diagnosis.readiness_probe(self.target.template, _unready(pod))
                return f"{_name(pod)} waits for its {probe}" if probe else f"{_name(pod)} is not ready yet"
        return ""

    def fatal(self) -> Finding | None:
        """Why a pod that is not due will not get ready."""
        findings = [
            finding
            for pod in self.fresh()
            for finding in diagnosis.diagnose(pod, self._crash_restarts, self._restarts.get(pod["metadata"]["uid"]))
        ]
        return diagnosis.first_fatal(findings)

    def record(self, seconds: float) -> None:
        """Add a point to the timeline if the picture changed."""
        parts = {str(self.target.number): self.due(), f"{self.target.number} restarted": self.fresh()}
        picture = {
            name: {"pods": len(pods), "ready": sum(revisions.pod_is_ready(pod) for pod in pods)}
            for name, pods in parts.items()
            if pods
        }
        if not self.timeline or self.timeline[-1]["revisions"] != picture:
            self.timeline.append({"seconds": round(seconds, 2), "revisions": picture})

    def _leaving(self, pod: Object) -> bool:
        return bool(pod["metadata"].get("deletionTimestamp")) or pod["metadata"]["uid"] in self._sent

    def _awaited(self, pod: Object, now: datetime) -> bool:
        """Whether it leaves, by this run or within its grace time; on a dead node an earlier one may never be gone."""
        # A deletionTimestamp is the moment when the grace time ends.
        ends = pod["metadata"].get("deletionTimestamp")
        return pod["metadata"]["uid"] in self._sent or (bool(ends) and datetime.fromisoformat(ends) > now)

    def _settled(self, pod: Object, now: datetime) -> bool:
        """Ready, and for as long as C(minReadySeconds) asks."""
        if not revisions.pod_is_ready(pod):
            return False
        least = int(self.workload["spec"].get("minReadySeconds") or 0)
        since = next((c.get("lastTransitionTime") for c in pod["status"]["conditions"] if c.get("type") == "Ready"), "")
        return not least or not since or datetime.fromisoformat(since) + timedelta(seconds=least) <= now


def _name(pod: Object) -> str:
    return str(pod["metadata"]["name"])


def _unready(pod: Mapping[str, Any]) -> str:
    """The first container that is not ready."""
    statuses = (pod.get("status") or {}).get("containerStatuses") or []
    return str(next((each["name"] for each in statuses if not each.get("ready")), ""))
