# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which rights an operation needs and which of them are missing, from one SelfSubjectRulesReview. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Union

from ..errors import Fault
from . import paths


@dataclass(frozen=True)
class Right:
    """One verb on one resource, spelled as RBAC does."""

    verb: str
    resource: str
    group: str = ""

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}{'.' + self.group if self.group else ''}"


#: A right, or several of which one is enough.
Needed = Union[Right, tuple[Right, ...]]  # noqa: UP007 (pylint of ansible-test reads no | here)


def right(verb: str, kind: str, subresource: str = "") -> Right:
    """The right to a verb on a kind or on one of its subresources."""
    resource = paths.plural(kind) + (f"/{subresource}" if subresource else "")
    return Right(verb, resource, paths.group(kind))


def review(namespace: str) -> dict[str, Any]:
    """The body that asks for all rules of the caller in a namespace; it changes nothing."""
    return {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    }


def missing(answer: Mapping[str, Any], needed: Iterable[Needed]) -> list[Needed]:
    """The needed rights that no rule grants. Rules limited to resource names are counted, since the name may be ours;
    an incomplete answer (an authorizer that cannot list its rules) counts as granted: the request itself will tell.
    """
    status = answer.get("status") or {}
    rules: Sequence[Mapping[str, Any]] = status.get("resourceRules") or []
    if status.get("incomplete"):
        return []
    return [each for each in needed if not any(_grants(rule, one) for rule in rules for one in _either(each))]


def fault(lacking: Sequence[Needed], namespace: str, cluster: str) -> Fault:
    """One sentence for all that is missing."""
    shown = ", ".join(" or ".join(str(one) for one in _either(each)) for each in lacking)
    return Fault(
        "forbidden",
        f"These credentials may not {shown} in namespace {namespace} of {cluster}.",
        "Ask for these rights (docs/permissions.md has the Role), or use the right context.",
    )


def _either(needed: Needed) -> tuple[Right, ...]:
    return needed if isinstance(needed, tuple) else (needed,)


def _grants(rule: Mapping[str, Any], wanted: Right) -> bool:
    return (
        bool({"*", wanted.verb} & set(rule.get("verbs") or []))
        and bool({"*", wanted.group} & set(rule.get("apiGroups") or []))
        and bool({"*", wanted.resource, "*/" + wanted.resource.partition("/")[2]} & set(rule.get("resources") or []))
    )
