# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The path that users' requests take inside the cluster, link by link: Ingress, Service, EndpointSlices, pods. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ..lines import WARNING
from ..verdict import Verdict
from ..wording import counted
from .revisions import pod_is_ready

Object = Mapping[str, Any]

# The AWS Load Balancer Controller reads a backend of this port name from an annotation
# (https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/guide/ingress/annotations/#actions).
_ACTION = "alb.ingress.kubernetes.io/actions."
USE_ANNOTATION = "use-annotation"


@dataclass(frozen=True)
class Route:
    """One rule of an Ingress that leads to a Service; an empty C(host) is any, C(port) is its number or name."""

    ingress: str
    host: str
    path: str
    port: int | str
    addressed: bool

    def __str__(self) -> str:
        return f"Ingress {self.ingress} ({self.host or 'any host'}{self.path})"


def selecting(services: Iterable[Object], labels: Mapping[str, str]) -> list[Object]:
    """The Services whose selector finds pods with these labels, by name."""
    found = [
        service
        for service in services
        if (selector := service["spec"].get("selector")) and selector.items() <= labels.items()
    ]
    return sorted(found, key=lambda service: str(service["metadata"]["name"]))


def ingress_verdict(ingresses: Iterable[Object], service: Object, url: str) -> Verdict:
    """Whether a rule leads from the users' host to the Service, or its own type lets them in."""
    name, spec = service["metadata"]["name"], service["spec"]
    routes = [route for ingress in ingresses for route in _routes(ingress, name)]
    evidence = {"routes": [route.__dict__ for route in routes]}
    if not routes:
        return _by_itself(service)
    host = urlsplit(url).hostname or ""
    fitting = [route for route in routes if not host or _covers(route.host, host)]
    if not fitting:
        others = ", ".join(sorted({route.host for route in routes}))
        return Verdict("fail", f"no rule for {host} leads to Service {name}, only for {others}", evidence)
    ports = {port.get("name") for port in spec.get("ports") or []} | {port["port"] for port in spec.get("ports") or []}
    for route in fitting:
        if route.port not in ports | {USE_ANNOTATION}:
            return Verdict("fail", f"{route} leads to port {route.port}, which Service {name} does not have", evidence)
    silent = sorted({route.ingress for route in fitting if not route.addressed})
    words = f"{'; '.join(map(str, fitting[:3]))} leads to Service {name}"
    if silent:
        return Verdict("pass", f"{WARNING}{words}; no controller gave {', '.join(silent)} an address", evidence)
    return Verdict("pass", words, evidence)


def service_verdict(service: Object, pods: Sequence[Object]) -> Verdict:
    """Whether the Service's selector finds the pods, and its ports lead to ports that they have."""
    name, spec = service["metadata"]["name"], service["spec"]
    selector: dict[str, str] = spec.get("selector") or {}
    shown = ",".join(f"{key}={value}" for key, value in sorted(selector.items()))
    evidence = {"type": spec.get("type"), "selector": selector, "ports": spec.get("ports") or []}
    if spec.get("type") == "ExternalName":
        return Verdict("unknown", f"Service {name} is a name for {spec.get('externalName')}, not for pods", evidence)
    if not selector:
        return Verdict("unknown", f"Service {name} has no selector: somebody else makes its endpoints", evidence)
    matched = [pod for pod in pods if selector.items() <= (pod["metadata"].get("labels") or {}).items()]
    if len(matched) < len(pods) or not pods:
        return Verdict(
            "fail", f"Service {name} selects {shown}, which is {len(matched)} of {counted(len(pods), 'pod')}", evidence
        )
    for port in spec.get("ports") or []:
        target = port.get("targetPort")
        lacking = [pod["metadata"]["name"] for pod in pods if isinstance(target, str) and target not in _ports(pod)]
        if lacking:
            return Verdict(
                "fail",
                f"port {port['port']} of Service {name} leads to container port {target}, which {lacking[0]} has not",
                evidence,
            )
    leads = ", ".join(f"{port['port']} -> {port.get('targetPort')}" for port in spec.get("ports") or [])
    return Verdict("pass", f"Service {name} ({leads}) selects all {counted(len(pods), 'pod')}", evidence)


def endpoints_verdict(service: Object, slices: Iterable[Object], pods: Sequence[Object]) -> Verdict:
    """Whether every ready pod is a ready endpoint of the Service."""
    name = service["metadata"]["name"]
    listed = {
        (endpoint.get("targetRef") or {}).get("uid") or str(endpoint.get("addresses")): endpoint
        for each in slices
        for endpoint in each.get("endpoints") or []
    }
    # No condition counts as ready (kubernetes/api:discovery/v1/types.go, EndpointConditions).
    serving = {uid for uid, each in listed.items() if (each.get("conditions") or {}).get("ready") is not False}
    own = {pod["metadata"]["uid"]: pod["metadata"]["name"] for pod in pods}
    ready = {pod["metadata"]["uid"] for pod in pods if pod_is_ready(pod)}
    foreign = serving - own.keys()
    evidence = {
        "serving": sorted(own[uid] for uid in serving & own.keys()),
        "not_serving": sorted(own[uid] for uid in (own.keys() & listed.keys()) - serving),
        "of_other_workloads": len(foreign),
    }
    beside = f"; {counted(len(foreign), 'endpoint')} of other workloads beside them" if foreign else ""
    if not serving & own.keys():
        return Verdict(
            "fail", f"Service {name} has no ready endpoint among {counted(len(own), 'pod')}{beside}", evidence
        )
    if missing := sorted(own[uid] for uid in ready - serving):
        return Verdict("fail", f"{', '.join(missing[:3])} is ready and no endpoint of Service {name}{beside}", evidence)
    return Verdict(
        "pass", f"{len(serving & own.keys())} of {counted(len(own), 'pod')} serve as endpoints{beside}", evidence
    )


def _by_itself(service: Object) -> Verdict:
    """How users come to a Service that no Ingress leads to."""
    name, spec = service["metadata"]["name"], service["spec"]
    if spec.get("type") == "LoadBalancer":
        given = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
        shown = ", ".join(str(each.get("hostname") or each.get("ip")) for each in given)
        if not given:
            return Verdict("fail", f"Service {name} is of type LoadBalancer and has no address")
        return Verdict("pass", f"no Ingress; users come by the load balancer {shown}")
    if spec.get("type") == "NodePort":
        ports = ", ".join(str(port["nodePort"]) for port in spec.get("ports") or [] if port.get("nodePort"))
        return Verdict("pass", f"no Ingress; users come by port {ports} of the nodes")
    return Verdict("unknown", f"no Ingress leads to Service {name}: how users come to it cannot be seen here")


def _routes(ingress: Object, service: str) -> Iterator[Route]:
    name, spec = ingress["metadata"]["name"], ingress.get("spec") or {}
    addressed = bool((((ingress.get("status") or {}).get("loadBalancer")) or {}).get("ingress"))
    backends = [("", "", spec.get("defaultBackend"))]
    backends += [
        (rule.get("host") or "", path.get("path") or "", path.get("backend"))
        for rule in spec.get("rules") or []
        for path in (rule.get("http") or {}).get("paths") or []
    ]
    for host, path, backend in backends:
        port = _port_to(ingress, (backend or {}).get("service") or {}, service)
        if port is not None:
            yield Route(name, host, path, port, addressed)


def _port_to(ingress: Object, backend: Object, service: str) -> int | str | None:
    """The port by which a backend leads to the Service, directly or by an action's annotation."""
    port = backend.get("port") or {}
    if backend.get("name") == service:
        found: int | str | None = port.get("name") or port.get("number")
        return found
    if port.get("name") == USE_ANNOTATION:
        text = (ingress["metadata"].get("annotations") or {}).get(f"{_ACTION}{backend.get('name')}", "{}")
        if service in _action_services(text):
            return USE_ANNOTATION
    return None


def _action_services(text: str) -> list[str]:
    """The Services that an action's JSON forwards to."""
    try:
        groups = json.loads(text).get("forwardConfig", {}).get("targetGroups") or []
        return [str(group.get("serviceName")) for group in groups]
    except (AttributeError, ValueError):
        return []


def _covers(rule: str, host: str) -> bool:
    """Whether a rule's host is this one; a wildcard stands for one label."""
    if rule.startswith("*."):
        return host.partition(".")[2] == rule[2:]
    return rule in ("", host)


def _ports(pod: Object) -> set[str]:
    return {
        port["name"]
        for container in pod["spec"].get("containers") or []
        for port in container.get("ports") or []
        if port.get("name")
    }
