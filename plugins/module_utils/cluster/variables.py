# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The environment of a pod template's containers: where each variable comes from and whether it is set. Pure.

Values are shown of allowed names only, and never of a Secret: of a Secret nothing but the names of its keys comes here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from ..lines import WARNING
from ..redaction import HIDDEN, redact_variable
from ..verdict import Verdict
from ..wording import counted
from .fingerprint import Reference, label
from .revisions import containers

Object = Mapping[str, Any]

MOST_NAMED = 5
MOST_SHOWN = 80  # characters of a value in the line; the evidence has it whole


@dataclass(frozen=True)
class Source:
    """A ConfigMap or Secret as far as it is known: C(values) by key, those of a Secret empty. C(state) is C(there),
    C(missing) or C(unreadable).
    """

    state: str
    values: Mapping[str, str]


@dataclass(frozen=True)
class Variable:
    """One variable of one container; C(is_set) is None where its source may not be read."""

    container: str
    name: str
    source: str
    is_set: bool | None
    optional: bool = False
    value: str | None = None

    def as_result(self) -> dict[str, Any]:
        """The variable as modules return it, its value only where it may be shown."""
        kept = {"container": self.container, "name": self.name, "source": self.source, "set": self.is_set}
        return kept if self.value is None else {**kept, "value": self.value}


def variables(
    template: Object, sources: Mapping[Reference, Source], allowed: Sequence[str], container: str = ""
) -> list[Variable]:
    """Every variable by container, in the order of its declaration; a later one of the same name counts.

    What prepares a pod, or runs beside it as a sidecar, keeps it from starting as well.
    """
    found: dict[tuple[str, str], Variable] = {}
    for each in containers(template):
        if container and each["name"] != container:
            continue
        for variable in [*_from_whole_objects(each, sources), *_declared(each, sources)]:
            found[(variable.container, variable.name)] = variable
    return [_showing(variable, allowed) for variable in found.values()]


def verdict(found: Sequence[Variable]) -> Verdict:
    """A variable that a container must have and that is not there keeps the next pod from starting."""
    evidence = {"variables": [variable.as_result() for variable in found]}
    missing = [each for each in found if each.is_set is False and not each.optional]
    unknown = [each for each in found if each.is_set is None]
    empty = [each.name for each in found if each.is_set and each.value == ""]
    if missing:
        return Verdict("fail", f"not set: {_named(f'{each.name} ({each.source})' for each in missing)}", evidence)
    if unknown:
        sources = _named(each.source for each in unknown)
        return Verdict("unknown", f"whether all is set cannot be told: {sources} may not be read", evidence)
    shown = ", ".join(dict.fromkeys(f"{each.name}={each.value[:MOST_SHOWN]}" for each in found if each.value))
    words = f"{counted(sum(bool(each.is_set) for each in found), 'variable')} set{f'; {shown}' if shown else ''}"
    return Verdict("pass", f"{WARNING}empty: {_named(empty)}; {words}" if empty else words, evidence)


def _from_whole_objects(container: Object, sources: Mapping[Reference, Source]) -> Iterator[Variable]:
    for entry in container.get("envFrom") or []:
        for reference, optional in _references(entry.get("configMapRef"), entry.get("secretRef")):
            known, prefix, where = sources[reference], entry.get("prefix") or "", f"all of {label(reference)}"
            if known.state == "there":
                for key, value in known.values.items():
                    shown = value if reference[0] == "ConfigMap" else None
                    yield Variable(
                        container["name"], f"{prefix}{key}", f"{label(reference)} key {key}", True, value=shown
                    )
            else:
                is_set = None if known.state == "unreadable" else False
                yield Variable(container["name"], f"{prefix}*", where, is_set, optional)


def _declared(container: Object, sources: Mapping[Reference, Source]) -> Iterator[Variable]:
    for entry in container.get("env") or []:
        origin = entry.get("valueFrom") or {}
        chosen = origin.get("configMapKeyRef") or origin.get("secretKeyRef")
        if chosen:
            ((reference, optional),) = _references(origin.get("configMapKeyRef"), origin.get("secretKeyRef"))
            known = sources[reference]
            is_set = None if known.state == "unreadable" else chosen["key"] in known.values
            value = known.values.get(chosen["key"]) if reference[0] == "ConfigMap" else None
            where = f"{label(reference)} key {chosen['key']}"
            yield Variable(container["name"], entry["name"], where, is_set, optional, value)
        elif origin:
            field = origin.get("fieldRef") or origin.get("resourceFieldRef") or {}
            where = f"field {field.get('fieldPath') or field.get('resource') or '?'}"
            yield Variable(container["name"], entry["name"], where, True)
        else:
            yield Variable(container["name"], entry["name"], "the template", True, value=entry.get("value") or "")


def _references(config_map: Object | None, secret: Object | None) -> Iterator[tuple[Reference, bool]]:
    if config_map:
        yield ("ConfigMap", str(config_map.get("name"))), bool(config_map.get("optional"))
    if secret:
        yield ("Secret", str(secret.get("name"))), bool(secret.get("optional"))


def _showing(variable: Variable, allowed: Sequence[str]) -> Variable:
    """The variable with its value only if its name is allowed and does not itself say that it is a secret's.

    That a value is empty is no secret.
    """
    if variable.value is None or variable.value == "":
        return variable
    shown: str | None = None
    if any(fnmatchcase(variable.name, pattern) for pattern in allowed):
        shown = redact_variable(variable.name, variable.value)
    return Variable(**{**variable.__dict__, "value": None if shown == HIDDEN else shown})


def _named(names: Iterable[str]) -> str:
    listed = list(dict.fromkeys(names))  # several containers may have the same ones
    more = f" and {len(listed) - MOST_NAMED} more" if len(listed) > MOST_NAMED else ""
    return ", ".join(listed[:MOST_NAMED]) + more
