# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One pod's own answer to an HTTP request, by whichever way the API server offers, where cluster and HTTP meet."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace

from .cluster import paths
from .cluster.client import Cluster
from .deadline import Deadline
from .signals import response
from .verdict import Verdict

#: The verdict on one answer: who gave it, its status, its body.
Judge = Callable[[str, int, str], Verdict]

#: The part of the time after which the second way begins, while the first is still waited for: where the control plane
#: has no route to the pods, a firewall on the way may be as silent as a pod that hangs.
HEAD_START = 0.5


def ask(
    cluster: Cluster,
    namespace: str,
    pod: str,
    port: int,
    path: str,
    timeout_seconds: float,
    forward: bool,
    judge: Judge,
) -> Verdict:
    """Ask by the pod proxy, and, where that cannot ask or is silent, by a port-forward, all within the one time.

    C(forward) allows the port-forward, which counts as a write. A pod that is silent either way fails.
    """
    who, deadline = f"pod {pod}", Deadline(timeout_seconds)
    first = ThreadPoolExecutor(1)
    try:
        proxied = first.submit(cluster.proxied, paths.pod_proxy(namespace, pod, port, path), timeout_seconds)
        if wait([proxied], timeout_seconds * HEAD_START if forward else None).done:
            verdict = _judged(who, proxied.result(), judge)
            if verdict.status != "unknown" or not forward:
                return verdict
        answer = cluster.forwarded(namespace, pod, port, path, deadline.remaining)
        second = _judged(who, answer, judge)
        if answer[2] == "service":
            return second
        verdict = _judged(who, proxied.result(), judge)
        if verdict.status != "unknown":
            return verdict
        return second if second.status == "fail" else replace(verdict, reason=f"{verdict.reason}; {answer[1]}")
    finally:
        first.shutdown(wait=False)  # it ends with its own time


def _judged(who: str, answer: tuple[int, str, str], judge: Judge) -> Verdict:
    status, body, answered_by = answer
    if answered_by == "service":
        return judge(who, status, body)
    if answered_by == "nobody":
        return Verdict("fail", f"{who} gives no answer: {body}", {"status": status})
    return response.judge_refusal(who, status, body)
