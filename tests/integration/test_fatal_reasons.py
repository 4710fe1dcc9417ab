# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each fatal reason ends the rollout at once and is named; what may heal is waited for and named at the deadline.

One run presses for all services together, each goes back to a revision 2 with another fault.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest

from lab.cluster import Manifest
from tests.integration.harness.ground import Ground
from tests.integration.harness.pressing import Pressed
from tests.integration.harness.sampling import sampled
from tests.integration.harness.services import Edit, Service, container
from tests.integration.harness.watcher import Predicate, Watcher

DEADLINE = 20  # seconds, for those that are waited for
TOO_MUCH = "maximum memory usage per Container is 1Gi"
GOOD = "servicelink/api:v1.2.1"
# The goal is 2 s; a machine that runs the whole lab and a dozen rollouts on two cores gets ten times that.
VERDICT_WITHIN = 10 * 2.0


@dataclass(frozen=True)
class Fault:
    """One way for a version to fail: what its template has, and how the verdict names it."""

    edit: Edit
    named: tuple[str, ...]
    appears: Callable[[str], Predicate]
    last_words: str = ""
    in_container: str = "api"
    settings: dict[str, Any] | None = None
    kind: str = "Deployment"


def _image(name: str) -> Edit:
    return lambda template: container(template).update(image=name)


def _behaving(behaviour: str, **environment: str) -> Edit:
    variables = {"LAB_BEHAVIOUR": behaviour, **environment}
    added = [{"name": name, "value": value} for name, value in variables.items()]
    return lambda template: container(template).update(env=added)


def _limited(**limits: str) -> Edit:
    return lambda template: container(template)["resources"]["limits"].update(limits)


def _oom(template: Manifest) -> None:
    """It takes its memory faster than it could get ready."""
    _behaving("leak", LEAK_MIB_PER_SECOND="8192")(template)
    _limited(memory="96Mi")(template)


def _lacking_key(template: Manifest) -> None:
    reference = {"configMapKeyRef": {"name": "servicelink-config", "key": "NEW_FEATURE"}}
    container(template)["env"] = [{"name": "NEW_FEATURE", "valueFrom": reference}]


def _missing_volume(template: Manifest) -> None:
    template["spec"]["volumes"] = [{"name": "rules", "configMap": {"name": "price-rules"}}]
    container(template)["volumeMounts"] = [{"name": "rules", "mountPath": "/etc/rules"}]


def _failing_init(template: Manifest) -> None:
    script = "console.error('the schema is too old'); process.exit(3)"
    template["spec"]["initContainers"] = [{"name": "migrate", "image": GOOD, "command": ["node", "-e", script]}]


def _waiting(*reasons: str) -> Callable[[str], Predicate]:
    """A container of the target that waits for one of these reasons, with a message that tells why."""

    def of(service: str) -> Predicate:
        return lambda pod: (
            _is(pod, service)
            and any(
                (status.get("state", {}).get("waiting") or {}).get("reason") in reasons for status in _statuses(pod)
            )
        )

    return of


def _ended(reason: str, times: int = 1) -> Callable[[str], Predicate]:
    """A container of the target that ended this often, the last time for this reason."""

    def of(service: str) -> Predicate:
        return lambda pod: (
            _is(pod, service)
            and any(
                status["restartCount"] >= times
                and reason
                in {(status.get(state) or {}).get("terminated", {}).get("reason") for state in ("state", "lastState")}
                for status in _statuses(pod)
            )
        )

    return of


def _not_created(service: str) -> Predicate:
    return lambda workload: (
        workload["metadata"]["name"] == service
        and any(
            condition["type"] == "ReplicaFailure" and condition["status"] == "True"
            for condition in workload.get("status", {}).get("conditions", [])
        )
    )


def _told_by_event(service: str) -> Predicate:
    return lambda event: event["reason"] == "FailedCreate" and event["involvedObject"]["name"] == service


def _is(pod: Manifest, service: str) -> bool:
    return bool(pod["metadata"]["labels"].get("app") == service)


def _statuses(pod: Manifest) -> list[Manifest]:
    status = pod.get("status", {})
    return [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]


EVERY_FAULT = {
    "image-not-found": Fault(
        _image("servicelink/api:v9.9.9"), ("ErrImagePull", "not found"), _waiting("ErrImagePull", "ImagePullBackOff")
    ),
    "invalid-image-name": Fault(_image("servicelink/API:v1"), ("InvalidImageName",), _waiting("InvalidImageName")),
    "missing-config-key": Fault(
        _lacking_key, ("CreateContainerConfigError", "NEW_FEATURE"), _waiting("CreateContainerConfigError")
    ),
    "crash-loop": Fault(
        _behaving("crash", CRASH_AFTER_SECONDS="1"), ("after 2 restarts", "exit code 1"), _ended("Error", 2),
        "loading price rules failed",
    ),
    "exits-at-once": Fault(
        _image("servicelink/api:v1.3.5"), ("after 1 restart", "exit code 1"), _ended("Error"), "the licence file",
        settings={"crash_restarts": 1},
    ),
    "oom-killed": Fault(_oom, ("OOMKilled",), _ended("OOMKilled"), settings={"crash_restarts": 1}),
    "init-container": Fault(
        _failing_init, ("exit code 3",), _ended("Error"), "the schema is too old", "migrate",
        {"crash_restarts": 1},
    ),
    "command-not-found": Fault(
        lambda template: container(template).update(command=["/no/such/program"]),
        ("StartError", "/no/such/program"), _ended("StartError", 0),
    ),
    "quota-exceeded": Fault(
        _limited(**{"ephemeral-storage": "2Gi"}), ("exceeded quota", "no-scratch-space"), _not_created, "", ""
    ),
    "limit-range": Fault(_limited(memory="2Gi"), (TOO_MUCH,), _not_created, "", ""),
    "limit-range-set": Fault(_limited(memory="2Gi"), (TOO_MUCH,), _told_by_event, "", "", kind="StatefulSet"),
    "limit-range-daemon": Fault(_limited(memory="2Gi"), (TOO_MUCH,), _told_by_event, "", "", kind="DaemonSet"),
}  # fmt: skip
EVERY_WAITED_FOR = {
    "never-ready": Fault(
        _image("servicelink/api:v1.3.0"), (f"not done after {DEADLINE} s", "readiness probe GET :http/health"),
        lambda service: lambda pod: _is(pod, service), settings={"rollout_deadline_seconds": DEADLINE},
    ),
    "missing-volume": Fault(
        _missing_volume, (f"not done after {DEADLINE} s", "FailedMount", "price-rules"),
        lambda service: lambda pod: _is(pod, service), in_container="",
        settings={"rollout_deadline_seconds": DEADLINE},
    ),
    "unschedulable": Fault(
        lambda template: template["spec"].update(nodeSelector={"disk": "nvme"}),
        (f"not done after {DEADLINE} s", "Unschedulable", "node affinity/selector"),
        lambda service: lambda pod: _is(pod, service), in_container="",
        settings={"rollout_deadline_seconds": DEADLINE},
    ),
}  # fmt: skip
FAULTS, WAITED_FOR = sampled(EVERY_FAULT, "faults"), sampled(EVERY_WAITED_FOR, "waited for")


@dataclass(frozen=True)
class Outcome:
    """The one run for all faults, and what the API showed meanwhile."""

    pressed: Pressed
    services: dict[str, Service]
    watchers: dict[str, Watcher]


@pytest.fixture(scope="module")
def outcome(shared: Ground) -> Outcome:
    """Press for all faulty services at once."""
    quota = {"limits.ephemeral-storage": "1Gi"}
    limit = [{"type": "Container", "max": {"memory": "1Gi"}}]
    for kind, name, spec in (
        ("ResourceQuota", "no-scratch-space", {"hard": quota}),
        ("LimitRange", "modest", {"limits": limit}),
    ):
        shared.cluster.apply(
            {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, "spec": spec}, shared.namespace
        )
    with ThreadPoolExecutor(6) as pool:
        made = dict(pool.map(lambda item: (item[0], _history(shared, *item)), {**FAULTS, **WAITED_FOR}.items()))
        list(pool.map(lambda service: service.workload.wait_ready(), made.values()))
    watchers = {kind: shared.watch(kind) for kind in ("Pod", "Deployment", "Event")}
    return Outcome(shared.press("rollback", *made.values(), revision=2), made, watchers)


def _history(ground: Ground, name: str, fault: Fault) -> Service:
    """A good version (revision 3, earlier 1) that took over from a faulty one (revision 2)."""
    service = ground.service(["v1.2.1"], name, replicas=0, kind=fault.kind, **(fault.settings or {}))
    good = service.workload.live["spec"]["template"]
    service.edit(fault.edit)
    service.edit(lambda template: template.update(good))
    service.workload.scale(1)
    return service


@pytest.mark.parametrize("name", FAULTS)
def test_ends_the_rollout(outcome: Outcome, name: str, record_property: Callable[[str, object], None]) -> None:
    fault = FAULTS[name]
    told = _verdict(outcome, name, fault)
    if fault.last_words:
        assert "Its last words: " in told
        assert fault.last_words in told.partition("Its last words: ")[2]
    kind = {_not_created: "Deployment", _told_by_event: "Event"}.get(fault.appears, "Pod")
    appeared = outcome.watchers[kind].first(fault.appears(name))
    assert appeared is not None, "the reason never appeared in the API"
    (first, *_returns) = outcome.pressed.entries("rollout", name)
    seconds = datetime.fromisoformat(first["time"]).timestamp() - appeared
    record_property("seconds_to_verdict", round(seconds, 2))
    print(f"\n{name}: verdict {seconds:.2f} s after the reason appeared")
    assert seconds <= VERDICT_WITHIN


@pytest.mark.parametrize("name", WAITED_FOR)
def test_is_waited_for_until_the_deadline(outcome: Outcome, name: str) -> None:
    _verdict(outcome, name, WAITED_FOR[name])
    (first, *_returns) = outcome.pressed.entries("rollout", name)
    assert first["data"]["state"] == "timeout"
    assert first["data"]["seconds"] >= DEADLINE


@pytest.mark.parametrize("name", [*FAULTS, *WAITED_FOR])
def test_evidence_is_kept_before_the_return_to_the_version_that_served(outcome: Outcome, name: str) -> None:
    entries = outcome.pressed.entries(service=name)
    events = [entry["event"] for entry in entries]
    kept = {entry["data"]["file"] for entry in entries if entry["event"] == "evidence"}
    assert {f"evidence/{file}.json" for file in ("workload-before", "workload-after", "pods", "events")} <= kept
    texts = {file: (outcome.pressed.folder(name) / file).read_text() for file in kept}
    words = {**FAULTS, **WAITED_FOR}[name].last_words
    assert not words or any(words in text for file, text in texts.items() if "/logs/" in file)
    assert all(name in texts[f"evidence/workload-{moment}.json"] for moment in ("before", "after"))
    writes = [index for index, event in enumerate(events) if event == "write"]
    assert len(writes) == 2, "one write there, one back"
    assert all(writes[0] < index < writes[1] for index, event in enumerate(events) if event == "evidence")
    assert "It was returned to revision" in outcome.pressed.closing(name)
    assert outcome.services[name].workload.live["spec"]["template"]["spec"]["containers"][0]["image"] == GOOD
    outcome.services[name].workload.wait_ready()


def test_the_run_fails_for_every_service(outcome: Outcome) -> None:
    assert outcome.pressed.rc == 2
    assert "Traceback" not in outcome.pressed.output
    for name in outcome.services:
        assert " | fail: " in outcome.pressed.closing(name)


def _verdict(outcome: Outcome, name: str, fault: Fault) -> str:
    """The closing sentence, with the reason, the pod and the container in it."""
    told = outcome.pressed.closing(name)
    for words in fault.named:
        assert words in told
    if name in FAULTS and fault.in_container:
        assert f"container {fault.in_container} of pod {name}-" in told
    elif name in WAITED_FOR:
        assert f"{name}-" in told, "the pod that is waited for is named"
    return told
