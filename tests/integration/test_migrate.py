# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Migrating for real: Prisma's CLI in a Job of the new image, locks in the way, Jobs killed, migrations undone."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.site import Lab
from tests.integration.harness.ground import Ground
from tests.integration.harness.pressing import Pressed
from tests.integration.harness.prisma import Files, Migrated, migrated, mount

pytestmark = pytest.mark.matrix
NEXT = "servicelink/api:v1.2.0"
LATER, LAST = "20270101000000_note", "20270102000000_index"
NOTE = {
    "migration.sql": 'ALTER TABLE "User" ADD COLUMN "note" text;\n',
    "down.sql": 'ALTER TABLE "User" DROP COLUMN "note";\n',
}
SLOW = {LATER: 'CREATE TABLE "Note" ("id" bigint);\nSELECT pg_sleep(600);\n'}

Make = Callable[..., Migrated]


@pytest.fixture
def make(lab: Lab, ground: Ground) -> Iterator[Make]:
    """Make a service with migrations of the test's own."""
    with contextlib.ExitStack() as stack:
        yield lambda files=None: stack.enter_context(migrated(lab, ground, files))


def press(scene: Migrated, **extra: Any) -> Pressed:
    """Press the button."""
    return scene.ground.press("migrate", scene.service, **extra)


def states(scene: Migrated) -> dict[str, str]:
    """What Prisma's table says, by name."""

    def state(row: dict[str, Any]) -> str:
        return "rolled back" if row["rolled_back_at"] else "applied" if row["finished_at"] else "open"

    return {row["migration_name"]: state(row) for row in scene.rows}


def wait_for(reached: Callable[[], object]) -> None:
    """Wait until it holds."""
    end = time.monotonic() + 90
    while not reached():
        assert time.monotonic() < end
        time.sleep(0.2)


def sleeping(scene: Migrated) -> list[dict[str, Any]]:
    """Sessions in the middle of the slow migration."""
    return scene.sql(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND state = 'active'"
        " AND query LIKE %s AND pid <> pg_backend_pid()",
        '%CREATE TABLE "Note"%',
    )


def end_sessions(scene: Migrated) -> None:
    """End what sleeps."""
    for each in sleeping(scene):
        scene.server.run("SELECT pg_terminate_backend(%s)", each["pid"])


def test_the_migrations_of_the_new_image_are_applied_once_behind_a_backup(make: Make, tmp_path: Path) -> None:
    scene = make()
    kept = {"backup_directory": str(tmp_path / "kept")}
    refused = press(scene, image=NEXT, require_backup=True, database_free_bytes_query="vector(5)", **kept)
    assert "There is no usable backup of the database" in refused.failure()
    assert "The server's disk has 5 B free" in refused.failure()  # all at once
    first = press(scene, image=NEXT, backup=True, require_backup=True, **kept)
    assert first.rc == 0, first.output
    assert "space the server's disk has is unknown: the inventory has no database_free_bytes_query" in first.output
    (backup,) = (each.name for each in (tmp_path / "kept").iterdir() if not each.name.startswith("."))
    assert first.stats["linkops_facts"]["backup"] == backup
    manifest = json.loads((tmp_path / "kept" / backup / "manifest.json").read_text())
    assert manifest["environment"].endswith("/lab"), manifest["environment"]
    assert len(states(scene)) == 3
    assert set(states(scene).values()) == {"applied"}
    assert "servicelink/api:v1.2.0" in first.output
    assert first.stats["linkops_facts"]["changed"] is True
    again = press(scene, image=NEXT)
    assert again.rc == 0, again.output
    assert "Nothing to apply" in again.closing()
    assert again.stats["linkops_facts"]["changed"] is False


def test_of_two_services_with_one_database_the_second_waits_and_finds_nothing_left(make: Make) -> None:
    scene = make()
    worker = scene.another("worker")
    pressed = scene.ground.press("migrate", scene.service, worker, image=NEXT)
    assert pressed.rc == 0, pressed.output
    assert "is held for another service of this press: migrate by" in pressed.output
    told = [pressed.stats["linkops_services"][name] for name in ("api", "worker")]
    assert sorted(each["changed"] for each in told) == [False, True]
    (waited,) = (each["sentence"] for each in told if not each["changed"])
    assert "Nothing was left to migrate" in waited
    assert set(states(scene).values()) == {"applied"}


def test_failed_then_resolved_then_undone(make: Make) -> None:
    scene = make({LATER: 'ALTER TABLE "User" ADD COLUMN "note" text;\nSELECT 1/0;\n'})
    failed = press(scene)
    assert failed.rc != 0
    assert "ended with exit code 1" in failed.closing()
    assert f"-e migration={LATER} -e resolution=rolled_back" in failed.closing(), failed.output
    assert states(scene)[LATER] == "open"
    assert "P3009" in press(scene).failure()
    wrong = press(scene, state="resolved", migration=LATER, resolution="applied")
    assert "cannot be marked applied" in wrong.failure()
    resolved = press(scene, state="resolved", migration=LATER, resolution="rolled_back")
    assert resolved.rc == 0, resolved.output
    assert states(scene)[LATER] == "rolled back"
    again = press(scene, state="resolved", migration=LATER, resolution="rolled_back")
    assert "Nothing to do" in again.closing()


def test_a_lock_that_is_not_to_be_had_is_tried_for_in_so_many_turns_and_no_reader_waits_long(make: Make) -> None:
    scene = make()
    assert press(scene).rc == 0  # the image's own
    scene.service.edit(lambda template: mount(scene.ground, template["spec"], "migrations", {LATER: NOTE}))
    scene.service.workload.wait_ready()
    holder = scene.connect(application_name="a long report")
    holder.autocommit = False
    holder.cursor().execute('SELECT count(*) FROM "User"')
    bounded = press(scene, lock_retries=1, migrate_long_transaction_seconds=0)
    assert bounded.rc != 0
    assert "(a long report, servicelink, idle in transaction)" in bounded.output
    assert "has locks on User, which the migrations need" in bounded.output
    assert bounded.stats["linkops_facts"]["attempts"] == 2
    assert states(scene)[LATER] == "open"
    assert f"-e migration={LATER} -e resolution=rolled_back" in bounded.closing(), bounded.output
    assert press(scene, state="resolved", migration=LATER, resolution="rolled_back").rc == 0
    tries = len(scene.rows)
    waits: list[float] = []
    stop = threading.Event()

    def read() -> None:
        with contextlib.closing(scene.connect()) as connection:
            while not stop.is_set():
                began = time.monotonic()
                connection.cursor().execute('SELECT count(*) FROM "User"')
                waits.append(time.monotonic() - began)
                time.sleep(0.05)

    others = threading.Thread(target=read)
    others.start()
    try:
        running = scene.ground.press.start("migrate", scene.service, lock_retries=5)
        wait_for(lambda: len(scene.rows) > tries and states(scene)[LATER] == "rolled back")
        holder.close()
        pressed = running.wait()
    finally:
        stop.set()
        others.join()
        holder.close()
    assert pressed.rc == 0, pressed.output
    assert pressed.stats["linkops_facts"]["attempts"] > 1
    assert states(scene)[LATER] == "applied"
    assert 0.5 < max(waits) < 10  # the lock_timeout is 1 s


def test_a_run_that_vanished_leaves_a_job_that_the_next_adopts(make: Make) -> None:
    scene = make(SLOW)
    running = scene.ground.press.start("migrate", scene.service)
    wait_for(lambda: scene.sql("SELECT to_regclass('_prisma_migrations') AS there")[0]["there"] and sleeping(scene))
    running.vanish()
    second = scene.ground.press.start("migrate", scene.service)
    second.until("runs already; it is adopted")
    end_sessions(scene)
    ended = second.wait()
    assert ended.rc != 0
    assert states(scene)[LATER] == "open"
    assert ended.stats["linkops_facts"]["adopted"] is True
    third = press(scene)
    assert f"-e migration={LATER} -e resolution=rolled_back" in third.failure()


def test_undone_with_its_row_in_one_transaction_behind_a_backup(make: Make, tmp_path: Path) -> None:
    scene = make({LATER: NOTE, LAST: 'CREATE INDEX "n" ON "User"("note");\n'})
    assert press(scene).rc == 0
    undo = {"state": "reverted", "migration": LATER}
    refused = press(scene, **undo)
    assert f"Later migrations stand on {LATER}: {LAST}" in refused.failure()
    assert f"-e confirm={LATER}" in refused.failure()
    assert "no down.sql" in press(scene, state="reverted", migration=LAST, confirm=LAST).failure()
    scene.sql('DROP INDEX "n"; UPDATE "_prisma_migrations" SET rolled_back_at = now() WHERE migration_name = %s', LAST)
    plan = press(scene, confirm=LATER, options=("--check", "--diff"), **undo)
    assert plan.rc == 0, plan.output
    assert states(scene)[LATER] == "applied"
    done = press(scene, confirm=LATER, backup=True, backup_directory=str(tmp_path / "kept"), **undo)
    assert done.rc == 0, done.output
    assert states(scene)[LATER] == "rolled back"
    assert not scene.sql("SELECT FROM information_schema.columns WHERE column_name = 'note'")
    (backup,) = (each.name for each in (tmp_path / "kept").iterdir() if not each.name.startswith("."))
    assert done.entries("revert")[0]["data"]["backup"] == backup
    again = press(scene, confirm=LATER, **undo)
    assert again.stats["linkops_facts"]["changed"] is False
    assert press(scene).rc == 0  # and it can be applied again
    assert states(scene)[LATER] == "applied"


@pytest.mark.parametrize(
    ("down", "sentence"),
    [
        ('BEGIN; ALTER TABLE "User" DROP COLUMN "note"; COMMIT;', "holds BEGIN, COMMIT"),
        ('DROP INDEX CONCURRENTLY "n";', "holds DROP CONCURRENTLY"),
        ("\\i more.sql", "was not read"),
    ],
)
def test_a_down_script_that_is_not_one_transaction_is_refused(make: Make, down: str, sentence: str) -> None:
    files: Files = {LATER: {**NOTE, "down.sql": down}}
    scene = make(files)
    assert press(scene).rc == 0
    assert sentence in press(scene, state="reverted", migration=LATER, confirm=LATER).failure()
    assert states(scene)[LATER] == "applied"
