# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation behind M(linkops.runbooks.service_health), where pods, HTTP and verdicts meet.

Every ready pod is asked through the API server's proxy, so that no route to the pod network is needed; the service is
asked at the address that its users have.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from .call import Call
from .cluster import paths, revisions, snapshot
from .cluster.client import Cluster
from .cluster.session import opened
from .deadline import Deadline
from .signals import http, response
from .verdict import Verdict, worst

POLL_SECONDS = 0.5
MOST_AT_ONCE = 8


@dataclass(frozen=True)
class Checkup:
    """One look at a service: a verdict by endpoint, and the pods that answered well."""

    by_endpoint: dict[str, Verdict]
    serving_pods: list[str]

    @property
    def verdict(self) -> Verdict:
        """The worst of all endpoints."""
        judged = worst(self.by_endpoint.values())
        return Verdict("pass", f"all {len(self.by_endpoint)} endpoints are healthy") if judged.passed else judged


def health(call: Call) -> dict[str, Any]:
    """Ask every ready pod and the service; repeat until all pass or C(settle_seconds) are over."""
    with opened(call) as session:
        cluster, held = session.cluster, session.held
        pods = call.params["pods"]
        if pods is None:
            found = snapshot.read(cluster, *session.workload)
            pods = revisions.ready_names(found.pods)
        deadline = Deadline(call.params["settle_seconds"])
        checkup = look(cluster, call.params, pods, forward=not call.check_mode)
        while not checkup.verdict.passed and not deadline.expired:
            held.renew_if_due()
            time.sleep(min(POLL_SECONDS, deadline.remaining))
            checkup = look(cluster, call.params, pods, forward=not call.check_mode)
    verdict = checkup.verdict
    endpoints = [
        {"endpoint": name, "status": each.status, "reason": each.reason} for name, each in checkup.by_endpoint.items()
    ]
    call.say(f"health: {verdict.status}: {verdict.reason}")
    call.journal.note("health", moment=call.params["moment"], verdict=verdict.status, endpoints=endpoints)
    return {
        "changed": False,
        "verdict": verdict.as_result(),
        "endpoints": endpoints,
        "serving_pods": checkup.serving_pods,
        "msg": f"{verdict.status}: {verdict.reason}",
    }


def look(cluster: Cluster, params: Mapping[str, Any], pods: list[str], forward: bool) -> Checkup:
    """Ask all endpoints once, side by side; C(forward) allows a port-forward where the pod proxy cannot ask."""
    endpoint, namespace = params["endpoint"], params["namespace"]
    with ThreadPoolExecutor(MOST_AT_ONCE) as pool:
        of_users = pool.submit(_ask_service, endpoint) if endpoint["url"] else None
        of_pods = list(pool.map(lambda pod: _ask_pod(cluster, endpoint, namespace, pod, forward), pods))
    found = {f"pod {pod}": verdict for pod, verdict in zip(pods, of_pods, strict=True)}
    if not pods:
        found["pods"] = Verdict("fail", "no pod is ready")
    if of_users:
        found[endpoint["url"]] = of_users.result()
    return Checkup(found, [pod for pod, verdict in zip(pods, of_pods, strict=True) if verdict.passed])


def _ask_service(endpoint: Mapping[str, Any]) -> Verdict:
    url = endpoint["url"]
    answer = http.get(url, endpoint["timeout_seconds"])
    return answer if isinstance(answer, Verdict) else response.judge(url, *answer, endpoint["expect"] or {})


def _ask_pod(cluster: Cluster, endpoint: Mapping[str, Any], namespace: str, pod: str, forward: bool) -> Verdict:
    who, expect, timeout = f"pod {pod}", endpoint["expect"] or {}, endpoint["timeout_seconds"]
    port, path = endpoint["port"], endpoint["path"]
    if port == 0:
        return Verdict("pass", f"{who} is ready (it serves no HTTP)")
    status, body, answered_by = cluster.proxied(paths.pod_proxy(namespace, pod, port, path), timeout)
    if answered_by == "service":
        return response.judge(who, status, body, expect)
    refusal = response.judge_refusal(who, status, body)
    if refusal.status != "unknown" or not forward:
        return refusal
    status, answer = cluster.forwarded(namespace, pod, port, path, timeout)
    if status == 0:
        return Verdict("unknown", f"{refusal.reason}; {answer}", refusal.evidence)
    return response.judge(who, status, answer, expect)
