# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines of the health page: each sees what it is there to see, on services that have it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster import examination
from ansible_collections.linkops.runbooks.plugins.modules import workload_vitals
from lab.cluster import Manifest
from tests.integration.harness.amazon import Amazon, amazon
from tests.integration.harness.ground import Ground
from tests.integration.harness.pressing import Press, Pressed
from tests.integration.harness.relays import reachable, silence
from tests.integration.harness.services import Service, Services, container
from tests.integration.harness.stores import ask

pytestmark = pytest.mark.matrix

SILENCE_SECONDS = 6
GOAL_SECONDS = 3.0
#: The lab may be busy with other tests; what is asked here is what is said, not how soon.
PATIENT: dict[str, Any] = {"health_patience_seconds": 20, "health_timeout_seconds": 20}


@pytest.fixture(scope="module")
def api(shared: Ground) -> Service:
    """A healthy service that its users reach at a port of the node."""
    return shared.service(["v1.2.1"], node_port=True, **PATIENT)


def line(pressed: Pressed, name: str) -> dict[str, Any]:
    """One line of the page."""
    (page,) = pressed.results("health_page")
    return next(each for each in page["lines"] if each["line"] == name)


def said(pressed: Pressed, name: str) -> tuple[str, str]:
    """Verdict and reason of one line."""
    found = line(pressed, name)
    return found["status"], found["reason"]


def patched(service: Service, kind: str, name: str, change: Manifest) -> None:
    """Change an object of the service's namespace."""
    service.workload.cluster.patch(kind, service.namespace, name, change)


def seconds(pressed: Pressed) -> float:
    """How long the button says that it took."""
    return float(pressed.closing().partition("It took ")[2].split()[0])


def test_a_container_that_was_killed_for_memory(service: Services, press: Press) -> None:
    api = service(["v1.2.1"], behaviour="leak", wait=False, then=None)

    def killed() -> bool:
        states = [each for pod in api.workload.pods for each in pod["status"].get("containerStatuses") or []]
        return any(
            ((each.get("lastState") or {}).get("terminated") or {}).get("reason") == "OOMKilled" for each in states
        )

    api.workload.cluster.until(killed, lambda: "no container was killed for memory")
    pressed = press("health", api)
    status, reason = said(pressed, "restarts")
    assert pressed.rc == 2
    assert status == "fail"
    assert "killed for memory: api of api-" in reason
    assert "OOMKilled" in reason


def test_a_pod_that_is_not_ready_says_why(service: Services, press: Press) -> None:
    api = service(["v1.2.0"], then="v1.3.0")
    api.workload.cluster.until(
        lambda: any("Unhealthy" in str(each) for each in events(api)), lambda: "no event of a probe that failed"
    )
    pressed = press("health", api)
    assert said(pressed, "rollout")[0] == "unknown"
    status, reason = said(pressed, "pods")
    assert status == "pass", "the version before serves"
    assert "1 of 1 ready: pod api-" in reason
    assert "waits for readiness probe GET :http/health" in reason
    assert "statuscode: 503" in reason
    assert "Unhealthy x" in said(pressed, "events")[1]


def events(service: Service) -> list[Manifest]:
    """All events of its namespace."""
    found = service.workload.cluster.request("GET", f"/api/v1/namespaces/{service.namespace}/events")
    return list(found["items"])


def test_no_limits_are_no_ratio(ground: Ground) -> None:
    def unlimited(manifest: Manifest) -> None:
        container(manifest["spec"]["template"])["resources"] = {}

    api = ground.service(["v1.2.1"], change=unlimited)
    path = f"/apis/metrics.k8s.io/v1beta1/namespaces/{ground.namespace}/pods"
    ground.cluster.until(lambda: bool(ground.cluster.request("GET", path)["items"]), lambda: "no sample")
    pressed = ground.press("health", api)
    status, reason = said(pressed, "resources")
    assert status == "pass"
    assert reason.count("no limit") == 2
    for each in line(pressed, "resources")["evidence"]["containers"]:
        assert (each["limit"], each["ratio"]) == (None, None)
    assert "Infinity" not in (pressed.folder() / "evidence/health.json").read_text()


def test_an_autoscaler_without_metrics(ground: Ground) -> None:
    def without_request(manifest: Manifest) -> None:
        container(manifest["spec"]["template"])["resources"] = {}

    api = ground.service(["v1.2.1"], change=without_request)
    target = {"type": "Utilization", "averageUtilization": 80}
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "api"},
        "minReplicas": 1, "maxReplicas": 3,
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
    }  # fmt: skip
    kind = "HorizontalPodAutoscaler"
    ground.cluster.create(
        {"apiVersion": "autoscaling/v2", "kind": kind, "metadata": {"name": "api"}, "spec": spec}, ground.namespace
    )

    def inactive() -> bool:
        found = ground.cluster.get(kind, ground.namespace, "api") or {}
        return "FailedGetResourceMetric" in str(found.get("status"))

    ground.cluster.until(inactive, lambda: "the autoscaler does not miss its metrics")
    status, reason = said(ground.press("health", api), "autoscaling")
    assert status == "fail"
    assert "it has no metrics and does not scale by load (FailedGetResourceMetric" in reason
    assert "api requests no CPU" in reason


def endpoints(service: Service) -> list[str]:
    """The addresses that the EndpointSlices of its Service hold, which follow the selector."""
    path = f"/apis/discovery.k8s.io/v1/namespaces/{service.namespace}/endpointslices"
    selected = {"labelSelector": "kubernetes.io/service-name=api"}
    slices = service.workload.cluster.request("GET", path, query=selected)["items"]
    return [address for each in slices for ready in each.get("endpoints") or [] for address in ready["addresses"]]


def test_a_service_that_selects_nothing(service: Services, press: Press) -> None:
    found = service(["v1.2.1"])
    api = found.having(kubernetes_service_name="api")
    assert said(press("health", api), "service")[0] == "pass"
    patched(api, "Service", "api", {"spec": {"selector": {"app": "nobody"}}})
    found.workload.cluster.until(lambda: not endpoints(api), lambda: f"the endpoints stay: {endpoints(api)}")
    pressed = press("health", api)
    assert pressed.rc == 2
    assert said(pressed, "service") == ("fail", "Service api selects app=nobody, which is 0 of 1 pod")
    assert said(pressed, "endpoint slices")[0] == "fail"
    absent = press("health", api.having(kubernetes_service_name="shop"))
    assert said(absent, "service") == ("fail", f"namespace {api.namespace} has no Service shop")
    by_labels = press("health", found)
    assert said(by_labels, "service") == ("fail", f"no Service of {api.namespace} selects the pods")
    without = press("health", api.having(kubernetes_service_name=""))
    assert "service" not in [each["line"] for each in without.results("health_page")[0]["lines"]]


def test_endpoints_that_are_not_ready(service: Services, press: Press) -> None:
    api = service(["v1.3.0"], wait=False)
    api.workload.cluster.until(
        lambda: any(pod["status"].get("phase") == "Running" for pod in api.workload.pods), lambda: "no pod runs"
    )
    pressed = press("health", api)
    assert said(pressed, "service")[0] == "pass"
    assert said(pressed, "endpoint slices") == ("fail", "Service api has no ready endpoint among 1 pod")
    assert said(pressed, "pods answer") == ("fail", "no pod is ready")


def test_an_ingress_leads_from_the_users_host(shared: Ground, api: Service) -> None:
    path = f"/apis/networking.k8s.io/v1/namespaces/{shared.namespace}/ingresses"

    def rule(host: str, port: int) -> dict[str, Any]:
        backend = {"service": {"name": "api", "port": {"number": port}}}
        paths = [{"path": "/", "pathType": "Prefix", "backend": backend}]
        return {"metadata": {"name": "front"}, "spec": {"rules": [{"host": host, "http": {"paths": paths}}]}}

    users = api.having(health_url="https://api.example.invalid/health")
    outcomes = []
    for host, port in (("api.example.invalid", 3001), ("www.example.invalid", 3001), ("api.example.invalid", 3002)):
        shared.cluster.request("POST", path, rule(host, port))
        outcomes.append(said(shared.press("health", users), "ingress"))
        shared.cluster.request("DELETE", f"{path}/front")
    assert [status for status, _reason in outcomes] == ["pass", "fail", "fail"]
    assert "Ingress front (api.example.invalid/) leads to Service api" in outcomes[0][1]
    assert "no rule for api.example.invalid leads to Service api, only for www.example.invalid" in outcomes[1][1]
    assert "leads to port 3002, which Service api does not have" in outcomes[2][1]


def test_a_database_that_is_down_is_unknown_and_the_pods_say_what_they_see(shared: Ground, api: Service) -> None:
    pressed = shared.press("health", api, database_port=1)
    assert said(pressed, "database")[0] == "unknown"
    status, reason = said(pressed, "database from a pod")
    assert status == "pass"
    assert "is connected after" in reason
    found = line(shared.press("health", api), "database")
    assert found["status"] == "pass"
    assert "servicelink-api" in found["reason"]
    assert found["evidence"]["connections"]["by_application"]


def test_a_pod_whose_own_connection_fails(shared: Ground, api: Service) -> None:
    """The probe uses the pod's DATABASE_URL, wherever that leads; what it says is one line of JSON."""
    wrong = "console.log(JSON.stringify({ok: false, code: 'ECONNREFUSED', milliseconds: 3}))"
    outcomes = {
        code: said(shared.press("health", api.having(pod_database_probe=command)), "database from a pod")
        for code, command in {
            "refused": ["node", "-e", wrong],
            "crash": ["node", "-e", "process.exit(3)"],
            "words": ["node", "-e", "console.log('hello')"],
            "absent": ["psql"],
        }.items()
    }
    assert {code: status for code, (status, _reason) in outcomes.items()} == {
        "refused": "fail", "crash": "unknown", "words": "unknown", "absent": "unknown",
    }  # fmt: skip
    assert "cannot connect with its own connection: ECONNREFUSED" in outcomes["refused"][1]
    assert "exit code 3" in outcomes["crash"][1]


def test_a_redis_that_refuses_the_password(shared: Ground, api: Service, tmp_path: Path) -> None:
    wrong = tmp_path / "redis.json"
    wrong.write_text(json.dumps({"redis_password": "hunter2hunter2"}))
    pressed = shared.press("health", api, cache_password_file=str(wrong))
    assert said(pressed, "redis")[0] in ("fail", "unknown")
    assert "hunter2" not in pressed.output
    status, reason = said(shared.press("health", api), "redis")
    assert status == "pass"
    assert "PING after" in reason
    assert "noeviction" in reason
    assert "commands processed" in reason


def test_silent_dependencies_do_not_add_up(shared: Ground, api: Service) -> None:
    """Several that never answer take as long as one."""
    with silence() as (address, port):
        pressed = shared.press(
            "health", api, database_host=address, database_port=port, cache_host=address, cache_port=port,
            prometheus_url=f"http://{address}:{port}", health_url=f"http://{address}:{port}/health",
            health_patience_seconds=SILENCE_SECONDS,
        )  # fmt: skip
    for name in ("database", "redis", "prometheus"):
        assert said(pressed, name)[0] == "unknown"
    assert said(pressed, f"http://{address}:{port}/health")[0] == "fail"
    (took,) = [task.ended - task.started for task in pressed.tasks if task.action.endswith("service_checkup")]
    assert SILENCE_SECONDS <= took < 4 * SILENCE_SECONDS


def test_the_page_is_quick(shared: Ground, api: Service) -> None:
    assert seconds(shared.press("health", api)) < 10 * GOAL_SECONDS


@pytest.fixture
def aws() -> Iterator[Amazon]:
    """The load balancer's API; it calls each registered target healthy once it is in use."""
    with amazon() as speaking:
        yield speaking


def test_a_target_group_is_asked_where_the_inventory_names_one(shared: Ground, api: Service, aws: Amazon) -> None:
    elb = aws.client("elbv2")
    group = elb.create_target_group(
        Name="blue", Protocol="HTTP", Port=3001, VpcId=vpc(aws), TargetType="ip"
    )["TargetGroups"][0]["TargetGroupArn"]  # fmt: skip

    def press(arn: str = group) -> tuple[str, str]:
        pressed = shared.press("health", api, target_group_arn=arn, environment=aws.environment)
        return said(pressed, "target group")

    empty = press()
    (address,) = [pod["status"]["podIP"] for pod in api.workload.pods]
    elb.register_targets(TargetGroupArn=group, Targets=[{"Id": address, "Port": 3001}])
    registered = press()
    assert empty == ("fail", "no target is registered")
    assert registered[0] == "pass"
    assert "1 healthy of 1 target" in registered[1]
    assert press(group.replace("blue", "green"))[0] == "unknown"
    assert press("blue")[0] == "unknown"


def vpc(aws: Amazon) -> str:
    """A network for the target group."""
    made = aws.client("ec2").create_vpc(CidrBlock="10.0.0.0/16")
    return str(made["Vpc"]["VpcId"])


def test_without_prometheus_the_metrics_api_is_sampled_for_a_trend(
    shared: Ground, api: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five samples of the real API; the time between them is cut, since what is tested is what becomes of them."""
    monkeypatch.setattr(examination, "SAMPLE_SECONDS", 4.0)
    path = f"/apis/metrics.k8s.io/v1beta1/namespaces/{shared.namespace}/pods"
    (pod,) = (each["metadata"]["name"] for each in api.workload.pods)
    shared.cluster.until(lambda: pod in str(shared.cluster.request("GET", path)), lambda: "no sample")
    looked = ask(
        workload_vitals.MODULE, kubeconfig=str(shared.cluster.lab.kubeconfig), namespace=shared.namespace,
        name=api.name, trend_minutes=17 / 60, memory_growth_bytes_per_hour=1 << 60,
    )  # fmt: skip
    (found,) = (each for each in looked["lines"] if each["line"] == "memory trend")
    assert found["status"] == "pass", found
    assert f" per hour in api of {pod}" in found["reason"]
    assert list(found["evidence"]["bytes_per_hour"]) == [f"api of {pod}"]


def test_prometheus_knows_targets_errors_and_trend(shared: Ground) -> None:
    """Traffic of which every fifth request fails is seen as a ratio; a fresh pod is too young for a trend."""
    api = shared.service(["v1.3.2"], "errors", node_port=True, **PATIENT)
    stop = threading.Event()
    threading.Thread(target=load, args=(api, stop), daemon=True).start()
    try:
        pressed = eventually(lambda: shared.press("health", api), lambda each: said(each, "error ratio")[0] == "fail")
    finally:
        stop.set()
    assert pressed.rc == 2
    assert "ended in a 5xx, critical from 5.0 % on" in said(pressed, "error ratio")[1]
    assert said(pressed, "scrape targets") == ("pass", "1 of 1 up")
    assert said(pressed, "memory trend")[0] == "unknown"


def test_a_prometheus_inside_the_cluster_is_asked_through_the_api_server(shared: Ground, api: Service) -> None:
    url = reachable(shared.cluster, shared.namespace)
    pressed = eventually(
        lambda: shared.press("health", api, prometheus_url=url),
        lambda each: "scrapes none" not in said(each, "scrape targets")[1],
    )
    assert said(pressed, "scrape targets") == ("pass", "1 of 1 up")
    absent = shared.press("health", api, prometheus_url=url.replace("prometheus:", "nobody:"))
    assert said(absent, "prometheus")[0] == "unknown"


def load(service: Service, stop: threading.Event) -> None:
    """Ask for what fails now and then."""
    import urllib.error  # noqa: PLC0415
    import urllib.request  # noqa: PLC0415

    while not stop.is_set():
        try:
            with urllib.request.urlopen(service.health_url.replace("/health", "/jobs"), timeout=5) as answer:
                answer.read()
        except (urllib.error.URLError, OSError):
            continue


def eventually(press: Callable[[], Pressed], reached: Callable[[Pressed], bool]) -> Pressed:
    """Press until it is so, for a minute: Prometheus looks every 5 s."""
    end = time.monotonic() + 90
    while True:
        pressed = press()
        if reached(pressed) or time.monotonic() > end:
            return pressed
        time.sleep(3)
