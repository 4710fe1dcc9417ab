# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of a service when the way back does not end well: returned, left, or held, and always said."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from lab.cluster import Manifest
from lab.workloads import REVISION
from tests.integration.harness.ground import Ground
from tests.integration.harness.pressing import Pressed
from tests.integration.harness.services import Service, container

pytestmark = pytest.mark.matrix

DISCONNECTED, MISSING = "v1.3.4", "v9.9.9"
SETTLE = 3  # seconds in which health may still become good


@pytest.fixture(scope="module")
def services(shared: Ground) -> dict[str, Service]:
    """Services whose revision 1 is worth no return, or none; revision 2 runs."""

    def plain(name: str, target: str, source: str, **settings: str) -> Service:
        return shared.service([target, source], name, rollback_settle_seconds=SETTLE, **settings)

    cases: list[Callable[[], Service]] = [
        lambda: plain("source-broken", MISSING, DISCONNECTED),
        lambda: plain("worse", DISCONNECTED, "v1.2.1"),
        lambda: _both_disconnected(shared),
        lambda: plain("unasked", "v1.2.0", "v1.2.1", health_url="http://api.invalid/health"),
        lambda: _return_impossible(shared, "no-way-back", MISSING),
        lambda: _return_impossible(shared, "worse-for-good", DISCONNECTED),
    ]
    with ThreadPoolExecutor() as pool:
        return {service.name: service for service in pool.map(lambda case: case(), cases)}


def _both_disconnected(ground: Ground) -> Service:
    service = ground.service([DISCONNECTED], "bad-before", replicas=0, rollback_settle_seconds=SETTLE)
    variables = [{"name": "LAB_BEHAVIOUR", "value": "disconnected"}]
    service.edit(lambda template: container(template).update(image="servicelink/api:v1.2.1", env=variables))
    service.workload.scale(1)
    service.workload.wait_ready()
    return service


def _return_impossible(ground: Ground, name: str, target: str) -> Service:
    """Revision 2 needs a ConfigMap that is gone by now; its pod is gone as soon as the rollout begins."""
    rules = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"tax": "0.19"}}
    ground.cluster.apply(rules, ground.namespace)

    def all_at_once(manifest: Manifest) -> None:
        manifest["spec"]["strategy"] = {"type": "Recreate"}

    service = ground.service([target], name, replicas=0, wait=False, change=all_at_once, rollback_settle_seconds=SETTLE)
    tax = {"name": "TAX", "valueFrom": {"configMapKeyRef": {"name": name, "key": "tax"}}}
    service.edit(lambda template: container(template).update(image="servicelink/api:v1.2.1", env=[tax]))
    service.workload.scale(1)
    service.workload.wait_ready()
    ground.cluster.remove("ConfigMap", ground.namespace, name)
    return service


@pytest.fixture(scope="module")
def pressed(shared: Ground, services: dict[str, Service]) -> Pressed:
    """One run for all of them."""
    return shared.press("rollback", *services.values(), revision=1)


def test_a_failed_rollout_is_not_returned_to_a_version_that_did_not_serve(
    pressed: Pressed, services: dict[str, Service]
) -> None:
    told = pressed.closing("source-broken")
    assert "fail: The rollout of revision 1 failed: container api of pod source-broken-" in told
    assert "Revision 2 was not serving either, so it is not returned to" in told
    assert _image(services["source-broken"]).endswith(MISSING)
    assert [entry["event"] for entry in pressed.entries(service="source-broken")].count("write") == 1


def test_a_rollout_that_made_health_worse_is_returned(pressed: Pressed, services: dict[str, Service]) -> None:
    told = pressed.closing("worse")
    assert "fail: Rolled back from revision 2 to revision 1" in told
    assert "database" in told
    assert "returned to revision 2" in told
    events = [entry["event"] for entry in pressed.entries(service="worse")]
    first, second = (index for index, event in enumerate(events) if event == "write")
    assert "evidence" in events[first:second], "evidence is kept before the return"
    assert _image(services["worse"]).endswith("v1.2.1")
    services["worse"].workload.wait_ready()
    assert _marks(services["worse"]) == {}, "neither is known good or bad by this"


def test_a_rollout_after_which_health_is_as_bad_as_before_is_left(
    pressed: Pressed, services: dict[str, Service]
) -> None:
    told = pressed.closing("bad-before")
    assert "fail: Rolled back from revision 2 to revision 1" in told
    assert "nothing was returned" in told
    assert _image(services["bad-before"]).endswith(DISCONNECTED)


def test_unknown_health_holds_and_says_so(pressed: Pressed, services: dict[str, Service]) -> None:
    told = pressed.closing("unasked")
    assert "unknown: Rolled back from revision 2 to revision 1" in told
    assert "http://api.invalid/health cannot be asked from here" in told
    assert "nothing was returned" in told
    assert _image(services["unasked"]).endswith("v1.2.0")
    assert _marks(services["unasked"]) == {}


def test_a_return_that_fails_too_says_what_state_is_left(pressed: Pressed, services: dict[str, Service]) -> None:
    told = pressed.closing("no-way-back")
    assert "fail: The rollout of revision 1 failed: " in told
    assert "The return to revision 2 failed too: container api of pod no-way-back-" in told
    assert "CreateContainerConfigError" in told
    assert "State left: " in told
    assert "0 of 1 pods ready" in told
    assert _image(services["no-way-back"]).endswith("v1.2.1"), "the state that the sentence tells"


def test_a_return_for_health_that_fails_does_not_go_back_to_what_was_worse(
    pressed: Pressed, services: dict[str, Service]
) -> None:
    told = pressed.closing("worse-for-good")
    assert "fail: Rolled back from revision 2 to revision 1" in told
    assert "The return failed too: The rollout of revision 2 failed: container api of pod worse-for-good-" in told
    assert "CreateContainerConfigError" in told
    assert "State left: revision 2: 0 of 1 pods ready" in told
    assert "so it is not returned to" in told
    assert _image(services["worse-for-good"]).endswith("v1.2.1")
    assert [entry["event"] for entry in pressed.entries(service="worse-for-good")].count("write") == 2


def test_services_pressed_together_do_not_wait_for_each_other(pressed: Pressed, services: dict[str, Service]) -> None:
    closed = [pressed.entries("closed", name)[-1]["time"] for name in services]
    rolled = [pressed.entries("rollout", name)[-1]["time"] for name in services]
    assert min(closed) < max(rolled)


def test_the_run_fails(pressed: Pressed, services: dict[str, Service]) -> None:
    assert pressed.rc == 2
    assert "Traceback" not in pressed.output
    failed = {task.host for task in pressed.tasks if task.state == "failed" and task.action == "ansible.builtin.fail"}
    assert failed == set(services)


def _image(service: Service) -> str:
    image: str = container(service.workload.live["spec"]["template"])["image"]
    return image


def _marks(service: Service) -> dict[str, str]:
    found = service.workload.cluster.list("ReplicaSet", service.namespace, f"app={service.name}")
    return {
        each["metadata"]["annotations"][REVISION]: value
        for each in found
        for name, value in each["metadata"]["annotations"].items()
        if name.startswith("mark.")
    }
