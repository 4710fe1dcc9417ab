# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rollback asks of the API server, with no more rights than the documentation grants."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from tests.integration.harness import credentials
from tests.integration.harness.ground import Ground
from tests.integration.harness.pressing import CHECKOUT

MOST_REQUESTS = 25


def test_a_rollback_by_image_with_the_documented_rights(ground: Ground, tmp_path: Path) -> None:
    rights = {key: verbs for key, verbs in _documented_rights().items() if key != ":secrets"}
    token = credentials.service_account(ground.cluster, ground.namespace, "runbooks", rights)
    config = credentials.kubeconfig(ground.cluster.lab, tmp_path / "runbooks.kubeconfig", token=token)
    api = ground.service(["v1.2.0", "v1.2.1"], replicas=1, node_port=True, kubernetes_kubeconfig=str(config))
    _autoscale(ground, 2, 4)
    api.workload.scale(2)
    api.workload.wait_ready()

    with ground.audit.reading(user=f"system:serviceaccount:{ground.namespace}:runbooks") as seen:
        pressed = ground.press("rollback", api, image="v1.2.0")
    assert pressed.rc == 0, pressed.output
    assert "Rolled back from revision 2 to revision 1 (servicelink/api:v1.2.0)" in pressed.closing()
    assert "all 2 pods" in pressed.closing()

    requests = [event for event in seen.requests if event not in seen.renewals]
    print(f"\n{len(requests)} requests, {len(seen.renewals)} renewals of the lock:", *seen.lines, sep="\n  ")
    assert len(requests) <= MOST_REQUESTS
    assert [event["responseStatus"]["code"] for event in seen.writes if event["responseStatus"]["code"] >= 400] == []

    # The autoscaler's number of replicas is nobody else's.
    assert api.workload.live["spec"]["replicas"] == 2
    assert not any(event["objectRef"].get("subresource") == "scale" for event in seen.requests if "objectRef" in event)

    # Without the right to Secrets, configuration is compared by what was touched.
    ground.cluster.patch("ConfigMap", ground.namespace, "servicelink-config", {"data": {"LOG_LEVEL": "debug"}})
    api.deploy("servicelink/api:v1.2.2")
    planned = ground.press("rollback", api, options=["--check"])
    assert planned.rc == 0, planned.output
    told = " ".join(planned.warnings())
    assert "ConfigMap/servicelink-config was touched since" in told
    assert "whether Secret/servicelink-secrets changed is unknown, these credentials may not read it" in told


def _documented_rights() -> dict[str, list[str]]:
    """The Role of docs/permissions.md: verbs by GROUP:RESOURCE."""
    text = (CHECKOUT / "docs" / "permissions.md").read_text()
    found = re.search(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert found
    role = next(yaml.safe_load_all(found[1]))
    return {
        f"{group}:{resource}": rule["verbs"]
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }


def _autoscale(ground: Ground, least: int, most: int) -> None:
    target = {"type": "Utilization", "averageUtilization": 900}
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "api"},
        "minReplicas": least,
        "maxReplicas": most,
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
    }
    autoscaler = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "api"}}
    ground.cluster.apply({**autoscaler, "spec": spec}, ground.namespace)
