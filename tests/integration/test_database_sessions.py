# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real sessions that are idle in their transaction: those that were listed are ended, and no other one."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.errors import Interrupted
from lab.cluster import Cluster
from lab.site import Lab
from tests.integration.harness.audit import AuditLog
from tests.integration.harness.leases import alive
from tests.integration.harness.postgres import HOST, Server, TestDatabase, server
from tests.integration.harness.pressing import Press
from tests.integration.harness.services import Services
from tests.integration.harness.stores import until

CANARY = "canary@example.com"
OURS = "linkops.runbooks"
END = {"end": "idle_in_transaction", "older_than": "1s"}


@pytest.fixture(scope="module")
def postgres(lab: Lab) -> Iterator[Server]:
    """One server for all tests of this file."""
    with server(lab) as made:
        yield made


@pytest.fixture
def shop(postgres: Server) -> TestDatabase:
    """A database with a table, whose owner may see what others do."""
    made = postgres.database("shop")
    made.sql("CREATE TABLE job (id int, note text)")
    made.sql(f'GRANT pg_read_all_stats TO "{made.user}"', superuser=True)
    return made


def pid(connection: Any) -> int:
    """The server's process of a connection."""
    return int(connection.info.backend_pid)


def answers(connection: Any) -> bool:
    """Whether the session still answers."""
    try:
        connection.cursor().execute("SELECT 1")
    except psycopg2.Error:
        return False
    return True


@contextlib.contextmanager
def idle(database: TestDatabase, application: str, **more: Any) -> Iterator[Any]:
    """A session that is idle in a transaction in which it has written."""
    with contextlib.closing(database.open(application=application, **more)) as connection:
        connection.cursor().execute("BEGIN")
        connection.cursor().execute("INSERT INTO job VALUES (1, %s)", [CANARY])
        yield connection


def old(database: TestDatabase, *connections: Any) -> None:
    """Wait until these have been idle for more than a second."""
    query = "SELECT bool_and(clock_timestamp() - state_change > '1.1 s') FROM pg_stat_activity WHERE pid = ANY(%s)"
    until(lambda: database.sql(query, [[pid(each) for each in connections]], superuser=True) == [(True,)], "it is old")


def acts(result: dict[str, Any]) -> dict[str, str]:
    """What became of each session, by its application."""
    return {each["application"]: each["act"] for each in result["sessions"]}


def test_those_that_were_listed_are_ended_and_no_other_one(postgres: Server, shop: TestDatabase) -> None:
    other = postgres.database("other")
    other.sql("CREATE TABLE job (id int, note text)")
    with (
        idle(shop, "stuck") as stuck, idle(shop, OURS) as own, idle(shop, "dba", superuser=True) as dba,
        idle(other, "elsewhere") as elsewhere, contextlib.closing(shop.open(application="quiet")) as quiet,
        contextlib.closing(shop.open(application="failed")) as failed,
    ):  # fmt: skip
        with contextlib.suppress(psycopg2.Error):
            failed.cursor().execute("BEGIN; SELECT 1 / 0")
        old(shop, stuck, own, dba, elsewhere, failed)
        number = pid(stuck)
        before = postgres.log.stat().st_size
        planned = shop.operate("database_sessions", check_mode=True, **END)
        assert postgres.statements(OURS, before) != []
        assert "pg_terminate_backend" not in str(postgres.statements(OURS, before))
        assert postgres.writes(OURS, before) == []
        with idle(shop, "late") as late:
            old(shop, late)
            with idle(shop, "young") as young:
                done = shop.operate("database_sessions", only=planned["sessions"], **END)
                survivors = {
                    "own": own,
                    "dba": dba,
                    "elsewhere": elsewhere,
                    "quiet": quiet,
                    "late": late,
                    "young": young,
                }
                assert {name for name, each in survivors.items() if answers(each)} == set(survivors)
        assert not answers(stuck)
        assert not answers(failed)
    assert planned["changed"]
    assert acts(planned) == {"stuck": "end", "failed": "end", OURS: "spared", "dba": "spared"}
    assert done["changed"]
    assert done["verdict"]["status"] == "pass", done
    assert acts(done) == {"stuck": "ended", "failed": "ended", OURS: "spared", "dba": "spared", "late": "spared"}
    (printed,) = [line for line in done["lines"] if "stuck" in line]
    assert f"pid {number} (app_shop, stuck, 127.0.0.1) idle in transaction for" in printed
    assert printed.endswith("after INSERT INTO job VALUES (?, ...): ended")
    assert shop.sql("SELECT count(*) FROM job") == [(0,)]  # what it had not committed is gone
    assert CANARY not in str((planned, done))
    assert shop.password not in str((planned, done))
    again = shop.operate("database_sessions", **END)
    assert not again["changed"]
    assert "No session to end" in again["msg"]


def test_a_pid_of_another_session_is_not_hit_nor_one_that_went_on(shop: TestDatabase) -> None:
    with idle(shop, "reused") as reused, idle(shop, "awake") as awake:
        old(shop, reused, awake)
        listed = shop.operate("database_sessions", check_mode=True, **END)["sessions"]
        awake.cursor().execute("SELECT 1")
        for each in listed:
            if each["application"] == "reused":
                each["started"] = "2026-01-01T00:00:00.000000Z"
        done = shop.operate("database_sessions", only=listed, **END)
        assert not done["changed"]
        assert answers(reused)
        assert answers(awake)


def test_without_the_right_none_is_ended_and_it_says_which(postgres: Server, shop: TestDatabase) -> None:
    shop.sql("GRANT INSERT ON job TO public")
    guest = postgres.database("guest")
    visitor = TestDatabase(postgres, "shop", guest.user, guest.password)
    with idle(shop, "mine") as mine, idle(visitor, "theirs") as theirs:
        old(shop, mine, theirs)
        refused = shop.operate("database_sessions", **END)
        assert answers(mine)
        assert answers(theirs)
        old(shop, mine, theirs)
        shop.sql(f'REVOKE pg_read_all_stats FROM "{shop.user}"', superuser=True)
        blind = shop.operate("database_sessions", **END)
        assert answers(theirs)
        old(shop, theirs)
        shop.sql(f'GRANT pg_read_all_stats, pg_signal_backend TO "{shop.user}"', superuser=True)
        allowed = shop.operate("database_sessions", **END)
        assert not answers(theirs)
        shop.sql(f'REVOKE pg_signal_backend FROM "{shop.user}"', superuser=True)
    assert refused["reason"] == "privilege", refused
    assert "may not end 1 session of app_guest" in refused["msg"]
    assert "GRANT pg_signal_backend TO app_shop" in refused["msg"]
    assert (blind["verdict"]["status"], acts(blind)) == ("unknown", {"mine": "ended"})
    assert "GRANT pg_read_all_stats TO app_shop" in blind["msg"]
    assert acts(allowed) == {"theirs": "ended"}


def test_interrupted_in_the_middle_a_rerun_ends_the_rest(shop: TestDatabase) -> None:
    class Stopped:
        """A journal at whose second write a signal comes."""

        writes = 0

        def note(self, event: str, **_data: Any) -> None:
            self.writes += event == "write"
            if self.writes == 2:
                raise Interrupted(signal.SIGTERM)

        def attach(self, name: str, content: str) -> None:
            raise AssertionError((name, content))

    with idle(shop, "first") as first, idle(shop, "second") as second:
        old(shop, first, second)
        module, call = shop.call("database_sessions", **END)
        call.journal = Stopped()
        with pytest.raises(Interrupted):
            module.operation(call)
        old(shop, second)
        again = shop.operate("database_sessions", **END)
        assert acts(again) == {"second": "ended"}
        assert not answers(first)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"older_than": "ten minutes"}, "older_than=ten minutes is no duration"),
        ({"login_password": "wrong-canary"}, "refuses the password"),
        ({"login_db": "nowhere"}, "There is no database nowhere"),
    ],
)
def test_bad_input_is_one_sentence(shop: TestDatabase, wrong: dict[str, Any], said: str) -> None:
    result = shop.operate("database_sessions", **{**END, **wrong})
    assert result["failed"]
    assert said in result["msg"]
    assert "wrong-canary" not in str(result)


def test_the_button(
    postgres: Server, shop: TestDatabase, service: Services, press: Press, audit: AuditLog, cluster: Cluster,
    tmp_path: Path,
) -> None:  # fmt: skip
    """It plans, is refused while another operator is at it, locks, ends, and shows how the database is then."""
    (tmp_path / "secret").write_text(shop.password)
    api = service(
        ["v1.2.0"], replicas=0, wait=False, database_host=HOST, database_port=postgres.port, database_name="shop",
        database_user=shop.user, database_password_file=str(tmp_path / "secret"), database_password_key="",
        lock_duration_seconds=5,
    )  # fmt: skip
    ending = {"end_sessions": "idle_in_transaction", "older_than": "1s"}
    with idle(shop, "stuck") as stuck:
        old(shop, stuck)
        with audit.reading() as seen:
            checked = press("database_health", api, options=("--check", "--diff"), **ending)
        with alive(cluster, api.namespace, "linkops-database-shop"):
            refused = press("database_health", api, **ending)
        assert answers(stuck)
        old(shop, stuck)
        with audit.reading() as locked:
            pressed = press("database_health", api, **ending)
        assert not answers(stuck)
    with audit.reading() as looked:
        again = press("database_health", api, fail_on="unknown", **ending)
    assert checked.rc == pressed.rc == 0, checked.output + pressed.output
    assert "would end 1 session idle in transaction" in checked.closing()
    assert seen.writes == []
    assert refused.rc != 0
    assert "linkops-database-shop is locked: migration by grace" in refused.closing()
    assert "ended 1 session idle in transaction" in pressed.closing()
    assert {event["objectRef"]["name"] for event in locked.renewals} == {"linkops-api", "linkops-database-shop"}
    assert [len(each.entries("write")) for each in (refused, pressed, again)] == [0, 1, 0]
    assert (pressed.folder() / "evidence/health.json").exists()
    assert "database health of api" in (pressed.folder() / "evidence/health.html").read_text()
    assert "changed=0" in again.output
    assert looked.writes == []  # without anything to end there is no lock either
    assert again.rc == 2, again.output  # there is no pg_stat_statements, and fail_on=unknown
    assert "slow queries" in again.closing()
    shown = checked.output + refused.output + pressed.output + again.output
    assert shop.password not in shown
    assert CANARY not in shown
