# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operations behind M(linkops.runbooks.prometheus_info) and M(linkops.runbooks.prometheus_value).

Prometheus and the way to it in a cluster meet here.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from . import lines
from .call import Call
from .cluster import paths, snapshot
from .cluster.session import opened
from .errors import Fault, OperatorError
from .lines import Line, asked, unasked
from .signals import http, prometheus
from .verdict import Verdict

MOST_AT_ONCE = 8

#: Gets one path of Prometheus: status and body.
Getter = Callable[[str], tuple[int, str]]
Answer = Future[list[dict[str, Any]]]

_IN_CLUSTER = re.compile(r"service://(?P<namespace>[^/:]+)/(?P<service>[^/:]+:[^/]+)/?")


def observe(call: Call) -> dict[str, Any]:
    """Ask Prometheus for the targets, the error ratio and the memory trend of pods, side by side."""
    params = call.params
    pods = _pods(call)
    matchers = prometheus.of_pods(params["namespace"], pods)
    window, growth = 60 * params["window_minutes"], 60 * params["trend_minutes"]
    ignored = {params["route_label"]: prometheus.all_but(params["ignored_routes"])} if params["ignored_routes"] else {}
    errors = {params["status_label"]: '=~"5.."', **ignored}
    now = time.time()
    with _way(call) as get, ThreadPoolExecutor(MOST_AT_ONCE) as pool:

        def instant(query: str) -> Answer:
            return pool.submit(_asked, get, params["url"], prometheus.at_once(query))

        def ranged(query: str) -> Answer:
            return pool.submit(_asked, get, params["url"], prometheus.over_time(query, now, growth))

        up = instant(prometheus.up(matchers))
        metric, span = params["requests_metric"], f"{window:.0f}s"
        answered = instant(prometheus.requests(matchers, metric, span, **ignored))
        failed = instant(prometheus.requests(matchers, metric, span, **errors))
        measured, said = ranged(prometheus.working_set(matchers)), ranged(prometheus.resident(matchers))

        def targets() -> Verdict:
            return prometheus.targets_verdict(prometheus.values(up.result()), pods)

        def ratio() -> Verdict:
            return prometheus.error_ratio_verdict(
                prometheus.values(failed.result()), prometheus.values(answered.result()), window,
                params["minimum_requests"], params["error_warning_ratio"], params["error_critical_ratio"],
            )  # fmt: skip

        def memory() -> Verdict:
            found = prometheus.series(measured.result() or said.result())
            most = params["memory_growth_bytes_per_hour"]
            return prometheus.trend_verdict(found, pods, now - growth, growth, most)

        try:
            looked = [Line("scrape targets", targets()), asked("error ratio", ratio), asked("memory trend", memory)]
        except OperatorError as fault:  # one line is enough where nobody answers
            looked = [Line("prometheus", unasked(fault))]
    told = lines.told(looked)
    call.journal.note("prometheus", lines=told["lines"])
    return told


def value(call: Call) -> dict[str, Any]:
    """The least value that an instant query finds; where there is none, or nobody answers, it is unknown and why."""
    query = call.params["query"]
    found: list[float] = []
    why = f"Prometheus finds nothing for {query}"
    try:
        with _way(call) as get:
            answer = _asked(get, call.params["url"], prometheus.at_once(query))
            found = [number for _labels, number in prometheus.values(answer)]
    except OperatorError as fault:
        if fault.reason == "input_invalid":
            raise
        why = fault.faults[0].message.rstrip(".")
    verdict = Verdict("pass", f"{query} is {min(found):g}") if found else Verdict("unknown", why)
    call.journal.note("prometheus_value", query=query, verdict=verdict.as_result())
    return {
        "changed": False,
        "value": min(found, default=None),
        "verdict": verdict.as_result(),
        "msg": f"{verdict.status}: {verdict.reason}",
    }


def _pods(call: Call) -> list[str]:
    """The named pods, or the workload's."""
    named: list[str] | None = call.params["pods"]
    if named is not None:
        return named
    with opened(call) as session:
        found = snapshot.read(session.cluster, *session.workload)
    return sorted(pod["metadata"]["name"] for pod in found.pods)


@contextlib.contextmanager
def _way(call: Call) -> Iterator[Getter]:
    """How Prometheus is asked: at its address, or through the API server's proxy to its Service."""
    url, seconds = call.params["url"], call.params["timeout_seconds"]
    if found := _IN_CLUSTER.fullmatch(url):
        base = paths.service_proxy(found["namespace"], found["service"])
        with opened(call) as session:
            yield lambda path: session.cluster.proxied(f"{base}/{path}", seconds)[:2]
        return
    if not re.match(r"https?://[^/]", url):
        raise OperatorError(
            Fault(
                "input_invalid",
                f"{url} is no address of a Prometheus.",
                "Give http://HOST:PORT, https://HOST or service://NAMESPACE/SERVICE:PORT as prometheus_url.",
            )
        )

    def get(path: str) -> tuple[int, str]:
        answer = http.get(f"{url.rstrip('/')}/{path}", seconds)
        return (0, answer.reason.rpartition("from here: ")[2]) if isinstance(answer, Verdict) else answer

    yield get


def _asked(get: Getter, url: str, path: str) -> list[dict[str, Any]]:
    return prometheus.results(f"Prometheus at {url}", *get(path))
