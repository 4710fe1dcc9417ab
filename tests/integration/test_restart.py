# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rolling restart: once for each key, served all the time, and returned where its pods do not get ready."""

from __future__ import annotations

import psycopg2
import pytest

from lab.cluster import Manifest
from lab.site import Lab
from tests.integration.harness.ground import Ground
from tests.integration.harness.prober import asking
from tests.integration.harness.services import Service, container

pytestmark = pytest.mark.matrix
KEY = "runbooks.linkops.io/restart-key"
RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
SETTING = "RESTART_TEST"


def test_once_for_each_key(ground: Ground) -> None:
    api = ground.service(["v1.2.0"], replicas=2, node_port=True, change=_leaves_slowly)
    before = _uids(api)

    # The plan says what would be done, and writes nothing at all.
    with ground.audit.reading() as seen:
        planned = ground.press("restart", api, options=["--check", "--diff"], key="INC-1")
    assert planned.rc == 0, planned.output
    assert seen.writes == []
    assert "Would restart 2 pods, 1 more at the same time, key INC-1" in planned.closing()
    assert "runbooks.linkops.io/restart-key: INC-1" in planned.output
    assert _uids(api) == before

    with asking(api.health_url) as asked:
        pressed = ground.press("restart", api, key="INC-1")
    assert pressed.rc == 0, pressed.output
    assert "pass: Restarted 2 pods (key INC-1, revision 2)" in pressed.closing()
    assert asked.times > 20
    assert asked.failures == [], "users are served all the time"
    restarted = _uids(api)
    assert len(restarted) == 2
    assert not restarted & before
    template = api.workload.live["spec"]["template"]["metadata"]["annotations"]
    assert template[KEY] == "INC-1"
    assert template[RESTARTED_AT].endswith("Z")
    assert pressed.results("workload_mark")[0]["marks"][0]["mark"] == "good"

    # The same key again: nothing changes, and all is verified.
    again = ground.press("restart", api, key="INC-1")
    assert again.rc == 0, again.output
    assert "Nothing was restarted: key INC-1 was restarted already" in again.closing()
    assert "changed=0" in again.output.rpartition("PLAY RECAP")[2]
    assert _uids(api) == restarted

    # All pods are young.
    young = ground.press("restart", api, key="INC-2", not_before="1h")
    assert young.rc == 0, young.output
    assert "all 2 pods are younger than not_before" in young.closing()
    assert _uids(api) == restarted

    # A run without a key has its own.
    other = ground.press("restart", api)
    assert other.rc == 0, other.output
    assert not _uids(api) & restarted


def test_killed_after_the_write_and_two_operators(ground: Ground) -> None:
    api = ground.service(["v1.2.0"], replicas=2, change=_unhurried, lock_duration_seconds=3)
    first = ground.press.start("restart", api, key="INC-1", operator="ada")
    first.until("watching the rollout")
    second = ground.press("restart", api, key="INC-9", operator="grace")
    assert second.rc != 0
    assert "in progress" in second.closing() or "is locked: restart by ada" in second.closing()
    assert second.entries("write") == []
    first.vanish()

    # The rollout goes on without the one who began it; the same key sees it through and begins no other.
    again = ground.press("restart", api, key="INC-1")
    assert again.rc == 0, again.output
    assert again.entries("write") == []
    assert api.workload.live["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "2"
    assert len({pod["metadata"]["labels"]["pod-template-hash"] for pod in api.workload.pods}) == 1


def test_the_second_of_two_operators_is_locked_out(ground: Ground) -> None:
    api = ground.service(["v1.2.0"], replicas=2, change=_unhurried)
    first = ground.press.start("restart", api, key="INC-1", operator="ada")
    first.until("watching the rollout")
    second = ground.press("restart", api, key="INC-1", operator="grace")
    assert second.rc != 0
    assert "is locked: restart by ada" in second.closing()
    assert second.entries("write") == []
    assert first.wait().rc == 0


def test_pods_that_do_not_get_ready_are_returned_and_the_key_is_free_again(ground: Ground) -> None:
    """A key of the configuration was removed since the pods began; the old ones serve all the time.

    The run that wrote the template is killed behind that: the next one with its key returns what it left.
    """
    _configure(ground, "there")
    api = ground.service(["v1.2.0"], replicas=2, change=_reads_setting, node_port=True, lock_duration_seconds=3)
    before = _uids(api)
    _configure(ground, None)
    with asking(api.health_url) as asked:
        killed = ground.press.start("restart", api, key="INC-1")
        killed.until("watching the rollout")
        killed.vanish()
        failed = ground.press("restart", api, key="INC-1")
    assert failed.rc != 0
    assert "CreateContainerConfigError" in failed.closing()
    assert "It was returned to revision 1, which serves again" in failed.closing()
    assert asked.failures == []
    assert len(before & _uids(api)) >= 1, "old pods stayed"
    assert KEY not in api.workload.live["spec"]["template"]["metadata"].get("annotations", {})
    assert (failed.folder() / "evidence").is_dir()

    _configure(ground, "there again")
    mended = ground.press("restart", api, key="INC-1")
    assert mended.rc == 0, mended.output
    assert not _uids(api) & before


def test_a_service_that_is_sick_after_it_keeps_the_evidence(ground: Ground) -> None:
    """Its health fails before and after: the restart is done, the verdict is not pass, and nothing is returned."""
    api = ground.service(["v1.2.0"], behaviour="disconnected", restart_settle_seconds=1)
    before = _uids(api)
    pressed = ground.press("restart", api, key="INC-1")
    assert pressed.rc != 0
    assert "fail: Restarted 1 pod (key INC-1, revision 2)" in pressed.closing()
    assert 'database is "disconnected"' in pressed.closing()
    assert not _uids(api) & before
    assert pressed.results("workload_mark") == []
    assert any((pressed.folder() / "evidence").iterdir())
    assert [entry["data"]["verdict"] for entry in pressed.entries("health")] == ["fail", "fail"]


def test_a_daemon_set_once_for_its_key(ground: Ground) -> None:
    """The lab has one node: the only pod goes before its replacement comes, so the name has to be typed."""
    daemon = ground.service(["v1.2.0"], "daemon", kind="DaemonSet")
    before = _uids(daemon)
    refused = ground.press("restart", daemon, key="INC-1")
    assert "would take its only pod down, an outage" in refused.closing()
    assert _uids(daemon) == before
    pressed = ground.press("restart", daemon, key="INC-1", confirm="daemon")
    assert pressed.rc == 0, pressed.output
    assert "pass: Restarted 1 pod (key INC-1, revision 2)" in pressed.closing()
    restarted = _uids(daemon)
    assert len(restarted) == 1
    assert not restarted & before
    again = ground.press("restart", daemon, key="INC-1", confirm="daemon")
    assert "Nothing was restarted: key INC-1 was restarted already" in again.closing()
    assert "changed=0" in again.output.rpartition("PLAY RECAP")[2]
    assert _uids(daemon) == restarted


def test_connections_that_would_not_fit(ground: Ground, lab: Lab) -> None:
    """The sentence counts them by state and application and names who holds a transaction open."""
    api = ground.service(["v1.2.0"], replicas=2, database_pool_size=1000)
    before = _uids(api)
    holder = psycopg2.connect(
        host=lab.node_address, port=lab.postgres_port, user="servicelink", password=lab.secrets["servicelink_password"],
        dbname="servicelink", application_name="forgotten-script",
    )  # fmt: skip
    try:
        holder.cursor().execute("SELECT 1")
        with ground.audit.reading() as seen:
            refused = ground.press("restart", api, key="INC-1")
    finally:
        holder.close()
    assert refused.rc != 0
    assert seen.writes == []
    said = refused.closing()
    assert "1 pod more at the same time, each with up to 1000 connections, and would make it worse" in said
    assert "1000 more do not fit" in said
    assert "idle in transaction" in said
    assert "servicelink-api" in said.partition("By application: ")[2]
    assert "forgotten-script (pid " in said.partition("Idle in a transaction: ")[2]
    assert "method=evict" in said
    assert lab.secrets["servicelink_password"] not in refused.output

    # By eviction there is no pod more; and the operator may know better.
    planned = ground.press("restart", api, options=["--check"], key="INC-1", method="evict")
    assert planned.rc == 0, planned.output
    done = ground.press("restart", api, key="INC-1", ignore_connections="true")
    assert done.rc == 0, done.output
    assert "its connections: " in done.closing()
    assert not _uids(api) & before


def test_a_database_that_cannot_be_asked_is_a_word_of_caution(ground: Ground) -> None:
    api = ground.service(["v1.2.0"], database_port=1)
    for settings, words in (
        ({}, "its connections: "),
        ({"database_host": ""}, "unknown, the inventory has no database"),
    ):
        planned = ground.press("restart", api.having(**settings), options=["--check"], key="INC-1")
        assert planned.rc == 0, planned.output
        assert words in planned.closing()


def _unhurried(manifest: Manifest) -> None:
    manifest["spec"]["minReadySeconds"] = 6


def _leaves_slowly(manifest: Manifest) -> None:
    """Serve on until no node sends requests any more; without that the last requests to a pod are refused."""
    container(manifest["spec"]["template"])["lifecycle"] = {"preStop": {"sleep": {"seconds": 2}}}


def _reads_setting(manifest: Manifest) -> None:
    source = {"configMapKeyRef": {"name": "servicelink-config", "key": SETTING}}
    container(manifest["spec"]["template"])["env"].append({"name": SETTING, "valueFrom": source})


def _configure(ground: Ground, value: str | None) -> None:
    ground.cluster.patch("ConfigMap", ground.namespace, "servicelink-config", {"data": {SETTING: value}})


def _uids(service: Service) -> set[str]:
    return {pod["metadata"]["uid"] for pod in service.workload.pods}
