# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why a pod does not get ready: fatal now, fatal after some restarts, or worth waiting for. Pure.

The classes follow krane's (Shopify/krane:lib/krane/kubernetes_resource/pod.rb) and kubelet's reasons
(kubernetes/kubernetes:pkg/kubelet/container/sync_result.go, pkg/kubelet/images/types.go).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_NOT_FOUND = re.compile(r"not found|manifest unknown|does not exist|invalid reference", re.IGNORECASE)
_CACHE_SYNC = re.compile(r"failed to sync .* cache", re.IGNORECASE)
_NEVER_HEALS = frozenset({"InvalidImageName", "ErrImageNeverPull", "SignatureValidationFailed"})
_PULLS = frozenset({"ErrImagePull", "ImagePullBackOff"})
_CANNOT_RUN = frozenset({"ContainerCannotRun", "StartError"})
# runc's words for a command that is not in the image or cannot be run; containerd says 128 for these as well.
_NO_COMMAND = re.compile(r'exec: ".*(not found|no such file|permission denied)|exec format error', re.IGNORECASE)
# Retried by kubelet, so it takes some restarts to be sure: at the latest when the deadline says so.
_RETRIED = frozenset({"CrashLoopBackOff", "RunContainerError", "CreateContainerError", "PostStartHookError"})
# The node's or the scheduler's doing, not the version's.
_NOT_THE_VERSION = frozenset(
    {"Evicted", "Preempting", "NodeShutdown", "Terminated", "NodeAffinity", "UnexpectedAdmissionError"}
)
# Not admitted by kubelet, or ended with the node: a workload's controller makes another pod at once, whereas a Job's
# pod did not start (kubernetes/kubernetes:pkg/kubelet/lifecycle/predicate.go, pkg/kubelet/cm/topologymanager).
_REPLACED = frozenset({"TopologyAffinityError", "NodeName", "NodePorts", "TaintToleration", "NodeLost", "Shutdown"})
#: What a node has run out of: OutOfcpu, OutOfpods, OutOfnvidia.com/gpu.
_OUT_OF = "OutOf"


@dataclass(frozen=True)
class Finding:
    """One thing wrong with one pod; C(fatal) ends a rollout, the rest is waited for and named at the deadline."""

    pod: str
    container: str
    reason: str
    message: str
    fatal: bool
    restarts: int = 0

    def __str__(self) -> str:
        where = f"container {self.container} of pod {self.pod}" if self.container else f"pod {self.pod}"
        count = f" after {self.restarts} restart{'' if self.restarts == 1 else 's'}" if self.restarts else ""
        return f"{where}: {self.reason}{count}{': ' + self.message if self.message else ''}"


def diagnose(pod: Mapping[str, Any], crash_restarts: int, before: Mapping[str, int] | None = None) -> list[Finding]:
    """What keeps a pod from being ready, the fatal first.

    C(crash_restarts) restarts make a crash loop fatal; C(before) are the restart counts by container that a pod had
    already when the rollout began, which are not this rollout's.
    """
    status, name = pod.get("status") or {}, pod["metadata"]["name"]
    if pod["metadata"].get("deletionTimestamp"):
        return []
    if status.get("phase") == "Failed" and status.get("reason") not in _NOT_THE_VERSION:
        return [
            Finding(name, "", status.get("reason") or "Failed", status.get("message") or "the pod ended", fatal=True)
        ]
    findings = []
    for container in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        earlier = (before or {}).get(container["name"], 0)
        finding = _container(name, container, int(container.get("restartCount") or 0) - earlier, crash_restarts)
        if finding:
            findings.append(finding)
    findings += _conditions(name, status)
    return sorted(findings, key=lambda finding: not finding.fatal)


def of_the_node(pod: Mapping[str, Any]) -> bool:
    """Whether a workload's pod ended for its node's or the scheduler's sake, so that the next one may run."""
    status = pod.get("status") or {}
    reason = str(status.get("reason") or "")
    disrupted = any(
        each.get("type") == "DisruptionTarget" and each.get("status") == "True"
        for each in status.get("conditions") or []
    )
    return status.get("phase") == "Failed" and (
        disrupted or reason in _NOT_THE_VERSION | _REPLACED or reason.startswith(_OUT_OF)
    )


def first_fatal(findings: Iterable[Finding]) -> Finding | None:
    """The fatal finding that explains most: a direct cause before a restart count."""
    fatal = [finding for finding in findings if finding.fatal]
    return min(fatal, key=lambda finding: finding.restarts, default=None)


def restart_counts(pod: Mapping[str, Any]) -> dict[str, int]:
    """Restarts by container, init containers included."""
    status = pod.get("status") or {}
    every = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
    return {container["name"]: int(container.get("restartCount") or 0) for container in every}


def past_restarts(pod: Mapping[str, Any]) -> dict[str, int]:
    """Restarts of the containers that run now and of init containers that came through; any other may restart again."""
    status = pod.get("status") or {}
    starting, main = status.get("initContainerStatuses") or [], status.get("containerStatuses") or []
    through = [each for each in starting if ((each.get("state") or {}).get("terminated") or {}).get("exitCode") == 0]
    running = [each for each in [*starting, *main] if "running" in (each.get("state") or {})]
    return {each["name"]: int(each.get("restartCount") or 0) for each in [*through, *running]}


def readiness_probe(template: Mapping[str, Any], container: str) -> str:
    """A container's readiness probe in words, empty if it has none."""
    for each in (template.get("spec") or {}).get("containers") or []:
        probe = each.get("readinessProbe")
        if each.get("name") != container or not probe:
            continue
        if "httpGet" in probe:
            return f"readiness probe GET :{probe['httpGet'].get('port')}{probe['httpGet'].get('path', '/')}"
        if "exec" in probe:
            return f"readiness probe exec {' '.join(probe['exec'].get('command') or [])}"
        for kind in ("tcpSocket", "grpc"):
            if kind in probe:
                return f"readiness probe {kind} :{probe[kind].get('port')}"
    return ""


def _container(pod: str, container: Mapping[str, Any], restarts: int, crash_restarts: int) -> Finding | None:
    name = container["name"]
    waiting = (container.get("state") or {}).get("waiting") or {}
    ended = (
        (container.get("state") or {}).get("terminated") or (container.get("lastState") or {}).get("terminated") or {}
    )
    reason, message = waiting.get("reason") or "", (waiting.get("message") or "").strip()
    if reason in _NEVER_HEALS:
        return Finding(pod, name, reason, message, fatal=True)
    if reason in _PULLS:
        return Finding(pod, name, reason, message, fatal=bool(_NOT_FOUND.search(message)))
    if reason == "CreateContainerConfigError":
        return Finding(pod, name, reason, message, fatal=not _CACHE_SYNC.search(message))
    if ended.get("reason") in _CANNOT_RUN:
        said = (ended.get("message") or message).strip()
        if ended.get("exitCode") != 128 or _NO_COMMAND.search(said):  # any other 128 is the node's trouble
            return Finding(pod, name, ended["reason"], said, fatal=True)
    crashed = restarts > 0 and bool(ended) and (ended.get("exitCode") != 0 or reason == "CrashLoopBackOff")
    if reason in _RETRIED or crashed:
        cause = "OOMKilled" if ended.get("reason") == "OOMKilled" else reason or str(ended.get("reason") or "Error")
        return Finding(pod, name, cause, _ending(ended) or message, fatal=restarts >= crash_restarts, restarts=restarts)
    if reason and reason not in ("ContainerCreating", "PodInitializing"):
        return Finding(pod, name, reason, message, fatal=False)
    if (container.get("state") or {}).get("running") and not container.get("ready") and "started" in container:
        return Finding(pod, name, "NotReady", "", fatal=False)
    return None


def _ending(ended: Mapping[str, Any]) -> str:
    if not ended:
        return ""
    signal = f", signal {ended['signal']}" if ended.get("signal") else ""
    said = f" ({ended['message'].strip()})" if ended.get("message") else ""
    return f"exit code {ended.get('exitCode')}{signal}{said}"


def _conditions(pod: str, status: Mapping[str, Any]) -> list[Finding]:
    for condition in status.get("conditions") or []:
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return [
                Finding(
                    pod, "", condition.get("reason") or "Unschedulable", condition.get("message") or "", fatal=False
                )
            ]
    return []
