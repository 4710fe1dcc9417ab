# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every kind of workload, and company that a rollback must not mind; all are pressed in one run, then again."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from lab.cluster import Manifest
from tests.integration.harness.ground import Ground
from tests.integration.harness.pressing import Pressed
from tests.integration.harness.services import Service, container

REPEATED = ("stuck", "daemon", "pair", "partitioned")
IDLE = "process.on('SIGTERM', () => process.exit()); setInterval(() => {}, 1000)"


@dataclass(frozen=True)
class Pressings:
    """The services, the run that rolled them back to revision 1, and a second run of the same."""

    services: dict[str, Service]
    first: Pressed
    second: Pressed


@pytest.fixture(scope="module")
def pressings(shared: Ground) -> Pressings:
    cases: list[Callable[[Ground], Service]] = [
        _stuck_set,
        _partitioned,
        _on_delete,
        _daemon,
        _pair,
        _crowded,
        _migrated,
    ]
    with ThreadPoolExecutor() as pool:
        services = {service.name: service for service in pool.map(lambda case: case(shared), cases)}
    first = shared.press("rollback", *services.values(), revision=1)
    repeated = [services[name] for name in REPEATED]
    return Pressings(services, first, shared.press("rollback", *repeated, revision=1))


def _stuck_set(ground: Ground) -> Service:
    """A StatefulSet that waits for its last pod, which never gets ready."""
    pods = ground.watch("Pod")
    service = ground.service(["v1.2.0"], "stuck", kind="StatefulSet", replicas=2, then="v1.3.0")
    pods.wait(
        lambda pod: pod["metadata"]["name"] == "stuck-1" and container(pod_template(pod))["image"].endswith("v1.3.0")
    )
    return service


def _partitioned(ground: Ground) -> Service:
    """A StatefulSet that updates the last of its two pods only."""
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}
    return ground.service(
        ["v1.2.0", "v1.2.1"], "partitioned", kind="StatefulSet", replicas=2, wait=False,
        change=lambda manifest: manifest["spec"].update(updateStrategy=strategy, podManagementPolicy="Parallel"),
    )  # fmt: skip


def _on_delete(ground: Ground) -> Service:
    """A StatefulSet whose pods keep their version until somebody deletes them."""
    return ground.service(
        ["v1.2.0", "v1.2.1"], "on-delete", kind="StatefulSet",
        change=lambda manifest: manifest["spec"].update(updateStrategy={"type": "OnDelete"}),
    )  # fmt: skip


def _daemon(ground: Ground) -> Service:
    return ground.service(["v1.2.0", "v1.2.1"], "daemon", kind="DaemonSet")


def _pair(ground: Ground) -> Service:
    """Two containers and an init container."""

    def accompanied(manifest: Manifest) -> None:
        spec = manifest["spec"]["template"]["spec"]
        image = "servicelink/api:v1.1.0"
        spec["initContainers"] = [{"name": "prepare", "image": image, "command": ["node", "-e", "0"]}]
        spec["containers"].append({"name": "sidecar", "image": image, "command": ["node", "-e", IDLE]})

    return ground.service(["v1.2.0", "v1.2.1"], "pair", change=accompanied)


def _crowded(ground: Ground) -> Service:
    """Its old pods take half a minute to go, and another owner's broken pod bears its labels."""

    def slow_to_go(manifest: Manifest) -> None:
        manifest["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = 30

    service = ground.service(["v1.2.0", "v1.2.1"], "crowded", behaviour="ignore-term", change=slow_to_go)
    ground.cluster.create(_stranger(ground, service), ground.namespace)
    return service


def _stranger(ground: Ground, service: Service) -> Manifest:
    """A pod that crashes, with every label of the pods of revision 1, controlled by something else."""
    cluster = ground.cluster
    (target,) = (
        each
        for each in cluster.list("ReplicaSet", ground.namespace, f"app={service.name}")
        if container(each["spec"]["template"])["image"].endswith("v1.2.0")
    )
    owner = cluster.get("ConfigMap", ground.namespace, "servicelink-config")
    assert owner
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "controller": True}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "stranger",
            "labels": target["spec"]["template"]["metadata"]["labels"],
            "ownerReferences": [{**reference, **{key: owner["metadata"][key] for key in ("name", "uid")}}],
        },
        "spec": {
            "automountServiceAccountToken": False,
            "containers": [{"name": "api", "image": "servicelink/api:v1.2.0", "command": ["/no/such/program"]}],
        },
    }


def _migrated(ground: Ground) -> Service:
    service = ground.service(["v1.2.0"], "migrated", allow_schema_mismatch=True)
    service.edit(
        lambda template: container(template).update(image="servicelink/api:v1.2.1"),
        annotations={"runbooks.linkops.io/newest-migration": "20251001120000_quote_expiry"},
    )
    service.workload.wait_ready()
    return service


def pod_template(pod: Manifest) -> Manifest:
    """A pod in the shape of a template."""
    return {"spec": pod["spec"]}


@pytest.mark.parametrize("name", [*REPEATED, "crowded", "migrated"])
def test_is_rolled_back(pressings: Pressings, name: str) -> None:
    assert "pass: Rolled back from revision 2 to revision 1" in pressings.first.closing(name), pressings.first.output
    assert container(pressings.services[name].workload.live["spec"]["template"])["image"] == "servicelink/api:v1.2.0"
    done = pressings.first.results("workload_rollback", name)[-1]
    assert (done["from_revision"], done["to_revision"], done["active_revision"]) == (2, 1, 3)


@pytest.mark.parametrize("name", REPEATED)
def test_pressed_again_by_the_same_number_nothing_changes_and_all_is_verified(pressings: Pressings, name: str) -> None:
    assert pressings.second.rc == 0, pressings.second.output
    assert "pass: Revision 3 was active already" in pressings.second.closing(name)
    assert not any(result["changed"] for result in pressings.second.results("workload_rollback", name))
    assert not any(result["changed"] for result in pressings.second.results("workload_mark", name))


def test_a_stateful_set_is_freed_from_the_pod_that_never_gets_ready(pressings: Pressings) -> None:
    rollout = pressings.first.results("workload_rollback", "stuck")[-1]["rollout"]
    assert rollout["freed_pods"] == 1
    assert "deleting pod stuck-1" in pressings.first.output
    pods = pressings.services["stuck"].workload.pods
    assert {container(pod_template(pod))["image"] for pod in pods} == {"servicelink/api:v1.2.0"}


def test_a_partition_keeps_the_pods_below_it(pressings: Pressings) -> None:
    images = {
        pod["metadata"]["name"]: container(pod_template(pod))["image"]
        for pod in pressings.services["partitioned"].workload.pods
    }
    assert images == {"partitioned-0": "servicelink/api:v1.2.1", "partitioned-1": "servicelink/api:v1.2.0"}


def test_a_revision_that_a_partition_keeps_running_is_not_marked_bad(pressings: Pressings) -> None:
    assert [each["mark"] for each in pressings.first.results("workload_mark", "partitioned")[0]["marks"]] == ["good"]
    assert [each["mark"] for each in pressings.first.results("workload_mark", "daemon")[0]["marks"]] == ["good", "bad"]


def test_a_version_that_no_pod_runs_yet_is_not_certified(pressings: Pressings) -> None:
    told = pressings.first.closing("on-delete")
    assert "unknown: Rolled back from revision 2 to revision 1" in told
    assert "but no pod runs it yet (the template is set; 0 of 1 pods run it (OnDelete)): delete them" in told
    assert pressings.first.results("workload_mark", "on-delete") == []
    service = pressings.services["on-delete"]
    assert container(service.workload.live["spec"]["template"])["image"] == "servicelink/api:v1.2.0"


def test_every_container_of_a_pod_is_in_the_plan(pressings: Pressings) -> None:
    plan = pressings.first.results("workload_rollback", "pair")[0]["plan"]
    others = {"prepare": "servicelink/api:v1.1.0", "sidecar": "servicelink/api:v1.1.0"}
    assert plan["to_images"] == {**others, "api": "servicelink/api:v1.2.0"}
    assert plan["from_images"] == {**others, "api": "servicelink/api:v1.2.1"}


def test_pods_on_their_way_out_are_reported_and_not_awaited(pressings: Pressings) -> None:
    rollout = pressings.first.results("workload_rollback", "crowded")[-1]["rollout"]
    assert rollout["state"] == "done"
    assert rollout["terminating"] == 1


def test_a_pod_of_another_owner_is_none_of_its_pods(pressings: Pressings) -> None:
    planned, done = pressings.first.results("workload_rollback", "crowded")
    assert "stranger" not in [*planned["ready_pods"], *done["ready_pods"]]
    endpoints = [entry["data"]["endpoints"] for entry in pressings.first.entries("health", "crowded")]
    assert all(len(each) == 1 for each in endpoints)
    assert "stranger" not in str(endpoints)


def test_a_newer_schema_is_warned_of_where_it_is_allowed(pressings: Pressings) -> None:
    assert any("20251001120000_quote_expiry" in warning for warning in pressings.first.warnings("migrated"))
