# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One pod's own answer to an HTTP request, by whichever way the API server offers, where cluster and HTTP meet."""

from __future__ import annotations

from collections.abc import Callable

from .cluster import paths
from .cluster.client import Cluster
from .signals import response
from .verdict import Verdict

#: The verdict on one answer: who gave it, its status, its body.
Judge = Callable[[str, int, str], Verdict]


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
    """Ask by the pod proxy; C(forward) allows a port-forward, which counts as a write, where that cannot ask."""
    who = f"pod {pod}"
    status, body, answered_by = cluster.proxied(paths.pod_proxy(namespace, pod, port, path), timeout_seconds)
    if answered_by == "service":
        return judge(who, status, body)
    refusal = response.judge_refusal(who, status, body)
    if refusal.status != "unknown" or not forward:
        return refusal
    status, answer = cluster.forwarded(namespace, pod, port, path, timeout_seconds)
    if status == 0:
        return Verdict("unknown", f"{refusal.reason}; {answer}", refusal.evidence)
    return judge(who, status, answer)
