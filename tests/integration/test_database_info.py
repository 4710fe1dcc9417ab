# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What database_info sees of a real PostgreSQL, and how it says what it cannot see."""

from __future__ import annotations

import contextlib
import re
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import yaml

from ansible_collections.linkops.runbooks.plugins.module_utils.database.connection import Database, Overrun
from ansible_collections.linkops.runbooks.plugins.module_utils.database.refusals import Refused
from ansible_collections.linkops.runbooks.plugins.module_utils.database.target import APPLICATION, resolve
from ansible_collections.linkops.runbooks.plugins.module_utils.deadline import Deadline
from ansible_collections.linkops.runbooks.plugins.module_utils.errors import Interrupted
from ansible_collections.linkops.runbooks.plugins.modules.database_info import MODULE
from lab.site import Lab
from tests.integration.harness.pressing import CHECKOUT, Press
from tests.integration.harness.stores import (
    Postgres,
    Scratch,
    ask,
    busy,
    own_postgres,
    relay,
    silence,
    speaking_http,
    until,
)

CANARY = "canary@example.com"


@pytest.fixture(scope="module")
def labs(lab: Lab) -> Postgres:
    """The lab's server."""
    return Postgres(lab.node_address, lab.postgres_port, lab.secrets["postgres_password"])


@pytest.fixture
def scratch(labs: Postgres) -> Iterator[Scratch]:
    """A role and a database of the test's own in the lab's server."""
    with labs.scratch() as made:
        yield made


@pytest.fixture(scope="module")
def alone(lab: Lab) -> Iterator[Postgres]:
    """A server with room for ten, of which two are for superusers and one is for the privileged."""
    settings = {
        "max_connections": "10",
        "superuser_reserved_connections": "2",
        "reserved_connections": "1",
        "autovacuum": "off",
    }
    with own_postgres(lab, shared_preload_libraries="pg_stat_statements", **settings) as server:
        yield server


@pytest.fixture
def press(lab: Lab, tmp_path: Path) -> Iterator[Press]:
    """Runs playbooks as a user does."""
    made = Press(lab, tmp_path)
    yield made
    made.end()


def play(folder: Path, tasks: list[dict[str, Any]], **keywords: Any) -> str:
    """A playbook with these tasks."""
    path = folder / "play.yml"
    path.write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": tasks, **keywords}]))
    return str(path)


def environment(name: str) -> str:
    """A value that stands in no file, as Ansible quotes the task that fails."""
    return f"{{{{ lookup('ansible.builtin.env', '{name}') }}}}"


def waits(server: Postgres, pid: int) -> bool:
    """Whether a session waits for a lock."""
    return server.run("SELECT wait_event_type FROM pg_stat_activity WHERE pid = %s", pid) == [("Lock",)]


def of(result: dict[str, Any], user: str) -> dict[str, dict[str, int]]:
    """The states of each application of a role."""
    return {x["application"]: x["by_state"] for x in result["connections"]["by_application"] if x["user"] == user}


def test_sessions_are_counted_as_the_server_counts_them(alone: Postgres) -> None:
    with alone.scratch() as scratch, contextlib.ExitStack() as open_ones:
        for name in ("api", "api", "worker"):
            open_ones.enter_context(contextlib.closing(scratch.connect(name)))
        holder = open_ones.enter_context(contextlib.closing(scratch.connect("holder")))
        holder.cursor().execute("BEGIN; SELECT 1")
        open_ones.enter_context(busy(scratch.connect("sleeper"), f"SELECT pg_sleep(30), '{CANARY}'"))
        active = "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND application_name = 'sleeper'"
        until(lambda: alone.run(active), "the sleeper sleeps")
        result = ask(MODULE, **alone.options, more_connections=1)
        counted = alone.run(
            "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )[0][0]
        everything = alone.run("SELECT count(*) FROM pg_stat_activity")[0][0]
    found = result["connections"]
    assert found["client_backends"] == counted == 5 < everything - 1
    assert of(result, scratch.name) == {
        "api": {"idle": 2},
        "worker": {"idle": 1},
        "holder": {"idle in transaction": 1},
        "sleeper": {"active": 1},
    }
    assert (found["max_connections"], found["reserved_connections"], found["limit"], found["fits"]) == (10, 3, 7, True)
    assert [(each["application"], each["state"]) for each in result["activity"]] == [
        ("holder", "idle in transaction"),
        ("sleeper", "active"),
    ]
    assert result["activity"][1]["query"] == "SELECT pg_sleep(?), ?"
    assert CANARY not in str(result)
    assert result["verdict"]["status"] == "pass"
    assert any("86%" in warning for warning in result["warnings"])
    assert ask(MODULE, **alone.options, more_connections=8)["verdict"]["status"] == "fail"


def test_a_full_server_is_an_answer(alone: Postgres) -> None:
    with alone.scratch() as scratch, contextlib.ExitStack() as open_ones:
        refused = None
        while refused is None:
            try:
                open_ones.enter_context(contextlib.closing(scratch.connect("api")))
            except psycopg2.OperationalError as fault:
                refused = fault
        failed = ask(MODULE, **scratch.options)
        judged = ask(MODULE, **scratch.options, unreachable="unknown")
        seen = ask(MODULE, **alone.options, service_user=scratch.name)
    assert failed["failed"]
    assert failed["reason"] == "connections_exhausted"
    assert "53300" in failed["msg"]
    assert (judged["verdict"]["status"], judged["reachable"]) == ("fail", False)
    assert "pg_use_reserved_connections" in judged["remedy"]
    assert (seen["connections"]["client_backends"], seen["connections"]["free"]) == (7, 0)
    assert seen["verdict"]["status"] == "fail"


@pytest.mark.parametrize(
    ("limited", "reason", "status"), [("ROLE", "role_limit", "unknown"), ("DATABASE", "database_limit", "fail")]
)
def test_a_role_or_a_database_may_have_a_limit_of_its_own(
    labs: Postgres, scratch: Scratch, limited: str, reason: str, status: str
) -> None:
    labs.run(f"ALTER {limited} {scratch.name} CONNECTION LIMIT 2")
    with contextlib.closing(scratch.connect("api")):
        seen = ask(MODULE, **scratch.options, more_connections=2, gather=["connections"])
        fits = ask(MODULE, **scratch.options, more_connections=1, gather=["connections"])
        with contextlib.closing(scratch.connect("api")):
            judged = ask(MODULE, **scratch.options, unreachable="unknown")
    assert [(x["limit"], x["taken"]) for x in seen["connections"]["narrower_limits"]] == [(2, 1)]
    assert seen["connections"]["fits"] is False
    assert seen["verdict"]["status"] == "fail"
    assert fits["connections"]["fits"] is True
    assert judged["verdict"]["evidence"] == {"reason": reason}
    assert judged["verdict"]["status"] == status


def test_without_the_right_to_see_others_the_bounds_decide(alone: Postgres) -> None:
    with alone.scratch() as other, alone.scratch() as scratch, contextlib.ExitStack() as open_ones:
        for _ in range(3):
            open_ones.enter_context(contextlib.closing(other.connect("other")))
        open_ones.enter_context(contextlib.closing(scratch.connect("mine")))
        mine, hidden = "SELECT count(*) FROM pg_stat_activity WHERE usename = %s", []
        for more in (2, 4, 7):
            until(lambda: alone.run(mine, scratch.name) == [(1,)], "the session of the question before is gone")
            hidden.append(ask(MODULE, **scratch.options, more_connections=more, critical_ratio=1))
        alone.run(f"GRANT pg_read_all_stats TO {scratch.name}")
        shown = ask(MODULE, **scratch.options)
    assert [each["connections"]["client_backends"] for each in hidden] == [1, 1, 1]
    assert [each["connections"]["hidden_sessions"] for each in hidden] == [3, 3, 3]
    assert [each["connections"]["fits"] for each in hidden] == [True, None, False]
    assert [each["verdict"]["status"] for each in hidden] == ["pass", "unknown", "fail"]
    assert "pg_read_all_stats" in hidden[0]["unavailable"]["activity"]
    assert shown["connections"]["client_backends"] == 4
    assert shown["unavailable"] == {}


def test_a_tree_of_three_that_wait(scratch: Scratch) -> None:
    scratch.run("CREATE TABLE t (a text)")
    scratch.run(f"ALTER TABLE t OWNER TO {scratch.name}")
    with contextlib.ExitStack() as open_ones:
        top, middle, last = (open_ones.enter_context(contextlib.closing(scratch.connect(n))) for n in "abc")
        pids = [connection.info.backend_pid for connection in (top, middle, last)]
        top.cursor().execute("BEGIN; INSERT INTO t VALUES (%s)", [CANARY])
        open_ones.enter_context(busy(middle, "ALTER TABLE t ADD b int"))
        until(lambda: waits(scratch.server, middle.info.backend_pid), "the second waits")
        open_ones.enter_context(busy(last, f"TABLE t -- {CANARY}"))
        until(lambda: waits(scratch.server, last.info.backend_pid), "the third waits")
        result = ask(MODULE, **scratch.options, gather=["blocking", "activity"])
    (tree,) = result["blocking"]
    assert [tree["pid"], tree["waiters"][0]["pid"], tree["waiters"][0]["waiters"][0]["pid"]] == pids
    assert (tree["waiting"], tree["state"]) == (2, "idle in transaction")
    assert tree["waiters"][0]["query"] == "ALTER TABLE t ADD b int"
    assert tree["waiters"][0]["waits_for"] == "Lock: relation"
    assert {each["application"] for each in result["activity"]} >= {"a", "b", "c"}
    assert CANARY not in str(result)


def test_the_rest_that_can_be_gathered(alone: Postgres) -> None:
    with alone.scratch() as scratch:
        missing = ask(MODULE, **scratch.options, gather=["statements"])
        scratch.run("CREATE EXTENSION pg_stat_statements")
        scratch.run("CREATE TABLE t AS SELECT n FROM generate_series(1, 1000) AS n")
        with contextlib.closing(scratch.connect()) as connection:
            connection.cursor().execute(f"SELECT pg_sleep(0.2), '{CANARY}'")
        parts = ["statements", "sizes", "cache", "settings"]
        result = ask(MODULE, **{**alone.options, "login_db": scratch.name}, gather=parts)
    assert "pg_stat_statements is not in" in missing["unavailable"]["statements"]
    slow = next(each for each in result["statements"] if "pg_sleep" in each["query"])
    assert 200 <= slow["mean_milliseconds"] < 20_000  # milliseconds, whatever the runbook says
    assert CANARY not in str(result)
    assert result["sizes"]["tables"][0]["table"] == "t"
    assert result["sizes"]["database_bytes"] > result["sizes"]["tables"][0]["total_bytes"] > 0
    assert 0 < result["cache"]["hit_ratio"] <= 1
    assert {each["name"]: each["setting"] for each in result["settings"]}["statement_timeout"] == "0"


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"login_password": "k3ym4st3r"}, "password_wrong"),
        ({"login_password": None}, "password_missing"),
        ({"login_db": "nowhere"}, "no_such_database"),
        ({"login_port": 1}, "refused"),
        ({"login_host": "no-such-name.invalid"}, "unresolved"),
        ({"ssl_mode": "require"}, "tls"),
    ],
)
def test_what_cannot_be_asked_is_one_sentence(scratch: Scratch, wrong: dict[str, Any], reason: str) -> None:
    options = {**scratch.options, **wrong}
    failed = ask(MODULE, **options)
    judged = ask(MODULE, **options, unreachable="unknown")
    assert failed["failed"]
    assert failed["reason"] == reason
    assert (judged["verdict"]["status"], judged["verdict"]["evidence"]) == ("unknown", {"reason": reason})
    assert "failed" not in judged
    for secret in ("k3ym4st3r", scratch.password):
        assert secret not in str((failed, judged))


def test_another_kind_of_server_is_named() -> None:
    with speaking_http() as port:
        result = ask(MODULE, login_host="127.0.0.1", login_user="u", login_port=port, unreachable="unknown")
    assert result["verdict"]["evidence"] == {"reason": "not_postgresql"}


def test_a_password_is_never_shown(scratch: Scratch, press: Press, tmp_path: Path) -> None:
    """Not with -vvv, not from a file, not out of a URL, and not when it is wrong."""
    secret = tmp_path / "password"
    secret.write_text(scratch.password)
    where = {key: scratch.options[key] for key in ("login_host", "login_port", "login_user")}
    url = f"postgresql://{scratch.name}:{scratch.password}@{scratch.server.host}:{scratch.server.port}/{scratch.name}"
    other = next(each for each in Path(sys.executable).parent.glob("python*") if str(each) != sys.executable)
    tasks = [
        {"linkops.runbooks.database_info": options, "ignore_errors": True, "vars": variables}
        for options in (
            {**where, "login_password_file": str(secret)},
            {"login_url": environment("URL")},
            {"login_url": environment("URL"), "login_db": "nowhere"},
            {**where, "login_password": environment("WRONG")},
        )
        for variables in ({}, {"ansible_python_interpreter": str(other)})  # in the controller, and as a module
    ]
    given = {"URL": url, "WRONG": "k3ym4st3r"}
    pressed = press(play(tmp_path, tasks, connection="local"), options=["-vvv", "--diff"], environment=given)
    states = [task.state for task in pressed.tasks]
    assert states == ["ok"] * 4 + ["failed"] * 4, pressed.output
    for here, there in zip(pressed.tasks[::2], pressed.tasks[1::2], strict=True):
        told = [re.sub(r"[0-9]+", "N", each.result["msg"]) for each in (here, there)]  # others come and go
        assert told[0] == told[1]
    assert "runs as a module" in pressed.output
    for canary in (scratch.password, "k3ym4st3r"):
        assert canary not in pressed.output
        assert canary not in str([task.result for task in pressed.tasks])


def test_what_never_answers_ends_with_the_connect_timeout() -> None:
    with silence() as silent:
        where = {
            "login_host": "127.0.0.1",
            "login_port": silent.port,
            "login_user": "u",
            "connect_timeout_seconds": 0.5,
        }
        began = time.monotonic()
        result = ask(MODULE, **where, unreachable="unknown")
        took = time.monotonic() - began
    assert result["verdict"]["evidence"] == {"reason": "silent"}
    assert "nothing came within 0.5 s" in result["verdict"]["reason"]
    assert 0.4 < took < 30


def test_a_server_that_falls_silent_later_ends_with_the_statement_timeout(scratch: Scratch) -> None:
    with relay(scratch.server.host, scratch.server.port) as between:
        target = resolve({**scratch.options, "login_host": "127.0.0.1", "login_port": between.port}, {})
        database = Database(target, 3, 0.2, 1)
        between.muted = True
        with pytest.raises(Refused, match="does not answer any more"):
            database.read("SELECT 1")
        database.close()


@pytest.mark.parametrize("silent", [False, True])
def test_a_long_statement_is_cancelled_at_its_deadline(scratch: Scratch, silent: bool) -> None:
    """Also where the server has fallen silent, which must not hold up Python as psycopg2's own cancel() does."""
    with relay(scratch.server.host, scratch.server.port) as between:
        options = (
            {**scratch.options, "login_host": "127.0.0.1", "login_port": between.port} if silent else scratch.options
        )
        database = Database(resolve(options, {}), 3, 3, 1)

        def mute() -> None:
            between.muted = silent

        began = time.monotonic()
        with pytest.raises(Overrun):
            database.at_length("SELECT pg_sleep(60)", Deadline(1.5), mute)
        took = time.monotonic() - began
        if not silent:
            assert database.read("SELECT 1 AS one") == [{"one": 1}]
        database.close()
    assert took < 30


def test_a_signal_ends_the_session_and_what_it_runs(scratch: Scratch) -> None:
    database = Database(resolve(scratch.options, {}), 3, 60, 1)
    mine = "SELECT state, query FROM pg_stat_activity WHERE application_name = %s AND usename = %s"

    def interrupt(number: int, _frame: Any) -> None:
        raise Interrupted(number)

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    began = time.monotonic()
    try:
        with pytest.raises(Interrupted):
            database.read("SELECT pg_sleep(60)")
        assert scratch.server.run(mine, APPLICATION, scratch.name)[0][0] == "active"
        database.close()
    finally:
        signal.signal(signal.SIGALRM, before)
    until(lambda: not scratch.server.run(mine, APPLICATION, scratch.name), "the session is gone")
    assert time.monotonic() - began < 30


def test_ctrl_c_while_connecting_ends_the_run(press: Press, tmp_path: Path) -> None:
    with silence() as silent:
        options = {
            "login_host": "127.0.0.1",
            "login_port": silent.port,
            "login_user": "u",
            "connect_timeout_seconds": 120,
        }
        running = press.start(play(tmp_path, [{"linkops.runbooks.database_info": options}]))
        silent.called(60)
        running.signal(signal.SIGINT)
        pressed = running.wait(60)
    assert pressed.rc != 0


def test_it_works_in_read_only_transactions_with_timeouts(scratch: Scratch) -> None:
    database = Database(resolve(scratch.options, {}), 3, 0.3, 0.2)
    try:
        with pytest.raises(Refused) as written:
            database.read("CREATE TABLE t (a int)")
        with pytest.raises(Refused) as slow:
            database.read("SELECT pg_sleep(20)")
        with contextlib.closing(scratch.connect()) as holder:
            holder.cursor().execute("CREATE TABLE t (a int)")
            holder.cursor().execute("BEGIN; LOCK TABLE t")
            with pytest.raises(Refused) as locked:
                database.read("SELECT * FROM t")
        assert (written.value.reason, slow.value.reason, locked.value.reason) == (
            "read_only",
            "statement_timeout",
            "lock_timeout",
        )
        name = "SELECT current_setting('application_name') AS name, current_setting('statement_timeout') AS timeout"
        assert database.read(name) == [{"name": APPLICATION, "timeout": "300ms"}]
    finally:
        database.close()


def test_what_a_transaction_writes_counts_only_if_it_ends_well(scratch: Scratch) -> None:
    database = Database(resolve(scratch.options, {}), 3, 3, 1)
    try:
        with database.transaction() as ask_it:
            ask_it("CREATE TABLE t (a int)")
        with contextlib.suppress(Refused), database.transaction() as ask_it:
            ask_it("INSERT INTO t VALUES (%s)", [1])
            assert ask_it("SELECT count(*) AS n FROM t") == [{"n": 1}]
            ask_it("SELECT nonsense")
        assert database.read("SELECT count(*) AS n FROM t") == [{"n": 0}]
    finally:
        database.close()


def test_buttons_have_the_inventorys_database_by_default(press: Press, tmp_path: Path) -> None:
    """The group's defaults are the database's alone: those of the cluster do not get in."""
    defaults = {
        "group/linkops.runbooks.cluster": "{{ button_connection }}",
        "group/linkops.runbooks.database": "{{ button_database }}",
        "group/linkops.runbooks.cache": "{{ button_cache }}",
    }
    tasks = [{"linkops.runbooks.database_info": {"gather": ["connections"]}}, {"linkops.runbooks.cache_info": {}}]
    roles = [str(CHECKOUT / "roles/button/defaults/main.yml")]
    written = play(tmp_path, tasks, hosts="servicelink-api", module_defaults=defaults, vars_files=roles)
    pressed = press(written)
    assert pressed.rc == 0, pressed.output
    database, cache = (task.result for task in pressed.tasks)
    assert (database["server"]["database"], database["server"]["user"]) == ("servicelink", "servicelink")
    assert cache["facts"]["maxmemory_policy"] == "noeviction"
