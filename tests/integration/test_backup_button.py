# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The buttons backup and restore as an operator presses them."""

from __future__ import annotations

import contextlib
import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.site import Lab
from tests.integration.harness.amazon import SECRET, amazon
from tests.integration.harness.audit import AuditLog
from tests.integration.harness.pressing import Press, descendants
from tests.integration.harness.services import Service, Services
from tests.integration.harness.stores import Postgres, Scratch, until

pytestmark = pytest.mark.matrix


@pytest.fixture
def scratch(lab: Lab) -> Iterator[Scratch]:
    """A database in the lab's server."""
    with Postgres(lab.node_address, lab.postgres_port, lab.secrets["postgres_password"]).scratch() as made:
        with contextlib.closing(made.connect()) as connection, connection.cursor() as cursor:
            cursor.execute('CREATE TABLE "Job" AS SELECT n AS id FROM generate_series(1, 1000) n')
        yield made


@pytest.fixture
def api(service: Services, scratch: Scratch, tmp_path: Path) -> Service:
    """A service with a database of its own."""
    secret = tmp_path / "secret.json"
    secret.write_text(json.dumps({"password": scratch.password}))
    return service(
        ["v1.2.0"], wait=False, database_name=scratch.name, database_user=scratch.name,
        database_password_file=str(secret), database_password_key="password", backup_directory=str(tmp_path / "kept"),
    )  # fmt: skip


def test_a_backup_and_its_drill(press: Press, api: Service, scratch: Scratch, audit: AuditLog) -> None:
    with audit.reading() as seen:
        planned = press("backup", api, options=["--check"])
    assert planned.rc == 0, planned.output
    assert "would dump" in planned.closing()
    assert not seen.writes
    pressed = press("backup", api, drill=True, reason="before the migration")
    assert pressed.rc == 0, pressed.output
    assert "1000 rows in 1 table" in pressed.closing()
    assert "pass: 1000 rows" in pressed.closing()
    assert "space the server's disk has is unknown: the inventory has no database_free_bytes_query" in pressed.output
    with amazon() as aws:
        bucket = aws.bucket("backups")
        carried = api.having(backup_s3="s3://backups/production")
        again = press("backup", carried, fresh_minutes=60, environment=aws.environment)
        assert again.rc == 0, again.output
        assert "is enough" in again.closing()
        assert "now in s3://backups/production/" in again.closing()
        assert any(each.key.endswith("/manifest.json") for each in bucket.objects.all())
        streamed = press("backup", carried, format="stream", drill=True, environment=aws.environment)
        assert streamed.rc == 0, streamed.output
        assert "in s3://backups/production; drill of" in streamed.closing()
        assert "pass: 1000 rows" in streamed.closing()
    everything = (
        planned.output
        + pressed.output
        + again.output
        + streamed.output
        + "".join(path.read_text(errors="replace") for path in pressed.records.rglob("*") if path.is_file())
    )
    assert scratch.password not in everything
    assert scratch.server.password not in everything
    assert SECRET not in everything


def test_a_backup_that_is_interrupted_leaves_none_and_gives_its_lock_back(
    press: Press, api: Service, scratch: Scratch, tmp_path: Path
) -> None:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'"
    with contextlib.closing(scratch.connect()) as connection, connection.cursor() as cursor:
        cursor.execute('BEGIN; LOCK TABLE "Job" IN ACCESS EXCLUSIVE MODE')
        running = press.start("backup", api)
        until(lambda: scratch.server.run(waiting, scratch.name)[0][0], "pg_dump waits for the table", 60)
        running.signal(signal.SIGTERM)
        stopped = running.wait()
        assert stopped.rc != 0
        until(lambda: not scratch.server.run(waiting, scratch.name)[0][0], "pg_dump is gone")
        kept = tmp_path / "kept"
        until(lambda: all(each.name.startswith(".lock-") for each in kept.iterdir()), "what was written is gone")
        running = press.start("backup", api)
        until(lambda: scratch.server.run(waiting, scratch.name)[0][0], "pg_dump waits for the table", 60)
        second = press("backup", api)
        assert "lock" in second.failure().lower(), second.output
        secrets = told_to_programs(running.process.pid)
        assert secrets, "pg_dump knows where its password is"
        running.vanish()
        until(lambda: not any(each.exists() for each in secrets), "the password is gone with the run")
        assert (kept / f".partial-{scratch.name}").exists()
        assert scratch.password not in "".join(
            each.read_text(errors="replace") for each in kept.rglob("*") if each.is_file()
        )
    pressed = press("backup", api, break_lock=True, reason="the other run was killed", drill=True)
    assert pressed.rc == 0, pressed.output
    assert [each.name for each in kept.glob(".partial-*")] == []


def told_to_programs(pid: int) -> list[Path]:
    """The password files that the run's programs are told of; none of them has a password in its words or variables."""
    found = []
    for each in descendants(pid):
        if (Path(f"/proc/{each}") / "exe").resolve().name == "pg_dump":
            words, variables = (Path(f"/proc/{each}/{what}").read_bytes() for what in ("cmdline", "environ"))
            assert b"PGPASSWORD" not in words + variables
            found += [Path(part[11:].decode()) for part in variables.split(b"\0") if part.startswith(b"PGPASSFILE=")]
    return found


def test_a_restore_says_what_is_lost_wants_the_name_and_is_done_once(
    press: Press, service: Services, api: Service, scratch: Scratch
) -> None:
    running = service(["v1.2.0"], name="served", node_port=True).having(**api.settings)
    assert press("backup", running).rc == 0
    scratch.run('DELETE FROM "Job" WHERE id > 10')
    refused = press("restore", running, database_free_bytes_query="vector(5)")
    assert refused.rc != 0
    assert "The server's disk has 5 B free" in refused.failure()
    assert f"-e confirm={scratch.name}" in refused.failure()
    assert "min" in refused.failure()
    try:
        pressed = press("restore", running, confirm=scratch.name, reason="the rows are gone")
        assert pressed.rc == 0, pressed.output
        assert "1000 rows in 1 table" in pressed.closing()
        assert scratch.run('SELECT count(*) FROM "Job"') == [(1000,)]
        (name,) = {each["backup"]["name"] for each in pressed.results("database_restore") if each.get("backup")}
        again = press("restore", running, confirm=scratch.name, backup=name)
        assert again.rc == 0, again.output
        assert not any(each["changed"] for each in again.results("database_restore"))
    finally:
        for (left,) in scratch.server.run(
            "SELECT datname FROM pg_database WHERE datname LIKE %s", f"{scratch.name}\\_%"
        ):
            scratch.server.run(f'DROP DATABASE "{left}" WITH (FORCE)')
