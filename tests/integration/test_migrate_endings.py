# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a migration may end, told apart: a server that crashes, pods started twice, Jobs deleted, late or never begun.

The server is the tests' own, so that it may crash, and its log says what was asked of it.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lab.site import Lab
from tests.integration.harness.ground import Ground
from tests.integration.harness.postgres import Server, server
from tests.integration.harness.pressing import Pressed
from tests.integration.harness.prisma import FOLDER, Migrated, create, migrated
from tests.integration.harness.stores import Postgres

pytestmark = pytest.mark.matrix
LATER = "20270101000000_note"
#: It drops what the running version may use, and goes on until there is a table that is called hurry.
WAITING = """
CREATE TABLE "Note" ("id" bigint);
ALTER TABLE "User" DROP COLUMN "name";
DO $$ BEGIN
  WHILE NOT EXISTS (SELECT FROM pg_class WHERE relname = 'hurry') LOOP PERFORM pg_sleep(0.5); END LOOP;
END $$;
"""
DOWN = 'DROP TABLE "Note";\nALTER TABLE "User" ADD COLUMN "name" text;\n'
ACCEPTED = ("-e", '{"accept": {"ban-drop-column": "nobody reads it since v1.1"}}')
LOCK = 72707369
OURS = "linkops.runbooks"


@pytest.fixture(scope="module")
def postgres(lab: Lab) -> Iterator[Server]:
    """A server that pods reach, with the service's role."""
    with server(lab, {"listen_addresses": f"127.0.0.1,{lab.node_address}"}) as made:
        with (made.home / "data/pg_hba.conf").open("a") as access:
            access.write("host all all all scram-sha-256\n")
        with contextlib.closing(made.connect()) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT pg_reload_conf()")
            cursor.execute("CREATE ROLE servicelink LOGIN PASSWORD %s", (lab.secrets["servicelink_password"],))
        yield made


@pytest.fixture(scope="module")
def service(lab: Lab, shared: Ground, postgres: Server) -> Iterator[Migrated]:
    """One service for all tests here; its pods hold the image's own migration and the one that waits."""
    reached = Postgres(lab.node_address, postgres.port, postgres.password)
    with migrated(lab, shared, {LATER: {"migration.sql": WAITING, "down.sql": DOWN}}, server=reached) as made:
        yield made


@pytest.fixture
def scene(service: Migrated) -> Migrated:
    """The same with an empty database."""
    create(service.server, service.database)
    return service


def press(scene: Migrated, *options: str, **extra: Any) -> Pressed:
    """Press the button, with the reason for what squawk says."""
    return scene.ground.press("migrate", scene.service, options=(*ACCEPTED, *options), **extra)


def facts(pressed: Pressed) -> dict[str, Any]:
    """What the button leaves to others."""
    left: dict[str, Any] = pressed.stats["linkops_facts"]
    return left


@contextlib.contextmanager
def in_the_middle(scene: Migrated, **extra: Any) -> Iterator[Any]:
    """A press whose Job is in the middle of the migration."""
    running = scene.ground.press.start("migrate", scene.service, options=ACCEPTED, **extra)
    wait_for(lambda: sleeping(scene))
    yield running


def sleeping(scene: Migrated) -> list[int]:
    """Sessions in the middle of it."""
    query = "SELECT pid FROM pg_stat_activity WHERE usename = 'servicelink' AND query LIKE %s"
    return [pid for (pid,) in scene.server.run(query, "%relname = 'hurry'%")]


def end_sessions(scene: Migrated) -> None:
    """End what sleeps: a server does not see that such a session's client is gone."""
    scene.server.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'servicelink'")


def wait_for(reached: Callable[[], object]) -> None:
    """Wait until it holds."""
    end = time.monotonic() + 90
    while not reached():
        assert time.monotonic() < end
        time.sleep(0.1)


def job(scene: Migrated) -> str:
    """The Job that migrates now."""
    found = scene.ground.cluster.list("Job", scene.service.namespace, "runbooks.linkops.io/purpose=migrate")
    (name,) = (each["metadata"]["name"] for each in found if each.get("status", {}).get("active"))
    return str(name)


def history(scene: Migrated) -> dict[str, str]:
    """What Prisma's table says of the migration that waits."""
    rows = [each for each in scene.rows if each["migration_name"] == LATER]
    return {
        each["id"]: "rolled back" if each["rolled_back_at"] else "applied" if each["finished_at"] else "open"
        for each in rows
    }


def test_all_refusals_come_at_once_and_check_mode_writes_nothing(scene: Migrated, postgres: Server) -> None:
    with (
        contextlib.closing(scene.connect(application_name="laptop of ann")) as holder,
        nothing_written(scene, postgres),
    ):
        holder.cursor().execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        refused = scene.ground.press("migrate", scene.service, options=("--check", "--diff"))
    assert "laptop of ann" in refused.failure()
    assert "Prisma would say P1002" in refused.failure()
    assert '-e \'{"accept": {"ban-drop-column": "WHY"}}\'' in refused.failure()
    pooled = scene.ground.press("migrate", scene.service.having(migration_url_variable="POOLED_URL"))
    assert "leads through a pooler" in pooled.failure()
    with nothing_written(scene, postgres):
        planned = press(scene, "--check", "--diff")
    assert planned.rc == 0, planned.output
    assert LATER in planned.closing()


@contextlib.contextmanager
def nothing_written(scene: Migrated, postgres: Server) -> Iterator[None]:
    """Neither in the cluster, but for the looks into pods, nor in the database."""
    start = postgres.log.stat().st_size
    with scene.ground.audit.reading() as seen:
        yield
    assert not [each for each in seen.writes if each["objectRef"]["resource"] != "pods"]
    assert postgres.statements(OURS, start)
    assert not postgres.writes(OURS, start)


def test_a_schema_without_a_history_is_baselined_and_the_rest_is_applied(scene: Migrated, postgres: Server) -> None:
    own = [name for name in scene.run("ls", FOLDER).stdout.split() if "." not in name and name != LATER]
    for name in own:
        scene.sql(scene.run("cat", f"{FOLDER}/{name}/migration.sql").stdout)
    assert "P3005" in press(scene).failure()
    for name in own:
        baseline = {"state": "resolved", "migration": name, "resolution": "applied"}
        with nothing_written(scene, postgres):
            planned = press(scene, "--check", "--diff", **baseline)
        assert planned.rc == 0, planned.output
        done = press(scene, **baseline)
        assert done.rc == 0, done.output
        assert facts(done)["changed"] is True
        again = press(scene, **baseline)
        assert again.rc == 0, again.output
        assert facts(again)["changed"] is False
    scene.sql("CREATE TABLE hurry ()")
    rest = press(scene)
    assert rest.rc == 0, rest.output
    assert facts(rest)["migrations"] == [LATER]
    undo = {"state": "reverted", "migration": LATER, "confirm": LATER}
    with nothing_written(scene, postgres):
        planned = press(scene, "--check", "--diff", **undo)
    assert planned.rc == 0, planned.output
    assert list(history(scene).values()) == ["applied"]


def test_a_server_that_crashes_in_the_middle_and_the_way_on(scene: Migrated, postgres: Server) -> None:
    with in_the_middle(scene) as running:
        postgres.restart()
        ended = running.wait()
    assert ended.rc != 0
    assert facts(ended)["outcome"] == "failed"
    assert list(history(scene).values()) == ["open"]
    assert not scene.sql("SELECT to_regclass('\"Note\"') AS there")[0]["there"]
    resolve = f"-e state=resolved -e migration={LATER} -e resolution=rolled_back"
    assert resolve in ended.closing(), ended.output
    scene.sql("CREATE TABLE hurry ()")
    assert press(scene, state="resolved", migration=LATER, resolution="rolled_back").rc == 0
    done = press(scene)
    assert done.rc == 0, done.output
    assert sorted(history(scene).values()) == ["applied", "rolled back"]


def test_a_pod_that_is_started_twice_is_kept_out_by_prismas_lock(scene: Migrated) -> None:
    with in_the_middle(scene) as running:
        cluster, space = scene.ground.cluster, scene.service.namespace
        (pod,) = cluster.list("Pod", space, f"batch.kubernetes.io/job-name={job(scene)}")
        # As where a node is lost: nobody counts that the pod has ended, so the Job gets another one.
        cluster.patch("Pod", space, pod["metadata"]["name"], {"metadata": {"finalizers": None}})
        path = f"/api/v1/namespaces/{space}/pods/{pod['metadata']['name']}"
        cluster.request("DELETE", path, {"gracePeriodSeconds": 0})
        ended = running.wait()
    try:
        assert ended.rc != 0
        assert pod["metadata"]["name"] not in ended.closing()
        assert "ended with exit code 1" in ended.closing(), ended.output
        assert "running" in ended.closing()
        assert "Prisma's lock is held by pid" in ended.closing()
        assert list(history(scene).values()) == ["open"]
    finally:
        end_sessions(scene)


def test_a_job_that_is_late_and_one_that_is_deleted_are_told_apart(scene: Migrated) -> None:
    with in_the_middle(scene, max_minutes=0.2) as running:
        late = running.wait()
    assert facts(late)["outcome"] == "timeout"
    assert "was ended by its deadline" in late.closing()
    end_sessions(scene)
    create(scene.server, scene.database)
    with in_the_middle(scene) as running:
        scene.ground.cluster.remove("Job", scene.service.namespace, job(scene))
        gone = running.wait()
    end_sessions(scene)
    assert facts(gone)["outcome"] == "vanished"
    assert "is gone before it ended" in gone.closing()
    assert {late.rc, gone.rc} != {0}


def test_an_image_that_is_not_to_be_had_starts_nothing_and_leaves_nothing(scene: Migrated) -> None:
    pressed = press(scene, image="servicelink/api:v9.9.9")
    assert pressed.rc != 0
    assert "did not start" in pressed.failure()
    assert "v9.9.9" in pressed.failure()
    left = scene.ground.cluster.list("Job", scene.service.namespace, "runbooks.linkops.io/purpose=migrations")
    assert not left
    assert not scene.sql("SELECT to_regclass('_prisma_migrations') AS there")[0]["there"]


def test_of_two_operators_one_acts_and_no_password_is_seen_anywhere(scene: Migrated) -> None:
    patient = scene.service.having(lock_duration_seconds=6)
    first = scene.ground.press.start("migrate", patient, options=(*ACCEPTED, "-vvv"))
    wait_for(lambda: sleeping(scene))
    second = scene.ground.press("migrate", patient, options=ACCEPTED)
    assert second.rc != 0
    assert "lock" in second.failure().lower(), second.output
    assert len(history(scene)) == 1
    scene.sql("CREATE TABLE hurry ()")
    done = first.wait()
    assert done.rc == 0, done.output
    assert list(history(scene).values()) == ["applied"]
    assert facts(done)["accepted"] == {"ban-drop-column": "nobody reads it since v1.1"}
    written = "".join(path.read_text(errors="replace") for path in done.records.rglob("*") if path.is_file())
    for secret in (scene.lab.secrets["servicelink_password"], scene.server.password):
        assert secret not in second.output + done.output + written
