# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Prometheus knows of a service: the questions in its language, its answers as plain data, and verdicts. Pure.

The HTTP API is documented at https://prometheus.io/docs/prometheus/latest/querying/api/.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from .. import trend
from ..errors import Fault, OperatorError
from ..lines import WARNING
from ..redaction import redact_text
from ..verdict import Verdict
from ..wording import duration, share

POINTS = 30
LEAST_STEP_SECONDS = 5.0

#: A result of an instant query: labels and value.
Value = tuple[Mapping[str, str], float]
#: A result of a range query: labels and samples.
Series = tuple[Mapping[str, str], Sequence[trend.Sample]]


def at_once(query: str) -> str:
    """The path of an instant query."""
    return f"api/v1/query?{urlencode({'query': query})}"


def over_time(query: str, now: float, window_seconds: float) -> str:
    """The path of a range query that ends C(now), in seconds since the epoch."""
    step = max(LEAST_STEP_SECONDS, window_seconds / POINTS)
    times = {"start": f"{now - window_seconds:.3f}", "end": f"{now:.3f}", "step": f"{step:.3f}"}
    return f"api/v1/query_range?{urlencode({'query': query, **times})}"


def results(who: str, status: int, body: str) -> list[dict[str, Any]]:
    """The results in an answer; what is no result is a sentence."""
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    if isinstance(answer, dict) and answer.get("status") == "success":
        found: list[dict[str, Any]] = (answer.get("data") or {}).get("result") or []
        return found
    if isinstance(answer, dict) and (words := answer.get("error") or answer.get("message")):
        said = f"says {redact_text(str(words))[:200]}"
    elif status:
        said = f"answers {status} and no result of a query"
    else:
        said = f"gives no answer: {redact_text(body)[:200]}"
    raise OperatorError(Fault("prometheus_unread", f"{who} {said}.", "Check prometheus_url in the inventory."))


def values(found: Iterable[Mapping[str, Any]]) -> list[Value]:
    """The finite values of an instant query: a ratio without traffic is NaN, which is no value."""
    read = ((each["metric"], float(each["value"][1])) for each in found)
    return [(labels, value) for labels, value in read if math.isfinite(value)]


def series(found: Iterable[Mapping[str, Any]]) -> list[Series]:
    """The series of a range query, each with its finite samples."""
    return [
        (
            each["metric"],
            [(float(time), float(value)) for time, value in each["values"] if math.isfinite(float(value))],
        )
        for each in found
    ]


def of_pods(namespace: str, pods: Iterable[str]) -> str:
    """Label matchers for the pods of a workload, those that it replaced included: few, however many pods there are."""
    names = sorted({_pattern(pod) for pod in pods})
    return f"namespace={json.dumps(namespace)},pod=~{json.dumps('|'.join(names))}"


def up(matchers: str) -> str:
    """Whether the last scrape of each pod went well."""
    return f"min by (pod) (up{{{matchers}}})"


def requests(matchers: str, metric: str, window: str, **labels: str) -> str:
    """How many requests there were in a window; C(labels) are further matchers, operator included."""
    every = ",".join([matchers, *(f"{name}{value}" for name, value in labels.items())])
    return f"sum(increase({metric}{{{every}}}[{window}]))"


def all_but(routes: Sequence[str]) -> str:
    """A matcher's operator and value for all routes but these."""
    return f"!~{json.dumps('|'.join(map(re.escape, routes)))}"


def working_set(matchers: str) -> str:
    """Memory by pod, as kubelet measures it."""
    return f'sum by (pod) (container_memory_working_set_bytes{{{matchers},container!="",container!="POD"}})'


def resident(matchers: str) -> str:
    """Memory by pod, as the process says itself."""
    return f"sum by (pod) (process_resident_memory_bytes{{{matchers}}})"


def targets_verdict(found: Iterable[Value], pods: Sequence[str]) -> Verdict:
    """Whether each pod is scraped."""
    by_pod = {labels.get("pod", ""): value for labels, value in found}
    down = sorted(pod for pod in pods if by_pod.get(pod) == 0)
    absent = sorted(set(pods) - by_pod.keys())
    evidence = {"down": down, "without_target": absent}
    if not pods or len(absent) == len(pods):
        return Verdict("unknown", "Prometheus scrapes none of its pods", evidence)
    if down:
        return Verdict("fail", f"Prometheus cannot scrape {', '.join(down[:3])}", evidence)
    if absent:
        return Verdict("unknown", f"Prometheus has no target for {', '.join(absent[:3])}", evidence)
    return Verdict("pass", f"{len(pods)} of {len(pods)} up", evidence)


def error_ratio_verdict(
    failed: Iterable[Value], answered: Iterable[Value], seconds: float, least: float, warning: float, critical: float
) -> Verdict:
    """The share of requests that ended in a 5xx; too few requests, and none at all, are unknown and never fine."""
    total, errors = (sum(value for _labels, value in each) for each in (answered, failed))
    evidence = {"requests": round(total), "errors": round(errors), "window_seconds": seconds}
    within = f"in {duration(seconds)}"
    if total < least:
        return Verdict("unknown", f"{total:.0f} requests {within} are too few to judge ({least:.0f})", evidence)
    ratio = errors / total
    words = f"{share(ratio)} of {total:.0f} requests {within} ended in a 5xx"
    if ratio >= critical:
        return Verdict("fail", f"{words}, critical from {share(critical)} on", evidence)
    return Verdict("pass", f"{WARNING if ratio >= warning else ''}{words}", evidence)


def trend_verdict(
    found: Iterable[Series], pods: Iterable[str], start: float, window_seconds: float, most_per_hour: float | None
) -> Verdict:
    """How fast the pods' memory grows; of a pod that began inside the window, from when it had settled."""
    own = set(pods)
    step = max(LEAST_STEP_SECONDS, window_seconds / POINTS)
    settled = {}
    for labels, samples in found:
        pod = labels.get("pod", "")
        if pod in own and samples:
            young = samples[0][0] > start + 2 * step
            settled[pod] = trend.settled(samples, samples[0][0]) if young else list(samples)
    return trend.judge(settled, window_seconds, most_per_hour)


def _pattern(pod: str) -> str:
    """The names of a pod and its siblings: a ReplicaSet's end in letters and digits, a StatefulSet's in a number."""
    stem, _dash, last = pod.rpartition("-")
    return f"{stem}-[0-9]+" if last.isdigit() else f"{stem}-[a-z0-9]+"
