# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What containers use against what they asked for and what they may take. Pure.

Memory is the working set, which is what the kernel's limit and kubelet's eviction look at; a container without a limit
has none, not an infinite or a zero one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..lines import WARNING
from ..verdict import Verdict
from ..wording import duration, share, size
from .metrics import Usage
from .revisions import containers

with contextlib.suppress(ImportError):  # connect() reports it
    from kubernetes.utils.quantity import parse_quantity

Object = Mapping[str, Any]

MOST_LISTED = 50


@dataclass(frozen=True)
class Thresholds:
    """Shares of a limit from which on use is a warning, and from which on it fails."""

    memory_warning: float
    memory_critical: float
    cpu_warning: float
    cpu_critical: float


@dataclass(frozen=True)
class Use:
    """What one container uses of C(memory), in bytes, or C(cpu), in cores; no limit or request is None."""

    pod: str
    container: str
    resource: str
    used: float
    request: float | None
    limit: float | None

    @property
    def ratio(self) -> float | None:
        """Its share of the limit; none without a limit."""
        return self.used / self.limit if self.limit else None

    def __str__(self) -> str:
        who = f"{self.container} of {self.pod}"
        if self.ratio is None:
            return f"{self.resource} {self._shown(self.used)}, no limit ({who})"
        return f"{self.resource} {share(self.ratio)} of {self._shown(self.limit or 0)} ({who})"

    def as_result(self) -> dict[str, Any]:
        """The use as modules return it."""
        return {**self.__dict__, "ratio": None if self.ratio is None else round(self.ratio, 3)}

    def _shown(self, count: float) -> str:
        return size(count) if self.resource == "memory" else f"{1000 * count:.0f}m"


def verdict(pods: Sequence[Object], usages: Iterable[Usage], thresholds: Thresholds, now: datetime) -> Verdict:
    """The verdict on the use of all containers that run; one without a sample yet is unknown."""
    by_container = {(each.pod, each.container): each for each in usages}
    uses = list(_uses(pods, by_container))
    unseen = [pod for pod in _running(pods) if not any(key[0] == pod["metadata"]["name"] for key in by_container)]
    evidence = {
        "containers": [use.as_result() for use in uses[:MOST_LISTED]],
        "without_sample": sorted(pod["metadata"]["name"] for pod in unseen),
    }
    critical = [use for use in uses if _reaches(use, thresholds.memory_critical, thresholds.cpu_critical)]
    if critical:
        return Verdict("fail", "; ".join(str(use) for use in critical[:3]), evidence)
    if unseen:
        youngest = min(
            (now - datetime.fromisoformat(pod["metadata"]["creationTimestamp"])).total_seconds() for pod in unseen
        )
        names = ", ".join(evidence["without_sample"][:3])
        return Verdict("unknown", f"no sample yet of {names} (made {duration(max(0, youngest))} ago)", evidence)
    if not uses:
        return Verdict("unknown", "no container runs", evidence)
    warned = [use for use in uses if _reaches(use, thresholds.memory_warning, thresholds.cpu_warning)]
    shown = [max(of_one, key=lambda use: (use.ratio or 0, use.used)) for of_one in _by_resource(uses)]
    words = "; ".join(str(use) for use in warned[:3] or shown)
    return Verdict("pass", f"{WARNING if warned else ''}{words}", evidence)


def _uses(pods: Iterable[Object], usages: Mapping[tuple[str, str], Usage]) -> Iterator[Use]:
    for pod in pods:
        name = pod["metadata"]["name"]
        for container in containers(pod):
            usage = usages.get((name, container["name"]))
            if usage is None:
                continue
            resources = container.get("resources") or {}
            for resource, used in (("memory", float(usage.memory_bytes)), ("cpu", usage.cpu_cores)):
                asked, most = (_quantity(resources, kind, resource) for kind in ("requests", "limits"))
                yield Use(name, container["name"], resource, used, asked, most)


def _quantity(resources: Object, kind: str, resource: str) -> float | None:
    found = (resources.get(kind) or {}).get(resource)
    return None if found is None else float(parse_quantity(found))


def _running(pods: Iterable[Object]) -> list[Object]:
    return [
        pod
        for pod in pods
        if (pod.get("status") or {}).get("phase") == "Running" and not pod["metadata"].get("deletionTimestamp")
    ]


def _reaches(use: Use, memory: float, cpu: float) -> bool:
    return use.ratio is not None and use.ratio >= (memory if use.resource == "memory" else cpu)


def _by_resource(uses: Sequence[Use]) -> list[list[Use]]:
    return [[use for use in uses if use.resource == resource] for resource in ("memory", "cpu")]
