# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scale button where an autoscaler has its own mind: its floor is raised, kept in mind, and brought back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lab.cluster import Cluster, Manifest
from tests.integration.harness.audit import AuditLog
from tests.integration.harness.autoscalers import (
    OVERRIDE,
    PAUSED_REPLICAS,
    horizontal,
    keda,
    override,
    scaled_object,
)  # fmt: skip
from tests.integration.harness.gateway import Fault, Gateway
from tests.integration.harness.ground import Ground
from tests.integration.harness.pressing import Press, Pressed
from tests.integration.harness.services import Service, Services, container

pytestmark = pytest.mark.matrix

CREDLINK = "credlink/api"
#: Keeps a processor busy beside the service, for a while from when it is asked to.
LOAD_PORT = 8099
BURN = (
    "let end = 0; require('http').createServer((_, reply) => { end = Date.now() + 90000; reply.end('{}'); })"
    f".listen({LOAD_PORT});"
    "setInterval(() => { const t = Date.now() + 60; if (t < end) while (Date.now() < t); }, 100)"
)


def done(pressed: Pressed) -> dict[str, Any]:
    """What the module said that acted."""
    return pressed.results("workload_scale")[-1]


def credlink(service: Services, replicas: int = 3, **settings: Any) -> Service:
    """CredLink's service with requests that leave room on the lab's node."""

    def small(manifest: Manifest) -> None:
        container(manifest["spec"]["template"])["resources"] = {"requests": {"cpu": "20m", "memory": "48Mi"}}

    return service(["v2.1.1"], "links", image=CREDLINK, replicas=replicas, change=small, **settings)


def test_emergency_scaling_as_the_runbook_wants_it(service: Services, press: Press, audit: AuditLog) -> None:
    """3 to 10 and back to 3: the floor moves, the pods come at once, and the autoscaler takes them when it may."""
    api = credlink(service, node_port=True)
    scaler = horizontal(api, 3, 10)
    scaler.until("ScalingActive", "ValidMetricFound")
    with audit.reading() as seen:
        planned = press("scale", api, replicas=10, options=["--check"])
    assert planned.rc == 0, planned.output
    assert seen.writes == [], seen.lines
    assert "Would set HorizontalPodAutoscaler links: minReplicas 3 -> 10; Deployment links: replicas 3 -> 10" in (
        planned.closing()
    )

    up = press("scale", api, replicas=10, operator="ada", reason="launch")
    assert up.rc == 0, up.output
    assert "10 of 10 ready" in up.closing()
    assert "HorizontalPodAutoscaler links keeps at least 10 pods and cannot go beyond that by load" in up.closing()
    assert "the old values are kept until somebody presses scale.yml with state=returned" in up.closing()
    assert done(up)["added_pods"] == 7
    kept = json.loads(scaler.annotations[OVERRIDE])
    assert kept["old"] == {"minReplicas": 3, "maxReplicas": 10}
    scaler.until("ScalingLimited", "TooFewReplicas")  # it has looked since, and left them
    assert len(api.workload.pods) == 10

    again = press("scale", api, replicas=10)
    assert again.rc == 0, again.output
    assert not done(again)["changed"]

    down = press("scale", api, replicas=3)
    assert down.rc == 0, down.output
    assert "HorizontalPodAutoscaler links: minReplicas 10 -> 3" in down.closing()
    assert "takes its 10 pods down to no fewer than 3 when the load allows" in down.closing()
    assert scaler.spec == {"minReplicas": 3, "maxReplicas": 10}
    assert OVERRIDE not in scaler.annotations
    assert not done(press("scale", api, replicas=3))["changed"]


def test_beyond_its_maximum_only_if_that_is_said_and_back_when_due(service: Services, press: Press) -> None:
    api = credlink(service, replicas=1)
    scaler = horizontal(api, 1, 2)
    refused = press("scale", api, replicas=3)
    assert refused.rc != 0
    assert "replicas=3 is more than the maximum of HorizontalPodAutoscaler links, which is 2" in refused.closing()
    assert "raise_max=true" in refused.closing()
    assert scaler.spec == {"minReplicas": 1, "maxReplicas": 2}

    running = press.start("scale", api, replicas=3, raise_max="true", for_minutes=60, lock_duration_seconds=3)
    running.until("minReplicas 1 -> 3, maxReplicas 2 -> 3 is written")
    running.vanish()
    assert json.loads(scaler.annotations[OVERRIDE])["old"] == {"minReplicas": 1, "maxReplicas": 2}
    raised = press("scale", api, replicas=3, raise_max="true", for_minutes=60)
    assert raised.rc == 0, raised.output
    assert "3 of 3 ready" in raised.closing()
    assert scaler.spec == {"minReplicas": 3, "maxReplicas": 3}
    assert json.loads(scaler.annotations[OVERRIDE])["old"] == {"minReplicas": 1, "maxReplicas": 2}

    early = press("scale", api, state="expired")
    assert (early.rc, scaler.spec["minReplicas"]) == (0, 3)
    scaler.overdue()
    scaler.change({"spec": {"maxReplicas": 5}})  # by somebody else: it is theirs
    due = press("scale", api, state="expired")
    assert due.rc == 0, due.output
    assert scaler.spec == {"minReplicas": 1, "maxReplicas": 5}
    assert "maxReplicas 5 of HorizontalPodAutoscaler links was set by somebody after its override" in due.output
    assert OVERRIDE not in scaler.annotations


def test_to_nothing_disables_it_and_back_it_is_active_again(service: Services, press: Press) -> None:
    api = credlink(service, replicas=1)
    scaler = horizontal(api, 1, 3)
    refused = press("scale", api, replicas=0)
    assert refused.rc != 0
    assert "disables its HorizontalPodAutoscaler links (ScalingActive=False, ScalingDisabled)" in refused.closing()
    assert "-e confirm=links" in refused.closing()

    stopped = press("scale", api, replicas=0, confirm="links")
    assert stopped.rc == 0, stopped.output
    assert "no pods left" in stopped.closing()
    assert "stands still until its replicas are set back" in stopped.closing()
    scaler.until("ScalingActive", "ScalingDisabled")
    assert api.workload.pods == []

    back = press("scale", api, replicas=1)
    assert back.rc == 0, back.output
    assert "HorizontalPodAutoscaler links is active again, keeps at least 1 pods" in back.closing()
    scaler.until("ScalingActive", "ValidMetricFound")
    assert override(api.workload) == {}


def test_by_load_it_goes_up_and_the_button_leaves_that_to_it(service: Services, press: Press) -> None:
    """Real load, real metrics: it goes beyond what the button set, and a floor below it takes nothing away."""

    def burning(manifest: Manifest) -> None:
        spec = manifest["spec"]["template"]["spec"]
        container(manifest["spec"]["template"])["resources"] = {"requests": {"cpu": "20m"}}
        spec["containers"].append({"name": "load", "image": "credlink/api:v2.1.1", "command": ["node", "-e", BURN],
                                   "resources": {"requests": {"cpu": "20m"}}})  # fmt: skip

    api = service(["v2.1.1"], "links", image=CREDLINK, change=burning)
    scaler = horizontal(api, 1, 3, average="100m")
    up = press("scale", api, replicas=2)
    assert up.rc == 0, up.output
    assert (api.workload.live["spec"]["replicas"], scaler.spec["minReplicas"]) == (2, 2)
    busy = api.workload.pods[0]["metadata"]["name"]
    api.workload.cluster.request("GET", f"/api/v1/namespaces/{api.namespace}/pods/{busy}:{LOAD_PORT}/proxy/")
    api.workload.cluster.until(
        lambda: api.workload.live["spec"]["replicas"] == 3, lambda: f"It stays where it is: {scaler.live['status']}."
    )
    down = press("scale", api, replicas=1)
    assert down.rc == 0, down.output
    assert scaler.spec["minReplicas"] == 1
    assert "takes its 3 pods down to no fewer than 1 when the load allows (cpu" in down.closing()
    assert api.workload.live["spec"]["replicas"] == 3


def test_other_writers_of_the_autoscaler(ground: Ground, tmp_path: Path) -> None:
    """One change meanwhile is planned anew; a second one is somebody's, who is named."""
    gateway = Gateway(ground.cluster.lab, tmp_path)
    through = {"kubernetes_kubeconfig": str(gateway.kubeconfig)}
    services = [ground.service(["v2.1.1"], name, image=CREDLINK, **through) for name in ("once", "always")]
    scalers = {each.name: horizontal(each, 1, 5) for each in services}
    meddled: list[str] = []

    def before_each_write(request: str) -> Fault | None:
        method, path = request.split(" ", 1)
        for name, times in (("once", 1), ("always", 99)):
            if method == "PATCH" and path.endswith(f"horizontalpodautoscalers/{name}") and meddled.count(name) < times:
                meddled.append(name)
                scalers[name].change({"spec": {"maxReplicas": 5 + len(meddled)}})
        return None

    gateway.policy = before_each_write
    pressed = ground.press("scale", *services, replicas=2)
    gateway.close()
    assert "pass: Set HorizontalPodAutoscaler once: minReplicas 1 -> 2" in pressed.closing("once")
    assert scalers["once"].spec["maxReplicas"] > 5
    assert meddled.count("always") == 2
    assert "HorizontalPodAutoscaler always was changed twice while this button planned; last by eve" in (
        pressed.closing("always")
    )
    assert scalers["always"].spec["minReplicas"] == 1


def test_kedas_floor_and_its_pause(cluster: Cluster, ground: Ground) -> None:
    """KEDA owns the floor; it is paused for a stop alone, and a pause of somebody else is not ended."""
    press = ground.press
    api = ground.service(["v2.1.1"], "links", image=CREDLINK)
    with keda(cluster):
        scaler = scaled_object(api, 1, 5)
        up = press("scale", api, replicas=2)
        assert up.rc == 0, up.output
        assert scaler.spec == {"minReplicaCount": 2, "maxReplicaCount": 5}
        assert "ScaledObject links-queue keeps at least 2 pods and goes up to 5 by load" in up.closing()
        assert PAUSED_REPLICAS not in scaler.annotations

        stopped = press("scale", api, replicas=0, confirm="links", for_minutes=60)
        assert stopped.rc == 0, stopped.output
        assert scaler.annotations[PAUSED_REPLICAS] == "0"
        assert scaler.spec["minReplicaCount"] == 2
        assert json.loads(scaler.annotations[OVERRIDE])["old"]["minReplicaCount"] == 1
        assert api.workload.pods == []

        back = press("scale", api, state="returned")
        assert back.rc == 0, back.output
        assert scaler.spec == {"minReplicaCount": 1, "maxReplicaCount": 5}
        assert {OVERRIDE, PAUSED_REPLICAS} & set(scaler.annotations) == set()
        assert api.workload.live["spec"]["replicas"] == 2

        scaler.change({"metadata": {"annotations": {PAUSED_REPLICAS: "1"}}})
        refused = press("scale", api, replicas=3)
        assert refused.rc != 0
        assert "Somebody paused ScaledObject links-queue by autoscaling.keda.sh/paused-replicas" in refused.closing()
