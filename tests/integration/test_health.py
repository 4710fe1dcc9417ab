# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The health button: what passes, what fails, what cannot be asked, its exit code, and its mark."""

from __future__ import annotations

import base64
import dataclasses
import json
from typing import Any

import pytest

from lab.cluster import Cluster
from tests.integration.harness.audit import AuditLog
from tests.integration.harness.credentials import kubeconfig, service_account
from tests.integration.harness.ground import Ground
from tests.integration.harness.pressing import Press, Pressed
from tests.integration.harness.services import Service, Services, container

READ = ["get", "list", "watch"]
WITHOUT_PROXY = {
    "apps:deployments": READ,
    "apps:replicasets": READ,
    ":pods": READ,
    ":pods/portforward": ["get", "create"],
}
#: The lab may be busy with other tests; what is asked here is what is said, not how soon.
PATIENT = {"health_patience_seconds": 20, "health_timeout_seconds": 20}
#: A service whose readiness is asked in vain by nobody but the kubelet.
HANGING = [
    "node", "-e",
    """
    require('http').createServer((request, response) => {
      if (request.headers['user-agent'].startsWith('kube-probe')) response.end('{}')
      else if (request.url === '/stream') setInterval(() => response.write('tick'), 100)
    }).listen(Number(process.env.PORT ?? 3001))
    """,
]  # fmt: skip


def lines(pressed: Pressed) -> dict[str, dict[str, Any]]:
    """The lines of the page by name."""
    (page,) = pressed.results("health_page")
    return {line["line"]: line for line in page["lines"]}


def statuses(pressed: Pressed) -> dict[str, str]:
    """The verdict of each line."""
    return {name: line["status"] for name, line in lines(pressed).items()}


def measured(cluster: Cluster, service: Service) -> None:
    """Wait until the metrics API has a sample of each pod."""
    path = f"/apis/metrics.k8s.io/v1beta1/namespaces/{service.namespace}/pods"

    def seen() -> bool:
        found = {each["metadata"]["name"] for each in cluster.request("GET", path)["items"]}
        return found >= {pod["metadata"]["name"] for pod in service.workload.pods}

    cluster.until(seen, lambda: "the metrics API has no sample of the pods")


def test_a_healthy_service_passes_and_nothing_is_written(
    service: Services, press: Press, audit: AuditLog, cluster: Cluster
) -> None:
    api = service(["v1.2.1"], replicas=2, node_port=True).having(prometheus_url="", **PATIENT)
    measured(cluster, api)
    with audit.reading() as seen:
        pressed = press("health", api)
    with audit.reading() as checked:
        check = press("health", api, options=["--check"])
    assert pressed.rc == 0, pressed.output
    assert "pass: all " in pressed.closing()
    assert set(statuses(pressed).values()) == {"pass"}
    assert list(statuses(pressed)) == [
        api.health_url, "pods answer", "ingress", "service", "endpoint slices", "rollout", "pods", "restarts",
        "resources", "events", "autoscaling", "overrides", "nodes", "environment", "database", "database from a pod",
        "redis",
    ]  # fmt: skip
    assert seen.requests
    assert [event["objectRef"].get("subresource") for event in seen.writes] == ["exec"] * len(seen.writes)
    # In check mode the one thing that runs something, the probe in a pod, is left out and says so.
    assert checked.writes == []
    assert "not asked in check mode" in lines(check)["database from a pod"]["reason"]
    assert {name for name, status in statuses(check).items() if status != "pass"} == {"database from a pod"}


def test_the_page_is_a_table_json_and_html_without_any_secret(ground: Ground) -> None:
    api = ground.service(["v1.2.1"], node_port=True)
    pressed = ground.press("health", api.having(**PATIENT))
    evidence = pressed.folder() / "evidence"
    page = json.loads((evidence / "health.json").read_text())
    html = (evidence / "health.html").read_text()
    table = pressed.results("health_page")[0]["table"]
    assert page["lines"] == pressed.results("health_page")[0]["lines"]
    assert page["service"] == "api"
    assert all(f"<th>{line['line']}</th>" in html for line in page["lines"])
    assert all(f"api | {text}" in pressed.output for text in table)
    assert pressed.stats["linkops_facts"]["lines"] == page["lines"]
    secrets = ground.cluster.list("Secret", ground.namespace)
    values = {base64.b64decode(value).decode() for each in secrets for value in each.get("data", {}).values()}
    assert len(values) >= 8
    kept = [path.read_text() for path in pressed.folder().rglob("*") if path.is_file()]
    for value in values:
        assert value not in pressed.output
        assert all(value not in text for text in kept)
    assert "DATABASE_URL" in html  # its name and where it comes from
    assert "AUTH_LOGIN_RATE_LIMIT=10" in lines(pressed)["environment"]["reason"]


def test_a_200_that_reports_a_lost_database_fails(service: Services, press: Press) -> None:
    pressed = press("health", service(["v1.3.4"]), mark="true")
    assert pressed.rc == 2
    assert 'database is "disconnected", expected "connected"' in pressed.closing()
    assert pressed.results("workload_mark") == []


def test_a_pod_that_hangs_and_an_answer_without_end_fail(service: Services, press: Press) -> None:
    """The kubelet finds it ready; whoever else asks waits for ever."""
    api = service(["v1.2.1"], change=lambda manifest: container(manifest["spec"]["template"]).update(command=HANGING))
    name = api.workload.pods[0]["metadata"]["name"]
    pressed = press("health", api.having(more_endpoints=[{"path": "/stream"}]))
    checked = press("health", api, options=["--check"])
    assert (pressed.rc, checked.rc) == (2, 2), pressed.output
    for each in (pressed, checked):
        assert f"pod {name} gives no answer: nothing comes within 2 s" in lines(each)["pods answer"]["reason"]
        assert lines(each)["pods answer"]["status"] == "fail"
    said = lines(pressed)[f"/stream of pod {name}"]
    assert (said["status"], "begins (200), and does not end within 2 s" in said["reason"]) == ("fail", True), said


def test_what_cannot_be_asked_is_unknown_and_reaches_only_what_was_told(service: Services, press: Press) -> None:
    api = service(["v1.2.1"]).having(health_url="http://no-such-name.invalid/health")
    pressed = press("health", api, mark="true")
    strict = press("health", api, fail_on="unknown")
    assert (pressed.rc, strict.rc) == (0, 2), pressed.output
    for each in (pressed, strict):
        assert "unknown: " in each.closing()
        assert "does not resolve" in each.closing()
        assert each.stats["linkops_verdict"] == "unknown"
    assert pressed.results("workload_mark") == []
    wrong = press("health", api, fail_on="warning")
    assert wrong.rc == 2
    assert "one of: fail, unknown, got: warning" in wrong.failure()


def test_the_mark_makes_a_revision_the_last_known_good(service: Services, press: Press) -> None:
    api = service(["v1.2.0"])
    assert press("health", api, mark="true").results("workload_mark")[0]["changed"]
    again = press("health", api, mark="true")
    assert again.rc == 0
    assert not again.results("workload_mark")[0]["changed"]
    api.deploy("servicelink/api:v1.3.0")  # never gets ready
    back = press("rollback", api)
    assert back.rc == 0, back.output
    assert "from revision 2 to revision 1" in back.closing()


@pytest.mark.parametrize("allowed", [True, False], ids=["forwarded", "neither-way"])
def test_pods_are_asked_by_port_forward_where_the_proxy_is_forbidden(ground: Ground, allowed: bool) -> None:
    """What these credentials may not read is unknown with the reason, and the other lines stand."""
    api = ground.service(["v1.2.1"])
    rules = {resource: verbs for resource, verbs in WITHOUT_PROXY.items() if allowed or "portforward" not in resource}
    token = service_account(ground.cluster, ground.namespace, "watchman", rules)
    path = kubeconfig(ground.cluster.lab, ground.press.records.parent / "kubeconfig", token=token)
    pressed = ground.press("health", api.having(kubernetes_kubeconfig=str(path), **PATIENT))
    said = statuses(pressed)
    assert said["pods answer"] == ("pass" if allowed else "unknown"), pressed.output
    assert (said["rollout"], said["pods"], said["database"], said["redis"]) == ("pass",) * 4
    hidden = ["service", "resources", "events", "autoscaling", "nodes", "environment", "database from a pod"]
    assert [said[name] for name in hidden] == ["unknown"] * len(hidden)
    assert "these credentials may not read it" in lines(pressed)["resources"]["reason"]
    assert "Secret/servicelink-secrets" in lines(pressed)["environment"]["reason"]
    assert pressed.rc == 0


def test_an_inventory_that_names_nobody_says_so(service: Services, press: Press) -> None:
    """Where it does not say how a thing is asked the line is unknown; a wrong workload is one sentence."""
    api = service(["v1.2.1"])
    names = ("prometheus_url", "database_host", "cache_host")
    pressed = press("health", api, workload_name="nobody")
    assert pressed.rc == 2
    assert "has no Deployment nobody; it has api" in pressed.failure()
    lab = api.workload.cluster.lab
    production = press(
        "health", dataclasses.replace(api, group="servicelink_production"), environment_name="lab",
        inventories=["inventories/servicelink/production.yml"], kubernetes_kubeconfig=str(lab.kubeconfig),
    )  # fmt: skip
    said = {name: line["reason"] for name, line in lines(production).items()}
    for name, line in zip(names, ("prometheus", "database", "redis"), strict=True):
        assert f"the inventory has no {name}" in said[line]
    assert "one sample is no trend" in said["memory trend"]
