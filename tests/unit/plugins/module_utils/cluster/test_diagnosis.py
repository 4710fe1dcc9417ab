# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a pod does not get ready: each reason, and whether it ends the rollout."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster import diagnosis
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.diagnosis import Finding
from ansible_collections.linkops.runbooks.tests.unit.plugins.fixtures.scenes import load, pod

CRASH_RESTARTS = 2
#: What is found: reason and whether it is fatal, for each pod of pods.yml; C(None) is nothing.
EXPECTED: dict[str, tuple[str, bool] | None] = {
    "ready": None,
    "image not found": ("ErrImagePull", True),
    "image not found, backing off": ("ImagePullBackOff", True),
    "registry unreachable": ("ErrImagePull", False),
    "registry unreachable, backing off": ("ImagePullBackOff", False),
    "image name invalid": ("InvalidImageName", True),
    "image never pulled": ("ErrImageNeverPull", True),
    "config key missing": ("CreateContainerConfigError", True),
    "config cache not synced": ("CreateContainerConfigError", False),
    "executable missing": ("StartError", True),
    "executable missing, backing off": ("StartError", True),
    "node cannot start it": ("RunContainerError", False),
    "cannot run": ("ContainerCannotRun", True),
    "crash loop, one restart": ("CrashLoopBackOff", False),
    "crash loop, two restarts": ("CrashLoopBackOff", True),
    "crash loop, running just now": ("Error", True),
    "exits with 0 again and again": ("CrashLoopBackOff", True),
    "out of memory": ("OOMKilled", True),
    "init container crashes": ("CrashLoopBackOff", True),
    "init container came through after a restart": None,
    "container cannot be created": ("CreateContainerError", False),
    "starting": None,
    "probe not passed": ("NotReady", False),
    "unschedulable": ("Unschedulable", False),
    "scheduling gated": ("SchedulingGated", False),
    "evicted": None,
    "ended": ("DeadlineExceeded", True),
    "not admitted": ("OutOfcpu", True),
    "sysctl forbidden": ("SysctlForbidden", True),
}


def test_every_pod_of_the_file_is_judged() -> None:
    assert set(EXPECTED) == set(load("pods"))


@pytest.mark.parametrize("name", EXPECTED)
def test_each_reason(name: str) -> None:
    findings = diagnosis.diagnose(pod(name), CRASH_RESTARTS)
    expected = EXPECTED[name]
    assert [(each.reason, each.fatal) for each in findings] == ([expected] if expected else [])


@pytest.mark.parametrize("name", EXPECTED)
def test_a_pod_on_its_way_out_is_nobodys_failure(name: str) -> None:
    assert diagnosis.diagnose(pod(name, deletionTimestamp="2026-03-05T10:00:00Z"), CRASH_RESTARTS) == []


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            "crash loop, two restarts",
            "container api of pod api-1: CrashLoopBackOff after 2 restarts: exit code 1 (listen EADDRINUSE)",
        ),
        ("crash loop, one restart", "container api of pod api-1: CrashLoopBackOff after 1 restart: exit code 1"),
        (
            "crash loop, running just now",
            "container api of pod api-1: Error after 3 restarts: exit code 139, signal 11",
        ),
        ("out of memory", "container api of pod api-1: OOMKilled after 2 restarts: exit code 137"),
        (
            "init container crashes",
            "container wait-for-database of pod api-1: CrashLoopBackOff after 2 restarts: exit code 2",
        ),
        (
            "config key missing",
            (
                "container api of pod api-1: CreateContainerConfigError: "
                "couldn't find key STRIPE_KEY in ConfigMap servicelink-production/servicelink-api"
            ),
        ),
        ("unschedulable", "pod api-1: Unschedulable: 0/1 nodes are available: 1 Insufficient cpu."),
        ("ended", "pod api-1: DeadlineExceeded: Pod was active on the node longer than the specified deadline"),
    ],
)
def test_a_finding_in_words(name: str, sentence: str) -> None:
    assert str(diagnosis.diagnose(pod(name), CRASH_RESTARTS)[0]) == sentence


def test_the_missing_executable_is_named() -> None:
    (finding,) = diagnosis.diagnose(pod("executable missing"), CRASH_RESTARTS)
    assert '"nodee": executable file not found' in finding.message


@pytest.mark.parametrize(("crash_restarts", "fatal"), [(1, True), (2, True), (3, False)])
def test_how_many_restarts_are_fatal_is_a_choice(crash_restarts: int, fatal: bool) -> None:
    assert [each.fatal for each in diagnosis.diagnose(pod("crash loop, two restarts"), crash_restarts)] == [fatal]


def test_restarts_from_before_the_rollout_are_not_its_doing() -> None:
    (finding,) = diagnosis.diagnose(pod("crash loop, two restarts"), CRASH_RESTARTS, {"api": 1})
    assert (finding.fatal, finding.restarts) == (False, 1)


def test_fatal_findings_come_first() -> None:
    both = pod("probe not passed")
    both["status"]["containerStatuses"].append(
        {**pod("config key missing")["status"]["containerStatuses"][0], "name": "metrics"}
    )
    assert [each.container for each in diagnosis.diagnose(both, CRASH_RESTARTS)] == ["metrics", "api"]


def test_a_direct_cause_explains_more_than_a_restart_count() -> None:
    crash = Finding("p1", "api", "CrashLoopBackOff", "", fatal=True, restarts=3)
    cause = Finding("p2", "api", "ErrImagePull", "not found", fatal=True)
    waiting = Finding("p3", "api", "NotReady", "", fatal=False)
    assert diagnosis.first_fatal([waiting, crash, cause]) == cause
    assert diagnosis.first_fatal([waiting]) is None


def test_a_pod_without_any_status() -> None:
    assert diagnosis.diagnose({"metadata": {"name": "api-1"}}, CRASH_RESTARTS) == []


def test_restarts_by_container() -> None:
    assert diagnosis.restart_counts(pod("init container crashes")) == {"wait-for-database": 2, "api": 0}
    assert diagnosis.restart_counts({"metadata": {}}) == {}


@pytest.mark.parametrize(
    ("name", "past"),
    [
        pytest.param("ready", {"api": 0}, id="running"),
        pytest.param("crash loop, running just now", {"api": 3}, id="running again"),
        pytest.param("crash loop, two restarts", {}, id="not over its restarts"),
        pytest.param(
            "init container came through after a restart", {"api": 0, "wait-for-database": 3}, id="an init container's"
        ),
    ],
)
def test_restarts_that_are_past(name: str, past: dict[str, int]) -> None:
    assert diagnosis.past_restarts(pod(name)) == past


@pytest.mark.parametrize(
    ("probe", "words"),
    [
        (None, ""),
        ({"httpGet": {"path": "/health", "port": 3001}}, "readiness probe GET :3001/health"),
        ({"httpGet": {"port": "http"}}, "readiness probe GET :http/"),
        ({"exec": {"command": ["cat", "/ready"]}}, "readiness probe exec cat /ready"),
        ({"tcpSocket": {"port": 5432}}, "readiness probe tcpSocket :5432"),
        ({"grpc": {"port": 9000}}, "readiness probe grpc :9000"),
    ],
)
def test_a_readiness_probe_in_words(probe: dict[str, Any] | None, words: str) -> None:
    template = {"spec": {"containers": [{"name": "metrics"}, {"name": "api", "readinessProbe": probe}]}}
    assert diagnosis.readiness_probe(template, "api") == words
    assert diagnosis.readiness_probe(template, "metrics") == ""
    assert diagnosis.readiness_probe(template, "") == ""


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        pytest.param({"reason": "OutOfcpu"}, True, id="no cpu"),
        pytest.param({"reason": "OutOfpods"}, True, id="too many pods"),
        pytest.param({"reason": "OutOfnvidia.com/gpu"}, True, id="no device"),
        pytest.param({"reason": "TopologyAffinityError"}, True, id="topology"),
        pytest.param({"reason": "Evicted"}, True, id="evicted"),
        pytest.param({"conditions": [{"type": "DisruptionTarget", "status": "True"}]}, True, id="disrupted"),
        pytest.param({"reason": "Terminated"}, True, id="node shut down"),
        pytest.param({"reason": "DeadlineExceeded"}, False, id="its own deadline"),
        pytest.param({"reason": "SysctlForbidden"}, False, id="its own sysctl"),
        pytest.param({"reason": "Evicted", "phase": "Running"}, False, id="it runs"),
    ],
)
def test_what_ended_for_the_nodes_sake(status: dict[str, Any], expected: bool) -> None:
    assert diagnosis.of_the_node({"metadata": {"name": "api-1"}, "status": {"phase": "Failed", **status}}) is expected
