# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which pods and containers of a workload are meant. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import Fault, OperatorError
from . import diagnosis, revisions

#: Which container kubectl takes where none is named (kubernetes/kubectl:pkg/cmd/util/podcmd/podcmd.go).
DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"

Pod = Mapping[str, Any]


@dataclass(frozen=True, order=True)
class Place:
    """One container of one pod; C(previous) means its life before the last restart."""

    pod: str
    container: str
    previous: bool = False

    def __str__(self) -> str:
        return f"container {self.container} of pod {self.pod}{' before its restart' if self.previous else ''}"


def to_run_in(pods: Sequence[Pod], workload: str, pod: str, which: str, container: str) -> list[Place]:
    """Where a command is to run: in the pod of that name, else in C(all) ready pods or in the C(one) oldest of them.

    Raises C(OperatorError) with all that stands against it.
    """
    if pod:
        chosen = _named(pods, workload, pod)
    else:
        chosen = sorted((each for each in pods if revisions.pod_is_ready(each)), key=_age)
        chosen = chosen[:1] if which == "one" else sorted(chosen, key=_name)
        if not chosen:
            raise OperatorError(
                Fault(
                    "no_pod_ready",
                    f"No pod of {workload} is ready; it has {_listed(pods)}.",
                    "Name one as pod to ask it though it is not ready.",
                )
            )
    places, faults = [], []
    for each in chosen:
        found = _main_container(each, container)
        if isinstance(found, Fault):
            faults.append(found)
        else:
            places.append(Place(_name(each), found))
    if faults:
        raise OperatorError(faults)
    return places


def to_read_from(pods: Sequence[Pod], workload: str, pod: str, container: str, previous: bool) -> list[Place]:
    """Whose logs are to be read: all containers, with C(previous) also their lives before the last restart.

    Raises C(OperatorError) where the pod, or the container in any pod, does not exist.
    """
    chosen = sorted(_named(pods, workload, pod) if pod else pods, key=_name)
    places = []
    for each in chosen:
        restarts, states = diagnosis.restart_counts(each), _states(each)
        for name in _containers(each):
            if container in ("", name):
                lives = _lives(states.get(name) or {}) if previous and restarts.get(name) else [False]
                places += [Place(_name(each), name, life) for life in lives]
    if chosen and not places:
        raise OperatorError(_no_container(container, workload, {name for each in chosen for name in _containers(each)}))
    return places


def _lives(state: Mapping[str, Any]) -> list[bool]:
    """Which logs kubelet has of a restarted container: that of the life before (true), of the present one (false).

    While it waits for its next start both names mean the life that ended; once that has ended as well, the one before
    is removed (kubernetes/kubernetes:pkg/kubelet/kubelet_pods.go, validateContainerLogStatus).
    """
    return [True] if "waiting" in state else [False] if "terminated" in state else [True, False]


def _named(pods: Sequence[Pod], workload: str, pod: str) -> list[Pod]:
    found = [each for each in pods if _name(each) == pod]
    if not found:
        raise OperatorError(
            Fault(
                "pod_unknown",
                f"{workload} has no pod {pod}; it has {_listed(pods)}.",
                "Name one of these, or leave it out.",
            )
        )
    return found


def _main_container(pod: Pod, container: str) -> str | Fault:
    """The container that runs the command in this pod, or the fault that there is none, or that it does not run."""
    names = [each["name"] for each in pod["spec"]["containers"]]
    default = (pod["metadata"].get("annotations") or {}).get(DEFAULT_CONTAINER)
    chosen = container or (default if default in names else "") or (names[0] if len(names) == 1 else "")
    if not chosen:
        return Fault(
            "container_unnamed",
            f"Pod {_name(pod)} has several containers: {', '.join(names)}.",
            "Name one of them as container.",
        )
    if chosen not in _containers(pod):
        return _no_container(chosen, f"Pod {_name(pod)}", names)
    state = _states(pod).get(chosen) or {}
    if "running" in state:
        return str(chosen)
    why = next(((each or {}).get("reason") for each in state.values()), None)
    return Fault(
        "container_not_running",
        f"Container {chosen} of pod {_name(pod)} does not run{f' ({why})' if why else ''}.",
        "Read its log instead, or choose another pod.",
    )


def _no_container(container: str, where: str, names: Iterable[str]) -> Fault:
    return Fault(
        "container_unknown", f"{where} has no container {container}; it has {', '.join(sorted(names))}.", "Correct it."
    )


def _containers(pod: Pod) -> list[str]:
    """All containers in the order of their start; those that kubectl debug added come last."""
    kinds = ("initContainers", "containers", "ephemeralContainers")
    return [str(each["name"]) for kind in kinds for each in pod["spec"].get(kind) or []]


def _states(pod: Pod) -> dict[str, Mapping[str, Any]]:
    status = pod.get("status") or {}
    kinds = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")
    return {each["name"]: each.get("state") or {} for kind in kinds for each in status.get(kind) or []}


def _listed(pods: Sequence[Pod]) -> str:
    return ", ".join(sorted(map(_name, pods))[:20]) or "none"


def _name(pod: Pod) -> str:
    return str(pod["metadata"]["name"])


def _age(pod: Pod) -> tuple[str, str]:
    return str(pod["metadata"].get("creationTimestamp") or ""), _name(pod)
