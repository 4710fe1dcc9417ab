# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What scales a workload by itself, a HorizontalPodAutoscaler or KEDA's ScaledObject, and how that does.

Conditions and their reasons are the controller's (kubernetes/kubernetes:pkg/controller/podautoscaler/horizontal.go),
a ScaledObject's defaults KEDA's (https://keda.sh/docs/latest/reference/scaledobject-spec/).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from . import overrides, paths
from .client import ApiFault, Cluster

#: How long a HorizontalPodAutoscaler remembers what load needed before it scales down, where it does not say itself.
STABILISATION_SECONDS = 300
KEDA_MINIMUM, KEDA_MAXIMUM = 0, 100

Object = Mapping[str, Any]


@dataclass(frozen=True)
class Metric:
    """One metric of a HorizontalPodAutoscaler; C(current) is empty where it has no value."""

    name: str
    current: str
    target: str

    def __str__(self) -> str:
        return f"{self.name} {self.current or 'unknown'} of {self.target}"


@dataclass(frozen=True)
class Autoscaler:
    """What scales a workload: C(kind) and C(name) of the object that people edit, which is KEDA's where there is one.

    C(problems) are sentences about what keeps it from scaling by load, C(limited) that it stands at its maximum.
    """

    kind: str
    name: str
    minimum: int
    maximum: int
    current: int | None
    desired: int | None
    stabilisation_seconds: int
    scales_down: bool = True
    metrics: list[Metric] = field(default_factory=list)
    conditions: dict[str, dict[str, str]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    limited: str = ""

    def __str__(self) -> str:
        counts = f"{'?' if self.current is None else self.current} pods"
        if self.desired is not None and self.desired != self.current:
            counts += f", wants {self.desired}"
        parts = [f"{self.kind} {self.name}: {self.minimum} to {self.maximum}, {counts}", *map(str, self.metrics)]
        return "; ".join([*parts, *([self.limited] if self.limited else []), *self.problems])

    def as_result(self) -> dict[str, Any]:
        """The autoscaler as modules return it."""
        return {
            "kind": self.kind,
            "name": self.name,
            "minimum": self.minimum,
            "maximum": self.maximum,
            "current": self.current,
            "desired": self.desired,
            "metrics": [vars(metric) for metric in self.metrics],
            "conditions": self.conditions,
            "problems": self.problems,
            "limited": self.limited,
            "sentence": str(self),
        }


@dataclass(frozen=True)
class Found:
    """The objects that scale a workload, as they are; C(unread) says which kind may not be read, and why."""

    horizontal: list[dict[str, Any]] = field(default_factory=list)
    scaled_objects: list[dict[str, Any]] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)

    @property
    def entry(self) -> dict[str, Any] | None:
        """The object that people edit: KEDA owns the HorizontalPodAutoscaler that it makes."""
        return next(iter([*self.scaled_objects, *self.horizontal]), None)

    @property
    def entries(self) -> list[dict[str, Any]]:
        """All that may bear an override."""
        return [*self.scaled_objects, *self.horizontal]


def read(cluster: Cluster, workload: Object) -> Found:
    """Two lists of the namespace. Without KEDA's definition there are no ScaledObjects; what may not be read is said,
    since the API server refuses a kind that it does not have in the same words.
    """
    horizontal, unread = _listed(cluster, workload, "HorizontalPodAutoscaler")
    scaled, hidden = _listed(cluster, workload, "ScaledObject")
    return Found(horizontal, scaled, [*unread, *hidden])


def targets(entry: Object, workload: Object) -> bool:
    """Whether an autoscaler scales this workload; KEDA's reference is to a Deployment unless it says otherwise."""
    reference = (entry.get("spec") or {}).get("scaleTargetRef") or {}
    return (
        reference.get("name") == workload["metadata"]["name"]
        and (reference.get("kind") or "Deployment") == workload["kind"]
        and str(reference.get("apiVersion") or "apps/v1").partition("/")[0] == "apps"
    )


def describe(found: Found, template: Object) -> Autoscaler | None:
    """The autoscaler of a workload with this pod template, C(None) where nothing scales it. Pure."""
    if found.entry is None:
        return None
    horizontal = next(iter(found.horizontal), None)
    described = _describe_horizontal(horizontal, template) if horizontal else None
    if not found.scaled_objects:
        if described and len(found.horizontal) > 1:
            names = ", ".join(sorted(each["metadata"]["name"] for each in found.horizontal))
            problem = (
                f"{len(found.horizontal)} HorizontalPodAutoscalers scale it ({names}), which work against each other"
            )
            return Autoscaler(**{**vars(described), "problems": [*described.problems, problem]})
        return described
    return _describe_scaled(found.scaled_objects[0], described)


def course(autoscaler: Autoscaler, low: int, high: int, present: int, stopped: bool) -> str:
    """What it does next with these bounds, from the present number of pods or, C(stopped), from none. Pure."""
    who = f"{autoscaler.kind} {autoscaler.name}"
    if stopped:
        return f"{who} stands still until its replicas are set back"
    metrics = f" ({', '.join(map(str, autoscaler.metrics))})" if autoscaler.metrics else ""
    again = "is active again, " if present == 0 else ""
    if present > low:
        if not autoscaler.scales_down:
            return f"{who} never scales down by itself (its scaleDown policy is Disabled), so {present} pods stay"
        return (
            f"{who} takes its {present} pods down to no fewer than {low} when the load allows{metrics}, "
            f"{autoscaler.stabilisation_seconds} s after more were last needed"
        )
    upwards = (
        f"goes up to {high} by load{metrics}" if high > low else f"cannot go beyond that by load: {high} is its maximum"
    )
    return f"{who} {again}keeps at least {low} pods and {upwards}"


def without_cpu_request(template: Object) -> list[str]:
    """Containers that request no CPU, so that the utilisation of their pods is undefined. A limit is a request too."""
    spec = template.get("spec") or {}
    if _cpu(spec.get("resources")):
        return []
    sidecars = [each for each in spec.get("initContainers") or [] if each.get("restartPolicy") == "Always"]
    return [each["name"] for each in [*(spec.get("containers") or []), *sidecars] if not _cpu(each.get("resources"))]


def paused(entry: Object) -> str:
    """The annotation by which KEDA is told to stand still, with its value; empty where there is none."""
    annotations = entry["metadata"].get("annotations") or {}
    for name in (overrides.PAUSED_REPLICAS, overrides.PAUSED):
        if str(annotations.get(name, "false")).lower() != "false":
            return f'{name}: "{annotations[name]}"'
    return ""


def _listed(cluster: Cluster, workload: Object, kind: str) -> tuple[list[dict[str, Any]], list[str]]:
    try:
        found = cluster.items(paths.path(kind, workload["metadata"]["namespace"]))
    except ApiFault as fault:
        if fault.status == 404:
            return [], []
        if fault.status == 403:
            return [], [f"{paths.plural(kind)} may not be read ({fault.message})"]
        raise
    return [{**each, "kind": kind} for each in found if targets(each, workload)], []


def _describe_horizontal(entry: Object, template: Object) -> Autoscaler:
    spec, status = entry["spec"], entry.get("status") or {}
    down = (spec.get("behavior") or {}).get("scaleDown") or {}
    window = down.get("stabilizationWindowSeconds")
    conditions = {
        each["type"]: {
            "status": str(each.get("status")),
            "reason": str(each.get("reason") or ""),
            "message": str(each.get("message") or ""),
        }
        for each in status.get("conditions") or []
    }
    maximum = int(spec["maxReplicas"])
    top = conditions.get("ScalingLimited", {})
    at_maximum = top.get("status") == "True" and top.get("reason") == "TooManyReplicas"
    return Autoscaler(
        kind="HorizontalPodAutoscaler",
        name=entry["metadata"]["name"],
        minimum=int(spec.get("minReplicas") or 1),
        maximum=maximum,
        current=status.get("currentReplicas"),
        desired=status.get("desiredReplicas"),
        stabilisation_seconds=STABILISATION_SECONDS if window is None else int(window),
        scales_down=down.get("selectPolicy") != "Disabled",
        metrics=_metrics(spec.get("metrics") or [], status.get("currentMetrics") or []),
        conditions=conditions,
        problems=[*_impeded(conditions), *_undefined(spec.get("metrics") or [], template)],
        limited=f"it stands at its maximum of {maximum} and wants more" if at_maximum else "",
    )


def _describe_scaled(entry: Object, horizontal: Autoscaler | None) -> Autoscaler:
    spec = entry["spec"]
    low, high = spec.get("minReplicaCount"), spec.get("maxReplicaCount")
    still = paused(entry)
    # A paused ScaledObject has no HorizontalPodAutoscaler, or one that stands still.
    problems = [f"KEDA is paused by {still}"] if still else list(horizontal.problems if horizontal else [])
    conditions: list[Object] = (entry.get("status") or {}).get("conditions") or []
    ready: Object = next((each for each in conditions if each.get("type") == "Ready"), {})
    if ready.get("status") == "False":
        problems.append(f"KEDA calls it not ready: {ready.get('message') or ready.get('reason')}")
    return Autoscaler(
        kind="ScaledObject",
        name=entry["metadata"]["name"],
        minimum=KEDA_MINIMUM if low is None else int(low),
        maximum=KEDA_MAXIMUM if high is None else int(high),
        current=horizontal.current if horizontal else None,
        desired=horizontal.desired if horizontal else None,
        stabilisation_seconds=horizontal.stabilisation_seconds if horizontal else STABILISATION_SECONDS,
        scales_down=horizontal.scales_down if horizontal else True,
        metrics=horizontal.metrics if horizontal else [],
        conditions=horizontal.conditions if horizontal else {},
        problems=problems,
        limited=horizontal.limited if horizontal else "",
    )


def _impeded(conditions: Mapping[str, Mapping[str, str]]) -> list[str]:
    active, able = conditions.get("ScalingActive", {}), conditions.get("AbleToScale", {})
    sentences = []
    if active.get("status") == "False":
        why = f"{active['reason']}: {active['message']}"
        sentences.append(
            f"it is disabled, since the workload has 0 replicas ({why})"
            if active["reason"] == "ScalingDisabled"
            else f"it has no metrics and does not scale by load ({why})"
            if active["reason"].startswith("FailedGet")
            else f"it does not scale ({why})"
        )
    if able.get("status") == "False":
        sentences.append(f"it cannot scale ({able['reason']}: {able['message']})")
    return sentences


def _undefined(metrics: Sequence[Object], template: Object) -> list[str]:
    by_ratio = any(
        each.get("type") == "Resource"
        and each["resource"]["name"] == "cpu"
        and each["resource"]["target"].get("type") == "Utilization"
        for each in metrics
    )
    lacking = without_cpu_request(template) if by_ratio else []
    if not lacking:
        return []
    return [f"it scales by CPU utilisation, and {', '.join(lacking)} requests no CPU: the utilisation is undefined"]


def _metrics(wanted: Sequence[Object], current: Sequence[Object]) -> list[Metric]:
    values = {_metric_name(each): _value(_source(each).get("current") or {}) for each in current if each.get("type")}
    return [
        Metric(name, values.get(name, ""), _value(_source(each).get("target") or {}))
        for each in wanted
        for name in [_metric_name(each)]
    ]


def _source(metric: Object) -> Object:
    """The part of a metric that its type names: C(Resource) has C(resource), C(ContainerResource) has
    C(containerResource).
    """
    kind = str(metric.get("type"))
    found: Object = metric.get(kind[:1].lower() + kind[1:]) or {}
    return found


def _metric_name(metric: Object) -> str:
    source = _source(metric)
    name = source.get("name") or (source.get("metric") or {}).get("name") or "?"
    told = source.get("container") or (source.get("describedObject") or {}).get("name")
    return f"{name} of {told}" if told else str(name)


def _value(value: Object) -> str:
    """A target or a current value; a ratio of the request comes before the amount that it stands for."""
    if value.get("averageUtilization") is not None:
        return f"{value['averageUtilization']} %"
    return str(value.get("averageValue") or value.get("value") or "")


def _cpu(resources: Object | None) -> bool:
    return any("cpu" in ((resources or {}).get(each) or {}) for each in ("requests", "limits"))
