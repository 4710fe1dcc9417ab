# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation behind M(linkops.runbooks.service_health), where pods, HTTP and verdicts meet.

Every ready pod is asked through the API server's proxy, so that no route to the pod network is needed; the service is
asked at the address that its users have.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from urllib.parse import urljoin

from . import pod_answers
from .call import Call
from .cluster import revisions, rolling, snapshot
from .cluster.client import Cluster
from .cluster.session import Session, opened
from .deadline import Deadline
from .lines import Line
from .signals import http, response
from .verdict import Verdict, worst
from .wording import counted

POLL_SECONDS = 0.5
MOST_AT_ONCE = 32

Endpoint = Mapping[str, Any]


@dataclass(frozen=True)
class Checkup:
    """One look at a service: a verdict by endpoint, which of these are the pods', and the pods that answered well."""

    by_endpoint: dict[str, Verdict]
    of_pods: dict[str, Verdict]
    serving_pods: list[str]

    @property
    def verdict(self) -> Verdict:
        """The worst of all endpoints; where all pass, they are named as a button's last line says it."""
        judged = worst(self.by_endpoint.values())
        if not judged.passed:
            return judged
        others = [name for name in self.by_endpoint if name not in self.of_pods]
        pods = f"{'all ' if len(self.of_pods) > 1 else ''}{counted(len(self.of_pods), 'pod')}"
        named = " and ".join([pods, *others])
        return Verdict("pass", f"{named} {'are' if len(self.by_endpoint) > 1 else 'is'} healthy")

    @property
    def lines(self) -> list[Line]:
        """One line for each address of the users, and one for all pods."""
        judged = worst(self.of_pods.values(), "no pod was asked")
        if judged.passed:
            slowest = max(int(each.evidence.get("milliseconds", 0)) for each in self.of_pods.values())
            judged = Verdict("pass", f"all {counted(len(self.of_pods), 'pod')} healthy, the slowest after {slowest} ms")
        evidence = {name: {"status": each.status, **each.evidence} for name, each in self.of_pods.items()}
        others = [
            Line(name, _with_time(verdict)) for name, verdict in self.by_endpoint.items() if name not in self.of_pods
        ]
        return [*others, Line("pods answer", replace(judged, evidence=evidence))]


def health(call: Call) -> dict[str, Any]:
    """Ask every ready pod and the service; repeat until all pass or C(settle_seconds) are over."""
    with opened(call) as session:
        deadline = Deadline(call.params["settle_seconds"])
        checkup = look(session, _pods(session))
        while not checkup.verdict.passed and not deadline.expired:
            session.held.renew_if_due()
            time.sleep(min(POLL_SECONDS, deadline.remaining))
            checkup = look(session, _pods(session))
        verdict = checkup.verdict
        kept = [] if verdict.passed or not call.params["evidence"] else _evidence(session)
    endpoints = [
        {
            "endpoint": name,
            "status": each.status,
            "reason": each.reason,
            "milliseconds": each.evidence.get("milliseconds"),
        }
        for name, each in checkup.by_endpoint.items()
    ]
    call.say(f"health: {verdict.status}: {verdict.reason}")
    call.journal.note("health", moment=call.params["moment"], verdict=verdict.status, endpoints=endpoints)
    return {
        "changed": False,
        "verdict": verdict.as_result(),
        "endpoints": endpoints,
        "lines": [line.as_result() for line in checkup.lines],
        "serving_pods": checkup.serving_pods,
        "evidence": kept,
        "msg": f"{verdict.status}: {verdict.reason}",
    }


def _pods(session: Session) -> list[str]:
    """The pods to ask: those that are named, else the ready ones of this moment, as an autoscaler takes pods away."""
    if session.params["pods"] is not None:
        return list(session.params["pods"])
    found = snapshot.read(session.cluster, *session.workload)
    return sorted(pod["metadata"]["name"] for pod in found.pods if revisions.pod_is_ready(pod))


def _evidence(session: Session) -> list[str]:
    return rolling.keep_evidence(session, snapshot.read(session.cluster, *session.workload))[0]


def look(session: Session, pods: list[str]) -> Checkup:
    """Ask all endpoints once, side by side. Where pods are silent, those whose turn has not come yet are left out."""
    params = session.params
    endpoint: Endpoint = params["endpoint"]
    forward = not session.call.check_mode  # a port-forward counts as a write
    ask = partial(_ask_pod, session.cluster, params["namespace"], forward)
    turn = partial(_in_turn, partial(ask, endpoint), Deadline(endpoint["timeout_seconds"]), threading.Event())
    with ThreadPoolExecutor(MOST_AT_ONCE) as pool:
        of_users = {each["url"]: pool.submit(_timed, partial(_ask_address, each)) for each in _addresses(endpoint)}
        within = {
            f"{each['path']} of pod {pod}": pool.submit(_timed, partial(ask, each, pod))
            for pod in pods[:1]
            for each in _without_address(endpoint)
        }
        judged = list(pool.map(turn, pods))
    of_pods = {f"pod {pod}": verdict for pod, verdict in zip(pods, judged, strict=True)}
    if not pods:
        of_pods["pods"] = Verdict("fail", "no pod is ready")
    others = {name: asked.result() for name, asked in {**of_users, **within}.items()}
    serving = [pod for pod, verdict in zip(pods, judged, strict=True) if verdict.passed]
    return Checkup({**of_pods, **others}, of_pods, serving)


def _addresses(endpoint: Endpoint) -> list[Endpoint]:
    """The users' address, and the further endpoints there; one with an address of its own is asked in any case."""
    base = endpoint["url"]
    first = [endpoint] if base else []
    more = [
        {**endpoint, **each, "url": each["url"] or urljoin(base, each["path"])}
        for each in endpoint["more"] or []
        if base or each["url"]
    ]
    return [*first, *more]


def _without_address(endpoint: Endpoint) -> list[Endpoint]:
    """The further endpoints of a service that has no address: one pod answers for all."""
    return [{**endpoint, **each} for each in endpoint["more"] or [] if not endpoint["url"] and not each["url"]]


def _in_turn(ask: Callable[[str], Verdict], deadline: Deadline, failed: threading.Event, pod: str) -> Verdict:
    """The verdict on one of many pods: once one has failed and the time is over, what further ones say adds nothing."""
    if deadline.expired and failed.is_set():
        return Verdict("unknown", f"pod {pod} was not asked, since others gave no answer for so long")
    verdict = _timed(partial(ask, pod))
    if verdict.status == "fail":
        failed.set()
    return verdict


def _timed(ask: Callable[[], Verdict]) -> Verdict:
    """The verdict with how long the answer took."""
    began = time.monotonic()
    verdict = ask()
    return replace(verdict, evidence={**verdict.evidence, "milliseconds": round(1000 * (time.monotonic() - began))})


def _with_time(verdict: Verdict) -> Verdict:
    if not verdict.passed:
        return verdict
    return replace(verdict, reason=f"{verdict.reason}, after {verdict.evidence.get('milliseconds')} ms")


def _ask_address(endpoint: Endpoint) -> Verdict:
    url = endpoint["url"]
    answer = http.get(url, endpoint["timeout_seconds"])
    return answer if isinstance(answer, Verdict) else _judged(endpoint, url, *answer)


def _ask_pod(cluster: Cluster, namespace: str, forward: bool, endpoint: Endpoint, pod: str) -> Verdict:
    """Ask one pod; C(forward) allows a port-forward where the pod proxy cannot ask."""
    if endpoint["port"] == 0:
        return Verdict("pass", f"pod {pod} is ready (it serves no HTTP)")
    port, path, timeout = endpoint["port"], endpoint["path"], endpoint["timeout_seconds"]
    judge = partial(_judged, endpoint)
    return pod_answers.ask(cluster, namespace, pod, port, path, timeout, forward, judge)


def _judged(endpoint: Endpoint, who: str, status: int, body: str) -> Verdict:
    return response.judge(who, status, body, endpoint["expect"] or {}, endpoint.get("statuses") or ())
