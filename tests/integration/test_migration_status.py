# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The migration doctor: every state, made by the real Prisma CLI in the service's image, and what it says of it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster import migration_source
from lab.site import Lab
from tests.integration.harness.ground import Ground
from tests.integration.harness.pressing import Pressed
from tests.integration.harness.prisma import Migrated, migrated

LOCK = 72707369
FIRST, SECOND = "20260101000000_quote", "20260102000000_bid"
QUOTE = 'CREATE TABLE "Quote" ("id" int PRIMARY KEY, "email" text);\n'
BID = 'CREATE TABLE "Bid" ("id" int);\n'
TWICE = "INSERT INTO \"Quote\" VALUES (1, 'ann@example.com'), (1, 'x');\n"


@pytest.fixture(scope="module")
def scene(lab: Lab, shared: Ground) -> Iterator[Migrated]:
    """One pod whose migrations and database are made anew for each test."""
    with migrated(lab, shared) as made:
        yield made


@pytest.fixture
def ask(scene: Migrated) -> Callable[..., Pressed]:
    """Press the doctor."""
    return lambda **extra: scene.ground.press("migration_status", scene.service, **extra)


def found(pressed: Pressed) -> dict[str, Any]:
    """What the comparison returned."""
    (result,) = pressed.results("prisma_migration_info")
    return dict(result)


def states(pressed: Pressed) -> dict[str, str]:
    """Each migration's state."""
    return {each["name"]: each["state"] for each in found(pressed)["migrations"]}


def one(pressed: Pressed, name: str = FIRST) -> dict[str, Any]:
    """What is said of one migration."""
    (only,) = (each for each in found(pressed)["migrations"] if each["name"] == name)
    return dict(only)


def wait_for(reached: Callable[[], object]) -> None:
    """Wait until it holds."""
    end = time.monotonic() + 60
    while not reached():
        assert time.monotonic() < end
        time.sleep(0.2)


def working(scene: Migrated, words: str) -> list[dict[str, Any]]:
    """Prisma's sessions that run such a statement now."""
    return scene.sql(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'prisma-migrate'"
        " AND state = 'active' AND query LIKE %s",
        f"%{words}%",
    )


def test_pending_then_applied(scene: Migrated, ask: Callable[..., Pressed]) -> None:
    scene.fresh({FIRST: QUOTE, SECOND: BID})
    before = ask()
    assert before.rc != 0
    assert states(before) == {FIRST: "pending", SECOND: "pending"}
    assert found(before)["pending"] == [FIRST, SECOND]
    assert scene.prisma("deploy").returncode == 0
    after = ask()
    assert after.rc == 0, after.output
    assert states(after) == {FIRST: "applied", SECOND: "applied"}
    assert "2 migrations applied" in after.closing()
    assert not any(task.result.get("changed") for task in after.tasks)


def test_ahead_which_prisma_calls_up_to_date(scene: Migrated, ask: Callable[..., Pressed]) -> None:
    scene.fresh({FIRST: QUOTE, SECOND: BID})
    scene.prisma("deploy")
    scene.run("rm", "-rf", f"/app/servicelink/prisma/migrations/{SECOND}")
    assert scene.prisma("status").returncode == 0
    pressed = ask()
    assert states(pressed) == {FIRST: "applied", SECOND: "ahead"}
    assert f"{SECOND} is in the database but not in the image" in pressed.output


def test_edited_after_it_was_applied(scene: Migrated, ask: Callable[..., Pressed]) -> None:
    scene.fresh({FIRST: QUOTE})
    scene.prisma("deploy")
    scene.write({FIRST: QUOTE.replace("\n", "\r\n")})
    assert states(ask()) == {FIRST: "applied"}  # line ends are no edit
    scene.write({FIRST: QUOTE.replace("text", "varchar")})
    assert scene.prisma("status").returncode == 0
    pressed = ask()
    assert pressed.rc != 0
    assert states(pressed) == {FIRST: "edited"}


def test_failed_in_its_one_transaction(scene: Migrated, ask: Callable[..., Pressed]) -> None:
    scene.fresh({FIRST: QUOTE, SECOND: BID + TWICE})
    assert scene.prisma("deploy").returncode != 0
    again = scene.prisma("deploy")
    assert "P3009" in again.stdout + again.stderr
    pressed = ask()
    assert states(pressed) == {FIRST: "applied", SECOND: "failed"}
    failed = one(pressed, SECOND)
    assert failed["left"]["remains"] == "nothing"
    assert failed["error"] == "external connector error"  # the native engine would log the server's
    assert "ann@example.com" not in pressed.output
    assert f"-e migration={SECOND} -e resolution=rolled_back" in pressed.output
    assert scene.prisma("resolve", "--rolled-back", SECOND).returncode == 0
    assert states(ask()) == {FIRST: "applied", SECOND: "rolled_back"}


def test_partially_applied_behind_an_explicit_commit(scene: Migrated, ask: Callable[..., Pressed]) -> None:
    scene.fresh({FIRST: f"BEGIN;\n{QUOTE}COMMIT;\n{BID}SELECT 1/0;\n"})
    assert scene.prisma("deploy").returncode != 0
    pressed = ask()
    assert states(pressed) == {FIRST: "partial"}
    assert one(pressed)["left"]["done"] == ["relation Quote"]
    assert one(pressed)["left"]["missing"] == ["relation Bid"]
    assert "relation Quote" in pressed.closing()


def test_an_index_built_concurrently_that_stayed_invalid(scene: Migrated, ask: Callable[..., Pressed]) -> None:
    scene.fresh({FIRST: QUOTE, SECOND: 'CREATE UNIQUE INDEX CONCURRENTLY "e" ON "Quote"("email");\n'})
    scene.run("mv", f"/app/servicelink/prisma/migrations/{SECOND}", "/tmp/later")
    scene.prisma("deploy")
    scene.sql("INSERT INTO \"Quote\" VALUES (1, 'a'), (2, 'a')")
    scene.run("mv", "/tmp/later", f"/app/servicelink/prisma/migrations/{SECOND}")
    assert scene.prisma("deploy").returncode != 0
    assert scene.sql("SELECT indisvalid FROM pg_index WHERE indexrelid = '\"e\"'::regclass") == [{"indisvalid": False}]
    pressed = ask()
    assert states(pressed) == {FIRST: "applied", SECOND: "partial"}
    assert one(pressed, SECOND)["left"]["done"] == ["relation e"]


def test_running_and_then_killed_in_the_middle(scene: Migrated, ask: Callable[..., Pressed]) -> None:
    scene.fresh({FIRST: f"{QUOTE}SELECT pg_sleep(600);\n"})
    process = scene.begin("deploy")
    try:
        wait_for(lambda: working(scene, "pg_sleep"))
        running = ask()
        assert running.rc != 0
        assert states(running) == {FIRST: "running"}
        assert found(running)["lock"]["holder"]["application"] == "prisma-migrate"
        assert "Prisma's lock is held by pid" in running.closing()
        for each in working(scene, "pg_sleep"):
            scene.server.run("SELECT pg_terminate_backend(%s)", each["pid"])
        wait_for(lambda: process.poll() is not None)
    finally:
        process.kill()
        scene.run(
            "sh", "-c", "for p in /proc/[0-9]*; do grep -qa schema-engine $p/cmdline && kill -9 ${p#/proc/}; done"
        )
    killed = ask()
    assert states(killed) == {FIRST: "failed"}
    assert one(killed)["left"]["remains"] == "nothing"


def test_someone_holds_the_lock(scene: Migrated, ask: Callable[..., Pressed]) -> None:
    scene.fresh({FIRST: QUOTE})
    with contextlib.closing(scene.connect(application_name="laptop of ann")) as connection:
        # Prisma's own patience is 10 s; the role's lock_timeout would end its wait before that.
        connection.cursor().execute(f'ALTER ROLE servicelink IN DATABASE "{scene.database}" RESET lock_timeout')
        connection.cursor().execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        refused = scene.prisma("deploy")
        assert "P1002" in refused.stdout + refused.stderr
        pressed = ask()
    assert states(pressed) == {FIRST: "pending"}
    assert found(pressed)["lock"]["holder"]["application"] == "laptop of ann"
    assert "laptop of ann" in pressed.closing()


def test_pods_that_turn_prismas_lock_off_say_so(scene: Migrated) -> None:
    off = {
        variable: scene.run(
            "env",
            f"PRISMA_SCHEMA_DISABLE_ADVISORY_LOCK={variable}",
            "node",
            "-e",
            migration_source.READER,
            "prisma/migrations",
            "DATABASE_URL",
        )
        for variable in ("1", "true", "0", "")
    }
    told = {variable: migration_source.parsed(done.stdout) for variable, done in off.items()}
    assert {variable: each and migration_source.target(each)["lock_disabled"] for variable, each in told.items()} == {
        "1": True,
        "true": True,
        "0": False,
        "": False,
    }


def test_a_schema_without_a_history(scene: Migrated, ask: Callable[..., Pressed]) -> None:
    scene.fresh({FIRST: QUOTE})
    scene.sql(QUOTE)
    refused = scene.prisma("deploy")
    assert "P3005" in refused.stdout + refused.stderr
    pressed = ask()
    assert pressed.rc != 0
    assert "no history of migrations (Prisma's P3005)" in pressed.closing()
    assert one(pressed)["left"]["remains"] == "all"


def test_check_mode_writes_nothing(scene: Migrated, ask: Callable[..., Pressed]) -> None:
    scene.fresh({FIRST: QUOTE})
    with scene.ground.audit.reading() as seen:
        pressed = scene.ground.press(
            "migration_status", scene.service, image="servicelink/api:v1.1.0", options=("--check",)
        )
    assert pressed.rc != 0
    assert "check mode starts none" in pressed.output
    assert not [entry for entry in seen.writes if entry["objectRef"]["resource"] == "jobs"]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"migration_directory": "prisma/elsewhere"}, "has no folder /app/servicelink/prisma/elsewhere"),
        ({"migration_url_variable": "DIRECT_URL"}, "DIRECT_URL is not set"),
        ({"database_name": "postgres"}, "and this is postgres"),
        ({"database_host": ""}, "has no database_host"),
        ({"workload_container": "web"}, "has no container web; it has api"),
    ],
)
def test_a_fault_of_the_inventory_is_one_sentence(scene: Migrated, settings: dict[str, str], sentence: str) -> None:
    pressed = scene.ground.press("migration_status", scene.service.having(**settings))
    assert pressed.rc != 0
    assert sentence in pressed.failure()


def test_the_password_is_nowhere(scene: Migrated, ask: Callable[..., Pressed]) -> None:
    scene.fresh({FIRST: QUOTE})
    pressed = scene.ground.press("migration_status", scene.service, options=("-vvv",))
    assert scene.lab.secrets["servicelink_password"] not in pressed.output
    assert scene.lab.secrets["servicelink_password"] not in (pressed.folder() / "record.jsonl").read_text()
