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

from ansible_collections.linkops.runbooks.plugins.modules.database_backup import MODULE as BACKUP
from ansible_collections.linkops.runbooks.plugins.modules.database_restore import MODULE as RESTORE
from lab import binaries
from lab.site import Lab
from tests.integration.harness.stores import Postgres, Scratch, ask, comes_back, own_postgres, until

DATABASES = "SELECT datname, datallowconn FROM pg_database WHERE datname LIKE %s ORDER BY 1"


@pytest.fixture(scope="module")
def alone(lab: Lab) -> Iterator[Postgres]:
    """A server that nobody else writes to."""
    with own_postgres(lab, autovacuum="off") as server:
        yield server


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
    back_up(scratch, options)
    scratch.server.run(f"DROP DATABASE {scratch.name} WITH (FORCE)")
    done = ask(RESTORE, **options)
    assert done.get("changed"), done
    assert jobs(scratch) == 500
    assert done["set_aside"] is None


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


def test_what_a_killed_swap_left_is_seen_through(scratch: Scratch, options: dict[str, Any]) -> None:
    back_up(scratch, options)
    scratch.run('DELETE FROM "Job" WHERE id > 10')
    scratch.server.run(f"CREATE DATABASE {scratch.name}_restoring")
    scratch.server.run(f"ALTER DATABASE {scratch.name} ALLOW_CONNECTIONS false")
    done = ask(RESTORE, **options, confirm=scratch.name)
    assert done.get("changed"), done
    assert jobs(scratch) == 500


def test_a_database_that_somebody_else_closed_is_left_alone(scratch: Scratch, options: dict[str, Any]) -> None:
    back_up(scratch, options)
    scratch.server.run(f"ALTER DATABASE {scratch.name} ALLOW_CONNECTIONS false")
    said = ask(RESTORE, **options, confirm=scratch.name)
    assert said["reason"] == "database_closed", said


def test_who_may_not_is_told_so_before(scratch: Scratch, options: dict[str, Any]) -> None:
    back_up(scratch, options)
    told = {**options, **scratch.options, "maintenance_db": scratch.name}
    assert ask(RESTORE, **told)["reason"] == "input_invalid"
    with scratch.server.scratch() as other:
        said = ask(RESTORE, **{**told, **other.options, "maintenance_db": other.name}, confirm=scratch.name)
    assert "may not rename" in said["msg"], said
    assert "may not create databases" in said["msg"], said
