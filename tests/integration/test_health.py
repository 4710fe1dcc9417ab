# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The health button: what passes, what fails, what cannot be asked, and the mark it leaves on request."""

from __future__ import annotations

import pytest

from tests.integration.harness.audit import AuditLog
from tests.integration.harness.credentials import kubeconfig, service_account
from tests.integration.harness.ground import Ground
from tests.integration.harness.pressing import Press
from tests.integration.harness.services import Services

READ = ["get", "list", "watch"]
WITHOUT_PROXY = {
    "apps:deployments": READ,
    "apps:replicasets": READ,
    ":pods": READ,
    ":pods/portforward": ["get", "create"],
}


def test_a_healthy_service_passes_and_nothing_is_written(service: Services, press: Press, audit: AuditLog) -> None:
    api = service(["v1.2.1"], replicas=2, node_port=True)
    with audit.reading() as seen:
        pressed = press("health", api)
    assert pressed.rc == 0, pressed.output
    assert "pass: " in pressed.closing()
    assert [each["status"] for each in pressed.results("service_health")[0]["endpoints"]] == ["pass"] * 3
    assert seen.requests
    assert seen.writes == []


def test_a_200_that_reports_a_lost_database_fails(service: Services, press: Press) -> None:
    pressed = press("health", service(["v1.3.4"]), mark="true")
    assert pressed.rc != 0
    assert 'database is "disconnected", expected "connected"' in pressed.closing()
    assert pressed.results("workload_mark") == []


def test_what_cannot_be_asked_is_unknown_and_no_success(service: Services, press: Press) -> None:
    api = service(["v1.2.1"]).having(health_url="http://no-such-name.invalid/health")
    pressed = press("health", api, mark="true")
    assert pressed.rc != 0
    assert "unknown: " in pressed.closing()
    assert "does not resolve" in pressed.closing()
    assert pressed.results("workload_mark") == []


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
    api = ground.service(["v1.2.1"])
    rules = {resource: verbs for resource, verbs in WITHOUT_PROXY.items() if allowed or "portforward" not in resource}
    token = service_account(ground.cluster, ground.namespace, "watchman", rules)
    path = kubeconfig(ground.cluster.lab, ground.press.records.parent / "kubeconfig", token=token)
    pressed = ground.press("health", api.having(kubernetes_kubeconfig=str(path)))
    assert (pressed.rc == 0) is allowed, pressed.output
    assert ("pass: " if allowed else "cannot be asked") in pressed.closing()
