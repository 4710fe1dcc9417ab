# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The doctor and the plan before a real server, asked as a role that may see little of what other roles do."""

from __future__ import annotations

import contextlib
import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg2
import pytest

from lab.site import Lab
from tests.integration.harness.postgres import TestDatabase, server

LOCK = 72707369
NAME = "20270101000000_job"
HISTORY = """
CREATE TABLE _prisma_migrations (id varchar(36) PRIMARY KEY DEFAULT gen_random_uuid()::text, checksum varchar(64),
  finished_at timestamptz, migration_name varchar(255), logs text, rolled_back_at timestamptz,
  started_at timestamptz DEFAULT now(), applied_steps_count int DEFAULT 0)
"""
JOB = """
CREATE TABLE "Job" (id int, x text, CONSTRAINT f CHECK (id > 0));
CREATE INDEX i ON "Job"(x);
CREATE TYPE r AS ENUM ('A', 'B');
CREATE SCHEMA app;
CREATE TABLE app."Bid" (id int)
"""


@pytest.fixture(scope="module")
def database(lab: Lab) -> Iterator[TestDatabase]:
    """A database with a history of migrations, on a server whose own lock_timeout is a bound."""
    with server(lab, {"lock_timeout": "30s"}) as made:
        shop = made.database("shop")
        shop.sql(HISTORY)
        shop.sql(JOB)
        yield shop


@pytest.fixture(autouse=True)
def _afresh(database: TestDatabase) -> None:
    database.sql("TRUNCATE _prisma_migrations")


def ask(database: TestDatabase, module: str, *scripts: str, **options: Any) -> dict[str, Any]:
    """The operation's result, with the scripts as the image's migrations."""
    found = [{"name": NAME if not n else f"{NAME}_{n}", "script": script} for n, script in enumerate(scripts)]
    return database.operate(f"prisma_migration_{module}", migrations=found, **options)


def refused(database: TestDatabase, *scripts: str, **options: Any) -> list[str]:
    """The reasons for which it refuses to plan; none where it does not."""
    return [each["reason"] for each in ask(database, "plan", *scripts, **options).get("faults", [])]


def begin(database: TestDatabase, script: str) -> None:
    """The row that Prisma writes before it sends a script."""
    digest = hashlib.sha256(script.encode()).hexdigest()
    database.sql("INSERT INTO _prisma_migrations (checksum, migration_name) VALUES (%s, %s)", (digest, NAME))


def wait_for(reached: Callable[[], object]) -> None:
    """Wait until it holds."""
    end = time.monotonic() + 60
    while not reached():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize(
    "script",
    [
        'ALTER TABLE "Job" DROP COLUMN x, ADD COLUMN x INTEGER',
        'BEGIN; ALTER TABLE "Job" DROP CONSTRAINT f; ALTER TABLE "Job" ADD CONSTRAINT f CHECK (id > 7); COMMIT',
        'DROP INDEX i; CREATE UNIQUE INDEX i ON "Job"(x)',
        "CREATE TYPE q AS ENUM ('A'); ALTER TYPE r RENAME TO old; ALTER TYPE q RENAME TO r; DROP TYPE old",
    ],
)
def test_a_script_killed_before_it_made_again_what_it_removed_is_marked_by_nobody_unasked(
    database: TestDatabase, script: str
) -> None:
    slow = f"{script}; SELECT pg_sleep(600)"
    begin(database, slow)

    def run() -> None:
        with (
            contextlib.suppress(psycopg2.Error),
            contextlib.closing(database.open(application="prisma-migrate")) as made,
        ):
            made.cursor().execute(slow.replace("COMMIT; SELECT pg_sleep(600)", "SELECT pg_sleep(600); COMMIT"))

    running = threading.Thread(target=run)
    running.start()
    ours = "FROM pg_stat_activity WHERE application_name = 'prisma-migrate' AND wait_event = 'PgSleep'"
    wait_for(lambda: database.sql(f"SELECT 1 {ours}"))
    database.sql(f"SELECT pg_terminate_backend(pid) {ours}")
    running.join()
    (found,) = ask(database, "info", slow)["migrations"]
    assert (found["state"], found["left"]["remains"]) == ("failed", "unknown")
    for resolution in ("applied", "rolled_back"):
        marked = {"state": "resolved", "migration": NAME, "resolution": resolution}
        assert refused(database, slow, **marked) == ["unconfirmed"]
        assert ask(database, "plan", slow, **marked, confirm=NAME)["act"] == "resolve"


def test_a_migration_that_another_role_runs_is_running_and_not_failed(database: TestDatabase) -> None:
    script = 'CREATE TABLE "Quote" (id int)'
    begin(database, script)
    with contextlib.closing(database.open(superuser=True, application="prisma-migrate")) as holder:
        holder.cursor().execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        told = ask(database, "info", script)
        assert [each["state"] for each in told["migrations"]] == ["running"]
        assert told["verdict"]["status"] == "unknown"
        assert f"GRANT pg_read_all_stats TO {database.user}" in told["msg"]
        assert told["lock"]["holder"]["connected_seconds"] is None
        assert refused(database, script, state="resolved", migration=NAME, resolution="rolled_back") == [
            "does_not_fit",
            "locked",
        ]


def test_who_is_in_the_way_of_statements_that_leave_no_trace_in_the_catalogue(database: TestDatabase) -> None:
    database.sql('GRANT ALL ON app."Bid" TO PUBLIC')
    scripts = ('ALTER TABLE "Job" ALTER COLUMN id TYPE bigint', 'UPDATE app."Bid" SET id = 1', "DROP INDEX i")
    options = {"accept": {"changing-column-type": "a test"}, "long_transaction_seconds": 0.1}
    with (
        contextlib.closing(database.open(application="a report")) as report,
        contextlib.closing(database.open(superuser=True)) as hidden,
    ):
        for each, words in ((report, 'SELECT FROM "Job", app."Bid"'), (hidden, 'SELECT FROM "Job"')):
            each.autocommit = False
            each.cursor().execute(words)
        wait_for(lambda: ask_for_names(database, scripts, options))
        warned = ask(database, "plan", *scripts, **options)["warnings"]
    assert any("(a report, " in each and "has locks on Job, app.Bid, which" in each for each in warned), warned
    start = database.server.log.stat().st_size
    assert ask(database, "plan", *scripts, **options)["act"] == "deploy"
    assert not database.server.writes("linkops.runbooks", start)
    blind = f"1 session of other roles has a state that {database.user} may not see: GRANT pg_read_all_stats TO"
    assert any(blind in each for each in warned), warned
    disk = {"free_bytes": 2 << 20, "reserve_bytes": 2 << 20}
    assert any("touch tables of" in each for each in ask(database, "plan", scripts[2], **disk)["warnings"])


def ask_for_names(database: TestDatabase, scripts: tuple[str, ...], options: dict[str, Any]) -> bool:
    """Whether the report's transaction is long by now."""
    return any("(a report, " in each for each in ask(database, "plan", *scripts, **options)["warnings"])


def test_how_far_replicas_are_behind_is_said_to_be_hidden(lab: Lab, database: TestDatabase) -> None:
    script = 'CREATE TABLE "Quote" (id int)'
    with database.server.standby(lab):
        wait_for(lambda: database.sql("SELECT 1 FROM pg_stat_replication"))
        warned = ask(database, "plan", script)["warnings"]
    assert any("1 standby has a state that" in each and "GRANT pg_read_all_stats" in each for each in warned), warned


def test_a_lock_timeout_counts_wherever_it_comes_from(database: TestDatabase) -> None:
    script, role = 'CREATE TABLE "Quote" (id int)', f'ROLE "{database.user}"'
    set_to = lambda where, value: database.sql(f"ALTER {where} SET lock_timeout = '{value}'", superuser=True)  # noqa: E731

    def plan(**options: Any) -> list[str]:
        return refused(database, script, **options)

    assert plan() == []  # the server's own
    set_to(role, 0)
    assert plan() == ["no_lock_timeout"]
    assert plan(require_lock_timeout=False) == []
    set_to(f"{role} IN DATABASE postgres", "2s")
    assert plan() == ["no_lock_timeout"]  # another database's
    set_to(f"{role} IN DATABASE shop", "2s")
    assert plan() == []
    url = {"host": "db", "port": "5432", "database": "shop", "user": database.user}
    assert plan(target={**url, "options": "-c lock_timeout=0"}) == ["no_lock_timeout"]
    database.sql(f"ALTER {role} IN DATABASE shop RESET lock_timeout; ALTER {role} RESET lock_timeout", superuser=True)
    set_to("DATABASE shop", 0)
    assert plan() == ["no_lock_timeout"]
    assert plan(target={**url, "options": "-c lock_timeout=1s"}) == []
    database.sql("ALTER DATABASE shop RESET lock_timeout", superuser=True)
    assert plan() == []


def test_pods_that_turn_prismas_lock_off_are_refused(database: TestDatabase) -> None:
    target = {"host": "db", "port": "5432", "database": "shop", "user": database.user, "lock_disabled": True}
    for module in ("info", "plan"):
        result = ask(database, module, "SELECT 1", target=target)
        assert [each["reason"] for each in result["faults"]] == ["lock_disabled"]
        assert "PRISMA_SCHEMA_DISABLE_ADVISORY_LOCK, so two migrations may run at once" in result["msg"]
