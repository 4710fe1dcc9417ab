# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rollback asks of the API server, with no more rights than the documentation grants."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from lab.cluster import Cluster, Manifest
from tests.integration.harness import credentials
from tests.integration.harness.ground import Ground
from tests.integration.harness.pressing import CHECKOUT

MOST_REQUESTS = 25
CLUSTER_RBAC = "/apis/rbac.authorization.k8s.io/v1"


def test_a_rollback_by_image_with_the_documented_rights(ground: Ground, tmp_path: Path) -> None:
    """The dearest case: two replicas, the first press ever in the namespace, a pinned cluster."""
    cluster, namespace = ground.cluster, ground.namespace
    role, cluster_role = _documented()
    config = _kubeconfig(ground, tmp_path, _rights(role))
    pinned = cluster.request("GET", "/api/v1/namespaces/kube-system")["metadata"]["uid"]
    api = ground.service(["v1.2.0", "v1.2.1"], node_port=True, kubernetes_kubeconfig=str(config), cluster_uid=pinned)
    _autoscale(ground, 2, 4)
    api.workload.scale(2)
    api.workload.wait_ready()

    user = f"system:serviceaccount:{namespace}:runbooks"
    with _granted(cluster, namespace, cluster_role), ground.audit.reading(user=user) as seen:
        pressed = ground.press("rollback", api, image="v1.2.0")
    assert pressed.rc == 0, pressed.output
    assert "Rolled back from revision 2 to revision 1 (servicelink/api:v1.2.0)" in pressed.closing()
    assert "all 2 pods" in pressed.closing()

    requests = [event for event in seen.requests if event not in seen.renewals]
    print(f"\n{len(requests)} requests, {len(seen.renewals)} renewals of the lock:", *seen.lines, sep="\n  ")
    assert len(requests) <= MOST_REQUESTS
    refused = [line for line in seen.lines if line.endswith(" 403")]
    assert refused == [], "the documented rights suffice"

    # The autoscaler's number of replicas is nobody else's.
    assert api.workload.live["spec"]["replicas"] == 2
    assert not any((event.get("objectRef") or {}).get("subresource") == "scale" for event in seen.requests)


def test_without_the_right_to_secrets_configuration_is_compared_by_what_was_touched(
    ground: Ground, tmp_path: Path
) -> None:
    role, _cluster_role = _documented()
    rights = {key: verbs for key, verbs in _rights(role).items() if key != ":secrets"}
    config = _kubeconfig(ground, tmp_path, rights)
    api = ground.service(["v1.2.0", "v1.2.1"], kubernetes_kubeconfig=str(config))
    pressed = ground.press("rollback", api, revision=1)
    assert pressed.rc == 0, pressed.output

    ground.cluster.patch("ConfigMap", ground.namespace, "servicelink-config", {"data": {"LOG_LEVEL": "debug"}})
    api.deploy("servicelink/api:v1.2.2")
    planned = ground.press("rollback", api, options=["--check"])
    assert planned.rc == 0, planned.output
    told = " ".join(planned.warnings())
    assert "ConfigMap/servicelink-config was touched since" in told
    assert "whether Secret/servicelink-secrets changed is unknown, these credentials may not read it" in told


def _documented() -> tuple[Manifest, Manifest]:
    """The Role and the ClusterRole of docs/permissions.md."""
    found = re.search(r"```yaml\n(.*?)```", (CHECKOUT / "docs" / "permissions.md").read_text(), re.DOTALL)
    assert found
    role, cluster_role = yaml.safe_load_all(found[1])
    return role, cluster_role


def _rights(role: Manifest) -> dict[str, list[str]]:
    """Verbs by GROUP:RESOURCE."""
    return {
        f"{group}:{resource}": rule["verbs"]
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }


def _kubeconfig(ground: Ground, folder: Path, rights: dict[str, list[str]]) -> Path:
    """That of a new service account with these rights."""
    token = credentials.service_account(ground.cluster, ground.namespace, "runbooks", rights)
    return credentials.kubeconfig(ground.cluster.lab, folder / "runbooks.kubeconfig", token=token)


@contextlib.contextmanager
def _granted(cluster: Cluster, namespace: str, cluster_role: Manifest) -> Iterator[None]:
    """The service account has the ClusterRole as well, under a name of this test's."""
    named = {"metadata": {"name": namespace}}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": namespace}
    subject = {"kind": "ServiceAccount", "name": "runbooks", "namespace": namespace}
    cluster.request("POST", f"{CLUSTER_RBAC}/clusterroles", {**cluster_role, **named})
    binding = {**named, "roleRef": reference, "subjects": [subject]}
    cluster.request("POST", f"{CLUSTER_RBAC}/clusterrolebindings", binding)
    try:
        yield
    finally:
        for kind in ("clusterrolebindings", "clusterroles"):
            cluster.request("DELETE", f"{CLUSTER_RBAC}/{kind}/{namespace}")


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
