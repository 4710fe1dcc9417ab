# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The path of users' requests: which link is broken, and how it is called."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster import routes

URL = "https://api.example.com/health"


def service(**spec: Any) -> dict[str, Any]:
    """A Service of the API."""
    ports = [{"name": "http", "port": 80, "targetPort": "http"}]
    return {
        "metadata": {"name": "api"},
        "spec": {"type": "ClusterIP", "selector": {"app": "api"}, "ports": ports, **spec},
    }


def pod(name: str = "api-1", ready: bool = True, app: str = "api") -> dict[str, Any]:
    """One of its pods."""
    conditions = [{"type": "Ready", "status": str(ready)}]
    ports = [{"name": "http", "containerPort": 3001}]
    return {
        "metadata": {"name": name, "uid": name, "labels": {"app": app}},
        "spec": {"containers": [{"name": "api", "ports": ports}]},
        "status": {"conditions": conditions},
    }


def slice_of(**ready: bool | None) -> dict[str, Any]:
    """An EndpointSlice with these pods."""
    endpoints = [
        {
            "targetRef": {"kind": "Pod", "uid": name.replace("_", "-")},
            "conditions": {} if each is None else {"ready": each},
        }
        for name, each in ready.items()
    ]
    return {"endpoints": endpoints}


def ingress(host: str = "api.example.com", port: Any = None, name: str = "api", **annotations: str) -> dict[str, Any]:
    """An Ingress with one rule."""
    backend = {"service": {"name": name, "port": port or {"name": "http"}}}
    return {
        "metadata": {"name": "front", "annotations": annotations},
        "spec": {"rules": [{"host": host, "http": {"paths": [{"path": "/", "backend": backend}]}}]},
        "status": {"loadBalancer": {"ingress": [{"hostname": "lb.example.com"}]}},
    }


def test_a_service_is_found_by_the_labels_it_selects() -> None:
    labels = {"app": "api", "tier": "back"}
    other, without = service(selector={"app": "web"}), service(selector=None)
    assert routes.selecting([other, without, service()], labels) == [service()]


@pytest.mark.parametrize(
    ("spec", "pods", "status", "told"),
    [
        pytest.param({}, [pod()], "pass", "(80 -> http) selects all 1 pod", id="well"),
        pytest.param(
            {"selector": {"app": "nobody"}}, [pod()], "fail", "selects app=nobody, which is 0 of 1 pod", id="nothing"
        ),
        pytest.param({}, [pod(), pod("api-2", app="other")], "fail", "1 of 2 pods", id="some"),
        pytest.param({}, [], "fail", "0 of 0 pods", id="no pods"),
        pytest.param(
            {"ports": [{"port": 80, "targetPort": "web"}]},
            [pod()],
            "fail",
            "container port web, which api-1 has not",
            id="port",
        ),
        pytest.param({"ports": [{"port": 80, "targetPort": 3001}]}, [pod()], "pass", "80 -> 3001", id="number"),
        pytest.param({"selector": None}, [pod()], "unknown", "no selector", id="by hand"),
        pytest.param(
            {"type": "ExternalName", "externalName": "x.example"}, [pod()], "unknown", "x.example", id="a name"
        ),
    ],
)
def test_selector_and_ports(spec: dict[str, Any], pods: list[dict[str, Any]], status: str, told: str) -> None:
    verdict = routes.service_verdict(service(**spec), pods)
    assert (verdict.status, told in verdict.reason) == (status, True), verdict.reason


@pytest.mark.parametrize(
    ("slices", "pods", "status", "told"),
    [
        pytest.param([slice_of(api_1=True)], [pod()], "pass", "1 of 1 pod serve", id="well"),
        pytest.param([slice_of(api_1=None)], [pod()], "pass", "1 of 1 pod", id="no condition is ready"),
        pytest.param([slice_of(api_1=False)], [pod(ready=False)], "fail", "no ready endpoint", id="not ready"),
        pytest.param([], [pod()], "fail", "no ready endpoint", id="no slices"),
        pytest.param(
            [slice_of(api_1=True)], [pod(), pod("api-2")], "fail", "api-2 is ready and no endpoint", id="behind"
        ),
        pytest.param(
            [slice_of(api_1=True), slice_of(green_1=True)],
            [pod()],
            "pass",
            "1 endpoint of other workloads",
            id="foreign",
        ),
        pytest.param(
            [slice_of(api_1=True, api_2=False)], [pod(), pod("api-2", ready=False)], "pass", "1 of 2", id="one of two"
        ),
    ],
)
def test_endpoints(slices: list[dict[str, Any]], pods: list[dict[str, Any]], status: str, told: str) -> None:
    verdict = routes.endpoints_verdict(service(), slices, pods)
    assert (verdict.status, told in verdict.reason) == (status, True), verdict.reason


ACTION = json.dumps(
    {"type": "forward", "forwardConfig": {"targetGroups": [{"serviceName": "api", "servicePort": "80"}]}}
)


@pytest.mark.parametrize(
    ("ingresses", "spec", "status", "told"),
    [
        pytest.param([ingress()], {}, "pass", "Ingress front (api.example.com/) leads to Service api", id="well"),
        pytest.param([ingress("*.example.com")], {}, "pass", "*.example.com", id="wildcard"),
        pytest.param([ingress("")], {}, "pass", "any host", id="any host"),
        pytest.param([ingress("www.example.com")], {}, "fail", "no rule for api.example.com", id="another host"),
        pytest.param([ingress(port={"number": 81})], {}, "fail", "port 81, which Service api does not have", id="port"),
        pytest.param([ingress(port={"number": 80})], {}, "pass", "leads to", id="port number"),
        pytest.param(
            [
                ingress(
                    port={"name": "use-annotation"}, name="blue", **{"alb.ingress.kubernetes.io/actions.blue": ACTION}
                )
            ],
            {},
            "pass",
            "leads to Service api",
            id="an action of the ALB",
        ),
        pytest.param(
            [ingress(port={"name": "use-annotation"}, name="blue", **{"alb.ingress.kubernetes.io/actions.blue": "{"})],
            {},
            "unknown",
            "no Ingress leads to",
            id="an action that is no JSON",
        ),
        pytest.param([{**ingress(), "status": {}}], {}, "pass", "warning: ", id="no address"),
        pytest.param([], {}, "unknown", "no Ingress leads to Service api", id="none"),
        pytest.param(
            [], {"type": "NodePort", "ports": [{"port": 80, "nodePort": 30001}]}, "pass", "port 30001", id="node port"
        ),
        pytest.param([], {"type": "LoadBalancer"}, "fail", "has no address", id="load balancer"),
    ],
)
def test_ingress(ingresses: list[dict[str, Any]], spec: dict[str, Any], status: str, told: str) -> None:
    verdict = routes.ingress_verdict(ingresses, service(**spec), URL)
    assert (verdict.status, told in verdict.reason) == (status, True), verdict.reason
