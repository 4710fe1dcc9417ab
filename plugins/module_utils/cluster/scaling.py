# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Planning how many pods a workload has: which object says it, what that keeps of before, what stands against it. Pure.

Without an autoscaler the workload's own replicas are set. With one its floor is: an autoscaler undoes replicas at its
next look, and disregards nothing above its floor (kubernetes/website: horizontal-pod-autoscale.md).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from ..confirmation import unconfirmed
from ..errors import Fault, OperatorError
from . import autoscaling, overrides, ownership, revisions, rollout
from .autoscaling import Autoscaler, Found
from .overrides import FIELDS, PAUSED, PAUSED_REPLICAS, Override, Settings

MOST_REPLICAS = 1000
MOST_MINUTES = 7 * 24 * 60

Object = Mapping[str, Any]
_WHOLE = re.compile(r"[0-9]{1,6}")
#: What the API server takes a floor for that is not set.
_UNSET = {"HorizontalPodAutoscaler": 1, "ScaledObject": autoscaling.KEDA_MINIMUM, "Deployment": 1, "StatefulSet": 1}


@dataclass(frozen=True)
class Wish:
    """What the operator asked for; C(minutes) is C(None) where no expiry was named and 0 for none."""

    state: str = "present"
    replicas: int | None = None
    minutes: int | None = None
    raise_max: bool = False
    confirm: str = ""


@dataclass(frozen=True)
class Author:
    """Who an override says it is from."""

    operator: str = ""
    run: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Step:
    """One object, as it was read, with what it is to say, and the override that it then bears."""

    entry: Object
    wanted: Settings
    override: Override | None

    @property
    def changed(self) -> bool:
        """Whether there is anything to write."""
        return self.wanted != overrides.settings(self.entry) or self.override != overrides.of(self.entry)

    @property
    def patch(self) -> list[dict[str, Any]]:
        """The patch, on exactly the state that was read."""
        return overrides.patch(self.entry, self.wanted, self.override)

    def __str__(self) -> str:
        present = overrides.settings(self.entry)
        moves = [
            f"{overrides.shown(name, present[name])} -> {'unset' if value is None else value}"
            for name, value in self.wanted.items()
            if value != present[name]
        ]
        return f"{self.entry['kind']} {self.entry['metadata']['name']}: {', '.join(moves) or 'another expiry'}"


@dataclass(frozen=True)
class Plan:
    """The steps that change something, and the pods to wait for: exactly C(goal) of them, or with an autoscaler at
    least so many; C(None) where there is nothing to wait for.
    """

    steps: list[Step]
    goal: int | None
    exact: bool
    forecast: str = ""
    warnings: list[str] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        """Whether anything is written."""
        return bool(self.steps)


def wish(params: Mapping[str, Any]) -> tuple[Wish, list[Fault]]:
    """The wish in the operator's words, with every fault of these."""
    faults = []
    state, name = params["state"], params["name"]
    if params["kind"] == "DaemonSet" and state == "present":  # to return, it has nothing
        faults.append(
            Fault(
                "daemonset",
                f"DaemonSet {name} has no replicas: it runs one pod on each node that fits.",
                "Change its node selector or add nodes instead.",
            )
        )
    replicas = _whole(params["replicas"], "replicas", 0, MOST_REPLICAS, faults)
    minutes = _whole(params["for_minutes"], "for_minutes", 0, MOST_MINUTES, faults)
    if state == "present" and _given(params["replicas"]) is None:
        faults.append(
            Fault("replicas_missing", "How many pods are wanted is not said.", "Give -e replicas=NUMBER, or a state.")
        )
    faults += [
        Fault(
            "wish_ambiguous",
            f"Both state={state} and {option}= were given.",
            f"Leave {option} out: state={state} brings the old values back.",
        )
        for option in ("replicas", "for_minutes")
        if state != "present" and _given(params[option]) is not None
    ]
    return Wish(state, replicas, minutes, params["raise_max"], params["confirm"] or ""), faults


def plan(workload: Object, found: Found, asked: Wish, now: datetime, author: Author) -> Plan:
    """Plan on this state of the workload and its autoscaler, or raise C(OperatorError) with all that forbids it."""
    if faults := _unknown(workload, found):
        raise OperatorError(faults)
    autoscaler = autoscaling.describe(found, workload["spec"]["template"])
    if asked.state != "present":
        return _back(workload, found, autoscaler, asked, now)
    keeper = _Keeper(asked, now, author)
    steps, faults = _to(workload, found, keeper) if asked.replicas else _to_nothing(workload, found, autoscaler, keeper)
    faults += _paused(found, steps, asked)
    if faults:
        raise OperatorError(faults)
    steps = [step for step in steps if step.changed]
    count = asked.replicas or 0
    return Plan(
        steps,
        count,
        exact=found.entry is None or count == 0,
        forecast=_forecast(autoscaler, found, steps, workload, count),
        warnings=_warnings(workload, found, steps, asked),
    )


def added(pods: Sequence[Object], planned: Plan) -> int:
    """How many pods more than there are now."""
    standing = [pod for pod in pods if not (pod["metadata"].get("deletionTimestamp") or revisions.pod_ended(pod))]
    return max(0, (planned.goal or 0) - len(standing))


def removes(workload: Object, planned: Plan) -> int | None:
    """The number of pods that a plan takes pods away down to, C(None) if it takes none away itself. Down to none is not
    a matter of load, and an autoscaler keeps what load needs.
    """
    goal = planned.goal
    if not planned.changed or not planned.exact or not goal or goal >= rollout.desired_replicas(workload):
        return None
    return goal


def regardless(asked: Wish, forced: bool) -> str:
    """Why pods are taken away whatever the load, empty where they are not: a return was promised with its override."""
    return "by force" if forced else "" if asked.state == "present" else "as it stood before"


def _given(value: Any) -> str | None:
    text = "" if value is None else str(value).strip()
    return text or None


def _whole(value: Any, name: str, least: int, most: int, faults: list[Fault]) -> int | None:
    text = _given(value)
    if text is None:
        return None
    if not _WHOLE.fullmatch(text) or not least <= int(text) <= most:
        faults.append(
            Fault(f"{name}_invalid", f"{name}={text} will not do.", f"Give a whole number from {least} to {most}.")
        )
        return None
    return int(text)


def _unknown(workload: Object, found: Found) -> list[Fault]:
    """The faults of not knowing who says how many pods there are."""
    name = workload["metadata"]["name"]
    owned = any(
        owner.get("kind") == "ScaledObject"
        for each in found.horizontal
        for owner in each["metadata"].get("ownerReferences") or []
    )
    hidden = [each for each in found.unread if owned or not each.startswith("scaledobjects")]
    if hidden:
        return [
            Fault(
                "autoscaler_unread",
                f"What scales {name} by itself is not known: {'; '.join(hidden)}.",
                "Ask for the right to list it (docs/permissions.md).",
            )
        ]
    if len(found.horizontal) > 1:
        names = ", ".join(sorted(each["metadata"]["name"] for each in found.horizontal))
        return [
            Fault(
                "autoscalers_many",
                f"{len(found.horizontal)} HorizontalPodAutoscalers scale {name} and work against each other: {names}.",
                "Delete all but one.",
            )
        ]
    return []


@dataclass(frozen=True)
class _Keeper:
    """Makes steps that keep what stood before them."""

    asked: Wish
    now: datetime
    author: Author

    def step(self, entry: Object, wanted: Settings) -> Step:
        """A step whose override keeps the first old values, and the expiry; none where these are what is wanted."""
        present, standing = overrides.settings(entry), _standing(entry)
        old = standing.old if standing else present
        if wanted == old:
            return Step(entry, wanted, None)
        minutes = self.asked.minutes
        if standing and wanted == present and not _renewed(standing, minutes, self.now):
            return Step(entry, wanted, standing)
        until = ""
        if minutes:
            until = (self.now + timedelta(minutes=minutes)).isoformat(timespec="seconds")
        elif minutes is None and standing and not standing.due(self.now):
            minutes, until = standing.minutes, standing.until
        since = standing.since if standing else self.now.isoformat(timespec="seconds")
        return Step(entry, wanted, Override(old, wanted, since, until, minutes or 0, **vars(self.author)))


def _to(workload: Object, found: Found, keeper: _Keeper) -> tuple[list[Step], list[Fault]]:
    """Steps to a number of pods above 0: the floor first, and then the pods at once, which the floor makes safe."""
    count = keeper.asked.replicas or 0
    dial = found.entry or workload
    present, standing = overrides.settings(dial), _standing(dial)
    floor, *others = FIELDS[dial["kind"]]
    wanted = dict(present)
    if _number(dial, present[floor]) != count:
        wanted[floor] = count
    if standing and count == _number(dial, standing.old.get(floor)):
        wanted[floor] = standing.old.get(floor)
    for other in others:  # what an override set for the number that it had is not for this one
        if standing and present[other] == standing.new.get(other):
            wanted[other] = standing.old.get(other)
    if others and count > _maximum(dial, wanted):
        wanted[others[0]] = present[others[0]]
    if others and count > _maximum(dial, wanted):
        if not keeper.asked.raise_max:
            return [], [_beyond(dial, count, _maximum(dial, wanted))]
        wanted[others[0]] = count
    first = keeper.step(dial, wanted)
    if dial is workload or rollout.desired_replicas(workload) >= count:
        return [first], []
    return [first, Step(workload, {"replicas": count}, None)], []


def _to_nothing(
    workload: Object, found: Found, autoscaler: Autoscaler | None, keeper: _Keeper
) -> tuple[list[Step], list[Fault]]:
    """Steps to no pods at all; KEDA is paused first, a HorizontalPodAutoscaler is disabled by it."""
    name = workload["metadata"]["name"]
    steps = [keeper.step(workload, {"replicas": 0})]
    told = f"replicas=0 stops every pod of {name}, so that nobody is served"
    if found.scaled_objects:
        dial = found.scaled_objects[0]
        steps.insert(0, keeper.step(dial, {**overrides.settings(dial), PAUSED_REPLICAS: "0"}))
        told += f", and pauses KEDA's ScaledObject {dial['metadata']['name']}"
    elif autoscaler:
        told += (
            f", and disables its HorizontalPodAutoscaler {autoscaler.name} (ScalingActive=False, ScalingDisabled) "
            "until its replicas are set back by hand"
        )
    stands = rollout.desired_replicas(workload) == 0
    fault = None if stands else unconfirmed(keeper.asked.confirm, name, told)
    return steps, [fault] if fault else []


def _back(workload: Object, found: Found, autoscaler: Autoscaler | None, asked: Wish, now: datetime) -> Plan:
    """The plan that ends overrides: all, or those that are due."""
    steps, kept = [], []
    for entry in [*found.entries, workload]:
        override, present = overrides.of(entry), overrides.settings(entry)
        if override and (asked.state == "returned" or override.due(now)):
            steps.append(Step(entry, overrides.returned(entry, override), None))
            kept += [
                f"{overrides.shown(name, present[name])} of {entry['kind']} {entry['metadata']['name']} was set by "
                "somebody after its override, and stays."
                for name, value in override.new.items()
                if present[name] != value
            ]
    own = next((step for step in steps if step.entry is workload), None)
    goal = _number(workload, own.wanted["replicas"]) if own else None
    forecast = _forecast(autoscaler, found, steps, workload, goal) if steps else ""
    return Plan(steps, goal, exact=found.entry is None or goal == 0, forecast=forecast, warnings=kept)


def _renewed(standing: Override, minutes: int | None, now: datetime) -> bool:
    """Whether the expiry moves: another one is asked for, or the same again after it was due. The same one asked for
    twice is one.
    """
    return minutes is not None and (minutes != standing.minutes or standing.due(now))


def _standing(entry: Object) -> Override | None:
    """The override that still holds at least one of the fields it changed."""
    override = overrides.of(entry)
    present = overrides.settings(entry)
    if override is None:
        return None
    changed = [name for name in override.new if override.old.get(name) != override.new[name]]
    return override if any(present[name] == override.new[name] for name in changed) else None


def _paused(found: Found, steps: Sequence[Step], asked: Wish) -> list[Fault]:
    """The fault of a pause of KEDA that is not ours to end."""
    for entry in found.scaled_objects:
        annotations = entry["metadata"].get("annotations") or {}
        wanted = next((step.wanted for step in steps if step.entry is entry), overrides.settings(entry))
        held = wanted[PAUSED_REPLICAS] if asked.replicas else annotations.get(PAUSED_REPLICAS) not in (None, "0")
        if held or str(annotations.get(PAUSED, "false")).lower() != "false":
            return [
                Fault(
                    "keda_paused",
                    f"Somebody paused ScaledObject {entry['metadata']['name']} by {autoscaling.paused(entry)}.",
                    "Find out why, take the annotation away, and press again.",
                )
            ]
    return []


def _beyond(dial: Object, count: int, maximum: int) -> Fault:
    name = f"{dial['kind']} {dial['metadata']['name']}"
    return Fault(
        "beyond_maximum",
        f"replicas={count} is more than the maximum of {name}, which is {maximum}.",
        f"Give at most {maximum}, or -e raise_max=true to raise its maximum as well.",
    )


def _number(entry: Object, value: Any) -> int:
    return _UNSET[entry["kind"]] if value is None else int(value)


def _maximum(dial: Object, wanted: Settings) -> int:
    value = wanted[FIELDS[dial["kind"]][1]]
    return autoscaling.KEDA_MAXIMUM if value is None else int(value)


def _warnings(workload: Object, found: Found, steps: Sequence[Step], asked: Wish) -> list[str]:
    warnings = [f"{sentence}." for step in steps for sentence in ownership.resetters(step.entry, step.wanted)]
    if steps and workload["spec"].get("paused"):
        warnings.append("Its rollouts are paused; pods are scaled in proportion to the revisions that run.")
    if not steps and asked.minutes and not any(_standing(entry) for entry in [*found.entries, workload]):
        warnings.append("for_minutes has no effect: it has that number by itself, so there is nothing to return.")
    return warnings


def _forecast(
    autoscaler: Autoscaler | None, found: Found, steps: Sequence[Step], workload: Object, count: int | None
) -> str:
    """What happens next without anybody's doing: what the autoscaler does, and when the old values return."""
    sentences = []
    dial = found.entry
    if autoscaler and dial:
        wanted = next((step.wanted for step in steps if step.entry is dial), overrides.settings(dial))
        low, high = _number(dial, wanted[FIELDS[dial["kind"]][0]]), _maximum(dial, wanted)
        sentences.append(autoscaling.course(autoscaler, low, high, rollout.desired_replicas(workload), count == 0))
        problems = [each for each in autoscaler.problems if "disabled" not in each and "paused" not in each]
        sentences += [f"mind that {each}" for each in problems]
    written = {step.entry["kind"]: step.override for step in steps}
    standing = [written.get(entry["kind"], overrides.of(entry)) for entry in [*found.entries, workload]]
    for moment in sorted({override.until for override in standing if override}):
        sentences.append(
            f"it is due at {moment}: then scale.yml with state=expired brings the old values back"
            if moment
            else "the old values are kept until somebody presses scale.yml with state=returned"
        )
    return "; ".join(sentences)
