# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Planning a restart: whether it is due, what stands against it, how many pods come and go at a time. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from ..confirmation import unconfirmed
from ..errors import Fault, OperatorError
from ..wording import typed_seconds
from . import diagnosis, planning, revisions, rollout
from .planning import Change
from .revisions import Object, Revision

KEY = revisions.RESTART_KEY
STARTED = revisions.RESTART_STARTED

Method = Literal["rollout", "evict"]

_KEY = re.compile(r"[^\x00-\x1f\x7f]{1,128}")


@dataclass(frozen=True)
class Wish:
    """What the operator asked for. C(not_before) is a moment: pods created since then are left alone."""

    key: str
    method: Method = "rollout"
    not_before: datetime | None = None
    confirm: str = ""


@dataclass(frozen=True)
class Pace:
    """How many pods a restart adds at the same time, and how many may be down at the same time."""

    surge: int
    down: int


@dataclass(frozen=True)
class Restart(Change):
    """A restart: the change that begins it (none where it has begun or is not due), and what to know about it."""

    #: Names of the pods that are to be restarted.
    due: list[str] = field(default_factory=list)
    #: For evictions: pods created since then are not due.
    since: datetime | None = None
    surge_pods: int = 0
    warnings: list[str] = field(default_factory=list)
    #: Why nothing is to be done, empty where something is.
    settled: str = ""

    @property
    def acts(self) -> bool:
        """Whether there is anything to do: something to write, or evictions of an earlier run to go on with."""
        return bool(self.patch or self.due)


def moment(text: str, now: datetime) -> datetime | None:
    """The moment that C(not_before) means: a time with its zone, or as long ago as a duration such as C(30m).

    Raises C(OperatorError) for anything else.
    """
    if not text:
        return None
    if (ago := typed_seconds(text)) is not None:
        return now - timedelta(seconds=ago)
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        parsed = None
    if parsed is None or parsed.tzinfo is None:
        wrong = "has no time zone" if parsed else "is neither a time nor a duration"
    elif parsed > now:
        wrong = "lies in the future"
    else:
        return parsed
    raise OperatorError(
        Fault(
            "not_before_invalid",
            f"not_before={text} {wrong}.",
            "Give a past moment such as 2026-03-05T09:00:00Z, or a duration such as 30m, 2h or 1d: "
            "pods younger than that are left alone.",
        )
    )


def input_faults(key: str, not_before: str) -> list[Fault]:
    """What is wrong with the words themselves; needs no cluster."""
    faults = []
    if not _KEY.fullmatch(key):
        faults.append(
            Fault(
                "key_invalid",
                "key= is empty, longer than 128 characters, or has control characters.",
                "Give the incident's name, such as -e key=INC-123.",
            )
        )
    try:
        moment(not_before, datetime.now(UTC))
    except OperatorError as fault:
        faults += fault.faults
    return faults


def plan(
    workload: Object,
    known: Sequence[Revision],
    pods: Sequence[Object],
    wish: Wish,
    now: datetime,
    crash_restarts: int = 2,
) -> Restart:
    """Plan a restart, or raise C(OperatorError) with every reason that forbids it. C(now) is the cluster's clock."""
    source = revisions.active_revision(known)
    alike = begun(workload, wish.method) == wish.key
    until = _until(workload, wish, alike, now)
    due = [pod for pod in alive(pods) if until is None or created(pod) < until]
    faults = [planning.paused(workload, "a restart"), _nothing(workload), _other_method(workload, wish)]
    if not alike or (wish.method == "evict" and due):
        faults.append(_under_way(workload, source, pods, crash_restarts))
    if not alike:
        faults += [_no_effect(workload, wish), _outage(workload, wish)]
    if standing := [fault for fault in faults if fault]:
        raise OperatorError(standing, revisions=[revision.as_result() for revision in known])
    settled = _settled(wish, alike, len(due), len(alive(pods)))
    patch: list[dict[str, Any]] = []
    if not settled and not alike:
        patch = _beginning(workload, wish, now)
    return Restart(
        source,
        None if patch and wish.method == "rollout" else source,
        patch,
        # A rolling restart cannot leave out single pods.
        due=[] if settled else [pod["metadata"]["name"] for pod in (due if wish.method == "evict" else alive(pods))],
        since=until,
        surge_pods=pace(workload, wish.method).surge,
        warnings=_notes(workload, wish, pods),
        settled=settled,
    )


def template(workload: Object, key: str, now: datetime) -> dict[str, Any]:
    """The pod template that restarts: C(kubectl rollout restart)'s annotation, and the key beside it."""
    bare = revisions.bare_template(workload["spec"]["template"])
    annotations = bare["metadata"].get("annotations") or {}
    marked = {**annotations, revisions.RESTARTED_AT: _text(now), KEY: key}
    return {**bare, "metadata": {**bare["metadata"], "annotations": marked}}


def alive(pods: Iterable[Object]) -> list[Object]:
    """The pods that run or are to run: neither on their way out nor ended for good."""
    return [
        pod
        for pod in pods
        if not pod["metadata"].get("deletionTimestamp")
        and (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")
    ]


def pace(workload: Object, method: Method) -> Pace:
    """How many pods come and go at the same time.

    Percentages are rounded as the controllers round them: of a Deployment surge up and unavailable down, of the others
    both up; and where both are 0, one pod is down (kubernetes/kubernetes:pkg/controller/deployment/util/
    deployment_util.go, ResolveFenceposts; pkg/controller/daemon/util/daemonset_util.go).
    """
    wanted = rollout.desired_replicas(workload)
    if method == "evict":
        return Pace(0, 1)
    if workload["kind"] == "Deployment":
        strategy = workload["spec"].get("strategy") or {}
        if strategy.get("type") == "Recreate":
            return Pace(0, wanted)
        rolling = strategy.get("rollingUpdate") or {}
        surge = _scaled(rolling.get("maxSurge", "25%"), wanted, math.ceil)
        down = _scaled(rolling.get("maxUnavailable", "25%"), wanted, math.floor)
        return Pace(min(surge, wanted), down if surge or down else 1)
    rolling = (workload["spec"].get("updateStrategy") or {}).get("rollingUpdate") or {}
    surge = _scaled(rolling.get("maxSurge", 0), wanted, math.ceil) if workload["kind"] == "DaemonSet" else 0
    down = _scaled(rolling.get("maxUnavailable", 1), wanted, math.ceil)
    return Pace(min(surge, wanted), down if surge else max(down, 1))


def created(entry: Object) -> datetime:
    """When an object was created, to the second."""
    return datetime.fromisoformat(entry["metadata"]["creationTimestamp"])


def under_way(workload: Object, active: Revision | None, pods: Sequence[Object], crash_restarts: int) -> str:
    """What a rollout that somebody else began still waits for, empty if there is none.

    Pods that fail after their rollout was done, or that fail for good and have no others beside them, are no rollout:
    they are what a restart is for.
    """
    state = rollout.judge(workload)
    if int(workload["metadata"].get("generation") or 0) > _observed(workload) or active is None:
        return state.detail if state.state == "waiting" else "its controller has not made its revision yet"
    if state.state == "done" or _on_delete(workload):
        return ""
    mine = revisions.pods_of(active, pods)
    partition = int((_strategy(workload).get("rollingUpdate") or {}).get("partition") or 0)
    others = [pod for pod in alive(pods) if pod not in mine]
    if len(others) > min(partition, rollout.desired_replicas(workload)):
        return state.detail
    if state.state == "failed" or _was_done(workload, partition):
        return ""
    telling = [pod for pod in mine if not diagnosis.of_the_node(pod)]
    findings = [each for pod in telling for each in diagnosis.diagnose(pod, crash_restarts)]
    return "" if diagnosis.first_fatal(findings) else state.detail


def _was_done(workload: Object, partition: int) -> bool:
    """Whether the rollout of the present template was complete once.

    A Deployment's controller keeps saying so while no pod of another revision is there; a StatefulSet's current
    revision follows the update revision once all of its pods were ready. A DaemonSet's controller, and one with a
    partition, keep nothing; all pods that are to run the template do.
    """
    if workload["kind"] == "Deployment":
        return rollout.condition(workload, "Progressing").get("reason") in (None, "NewReplicaSetAvailable")
    status = workload.get("status") or {}
    if workload["kind"] == "DaemonSet" or partition:
        return True
    return bool(status.get("updateRevision") == status.get("currentRevision"))


def begun(workload: Object, method: Method) -> str:
    """The key of the newest restart by this method, empty if there is none."""
    holder = workload["spec"]["template"].get("metadata") or {} if method == "rollout" else workload["metadata"]
    return str((holder.get("annotations") or {}).get(KEY, ""))


def started(workload: Object) -> datetime | None:
    """Since when its pods are evicted, none if they are not, or if that is not readable."""
    try:
        return datetime.fromisoformat((workload["metadata"].get("annotations") or {})[STARTED])
    except (KeyError, ValueError):
        return None


def _notes(workload: Object, wish: Wish, pods: Sequence[Object]) -> list[str]:
    """What to know besides. Whether nodes have room is known only where a pod finds none now; autoscalers add nodes."""
    notes = rollout.strategy_notes(workload) if wish.method == "rollout" else []
    waiting = [each for pod in alive(pods) for each in diagnosis.diagnose(pod, 1) if each.reason == "Unschedulable"]
    return notes + [
        f"Pod {each.pod} finds no node now ({each.message}), so new pods may have to wait for one."
        for each in waiting[:1]
    ]


def _until(workload: Object, wish: Wish, alike: bool, now: datetime) -> datetime | None:
    """Pods created before this moment are due, all of them where there is none.

    Kubernetes keeps whole seconds: a replacement may be created in the second in which the restart began.
    """
    begin = (started(workload) if alike else None) or now.replace(microsecond=0)
    moments = [wish.not_before, begin if wish.method == "evict" else None]
    return min((each for each in moments if each), default=None)


def _settled(wish: Wish, alike: bool, due: int, pods: int) -> str:
    """Why there is nothing to do, empty if there is."""
    if alike and (wish.method == "rollout" or not due):
        return f"key {wish.key} was restarted already"
    if not due and wish.method == "evict" and not pods:
        return "there is no pod to evict"
    return f"all {pods} pods are younger than not_before" if pods and not due else ""


def _beginning(workload: Object, wish: Wish, now: datetime) -> list[dict[str, Any]]:
    """The patch that begins it on exactly this state: a new template, or key and start on the workload."""
    if wish.method == "rollout":
        return planning.template_patch(workload, template(workload, wish.key, now))
    metadata = workload["metadata"]
    annotations = {**(metadata.get("annotations") or {}), KEY: wish.key, STARTED: _text(now)}
    return [
        {"op": "replace", "path": "/metadata/resourceVersion", "value": metadata["resourceVersion"]},
        {"op": "add", "path": "/metadata/annotations", "value": annotations},
    ]


def _nothing(workload: Object) -> Fault | None:
    if rollout.desired_replicas(workload) > 0:
        return None
    return Fault("scaled_to_zero", f"{_name(workload)} shall have 0 pods: there is nothing to restart.", "Scale it up.")


def _other_method(workload: Object, wish: Wish) -> Fault | None:
    other: Method = "evict" if wish.method == "rollout" else "rollout"
    if begun(workload, other) != wish.key or begun(workload, wish.method) == wish.key:
        return None
    return Fault(
        "key_used",
        f"Key {wish.key} stands for a restart of {_name(workload)} by method={other}.",
        f"Press with method={other} to see that one through, or give another key.",
    )


def _under_way(workload: Object, source: Revision | None, pods: Sequence[Object], crash_restarts: int) -> Fault | None:
    waits = under_way(workload, source, pods, crash_restarts)
    if not waits:
        return None
    key = begun(workload, "rollout")
    own = f" If it is the restart with key {key}, see it through with -e key={key}." if key else ""
    return Fault(
        "rollout_in_progress",
        f"A rollout of {_name(workload)} is in progress: {waits}.",
        f"Wait for it, or press rollback if it does not get on.{own}",
    )


def _no_effect(workload: Object, wish: Wish) -> Fault | None:
    """The fault of a strategy that keeps a rolling restart from touching any pod."""
    if wish.method != "rollout":
        return None
    partition = int((_strategy(workload).get("rollingUpdate") or {}).get("partition") or 0)
    if _on_delete(workload):
        why = "its update strategy is OnDelete"
    elif partition and partition >= rollout.desired_replicas(workload):
        why = f"its partition is {partition}"
    else:
        return None
    return Fault(
        "strategy_holds_back",
        f"A rolling restart of {_name(workload)} would restart no pod: {why}.",
        "Press with -e method=evict, which restarts them one by one.",
    )


def _outage(workload: Object, wish: Wish) -> Fault | None:
    """The fault of a restart that takes all pods down, unless the workload's name confirms it."""
    wanted = rollout.desired_replicas(workload)
    if wanted == 0 or pace(workload, wish.method).down < wanted:
        return None
    how = "its only pod" if wanted == 1 else f"all {wanted} pods at the same time"
    name = workload["metadata"]["name"]
    act = f"A restart of {_name(workload)} by method={wish.method} would take {how} down, an outage"
    return unconfirmed(wish.confirm, name, act)


def _scaled(value: Any, wanted: int, whole: Any) -> int:
    """A number, or a percentage of the wanted pods."""
    return int(whole(int(str(value)[:-1]) * wanted / 100)) if str(value).endswith("%") else int(value)


def _strategy(workload: Object) -> Mapping[str, Any]:
    return workload["spec"].get("updateStrategy") or {}


def _on_delete(workload: Object) -> bool:
    return _strategy(workload).get("type") == "OnDelete"


def _observed(workload: Object) -> int:
    return int((workload.get("status") or {}).get("observedGeneration") or 0)


def _name(workload: Object) -> str:
    return f"{workload['kind']} {workload['metadata']['name']}"


def _text(at: datetime) -> str:
    """A moment as Kubernetes spells it, to the second."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
