# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restores of a real PostgreSQL: the old database is there until the new one is proved, and can be had back."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.database.marks import NEWBORN, Mark
from ansible_collections.linkops.runbooks.plugins.modules.database_backup import MODULE as BACKUP
from ansible_collections.linkops.runbooks.plugins.modules.database_drill import MODULE as DRILL
from ansible_collections.linkops.runbooks.plugins.modules.database_restore import MODULE as RESTORE
from lab import binaries
from lab.site import Lab
from tests.integration.harness.stores import Postgres, Scratch, ask, comes_back, own_postgres, until

DATABASES = "SELECT datname, datallowconn FROM pg_database WHERE datname LIKE %s ORDER BY 1"


@pytest.fixture(scope="module")
def alone(lab: Lab) -> Iterator[Postgres]:
    """A server that nobody else writes to."""
    with own_postgres(lab, autovacuum_naptime="1", max_prepared_transactions="1") as server:
        autovacuum(server, "off")
        yield server


def autovacuum(server: Postgres, state: str) -> None:
    """Turn it on or off."""
    server.run(f"ALTER SYSTEM SET autovacuum = {state}")
    server.run("SELECT pg_reload_conf()")


@pytest.fixture
def scratch(alone: Postgres) -> Iterator[Scratch]:
    """A database with settings and grants of its own; what a restore sets aside goes with it."""
    with alone.scratch() as made:
        for statement in (
            'CREATE TABLE "Job" AS SELECT n AS id FROM generate_series(1, 500) n',
            'ALTER TABLE "Job" OWNER TO {}',
            'ALTER DATABASE {} SET search_path TO "$user", public, "od d"',
            "ALTER ROLE {0} IN DATABASE {0} SET lock_timeout TO '3s'",
            "REVOKE CONNECT ON DATABASE {} FROM PUBLIC",
            "ALTER DATABASE {} CONNECTION LIMIT 17",
        ):
            made.run(statement.format(made.name))
        alone.run(f"COMMENT ON DATABASE {made.name} IS 'ours'")
        try:
            yield made
        finally:
            for name, _open in alone.run(DATABASES, f"{made.name}\\_%"):
                alone.run(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def options(lab: Lab, scratch: Scratch, tmp_path: Path) -> dict[str, Any]:
    """What every restore here is told."""
    return {
        **scratch.server.options,
        "database": scratch.name,
        "directory": str(tmp_path / "backups"),
        "client_directory": str(binaries.postgres(lab) / "bin"),
        "reserve_bytes": 0,
        "max_minutes": 3,
    }


def back_up(scratch: Scratch, options: dict[str, Any]) -> str:
    """A backup as the service's own role takes it; its name."""
    told = {name: value for name, value in options.items() if name not in ("database", *scratch.options)}
    made = ask(BACKUP, **scratch.options, **told)
    assert made.get("changed"), made
    return str(made["backup"]["name"])


def around(scratch: Scratch) -> list[tuple[Any, ...]]:
    """Settings, grants, limit and owner of the database."""
    return scratch.server.run(
        "SELECT datacl::text, datconnlimit, datdba::regrole::text, datallowconn,"
        " shobj_description(oid, 'pg_database'), (SELECT array_agg(setconfig::text ORDER BY setrole)"
        " FROM pg_db_role_setting WHERE setdatabase = d.oid) FROM pg_database d WHERE datname = %s", scratch.name,
    )  # fmt: skip


def comment(scratch: Scratch, name: str) -> str | None:
    """The comment of a database; none where there is no such one."""
    found = scratch.server.run("SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s", name)
    return found[0][0] if found else None


def jobs(scratch: Scratch) -> int:
    """How many rows there are."""
    return int(scratch.run('SELECT count(*) FROM "Job"')[0][0])


def test_a_database_is_replaced_and_can_be_had_back(scratch: Scratch, options: dict[str, Any]) -> None:
    name = back_up(scratch, options)
    before = around(scratch)
    scratch.run('DELETE FROM "Job" WHERE id > 10')
    with contextlib.closing(scratch.connect("servicelink-api")) as service:
        refused = ask(RESTORE, **options)
        assert refused["reason"] == "unconfirmed", refused
        for said in ("1 session (1 x servicelink-api", "holds data", "min", f"-e confirm={scratch.name}"):
            assert said in refused["msg"], refused
        planned = ask(RESTORE, **options, confirm=scratch.name, check_mode=True)
        assert planned["changed"], planned
        assert jobs(scratch) == 10
        with comes_back(scratch.connect, "servicelink-api"):
            done = ask(RESTORE, **options, confirm=scratch.name)
        assert done.get("changed"), done
        assert (done["clients"], done["away"]) == (["servicelink-api"], [])
        with pytest.raises(psycopg2.Error), service.cursor() as cursor:
            cursor.execute("SELECT 1")
    assert jobs(scratch) == 500
    assert around(scratch) == before
    assert done["safety_backup"] != name
    assert (Path(options["directory"]) / done["safety_backup"] / "manifest.json").is_file()
    assert scratch.server.run('SELECT count(*) FROM "Job"', database=done["set_aside"]) == [(10,)]
    again = ask(RESTORE, **options, confirm=scratch.name)  # of the newest, which is not what was saved meanwhile
    assert not again["changed"], again
    assert "already" in again["msg"]

    with contextlib.closing(scratch.connect("credlink-api")):
        back = ask(RESTORE, **options, state="returned", confirm=scratch.name, reconnect_seconds=1)
    assert back["away"] == ["credlink-api"], back
    assert back.get("changed"), back
    assert jobs(scratch) == 10
    assert around(scratch) == before
    twice = ask(RESTORE, **options, state="returned", confirm=scratch.name)
    assert not twice["changed"], twice
    assert jobs(scratch) == 10


def test_a_database_that_is_gone_needs_no_word(scratch: Scratch, options: dict[str, Any]) -> None:
    """However often it has been restored before; and what was set aside can be had back all the same."""
    name = back_up(scratch, options)
    scratch.run('DELETE FROM "Job" WHERE id > 10')
    aside = ask(RESTORE, **options, confirm=scratch.name)["set_aside"]
    for told in ({"backup": name}, {"state": "returned"}):
        scratch.server.run(f"DROP DATABASE {scratch.name} WITH (FORCE)")
        done = ask(RESTORE, **options, **told)
        assert done.get("changed"), done
        assert (jobs(scratch), done["set_aside"]) == (10 if "state" in told else 500, None)
    assert comment(scratch, scratch.name) == "ours"
    assert comment(scratch, aside) is None


def test_what_fails_leaves_the_database_as_it_was(scratch: Scratch, options: dict[str, Any]) -> None:
    name = back_up(scratch, options)
    scratch.run('DELETE FROM "Job" WHERE id > 10')
    damaged = Path(options["directory"]) / name / "data" / "toc.dat"
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:-1])
    assert f"{name} cannot be used" in ask(RESTORE, **options, confirm=scratch.name)["msg"]
    damaged.write_bytes(whole[:-1] + b"x")
    said = ask(RESTORE, **options, confirm=scratch.name)
    assert said["reason"] == "restore_unproved", said
    damaged.write_bytes(whole)
    assert jobs(scratch) == 10
    assert [row[0] for row in scratch.server.run(DATABASES, f"{scratch.name}%")] == [scratch.name]


def test_roles_that_are_gone_are_named_or_made_again_without_a_word_to_enter(
    scratch: Scratch, options: dict[str, Any]
) -> None:
    group, lost = f"{scratch.name}_readers", f"{scratch.name}x"
    for statement in (
        f"ALTER ROLE {scratch.name} CREATEDB CONNECTION LIMIT 9",
        f'ALTER ROLE {scratch.name} SET search_path TO public, "od d"',
        f"CREATE ROLE {group}; GRANT {group}, pg_monitor TO {scratch.name}",
    ):
        scratch.server.run(statement)
    back_up(scratch, options)
    scratch.server.run(f"ALTER ROLE {scratch.name} RENAME TO {lost}")
    try:
        said = ask(RESTORE, **options, confirm=scratch.name)
        assert said["reason"] == "roles_missing", said
        assert f"has no role {scratch.name}, which owns" in said["msg"], said
        told = {**options, "confirm": scratch.name, "create_roles": True}
        planned = ask(RESTORE, **told, check_mode=True)
        assert any("so it cannot log in, and without CREATEDB, pg_monitor" in each for each in planned["warnings"])
        assert scratch.server.run("SELECT 1 FROM pg_roles WHERE rolname = %s", scratch.name) == []
        done = ask(RESTORE, **told)
        assert done["roles"] == [scratch.name], done
        made = scratch.server.run(
            "SELECT rolcanlogin, rolcreatedb, rolconnlimit, rolconfig, (SELECT array_agg(roleid::regrole::text)"
            " FROM pg_auth_members WHERE member = r.oid) FROM pg_roles r WHERE rolname = %s", scratch.name,
        )  # fmt: skip
        assert made == [(False, False, 9, ['search_path=public, "od d"'], [group])]
        assert jobs(scratch) == 500
    finally:
        for name, _open in scratch.server.run(DATABASES, f"{scratch.name}\\_before%"):
            scratch.server.run(f'DROP DATABASE "{name}" WITH (FORCE)')
        scratch.server.run(f"DROP OWNED BY {lost} CASCADE")
        scratch.server.run(f"DROP ROLE {lost}")
        scratch.server.run(f"DROP ROLE {group}")


def test_a_session_that_is_ended_in_the_middle(scratch: Scratch, options: dict[str, Any]) -> None:
    """While pg_restore builds an index its session is ended: the database is as it was, and the rerun converges."""
    with contextlib.closing(scratch.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE FUNCTION slow(n int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS"
                       " 'BEGIN PERFORM pg_sleep(0.5); RETURN n; END'")  # fmt: skip
        cursor.execute("CREATE TABLE one AS SELECT 1 AS id; CREATE INDEX by_slow ON one (public.slow(id))")
    name = back_up(scratch, options)
    scratch.run('DELETE FROM "Job" WHERE id > 10')
    results: list[dict[str, Any]] = []
    running = threading.Thread(target=lambda: results.append(ask(RESTORE, **options, confirm=scratch.name)))
    running.start()
    end = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
        " AND state = 'active' AND query LIKE 'CREATE INDEX by_slow%%'"
    )
    until(lambda: scratch.server.run(end, f"{scratch.name}_restoring"), "the restore has begun")
    running.join(60)
    assert results[0]["failed"], results
    assert results[0]["reason"] == "connection_lost", results
    assert jobs(scratch) == 10
    done = ask(RESTORE, **options, backup=name, confirm=scratch.name)
    assert done.get("changed"), done
    assert jobs(scratch) == 500


def close(scratch: Scratch, mark: Mark | None) -> None:
    """Let nobody in, as a swap does that is killed then, or as somebody does without a mark."""
    if mark:
        scratch.server.run(f"COMMENT ON DATABASE {scratch.name} IS %s", mark.text)
    scratch.server.run(f"ALTER DATABASE {scratch.name} ALLOW_CONNECTIONS false")


def leave(scratch: Scratch, suffix: str, mark: Mark | None = None, words: str = "") -> str:
    """A database beside it, as a run that was killed leaves one, or as somebody makes one without a mark."""
    name = f"{scratch.name}{suffix}"
    scratch.server.run(f'CREATE DATABASE "{name}" {words}')
    scratch.server.run(f'COMMENT ON DATABASE "{name}" IS %s', mark.text if mark else None)
    return name


def test_what_a_killed_swap_left_is_seen_through(scratch: Scratch, options: dict[str, Any]) -> None:
    back_up(scratch, options)
    scratch.run('DELETE FROM "Job" WHERE id > 10')
    leave(scratch, "_restoring", Mark("made", scratch.name))
    close(scratch, Mark("closed", scratch.name, comment="ours"))
    said = ask(RESTORE, **options)
    assert said["reason"] == "unconfirmed", said
    assert "cannot be looked into" in said["msg"], said
    done = ask(RESTORE, **options, confirm=scratch.name)
    assert done.get("changed"), done
    assert jobs(scratch) == 500
    assert comment(scratch, scratch.name) == "ours"
    ask(RESTORE, **options, state="returned", confirm=scratch.name)
    close(scratch, Mark("closed", scratch.name, comment="ours"))
    opened = ask(RESTORE, **options, state="returned", confirm=scratch.name)
    assert opened.get("changed"), opened
    assert (jobs(scratch), comment(scratch, scratch.name)) == (10, "ours")


def test_a_database_that_somebody_else_closed_is_left_alone(scratch: Scratch, options: dict[str, Any]) -> None:
    back_up(scratch, options)
    scratch.run("BEGIN; CREATE TABLE never (id int); PREPARE TRANSACTION 'theirs'")
    assert "1 prepared transaction, with which nobody may rename it: theirs" in ask(RESTORE, **options)["msg"]
    scratch.run("ROLLBACK PREPARED 'theirs'")
    leave(scratch, "_restoring", Mark("made", scratch.name))
    leave(scratch, "_before_20260101T000000Z", Mark("restored", scratch.name, "another"))
    close(scratch, None)
    for state in ("restored", "returned"):
        said = ask(RESTORE, **options, state=state, confirm=scratch.name)
        assert said["reason"] == "database_closed", said
    assert not dict(scratch.server.run(DATABASES, scratch.name))[scratch.name]


def test_what_nobody_made_for_it_is_not_dropped(scratch: Scratch, options: dict[str, Any]) -> None:
    """A database that has the name by chance, or that was made for another one, whose long name begins alike."""
    back_up(scratch, options)
    drill = {name: value for name, value in options.items() if name != "reserve_bytes"}
    theirs = [leave(scratch, "_restoring"), leave(scratch, "_drill", Mark("made", f"{scratch.name}x"))]
    for module, told in ((RESTORE, {**options, "confirm": scratch.name}), (DRILL, drill)):
        for check_mode in (True, False):
            said = ask(module, **told, check_mode=check_mode)
            assert said["reason"] == "name_taken", said
    assert [row[0] for row in scratch.server.run(DATABASES, f"{scratch.name}\\_%")] == sorted(theirs)
    scratch.server.run(f'DROP DATABASE "{theirs[1]}"')
    leave(scratch, "_drill", words=f"ALLOW_CONNECTIONS false CONNECTION LIMIT {NEWBORN}")
    assert ask(DRILL, **drill)["verdict"]["status"] == "pass"  # killed before it could say whose it is


def test_a_disk_without_room_is_refused_before(scratch: Scratch, options: dict[str, Any]) -> None:
    back_up(scratch, options)
    for module, told in ((RESTORE, {"confirm": scratch.name}), (DRILL, {})):
        full = ask(module, **options, **told, free_bytes=5 << 20, check_mode=True)
        assert "The server's disk has 5 MiB free" in full["msg"], full
        unknown = ask(module, **options, **told, free_bytes_unknown="nobody was asked", check_mode=True)
        assert any("space the server's disk has is unknown: nobody was asked" in each for each in unknown["warnings"])
        assert not unknown.get("failed"), unknown
    scratch.server.run(f"DROP DATABASE {scratch.name} WITH (FORCE)")
    gone = ask(RESTORE, **options, free_bytes=5 << 20)  # what it had is in the manifest
    assert "needs about" in gone["msg"], gone
    scratch.server.run(f"CREATE DATABASE {scratch.name}")


@pytest.fixture
def administrator(scratch: Scratch) -> Iterator[str]:
    """A role that may create databases and owns what the service's does, and is no superuser."""
    name = f"{scratch.name}_admin"
    for statement in (
        f"ALTER ROLE {scratch.name} IN DATABASE {scratch.name} RESET ALL",
        f"CREATE ROLE {name} LOGIN CREATEDB PASSWORD 'administrator'",
        f"GRANT {scratch.name} TO {name}",
    ):
        scratch.server.run(statement)
    yield name
    scratch.server.run(f"DROP OWNED BY {name}; DROP ROLE {name}")


@contextlib.contextmanager
def vacuumed(scratch: Scratch) -> Iterator[None]:
    """While this goes on, autovacuum is at work in the database, and soon in every copy of it."""
    slow = "autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1"
    now = "autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_insert_threshold = 0"
    rows = "SELECT repeat(n::text, 300) AS line FROM generate_series(1, 4000) n"
    for statement in (
        f'CREATE TABLE "Log" WITH ({slow}, {now}) AS {rows}',
        f'ALTER TABLE "Log" OWNER TO {scratch.name}',
        'DELETE FROM "Log" WHERE length(line) > 1000',
    ):
        scratch.run(statement)
    autovacuum(scratch.server, "on")
    worker = "SELECT 1 FROM pg_stat_activity WHERE datname = %s AND backend_type = 'autovacuum worker'"
    try:
        until(lambda: scratch.server.run(worker, scratch.name), "autovacuum is at work", 60)
        yield
    finally:
        autovacuum(scratch.server, "off")


def test_who_is_no_superuser_restores_beside_autovacuum(
    scratch: Scratch, options: dict[str, Any], administrator: str
) -> None:
    told = {
        **options, "login_user": administrator, "login_password": "administrator", "confirm": scratch.name,
        "clients": [],
    }  # fmt: skip
    with scratch.server.scratch() as other, vacuumed(scratch):
        scratch.server.run(f"GRANT CONNECT ON DATABASE {scratch.name} TO PUBLIC")
        back_up(scratch, options)
        session = (other.name, other.password, scratch.name, "report")
        with contextlib.closing(scratch.server.connect(*session)):
            said = ask(RESTORE, **told)
            assert said["reason"] == "privilege", said
            assert f"may not end 1 session of {scratch.name}: 1 x report as {other.name}" in said["msg"], said
            scratch.server.run(f"GRANT pg_signal_backend TO {administrator}")
            with contextlib.closing(scratch.server.connect(database=scratch.name, name="theirs")):
                said = ask(RESTORE, **told)
                assert "may not end 1 session" in said["msg"], said
                assert "1 x theirs as postgres" in said["msg"], said
            scratch.run('DELETE FROM "Job" WHERE id > 10')
            until(lambda: ask(RESTORE, **told, check_mode=True).get("changed"), "the superuser's sessions are gone")
            done = ask(RESTORE, **told)
        assert done.get("changed"), done
        assert done["sessions"] == 1
        assert jobs(scratch) == 500
        back = ask(RESTORE, **told, state="returned")
        assert back.get("changed"), back
        assert jobs(scratch) == 10


def test_who_may_not_is_told_so_before(scratch: Scratch, options: dict[str, Any]) -> None:
    back_up(scratch, options)
    told = {**options, **scratch.options, "maintenance_db": scratch.name}
    assert ask(RESTORE, **told)["reason"] == "input_invalid"
    with scratch.server.scratch() as other:
        said = ask(RESTORE, **{**told, **other.options, "maintenance_db": other.name}, confirm=scratch.name)
    assert "may not rename" in said["msg"], said
    assert "may not create databases" in said["msg"], said
