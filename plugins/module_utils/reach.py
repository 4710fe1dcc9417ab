# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation behind M(linkops.runbooks.service_path), where cluster and load balancer meet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

from . import lines
from .call import Call
from .cluster import paths, routes, snapshot
from .cluster.client import ApiFault, Cluster
from .cluster.session import opened
from .errors import OperatorError
from .lines import Line, asked, unasked
from .traffic import target_groups
from .verdict import Verdict

Object = Mapping[str, Any]

MOST_AT_ONCE = 8
MOST_SERVICES = 5


def reach(call: Call) -> dict[str, Any]:
    """Follow the path that users take to the pods, link by link."""
    params = call.params
    with opened(call) as session, ThreadPoolExecutor(MOST_AT_ONCE) as pool:
        cluster, namespace = session.cluster, params["namespace"]
        ingresses = pool.submit(cluster.items, paths.path("Ingress", namespace))
        group = params["target_group_arn"]
        targets = pool.submit(target_groups.read, group, call.environment) if group else None
        found = snapshot.read(cluster, *session.workload)
        pods = [pod for pod in found.pods if not pod["metadata"].get("deletionTimestamp")]
        labels = (found.workload["spec"]["template"].get("metadata") or {}).get("labels") or {}
        looked: list[Line] = []
        try:
            services = _services(cluster, namespace, params["service"], labels)
        except OperatorError as fault:
            services, absent = [], unasked(fault)
        else:
            named = f"namespace {namespace} has no Service {params['service']}"
            absent = Verdict("fail", named if params["service"] else f"no Service of {namespace} selects the pods")
        for service in services[:MOST_SERVICES]:
            name = service["metadata"]["name"]
            called = f" {name}" if len(services) > 1 else ""
            slices = pool.submit(_slices, cluster, namespace, name)
            looked += [
                asked(f"ingress{called}", partial(_ingress, ingresses, service, params["url"] or "")),
                Line(f"service{called}", routes.service_verdict(service, pods)),
                asked(f"endpoint slices{called}", partial(_endpoints, slices, service, pods)),
            ]
        if not services:
            looked.append(Line("service", absent))
        if targets:
            addresses = [pod["status"]["podIP"] for pod in pods if (pod.get("status") or {}).get("podIP")]
            looked.insert(0, asked("target group", lambda: target_groups.verdict(targets.result(), addresses)))
    told = lines.told(looked)
    call.journal.note("path", lines=told["lines"])
    return told


def _services(cluster: Cluster, namespace: str, name: str | None, labels: Mapping[str, str]) -> Sequence[Object]:
    """The named Service, or those that select the pods."""
    if not name:
        return routes.selecting(cluster.items(paths.path("Service", namespace)), labels)
    try:
        return [cluster.get(paths.path("Service", namespace, name))]
    except ApiFault as fault:
        if fault.status == 404:
            return []
        raise


def _ingress(ingresses: Future[list[dict[str, Any]]], service: Object, url: str) -> Verdict:
    return routes.ingress_verdict(ingresses.result(), service, url)


def _endpoints(slices: Future[list[dict[str, Any]]], service: Object, pods: Sequence[Object]) -> Verdict:
    return routes.endpoints_verdict(service, slices.result(), pods)


def _slices(cluster: Cluster, namespace: str, service: str) -> list[dict[str, Any]]:
    selector = f"kubernetes.io/service-name={service}"
    return cluster.items(paths.path("EndpointSlice", namespace), labelSelector=selector)
