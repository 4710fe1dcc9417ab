# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Watching a rollout to its end: done, the first fatal reason, superseded by somebody else, or out of time."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from ..deadline import Deadline
from . import diagnosis, evidence, freeing, paths, revisions, rollout, snapshot
from .client import ApiFault, Cluster
from .diagnosis import Finding
from .feed import Change, Feed, present
from .leases import Held
from .revisions import Revision

PROGRESS_SECONDS = 5.0
# A rollout whose pods were restarted on the way is done only when they have stayed up for this long.
CALM_SECONDS = 10.0


@dataclass(frozen=True)
class Watched:
    """How a rollout ended. C(timeline) has the replicas by revision over time, C(freed_pods) what was freed."""

    state: Literal["done", "failed", "timeout", "superseded"]
    reason: str
    detail: str
    seconds: float
    workload: dict[str, Any]
    pods: list[Mapping[str, Any]]
    finding: Finding | None = None
    timeline: list[dict[str, Any]] = field(default_factory=list)
    freed_pods: list[str] = field(default_factory=list)
    terminating: int = 0


class RolloutWatch:
    """The state of one rollout, fed with changes.

    C(known) are the revisions before the rollout. Restarts that a running container had when it was first seen are
    history, not this rollout's doing.
    """

    def __init__(
        self,
        workload: dict[str, Any],
        target: Revision,
        known: Iterable[Revision],
        crash_restarts: int,
    ) -> None:
        self.workload = workload
        self.target = target
        self.pods: dict[str, Mapping[str, Any]] = {}
        self.timeline: list[dict[str, Any]] = []
        self._written = revisions.bare_template(workload["spec"]["template"])
        self._crash_restarts = crash_restarts
        self._restarts: dict[str, dict[str, int]] = {}
        self._numbers = {r.certified: r.number for r in known} | {r.name: r.number for r in known}
        self._owners = {revision.uid for revision in known} | {target.uid, workload["metadata"]["uid"]}
        self._complaints: list[str] = []
        self._deleted = False
        self._counted: dict[str, int] = {}
        self._restarted_at: float | None = None

    def apply(self, change: Change, seconds: float) -> None:
        """Take in one change, seen at this second of the rollout."""
        if change.type == "RESET":
            if change.kind == "Pod":
                self.pods.clear()
        elif change.kind == "Pod":
            self._apply_pod(change)
            self._count_restarts(seconds)
        elif change.kind == "Event":
            refused = change.entry.get("type") == "Warning" and change.entry.get("reason") == "FailedCreate"
            if refused and self._seen():
                self._complaints.append(str(change.entry.get("message")))
        elif change.type == "DELETED":
            self._deleted = True
        else:
            self.workload = change.entry

    def judge(self, seconds: float) -> tuple[rollout.Rollout, Finding | None]:
        """The rollout's state at this second of it, pod reasons before the controller's."""
        if self._deleted:
            return rollout.Rollout("failed", "the workload was deleted by somebody else", "deleted"), None
        if revisions.bare_template(self.workload["spec"]["template"]) != self._written:
            return rollout.Rollout("failed", "the template was changed by somebody else", "superseded"), None
        found = diagnosis.first_fatal(self.findings())
        if found:
            return rollout.Rollout("failed", str(found), found.reason), found
        state = rollout.judge(self.workload, self.target)
        if state.state == "done" and self._ready() < rollout.ready_replicas(self.workload):
            return rollout.Rollout("waiting", f"{state.detail}, its pods are being looked up"), None
        # The first may be the last word on the template before; the controller tries again within milliseconds.
        if state.state == "waiting" and len(self._complaints) > 1 and not self.pods_of_target():
            return rollout.Rollout("failed", f"no pods can be created: {self._complaints[-1]}", "FailedCreate"), None
        if state.state == "done" and self._restarted_at is not None and seconds - self._restarted_at < CALM_SECONDS:
            return rollout.Rollout("waiting", f"{state.detail}, but a pod was restarted just now"), None
        return state, None

    def findings(self) -> list[Finding]:
        """What keeps the target's pods from being ready, or ended one for the template's own sake."""
        return [finding for pod in self.diagnosed() for finding in self._diagnose(pod)]

    def pods_of_target(self) -> list[Mapping[str, Any]]:
        """The pods that run the target; one that ended is not counted by its controller, and replaced."""
        return [pod for pod in revisions.pods_of(self.target, self.pods.values()) if not revisions.pod_ended(pod)]

    def diagnosed(self) -> list[Mapping[str, Any]]:
        """The pods that tell of the target; those that a node rejected or lost tell nothing of it."""
        return [pod for pod in revisions.pods_of(self.target, self.pods.values()) if not diagnosis.of_the_node(pod)]

    def waiting_for(self) -> str:
        """What the first pod that is not ready waits for, with its probe where that is it."""
        for finding in self.findings():
            probe = diagnosis.readiness_probe(self.target.template, finding.container)
            if finding.reason == "NotReady":
                return f"{finding.pod} waits for its {probe}" if probe else f"{finding.pod} is not ready yet"
            return str(finding)
        return ""

    def stuck_pod(self, now: datetime) -> Mapping[str, Any] | None:
        """The pod of another revision that a StatefulSet waits for in vain; C(now) is by the API server's clock."""
        if not self._seen():
            return None
        hopeless = {pod["metadata"]["uid"] for pod in self.pods.values() if any(map(_crashes, self._diagnose(pod)))}
        return freeing.stuck(self.workload, self.pods.values(), self.target.name, hopeless, now)

    def terminating(self) -> int:
        """Pods on their way out: reported, not awaited."""
        return sum(1 for pod in self.pods.values() if pod["metadata"].get("deletionTimestamp"))

    def record(self, seconds: float) -> None:
        """Add a point to the timeline if the picture changed."""
        picture: dict[str, dict[str, int]] = {}
        for pod in self.pods.values():
            if not (pod["metadata"].get("deletionTimestamp") or revisions.pod_ended(pod)):
                number = str(self._numbers.get(revisions.pod_hash(pod), "?"))
                counted = picture.setdefault(number, {"pods": 0, "ready": 0})
                counted["pods"] += 1
                counted["ready"] += revisions.pod_is_ready(pod)
        if not self.timeline or self.timeline[-1]["revisions"] != picture:
            self.timeline.append({"seconds": round(seconds, 2), "revisions": picture})

    def _seen(self) -> bool:
        """Whether the controller has seen the template that was written."""
        observed = (self.workload.get("status") or {}).get("observedGeneration")
        return int(observed or 0) >= int(self.workload["metadata"].get("generation") or 0)

    def _ready(self) -> int:
        """Ready pods that the watch has seen; it may be behind the workload's status."""
        return sum(
            1
            for pod in self.pods.values()
            if revisions.pod_is_ready(pod) and not pod["metadata"].get("deletionTimestamp")
        )

    def _apply_pod(self, change: Change) -> None:
        name = change.entry["metadata"]["name"]
        if change.type == "DELETED":
            self.pods.pop(name, None)
        elif snapshot.belongs(change.entry, self._owners):
            self.pods[name] = change.entry
            self._restarts.setdefault(change.entry["metadata"]["uid"], diagnosis.past_restarts(change.entry))

    def _diagnose(self, pod: Mapping[str, Any]) -> list[Finding]:
        return diagnosis.diagnose(pod, self._crash_restarts, self._restarts.get(pod["metadata"]["uid"]))

    def _count_restarts(self, seconds: float) -> None:
        for pod in self.pods_of_target():
            uid = pod["metadata"]["uid"]
            past = self._restarts[uid]
            counted = sum(count - past.get(name, 0) for name, count in diagnosis.restart_counts(pod).items())
            if counted > self._counted.get(uid, 0):
                self._restarted_at = seconds
                self._counted[uid] = counted


def watch(
    cluster: Cluster,
    state: RolloutWatch,
    deadline: Deadline,
    held: Held,
    say: Callable[[str], None],
) -> Watched:
    """Follow the workload and its pods until the rollout ends; one line of progress on each change and every 5 s."""
    metadata = state.workload["metadata"]
    kind, namespace, name = state.workload["kind"], metadata["namespace"], metadata["name"]
    feed = Feed(cluster, deadline)
    freed: list[str] = []
    said, said_at = "", 0.0
    with contextlib.closing(feed):
        feed.follow(
            kind, paths.path(kind, namespace), metadata["resourceVersion"], fieldSelector=f"metadata.name={name}"
        )
        selector = snapshot.selector_text(state.workload["spec"]["selector"])
        pods, version = cluster.listed(paths.path("Pod", namespace), labelSelector=selector)
        for pod in pods:
            state.apply(Change("Pod", "ADDED", {**pod, "kind": "Pod"}), deadline.elapsed)
        feed.follow("Pod", paths.path("Pod", namespace), version, labelSelector=selector)
        if kind != "Deployment":  # a Deployment tells by its condition ReplicaFailure, the others by events only
            feed.follow(
                "Event",
                paths.path("Event", namespace),
                metadata["resourceVersion"],
                fieldSelector=f"involvedObject.uid={metadata['uid']}",
            )
        while True:
            if last := deadline.expired:
                for change in present(cluster, state.workload):
                    state.apply(change, deadline.elapsed)
            held.renew_if_due()
            state.record(deadline.elapsed)
            verdict, finding = state.judge(deadline.elapsed)
            if verdict.state != "waiting":
                ended: Any = "superseded" if verdict.reason == "superseded" else verdict.state
                return _ended(state, ended, verdict, deadline, freed, finding)
            if last:
                break
            if (stuck := state.stuck_pod(cluster.now)) is not None:
                _free(cluster, stuck, held, freed, say)
            line = _line(verdict, state)
            if line != said or deadline.elapsed - said_at >= PROGRESS_SECONDS:
                say(line)
                said, said_at = line, deadline.elapsed
            if (heard := feed.next(min(1.0, deadline.remaining))) is not None:
                state.apply(heard, deadline.elapsed)
    found = next(iter(state.findings()), None)
    why = state.waiting_for() or _creation(cluster, state) or "no pod says why"
    detail = f"not done after {deadline.seconds:.0f} s: {verdict.detail}; {why}"
    return _ended(state, "timeout", rollout.Rollout("failed", detail, "deadline"), deadline, freed, found)


def _creation(cluster: Cluster, state: RolloutWatch) -> str:
    """What the events say of a pod whose containers do not even get created, or of a workload that gets no pods."""
    mine = state.pods_of_target()
    if not mine:
        return evidence.last_warning(cluster, state.workload)
    pod = next((pod for pod in mine if not revisions.pod_is_ready(pod)), None)
    if pod is None:
        return ""
    warning = evidence.last_warning(cluster, pod)
    return f"pod {pod['metadata']['name']} is still being created{f' ({warning})' if warning else ''}"


def _ended(
    state: RolloutWatch,
    ended: Any,
    verdict: rollout.Rollout,
    deadline: Deadline,
    freed: list[str],
    finding: Finding | None,
) -> Watched:
    return Watched(
        state=ended,
        reason=verdict.reason,
        detail=verdict.detail,
        seconds=round(deadline.elapsed, 2),
        workload=state.workload,
        pods=list(state.pods.values()),
        finding=finding,
        timeline=state.timeline,
        freed_pods=freed,
        terminating=state.terminating(),
    )


def _line(verdict: rollout.Rollout, state: RolloutWatch) -> str:
    waiting = state.waiting_for()
    leaving = state.terminating()
    parts = [verdict.detail, f"waiting: {waiting}" if waiting else "", f"{leaving} terminating" if leaving else ""]
    return ", ".join(part for part in parts if part)


def _free(cluster: Cluster, pod: Mapping[str, Any], held: Held, freed: list[str], say: Callable[[str], None]) -> None:
    metadata = pod["metadata"]
    if metadata["uid"] in freed:
        return
    held.renew()
    say(f"deleting pod {metadata['name']}: it is not ready, runs the left version, and the StatefulSet waits for it")
    try:
        cluster.delete(paths.path("Pod", metadata["namespace"], metadata["name"]), metadata["uid"])
    except ApiFault as fault:
        if fault.status not in (404, 409):  # gone already, or replaced under the same name
            raise
    freed.append(metadata["uid"])


def _crashes(finding: Finding) -> bool:
    return finding.fatal or finding.restarts > 0 or finding.reason == "CrashLoopBackOff"
