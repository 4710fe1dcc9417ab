# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups of a real PostgreSQL: whole or not there, and proved by a drill."""

from __future__ import annotations

import contextlib
import json
import shutil
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.database.marks import Mark
from ansible_collections.linkops.runbooks.plugins.modules.database_backup import MODULE as BACKUP
from ansible_collections.linkops.runbooks.plugins.modules.database_drill import MODULE as DRILL
from lab import binaries
from lab.site import Lab
from tests.integration.harness.kept import copied
from tests.integration.harness.stores import Postgres, Scratch, ask, own_postgres, until

DUMPING = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'linkops.runbooks' AND query ILIKE %s"


@pytest.fixture(scope="module")
def alone(lab: Lab) -> Iterator[Postgres]:
    """A server that nobody else writes to."""
    with own_postgres(lab, autovacuum="off", log_statement="all", log_line_prefix="[%a] ") as server:
        yield server


@pytest.fixture
def scratch(alone: Postgres) -> Iterator[Scratch]:
    """A database as Prisma makes it: names with capitals, a migration's history, a sequence, a partial index."""
    with alone.scratch() as made:
        with contextlib.closing(made.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(
                """
                CREATE TABLE "Job" (id serial PRIMARY KEY, "title" text NOT NULL, CHECK (title <> ''));
                CREATE TABLE "Quote" (id bigserial PRIMARY KEY, "jobId" int REFERENCES "Job" (id), status text);
                CREATE INDEX quote_open ON "Quote" ("jobId") WHERE status = 'open';
                CREATE TABLE _prisma_migrations (migration_name text, finished_at timestamptz,
                                                 rolled_back_at timestamptz);
                CREATE VIEW open_quotes AS SELECT * FROM "Quote" WHERE status = 'open';
                INSERT INTO _prisma_migrations VALUES ('1_init', now() - interval '1 day', NULL),
                       ('2_quotes', now(), NULL), ('3_undone', now(), now());
                INSERT INTO "Job" (title) SELECT 'job ' || n FROM generate_series(1, 200) n;
                INSERT INTO "Quote" ("jobId", status) SELECT 1 + n % 200, 'open' FROM generate_series(1, 3000) n;
                """
            )
        yield made


@pytest.fixture
def options(lab: Lab, scratch: Scratch, tmp_path: Path) -> dict[str, Any]:
    """What every module here is told."""
    return {
        **scratch.options,
        "directory": str(tmp_path / "backups"),
        "client_directory": str(binaries.postgres(lab) / "bin"),
        "reserve_bytes": 0,
        "max_minutes": 3,
    }


def drill(scratch: Scratch, options: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A drill of the newest backup, as the superuser."""
    shared = {name: options[name] for name in ("directory", "client_directory", "max_minutes")}
    return ask(DRILL, **scratch.server.options, **{"database": scratch.name, **shared, **more})


def left(options: dict[str, Any]) -> list[str]:
    """What stands in the folder of the backups beside its locks."""
    folder = Path(options["directory"])
    return (
        sorted(each.name for each in folder.iterdir() if not each.name.startswith(".lock-")) if folder.exists() else []
    )


@contextlib.contextmanager
def locked(scratch: Scratch, table: str) -> Iterator[None]:
    """While this goes on, nobody reads the table."""
    with contextlib.closing(scratch.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(f'BEGIN; LOCK TABLE "{table}" IN ACCESS EXCLUSIVE MODE')
        yield
        cursor.execute("ROLLBACK")


@pytest.mark.parametrize("form", ["directory", "custom"])
def test_a_backup_is_whole_and_a_second_run_changes_nothing(
    scratch: Scratch, options: dict[str, Any], form: str
) -> None:
    first = ask(BACKUP, **options, format=form)
    assert first.get("changed"), first
    backup = first["backup"]
    assert (backup["tables"], backup["rows"], backup["newest_migration"]) == (3, 3203, "2_quotes")
    folder = Path(backup["folder"])
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["content"]["rows"]['public."Quote"'] == 3000
    assert any("CHECK" in each for each in manifest["content"]["constraints"])
    assert {role["name"] for role in manifest["roles"] if role["needed"]} == {scratch.name}
    assert all(not path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO) for path in (folder, folder / "manifest.json"))
    assert scratch.password not in (folder / "manifest.json").read_text() + json.dumps(first)
    second = ask(BACKUP, **options, format=form)
    assert second["changed"] is False, second
    assert "nothing was written since" in second["msg"], second
    tried = drill(scratch, options)
    assert tried.get("failed") is None, tried
    assert tried["verdict"]["status"] == "pass"
    assert tried["verdict"]["evidence"]["rows"] == 3203
    assert tried["seconds"] > 0
    assert scratch.server.run("SELECT 1 FROM pg_database WHERE datname = %s", f"{scratch.name}_drill") == []


def test_what_is_written_meanwhile_is_not_in_the_backup_and_not_held_against_it(
    scratch: Scratch, options: dict[str, Any]
) -> None:
    ended = threading.Event()

    def write() -> None:
        with contextlib.closing(scratch.connect()) as connection, connection.cursor() as cursor:
            while not ended.is_set():
                cursor.execute('INSERT INTO "Quote" ("jobId", status) SELECT 1, \'new\' FROM generate_series(1, 50)')

    writer = threading.Thread(target=write)
    writer.start()
    try:
        first = ask(BACKUP, **options)
        second = ask(BACKUP, **options, fresh_minutes=5)
    finally:
        ended.set()
        writer.join()
    assert first["changed"], first
    assert not second["changed"], (first, second)
    assert drill(scratch, options)["verdict"]["status"] == "pass"
    assert ask(BACKUP, **options)["changed"], "what was written since wants a new one"


def test_files_that_were_changed_are_found(scratch: Scratch, options: dict[str, Any]) -> None:
    folder = Path(ask(BACKUP, **options)["backup"]["folder"])
    file = next((folder / "data").glob("*.dat*"))
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    said = drill(scratch, options)
    assert said["failed"], said
    assert "its checksum is another" in said["msg"], said
    file.unlink()
    assert "is missing" in drill(scratch, options)["msg"]
    again = ask(BACKUP, **options)
    assert again["changed"], "nothing was written since, but that one is damaged"
    assert f"{folder.name} cannot be used: in {options['directory']} {file.relative_to(folder)} is missing" in str(
        again["warnings"]
    )
    shutil.rmtree(again["backup"]["folder"])
    manifest = folder / "manifest.json"
    manifest.write_text(manifest.read_text().replace("3000", "3001"))
    assert "was changed after it was written" in drill(scratch, options, backup=folder.name)["msg"]
    assert drill(scratch, options)["reason"] == "no_such_backup"


def test_a_restore_that_brings_less_fails_the_drill(scratch: Scratch, options: dict[str, Any]) -> None:
    """A dump with rows that its manifest does not know, as a defect of ours would make it."""
    backup = ask(BACKUP, **options, format="custom")["backup"]
    manifest = Path(backup["folder"]) / "manifest.json"
    entries = json.loads(manifest.read_text())
    entries["content"]["rows"]['public."Job"'] += 1
    del entries["digest"], entries["layout"]
    from ansible_collections.linkops.runbooks.plugins.module_utils.database import archives  # noqa: PLC0415

    manifest.write_text(archives.written(entries))
    said = drill(scratch, options)
    assert said["failed"], said
    assert 'public."Job" has 200 rows, and had 201' in said["msg"], said
    assert scratch.server.run("SELECT 1 FROM pg_database WHERE datname = %s", f"{scratch.name}_drill") == []


def test_a_session_that_is_ended_leaves_no_backup_and_the_rerun_makes_one(
    scratch: Scratch, options: dict[str, Any]
) -> None:
    results: list[dict[str, Any]] = []
    with locked(scratch, "Quote"):
        running = threading.Thread(target=lambda: results.append(ask(BACKUP, **options)))
        running.start()
        until(lambda: scratch.server.run(DUMPING, "LOCK TABLE%")[0][0], "pg_dump waits for the table")
        scratch.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'linkops.runbooks' AND query ILIKE 'LOCK TABLE%'"
        )
        running.join(60)
    (said,) = results
    assert said["failed"], said
    assert said["reason"] == "connection_lost", said
    assert left(options) == []
    assert ask(BACKUP, **options)["changed"]
    assert drill(scratch, options)["verdict"]["status"] == "pass"


def test_what_takes_too_long_is_ended_with_all_that_it_started(scratch: Scratch, options: dict[str, Any]) -> None:
    with locked(scratch, "Job"):
        said = ask(BACKUP, **{**options, "max_minutes": 0.05})
        assert said["failed"], said
        assert said["reason"] == "time_over", said
        assert left(options) == []
        mine = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'linkops.runbooks'"
        until(lambda: scratch.server.run(mine)[0][0] == 0, "no session is left")


def test_two_at_once(scratch: Scratch, options: dict[str, Any]) -> None:
    results: list[dict[str, Any]] = []
    with locked(scratch, "Job"):
        running = threading.Thread(target=lambda: results.append(ask(BACKUP, **options)))
        running.start()
        until(lambda: scratch.server.run(DUMPING, "LOCK TABLE%")[0][0], "pg_dump waits for the table")
        said = ask(BACKUP, **options)
    running.join(60)
    assert said["reason"] == "backup_running", said
    assert results[0]["changed"], results


def test_what_was_killed_is_swept_away(scratch: Scratch, options: dict[str, Any]) -> None:
    partial = Path(options["directory"]) / f".partial-{scratch.name}"
    (partial / "data").mkdir(parents=True)
    (partial / "data" / "toc.dat").write_text("half")
    scratch.server.run(f'CREATE DATABASE "{scratch.name}_drill"')
    scratch.server.run(f'COMMENT ON DATABASE "{scratch.name}_drill" IS %s', Mark("made", scratch.name).text)
    backup = ask(BACKUP, **options)["backup"]
    assert left(options) == [backup["name"]]
    assert drill(scratch, options)["verdict"]["status"] == "pass"


def test_only_so_many_are_kept(scratch: Scratch, options: dict[str, Any]) -> None:
    folder = Path(options["directory"])
    old = Path(ask(BACKUP, **options)["backup"]["folder"])
    for name in ("20200101T000000Z", "20210101T000000Z"):
        copied(old, f"{scratch.name}-{name}")
    others = ["another-20200101T000000Z", f"{scratch.name}-20190101T000000Z"]
    for name in others:
        (folder / name).mkdir()
        (folder / name / "manifest.json").write_text("{}")  # nobody knows whose it is
    scratch.run('DELETE FROM "Quote" WHERE id = 1')
    until(lambda: ask(BACKUP, **options, keep=2, check_mode=True)["expired"], "another second has begun")
    made = ask(BACKUP, **options, keep=2)
    assert made["expired"] == [f"{scratch.name}-20210101T000000Z", f"{scratch.name}-20200101T000000Z"], made
    assert left(options) == sorted([made["backup"]["name"], old.name, *others])


def test_bad_input_is_said_in_a_sentence(scratch: Scratch, options: dict[str, Any], tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.mkdir()
    for name in ("pg_dump", "pg_restore"):
        (old / name).write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 12.3'\n")
        (old / name).chmod(0o755)
    said = ask(BACKUP, **{**options, "client_directory": str(old), "reserve_bytes": 1 << 60})
    assert "is 12.3, which refuses a newer server" in said["msg"], said
    assert "must stay free" in said["msg"], said
    assert ask(BACKUP, **{**options, "client_directory": str(tmp_path)})["reason"] == "client_missing"
    assert ask(BACKUP, **{**options, "jobs": 0})["reason"] == "input_invalid"
    assert ask(BACKUP, **{**options, "login_password": "wrong-canary"})["reason"] == "password_wrong"
    assert drill(scratch, options)["reason"] == "no_such_backup"
    scratch.run("CREATE TABLE private (id int); REVOKE ALL ON private FROM PUBLIC")
    denied = ask(BACKUP, **options)
    assert denied["reason"] == "privilege", denied
    assert left(options) == [], denied
    scratch.run("DROP TABLE private")
    backup = ask(BACKUP, **options)["backup"]
    powerless = ask(
        DRILL, **{**scratch.options, "database": scratch.name, "maintenance_db": scratch.name},
        directory=options["directory"], client_directory=options["client_directory"],
    )  # fmt: skip
    assert "may not create databases" in powerless["msg"], powerless
    assert "There is " + backup["name"] in drill(scratch, options, backup="yesterday")["msg"]
