# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation behind M(linkops.runbooks.workload_vitals): all that the API server knows of how a workload is."""

from __future__ import annotations

import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from .. import lines, trend
from ..call import Call
from ..deadline import Deadline
from ..errors import OperatorError
from ..lines import asked
from ..verdict import Verdict
from . import autoscaling, event_groups, metrics, nodes, paths, resources, rollout, snapshot, vitals
from .client import ApiFault, Cluster
from .revisions import pod_is_ready
from .session import Session, opened
from .snapshot import Snapshot

MOST_AT_ONCE = 8
MOST_NODES = 10
WARNING_PAGES = 4
PAGE = "500"
LINES_BEFORE_TREND = 4
#: The metrics API has a new sample every 15 s as it is delivered (kubernetes-sigs/metrics-server:README.md).
SAMPLE_SECONDS = 15.0


@dataclass(frozen=True)
class Warnings:
    """The warning events of a namespace, and whether there were more than were read."""

    events: list[dict[str, Any]]
    left_out: bool


def examine(call: Call) -> dict[str, Any]:
    """Look at rollout, pods, restarts, use of resources, events, autoscaling and nodes, side by side."""
    with opened(call) as session:
        if fault := snapshot.check_cluster(session.cluster, call.params["cluster_uid"]):
            call.warn(str(fault))
        with ThreadPoolExecutor(MOST_AT_ONCE) as pool:
            warned = pool.submit(_warnings, session.cluster, call.params["namespace"])
            found = snapshot.read(session.cluster, *session.workload)
            now = datetime.now(UTC)
            own = pool.submit(_events_of, session.cluster, found.workload)
            used = pool.submit(_uses, session, found, now)
            scaled = pool.submit(autoscaling.read, session.cluster, found.workload)
            at_nodes = pool.submit(_nodes, session.cluster, found)
            recent_seconds = 60 * call.params["recent_minutes"]
            looked = [
                asked("rollout", lambda: vitals.rollout_verdict(found.workload)),
                asked("pods", lambda: _pods(session, found, warned)),
                asked("restarts", lambda: vitals.restarts_verdict(found.pods, now, recent_seconds)),
                asked("resources", used.result),
                asked("events", lambda: _events(found, warned.result(), own.result(), now)),
                asked("autoscaling", lambda: _autoscaling(found, scaled.result(), now)),
                asked("overrides", lambda: vitals.overrides_verdict([*scaled.result().entries, found.workload], now)),
                asked("nodes", at_nodes.result),
            ]
        if call.params["trend_minutes"]:
            looked.insert(LINES_BEFORE_TREND, asked("memory trend", lambda: _trend(session, found)))
    told = lines.told(looked)
    call.journal.note("vitals", lines=told["lines"])
    state = rollout.judge(found.workload)
    return {
        **told,
        "rollout": {"state": state.state, "detail": state.detail, "reason": state.reason},
        "pods": sorted(pod["metadata"]["name"] for pod in found.pods),
        "ready_pods": sorted(pod["metadata"]["name"] for pod in found.pods if pod_is_ready(pod)),
    }


def _pods(session: Session, found: Snapshot, warned: Any) -> Verdict:
    try:
        words = event_groups.newest_warnings(warned.result().events)
    except OperatorError:  # the line of the events says so
        words = {}
    return vitals.pods_verdict(found.workload, found.pods, session.params["crash_restarts"], words)


def _uses(session: Session, found: Snapshot, now: datetime) -> Verdict:
    params = session.params
    thresholds = resources.Thresholds(
        params["memory_warning_ratio"],
        params["memory_critical_ratio"],
        params["cpu_warning_ratio"],
        params["cpu_critical_ratio"],
    )
    return resources.verdict(found.pods, _sampled(session, found), thresholds, now)


def _autoscaling(found: Snapshot, scaled: autoscaling.Found, now: datetime) -> Verdict:
    return vitals.autoscaling_verdict(scaled, found.workload, vitals.youngest_seconds(found.pods, now))


def _sampled(session: Session, found: Snapshot) -> list[metrics.Usage]:
    selector = snapshot.selector_text(found.workload["spec"]["selector"])
    own = {pod["metadata"]["name"] for pod in found.pods}
    listed = metrics.read(session.cluster, session.params["namespace"], selector)
    return [usage for usage in listed if usage.pod in own]


def _trend(session: Session, found: Snapshot) -> Verdict:
    """The memory of all containers over the whole time, from samples of the metrics API; it waits that long."""
    seconds = 60 * session.params["trend_minutes"]
    deadline = Deadline(seconds)
    series: dict[str, list[trend.Sample]] = {}
    session.call.say(f"memory trend: samples every {SAMPLE_SECONDS:.0f} s for {session.params['trend_minutes']:g} min")
    while True:
        for usage in _sampled(session, found):
            series.setdefault(f"{usage.container} of {usage.pod}", []).append((deadline.elapsed, usage.memory_bytes))
        if deadline.expired:
            return trend.judge(series, seconds, session.params["memory_growth_bytes_per_hour"])
        time.sleep(min(SAMPLE_SECONDS, deadline.remaining))


def _warnings(cluster: Cluster, namespace: str) -> Warnings:
    """All warnings of the namespace, up to a bound: one list costs the API server less than one for each object."""
    found: list[dict[str, Any]] = []
    query = {"fieldSelector": "type=Warning", "limit": PAGE}
    for _page in range(WARNING_PAGES):
        page = cluster.get(paths.path("Event", namespace), **query)
        found += page.get("items") or []
        query["continue"] = (page.get("metadata") or {}).get("continue") or ""
        if not query["continue"]:
            return Warnings(found, left_out=False)
    return Warnings(found, left_out=True)


def _events_of(cluster: Cluster, workload: dict[str, Any]) -> list[dict[str, Any]]:
    """The events of the workload itself: what its controller did of late."""
    metadata = workload["metadata"]
    return cluster.items(
        paths.path("Event", metadata["namespace"]), fieldSelector=f"involvedObject.uid={metadata['uid']},type=Normal"
    )


def _events(found: Snapshot, warned: Warnings, own: list[dict[str, Any]], now: datetime) -> Verdict:
    uids = {each["metadata"]["uid"] for each in (found.workload, *found.history, *found.pods)}
    return event_groups.verdict(event_groups.grouped([*warned.events, *own], uids, now), warned.left_out)


def _nodes(cluster: Cluster, found: Snapshot) -> Verdict:
    names = sorted({pod["spec"]["nodeName"] for pod in found.pods if pod["spec"].get("nodeName")})
    if not names:
        return Verdict("unknown", "none of its pods is on a node")
    looked: dict[str, dict[str, Any]] = {}
    gone: list[str] = []
    unread: dict[str, OperatorError] = {}
    for name in names[:MOST_NODES]:
        try:
            looked[name] = cluster.get(f"{paths.NODES}/{name}")
        except OperatorError as fault:
            if isinstance(fault, ApiFault) and fault.status == 404:
                gone.append(name)
            else:
                unread[name] = fault
    if unread and not looked and not gone:
        raise next(iter(unread.values()))
    judged = nodes.verdict(
        looked, _node_usage(cluster, looked), gone, {name: str(each) for name, each in unread.items()}
    )
    if len(names) > MOST_NODES:
        return replace(judged, reason=f"{judged.reason}; {len(names) - MOST_NODES} more were not asked")
    return judged


def _node_usage(cluster: Cluster, names: Iterable[str]) -> dict[str, Any]:
    """What the metrics API knows; the conditions tell without it, and the line then names no figures."""
    found: dict[str, Any] = {}
    for name in names:
        try:
            found[name] = cluster.get(f"{paths.NODE_METRICS}/{name}")
        except OperatorError as fault:
            if not isinstance(fault, ApiFault) or fault.status != 404:  # a new node has no sample yet
                break
    return found
