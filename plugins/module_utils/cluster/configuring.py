# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Planning a change of one container's resources and environment: the edited template, what stands against it. Pure."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import Fault, OperatorError
from ..redaction import redact_variable
from ..wording import size
from . import assignments, ownership, quantities, rollout
from .assignments import Source
from .metrics import Usage

#: Where each option stands in a container.
RESOURCES = {
    "memory_limit": ("limits", "memory"),
    "memory_request": ("requests", "memory"),
    "cpu_limit": ("limits", "cpu"),
    "cpu_request": ("requests", "cpu"),
}
REMOVE = "none"
TIGHT_RATIO = 0.9
LONGEST_SHOWN = 80  # characters of a value in a sentence

Container = Mapping[str, Any]
Inherited = Mapping[str, Source]


@dataclass(frozen=True)
class Wish:
    """What the operator asked for; C(annotations) are of the pod template, C(container) is empty for the only one."""

    container: str = ""
    resources: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    references: Mapping[str, Source] = field(default_factory=dict)
    absent: Sequence[str] = ()
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def variables(self) -> list[str]:
        """All variables that are to change."""
        return [*self.environment, *self.references, *self.absent]


@dataclass(frozen=True)
class Edited:
    """A template as it is to be. C(changes) are the settings that differ: before and after, fit to be shown."""

    template: dict[str, Any]
    container: str
    changes: dict[str, tuple[str | None, str | None]]
    warnings: list[str]

    @property
    def sentence(self) -> str:
        """What changes, in one phrase."""
        return ", ".join(_told(name, *values) for name, values in self.changes.items())


def wish(params: Mapping[str, Any]) -> tuple[Wish, list[Fault]]:
    """The wish of a module's arguments, with all that is wrong with the words themselves."""
    resources = {option: params[option].strip() for option in RESOURCES if params[option] and params[option].strip()}
    plain, absent = dict(params["environment"] or {}), list(params["environment_absent"] or [])
    sources = {name: assignments.source(name, given) for name, given in (params["environment_from"] or {}).items()}
    given = [each for each in [*plain, *sources, *absent] if each]
    faults = [quantities.fault(option, text) for option, text in resources.items() if text != REMOVE]
    faults += [each for each in sources.values() if isinstance(each, Fault)]
    faults += [*assignments.name_faults([*plain, *sources, *absent]), *assignments.value_faults(plain)]
    twice = sorted({name for name in given if given.count(name) > 1})
    if twice:
        told = f"{', '.join(twice)} is given more than once: as text, from a source, or as absent."
        faults.append(Fault("variable_ambiguous", told, "Say one thing for each variable."))
    if not resources and not given and not any(faults):
        faults.append(
            Fault(
                "nothing_asked",
                "Nothing is said about what to configure.",
                "Give memory_limit=2Gi, cpu_request=500m, or variable=NAME with value=TEXT; docs/buttons/configure.md "
                "has them all.",
            )
        )
    found = Wish(
        params["container"] or "",
        resources,
        {name: assignments.text(value) or "" for name, value in plain.items()},
        {name: each for name, each in sources.items() if isinstance(each, Source)},
        absent,
    )
    return found, [fault for fault in faults if fault]


def container_of(template: Mapping[str, Any], name: str) -> Container:
    """The container that is meant. Raises C(OperatorError) listing those there are."""
    spec = template["spec"]
    ordinary = spec.get("containers") or []
    if not name and len(ordinary) == 1:
        name = ordinary[0]["name"]
    everyone: list[Container] = [*ordinary, *(spec.get("initContainers") or [])]
    found = next((each for each in everyone if each["name"] == name), None)
    if found is None:
        there = ", ".join(each["name"] for each in everyone)
        raise OperatorError(
            Fault(
                "container_unknown",
                f"There is no container {name}; there are {there}." if name else f"There are containers {there}.",
                "Give container=NAME with one of these, or set workload_container in the inventory.",
            )
        )
    return found


def edit(template: Mapping[str, Any], wished: Wish, inherited: Inherited | None = None) -> Edited:
    """The template as wished, or C(OperatorError) with every reason that forbids it.

    C(inherited) are the variables that the container takes from whole ConfigMaps and Secrets (envFrom).
    """
    edited = copy.deepcopy(dict(template))
    container: dict[str, Any] = container_of(edited, wished.container)  # type: ignore[assignment]  # of our own copy
    before = settings(template, container["name"])
    warnings: list[str] = []
    faults = [
        *_set_resources(container, wished.resources, warnings),
        *_set_variables(container, wished, inherited or {}, warnings),
    ]
    if faults:
        raise OperatorError(faults)
    if wished.annotations:
        metadata = edited.setdefault("metadata", {})
        metadata["annotations"] = {**(metadata.get("annotations") or {}), **wished.annotations}
    after = settings(edited, container["name"])
    changes = {
        name: (_shown(name, before.get(name)), _shown(name, after.get(name)))
        for name in {**before, **after}
        if before.get(name) != after.get(name)
    }
    return Edited(edited, container["name"], changes, warnings)


def settings(template: Mapping[str, Any], name: str) -> dict[str, Any]:
    """All that can be configured of one container, by C(limits.memory), C(env.NAME), C(annotation.NAME)."""
    container = container_of(template, name)
    found: dict[str, Any] = {
        f"{part}.{resource}": amount
        for part in ("limits", "requests")
        for resource, amount in ((container.get("resources") or {}).get(part) or {}).items()
    }
    found |= {f"env.{each['name']}": each.get("valueFrom") or each.get("value", "") for each in _variables(container)}
    annotations = (template.get("metadata") or {}).get("annotations") or {}
    return found | {f"annotation.{key}": value for key, value in annotations.items()}


def reverters(workload: Mapping[str, Any], edited: Edited) -> list[str]:
    """Sentences naming what would bring the old configuration back."""
    sentences = ownership.owners(workload, "the old configuration", "put the change into the release's values")
    try:
        applied = settings(ownership.applied_template(workload), edited.container)
    except (OperatorError, KeyError, TypeError, AttributeError):  # anybody may have edited it
        return sentences
    held = [name for name in edited.changes if name in applied]
    if held:
        sentences.append(
            f"last-applied-configuration holds {', '.join(map(_called, held))}, and the next apply of that manifest "
            "brings the old value back; before that, put the change into the manifest and check with: "
            "kubectl diff -f MANIFEST"
        )
    return sentences


def plan_notes(workload: Mapping[str, Any], edited: Edited) -> list[str]:
    """All that an operator should know before the change is written, one sentence each."""
    notes = [*edited.warnings, *reverters(workload, edited)]
    if state := rollout.in_progress(workload):
        notes.append(f"A rollout is still in progress ({state}); this supersedes it")
    return [f"{note}." for note in notes] + rollout.strategy_notes(workload)


def memory_verdict(edited: Edited, limit: str | None, usages: Iterable[Usage]) -> tuple[Fault | None, str]:
    """The fault of a memory limit below what the container uses now, or a warning of one that is tight."""
    used = [usage for usage in usages if usage.container == edited.container]
    if limit is None or not used:
        return None, ""
    most, allowed = max(used, key=lambda usage: usage.memory_bytes), quantities.value(limit)
    shown = f"container {most.container} of pod {most.pod} uses {size(most.memory_bytes)} now"
    if most.memory_bytes >= allowed:
        return Fault(
            "limit_below_use",
            f"memory_limit={limit} is below what is used: {shown}, so new pods may be killed again and again.",
            "Give more than that, or, if the use will be less after a restart, press with -e force=true.",
        ), ""
    if most.memory_bytes >= TIGHT_RATIO * float(allowed):
        return None, f"memory_limit={limit} is tight: {shown}."
    return None, ""


def _set_resources(container: dict[str, Any], wished: Mapping[str, str], warnings: list[str]) -> list[Fault]:
    resources: dict[str, Any] = container.get("resources") or {}
    for option, text in wished.items():
        part, resource = RESOURCES[option]
        amounts = {**(resources.get(part) or {})}
        if text == REMOVE:
            if amounts.pop(resource, None) is not None and option == "memory_limit":
                warnings.append("Without a memory limit a leak takes the memory of the whole node")
        elif not quantities.same(amounts.get(resource), text):
            amounts[resource] = text
        resources = {**resources, part: amounts}
    kept = {key: each for key, each in resources.items() if each or key not in ("limits", "requests")}
    if wished:
        container["resources"] = kept
    return [fault for resource in ("memory", "cpu") if wished and (fault := _unequal(kept, resource))]


def _unequal(resources: Mapping[str, Any], resource: str) -> Fault | None:
    limit = (resources.get("limits") or {}).get(resource)
    request = (resources.get("requests") or {}).get(resource)
    if limit is None or request is None or quantities.value(request) <= quantities.value(limit):
        return None
    return Fault(
        "request_above_limit",
        f"The {resource} request {request} would be above the {resource} limit {limit}.",
        f"Give {resource}_request and {resource}_limit together, the request not above the limit.",
    )


def _set_variables(container: dict[str, Any], wished: Wish, inherited: Inherited, warnings: list[str]) -> list[Fault]:
    faults = []
    entries = [dict(each) for each in _variables(container)]
    for name, value in wished.environment.items():
        if fault := _made_public(name, entries, inherited):
            faults.append(fault)
        earlier = [each["name"] for each in entries]
        earlier = earlier[: earlier.index(name)] if name in earlier else earlier
        warnings += assignments.origin_notes(name, value)
        warnings += assignments.expansion_notes(name, value, [*inherited, *earlier])
        _put(entries, {"name": name, "value": value}, inherited, warnings)
    for name, source in wished.references.items():
        _put(entries, {"name": name, "valueFrom": source.as_value_from()}, inherited, warnings)
    for name in wished.absent:
        there = any(each["name"] == name for each in entries)
        if name in inherited and not there:
            faults.append(
                Fault(
                    "variable_inherited",
                    f"{name} comes with all of {inherited[name].kind} {inherited[name].name} (envFrom), so it cannot "
                    "be removed here.",
                    "Take it out there, or give it another value here.",
                )
            )
        elif name in inherited:
            warnings.append(f"Without its own {name} the container takes it from {inherited[name]}")
        entries = [each for each in entries if each["name"] != name]
        warnings += [f"{each} refers to $({name}), which is removed" for each in assignments.referring(entries, name)]
    if wished.variables:
        container["env"] = entries
        if not entries:
            del container["env"]
    return faults


def _put(entries: list[dict[str, Any]], entry: dict[str, Any], inherited: Inherited, warnings: list[str]) -> None:
    """Set a variable where it stands, since later ones may refer to it; a new one comes last."""
    name = entry["name"]
    places = [place for place, each in enumerate(entries) if each["name"] == name]
    for place in places:
        if not _equal(entries[place], entry):
            entries[place] = entry
    if not places:
        entries.append(entry)
        if name in inherited:
            warnings.append(f"{name} comes from {inherited[name]}, until now; the container's own value overrides it")


def _equal(standing: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether a variable is as wanted already; the API server leaves out an empty value and adds C(optional)."""
    if "valueFrom" not in wanted:
        return "valueFrom" not in standing and standing.get("value", "") == wanted["value"]
    stripped = {
        kind: {key: each for key, each in reference.items() if key != "optional"}
        for kind, reference in (standing.get("valueFrom") or {}).items()
    }
    return bool(stripped == wanted["valueFrom"])


def _made_public(name: str, entries: Iterable[Mapping[str, Any]], inherited: Inherited) -> Fault | None:
    """The fault of text in the place of a Secret."""
    standing = [each for each in entries if each["name"] == name]
    secret = any("secretKeyRef" in (each.get("valueFrom") or {}) for each in standing)
    if not secret and (standing or name not in inherited or inherited[name].kind != "Secret"):
        return None
    return Fault(
        "secret_made_public",
        f"{name} comes from a Secret now, and as text a pod template would show it to everybody.",
        f"Change the Secret, or refer to another one: environment_from {{{name}: {{secret: NAME, key: KEY}}}}.",
    )


def _variables(container: Container) -> list[Mapping[str, Any]]:
    return list(container.get("env") or [])


def _shown(name: str, setting: Any) -> str | None:
    """A setting in words, without what is secret in it."""
    if setting is None:
        return None
    if isinstance(setting, str):
        return redact_variable(name.partition(".")[2], setting)
    ((kind, reference),) = setting.items()
    if "key" in reference:
        return f"{'Secret' if kind == 'secretKeyRef' else 'ConfigMap'} {reference.get('name')}, key {reference['key']}"
    return str(reference.get("fieldPath") or reference.get("resource") or kind)


def _called(name: str) -> str:
    """A setting as operators call it."""
    part, _dot, rest = name.partition(".")
    if part in ("limits", "requests"):
        return f"{rest} {part.removesuffix('s')}"
    return f"annotation {rest}" if part == "annotation" else rest


def _told(name: str, before: str | None, after: str | None) -> str:
    values = [REMOVE if each is None else each for each in (before, after)]
    shown = [each if len(each) <= LONGEST_SHOWN else f"{each[:LONGEST_SHOWN]}..." for each in values]
    return f"{_called(name)} {shown[0]} -> {shown[1]}"
