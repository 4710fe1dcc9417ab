# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a workload's rollout, pods and containers are. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..lines import WARNING
from ..verdict import Status, Verdict
from ..wording import counted, duration
from . import autoscaling, diagnosis, overrides, rollout
from .revisions import pod_ended, pod_is_ready

Object = Mapping[str, Any]

MOST_NAMED = 3
#: A pod's first metrics come with the second scrape of a metrics-server, which is a minute apart at the default.
YOUNG_SECONDS = 120.0
_ROLLOUT: dict[str, Status] = {"done": "pass", "waiting": "unknown", "failed": "fail"}


@dataclass(frozen=True)
class Ending:
    """The last time a container ended, and how often it was restarted in all."""

    pod: str
    container: str
    restarts: int
    reason: str
    exit_code: int | None
    seconds_ago: float | None

    def __str__(self) -> str:
        ago = "at an unknown time" if self.seconds_ago is None else f"{duration(self.seconds_ago)} ago"
        how = f"{self.reason}{'' if self.exit_code is None else f', exit code {self.exit_code}'}"
        return f"{self.container} of {self.pod} {ago} ({how}; {counted(self.restarts, 'restart')})"


def rollout_verdict(workload: Object) -> Verdict:
    """A rollout that is under way makes no service sick, and it cannot be called done yet."""
    state = rollout.judge(workload)
    paused = "; it is paused, edits of its template wait" if workload["spec"].get("paused") else ""
    return Verdict(_ROLLOUT[state.state], state.detail + paused, {"state": state.state, "reason": state.reason})


def pods_verdict(
    workload: Object, pods: Sequence[Object], crash_restarts: int, warnings: Mapping[str, str] | None = None
) -> Verdict:
    """Whether as many pods are ready as there shall be, and why the others are not.

    C(warnings) are the newest warning events by pod name: a probe's own words are there only.
    """
    wanted = rollout.desired_replicas(workload)
    alive = [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]
    ready = sorted(pod["metadata"]["name"] for pod in alive if pod_is_ready(pod))
    # One that ended was replaced: it says something only where its replacements do not get ready.
    failing = len(ready) < wanted
    telling = [pod for pod in alive if not pod_ended(pod) or (failing and not diagnosis.of_the_node(pod))]
    reasons: dict[str, str] = {}
    fatal = []
    for pod in telling:
        name = pod["metadata"]["name"]
        found = diagnosis.diagnose(pod, crash_restarts)
        fatal += [finding for finding in found if finding.fatal]
        if name not in ready or any(finding.fatal for finding in found):
            reasons[name] = _why(pod, found, (warnings or {}).get(name, ""))
    evidence = {"wanted": wanted, "ready": ready, "not_ready": reasons, "terminating": len(pods) - len(alive)}
    words = f"{len(ready)} of {wanted} ready"
    if reasons:
        words += f": {_first(reasons.values())}"
    if wanted == 0:
        return Verdict("fail", "it is scaled to 0: nothing serves", evidence)
    return Verdict("fail" if failing or fatal else "pass", words, evidence)


def restarts_verdict(pods: Iterable[Object], now: datetime, recent_seconds: float) -> Verdict:
    """Restarts and out-of-memory kills: those of the last C(recent_seconds) fail, older ones are told."""
    endings = sorted(_endings(pods, now), key=lambda each: _age(each.seconds_ago))
    recent = [each for each in endings if _age(each.seconds_ago) < recent_seconds]
    killed = [each for each in endings if each.reason == "OOMKilled"]
    evidence = {"endings": [each.__dict__ for each in endings[:20]], "restarts": sum(each.restarts for each in endings)}
    if recent:
        of_memory = [each for each in recent if each.reason == "OOMKilled"]
        what = "killed for memory" if of_memory else "restarted"
        return Verdict(
            "fail",
            f"{counted(len(recent), 'container')} ended in the last {duration(recent_seconds)}, "
            f"{what}: {_first(map(str, of_memory or recent))}",
            evidence,
        )
    if endings:
        return Verdict(
            "pass", f"{WARNING}{'killed for memory' if killed else 'restarted'}: {(killed or endings)[0]}", evidence
        )
    return Verdict("pass", "none", evidence)


def autoscaling_verdict(found: autoscaling.Found, workload: Object, youngest_seconds: float = YOUNG_SECONDS) -> Verdict:
    """What scales it by itself, and what keeps that from scaling by load.

    Of pods as young as C(YOUNG_SECONDS) the metrics API may have nothing yet, which is no failure.
    """
    described = autoscaling.describe(found, workload["spec"]["template"])
    unread = "; ".join(found.unread)
    if described is None:
        # A cluster without KEDA refuses its kind in the words for a right that is missing.
        hidden = [each for each in found.unread if each.startswith("horizontalpodautoscalers ")]
        return Verdict("unknown", hidden[0]) if hidden else Verdict("pass", "nothing scales it by itself")
    evidence = described.as_result()
    if described.problems:
        waits = all(each.startswith("it has no metrics") for each in described.problems)
        if waits and youngest_seconds < YOUNG_SECONDS:
            return Verdict("unknown", f"{described}; a pod is {duration(youngest_seconds)} old", evidence)
        return Verdict("fail", str(described), evidence)
    words = f"{described}{f'; {unread}' if unread else ''}"
    return Verdict("pass", f"{WARNING if described.limited else ''}{words}", evidence)


def overrides_verdict(entries: Iterable[Object], now: datetime) -> Verdict:
    """Every temporary override of the number of pods; one whose time is over waits for its return."""
    listed = overrides.listed(entries, now)
    if not listed:
        return Verdict("pass", "none")
    due = any(each["due"] for each in listed)
    return Verdict(
        "pass", (WARNING if due else "") + "; ".join(each["sentence"] for each in listed), {"overrides": listed}
    )


def youngest_seconds(pods: Iterable[Object], now: datetime) -> float:
    """How old the youngest pod is; without pods, infinitely."""
    made = (datetime.fromisoformat(pod["metadata"]["creationTimestamp"]) for pod in pods)
    return min(((now - each).total_seconds() for each in made), default=float("inf"))


def _endings(pods: Iterable[Object], now: datetime) -> Iterator[Ending]:
    for pod in pods:
        status = pod.get("status") or {}
        for container in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
            present = (container.get("state") or {}).get("terminated") or {}
            last = present or (container.get("lastState") or {}).get("terminated") or {}
            restarts = int(container.get("restartCount") or 0)
            if not restarts and (not present or present.get("exitCode") == 0):
                continue
            ended = last.get("finishedAt")
            yield Ending(
                pod["metadata"]["name"],
                container["name"],
                restarts,
                str(last.get("reason") or "reason not kept"),
                last.get("exitCode"),
                max(0.0, (now - datetime.fromisoformat(ended)).total_seconds()) if ended else None,
            )


def _age(seconds: float | None) -> float:
    """An ending that kubelet no longer knows is older than all that it knows."""
    return float("inf") if seconds is None else seconds


def _why(pod: Object, found: Sequence[diagnosis.Finding], warning: str) -> str:
    """The first finding in words; where only its probe keeps a pod from being ready, what the probe said."""
    name = pod["metadata"]["name"]
    if not found:
        said = f": {warning}" if warning else ", and its containers say no reason"
        return f"pod {name} is not ready{said}"
    first = found[0]
    if first.reason == "NotReady":
        probe = diagnosis.readiness_probe(pod, first.container) or "its readiness"
        return f"pod {name}, container {first.container}, waits for {probe}{f': {warning}' if warning else ''}"
    return str(first)


def _first(sentences: Iterable[str]) -> str:
    """The first few sentences, and how many more there are."""
    listed = list(sentences)
    more = f"; and {len(listed) - MOST_NAMED} more" if len(listed) > MOST_NAMED else ""
    return "; ".join(listed[:MOST_NAMED]) + more
