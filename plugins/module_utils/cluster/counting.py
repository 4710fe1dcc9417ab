# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Watching a workload get its number of pods; no template changes, so what counts is how many of its pods are ready."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from . import diagnosis, revisions, rollout
from .diagnosis import Finding
from .revisions import Revision
from .watching import RolloutWatch

# The controller tries a refused pod again at once, and its condition may be left over from before.
REFUSED_SECONDS = 3.0


class ScaleWatch(RolloutWatch):
    """The state of one change of the number of pods: exactly C(goal), or at least so many.

    C(broken) are the names of pods that failed for good before it began, which are not its doing.
    """

    def __init__(
        self,
        workload: dict[str, Any],
        target: Revision,
        known: Iterable[Revision],
        crash_restarts: int,
        goal: int,
        exact: bool,
        broken: Iterable[str] = (),
    ) -> None:
        super().__init__(workload, target, known, crash_restarts)
        self._goal = goal
        self._exact = exact
        self._broken = frozenset(broken)
        self._refused_at: float | None = None

    def judge(self, seconds: float) -> tuple[rollout.Rollout, Finding | None]:
        """Its state at this second, pod reasons before the controller's."""
        if self._deleted:
            return rollout.Rollout("failed", "the workload was deleted by somebody else", "deleted"), None
        if moved := self._moved():
            return rollout.Rollout("failed", moved, "superseded"), None
        ready, there = self._ready(), len(self.pods_of_target())
        told = f"{ready} of {self._goal} ready" if ready <= self._goal else f"{ready} ready of {self._goal} wanted"
        if not self._seen():
            return rollout.Rollout("waiting", f"{told}, the controller has not seen the number yet"), None
        if self._goal == 0:
            left = sum(1 for pod in self.pods.values() if not revisions.pod_ended(pod))
            return rollout.Rollout("waiting" if left else "done", f"{left} pods left" if left else "no pods left"), None
        if ready >= self._goal and (there == self._goal or not self._exact):
            return rollout.Rollout("done", told), None
        if self._exact and there > self._goal:
            return rollout.Rollout("waiting", f"{told}, {there - self._goal} still to go"), None
        fatal = [each for each in self.findings() if each.pod not in self._broken]
        if found := diagnosis.first_fatal(fatal):
            return rollout.Rollout("failed", f"{told}; {found}", found.reason), found
        refused = self._refused(seconds, there)
        if refused and ready == there:  # those that were created may still get ready
            return rollout.Rollout("failed", f"{told}; no more pods can be created: {refused}", "FailedCreate"), None
        return rollout.Rollout("waiting", told), None

    def pods_of_target(self) -> list[Mapping[str, Any]]:
        """All of its pods that count for its controller, whichever revision they run."""
        return [
            pod
            for pod in self.pods.values()
            if not (pod["metadata"].get("deletionTimestamp") or revisions.pod_ended(pod))
        ]

    def diagnosed(self) -> list[Mapping[str, Any]]:
        """The same: no more of them may get ready, whatever ended before."""
        return self.pods_of_target()

    def stuck_pod(self, _now: datetime) -> Mapping[str, Any] | None:
        """None: no pod is taken away for a number's sake."""
        return None

    def _moved(self) -> str:
        """What somebody else made of the workload meanwhile."""
        if revisions.bare_template(self.workload["spec"]["template"]) != self._written:
            return "the template was changed by somebody else"
        present = rollout.desired_replicas(self.workload)
        if self._exact and present != self._goal:
            return f"the number of replicas was set to {present} by somebody else"
        return ""

    def _refused(self, seconds: float, there: int) -> str:
        """Why pods are not created, once that has stood for a while."""
        failure = rollout.condition(self.workload, "ReplicaFailure")
        told = str(failure.get("message")) if failure.get("status") == "True" else ""
        if not told and self._complaints and there < self._goal:
            told = self._complaints[-1]
        if not told or self._refused_at is None:
            self._refused_at = seconds if told else None
            return ""
        return told if seconds - self._refused_at >= REFUSED_SECONDS else ""
