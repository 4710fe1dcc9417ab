# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What database_vacuum does to a real server: by need alone, around others, and truthfully."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg2
import pytest

from lab.site import Lab
from tests.integration.harness.postgres import Server, TestDatabase, server

Row = dict[str, Any]


@pytest.fixture
def shop(postgres: Server) -> TestDatabase:
    """A database whose table "Quote" needs a vacuum, whose "Job" needs an analysis alone, and whose "User" nothing."""
    made = postgres.database("shop")
    made.sql('CREATE TABLE "Quote" (id int PRIMARY KEY, status text)')
    made.sql('CREATE TABLE "Job" (id int PRIMARY KEY, status text)')
    made.sql('CREATE TABLE "User" (id int)')
    made.sql("""INSERT INTO "Quote" SELECT n, 'open' FROM generate_series(1, 9000) n""")
    made.sql("""INSERT INTO "Job" SELECT n, 'open' FROM generate_series(1, 900) n""")
    made.sql('VACUUM ANALYZE "Quote", "Job", "User"')
    made.sql('DELETE FROM "Quote" WHERE id <= 4000')
    made.sql("""UPDATE "Job" SET status = 'done' WHERE id <= 300""")
    return made


def of(result: Row, name: str) -> Row:
    """One table of a result."""
    return next(table for table in result["tables"] if table["name"] == name)


def vacuum(shop: TestDatabase, check_mode: bool = False, **options: Any) -> Row:
    return shop.operate("database_vacuum", check_mode, cost_delay_milliseconds=0, **options)


def test_it_vacuums_what_needs_it_and_a_second_run_changes_nothing(shop: TestDatabase) -> None:
    first, second = vacuum(shop), vacuum(shop)
    assert (first["changed"], first["verdict"]["status"]) == (True, "pass"), first
    assert of(first, "Quote")["act"] == "vacuum"
    assert of(first, "Quote")["before"]["dead_rows"] == 4000
    assert of(first, "Quote")["after"]["dead_rows"] == 0
    assert of(first, "User")["act"] == "none"
    assert (second["changed"], second["verdict"]["status"]) == (False, "pass")
    assert {table["act"] for table in second["tables"]} == {"none"}
    assert "Nothing to do" in second["msg"]


def test_named_tables_obey_need_and_force_overrides_it(shop: TestDatabase) -> None:
    assert vacuum(shop, tables=["Job", "User"])["changed"] is False
    forced = vacuum(shop, tables=["User"], force=True)
    assert (forced["changed"], of(forced, "User")["status"]) == (True, "pass")
    assert [table["name"] for table in forced["tables"]] == ["User"]


def test_rows_that_changed_alone_are_analyzed_not_vacuumed(shop: TestDatabase) -> None:
    result = vacuum(shop, tables=["Job"], minimum_rows=301, dead_ratio=1)
    assert result["changed"] is False
    shop.sql("""UPDATE "Job" SET status = 'done' WHERE id > 500""")
    result = vacuum(shop, tables=["Job"], minimum_rows=301, dead_ratio=1)
    assert of(result, "Job")["act"] == "analyze"
    assert shop.sql("SELECT vacuum_count, analyze_count FROM pg_stat_user_tables WHERE relname = 'Job'") == [(1, 2)]


def test_check_mode_shows_the_plan_and_writes_nothing(shop: TestDatabase, postgres: Server) -> None:
    before = postgres.log.stat().st_size
    result = vacuum(shop, check_mode=True)
    assert (result["changed"], "Would vacuum" in result["msg"]) == (True, True)
    assert '"Quote": vacuum' in result["diff"]["after"]
    assert postgres.statements("linkops.runbooks", before) != []
    assert postgres.writes("linkops.runbooks", before) == []
    assert shop.sql("SELECT vacuum_count FROM pg_stat_user_tables WHERE relname = 'Quote'") == [(1,)]


def test_it_never_rewrites_a_table_and_never_waits_in_a_queue(shop: TestDatabase, postgres: Server) -> None:
    before = postgres.log.stat().st_size
    vacuum(shop)
    statements = [each for each in postgres.statements("linkops.runbooks", before) if "VACUUM" in each]
    assert statements == ['VACUUM (ANALYZE, SKIP_LOCKED, TRUNCATE FALSE) "public"."Quote"']


def test_an_old_snapshot_makes_it_unknown_names_the_holder_and_nothing_is_vacuumed(shop: TestDatabase) -> None:
    shop.sql('VACUUM "Quote"')
    with old_snapshot(shop) as holder:
        shop.sql('DELETE FROM "Quote" WHERE id > 5000')
        time.sleep(1.1)
        for _ in range(2):
            result = vacuum(shop, tables=["Quote"], old_snapshot_seconds=1)
            assert (result["changed"], result["verdict"]["status"]) == (False, "unknown"), result
            assert of(result, "Quote")["act"] == "blocked"
            assert f"pid {holder}" in result["msg"]
            assert "a long report" in result["msg"]
            assert f"pg_terminate_backend({holder})" in result["blockers"][0]["remedy"]
    assert vacuum(shop, tables=["Quote"], old_snapshot_seconds=1)["verdict"]["status"] == "pass"


def test_a_young_snapshot_is_found_out_by_the_vacuum_and_not_tried_again(shop: TestDatabase) -> None:
    with old_snapshot(shop) as holder:
        shop.sql('DELETE FROM "Quote" WHERE id > 4500')
        shop.sql('UPDATE "Quote" SET status = status')
        first = vacuum(shop, tables=["Quote"], old_snapshot_seconds=3600)
        second = vacuum(shop, tables=["Quote"], old_snapshot_seconds=3600)
    assert (first["changed"], first["verdict"]["status"]) == (True, "unknown")
    assert f"pid {holder}" in first["msg"]
    assert (second["changed"], of(second, "Quote")["act"]) == (False, "blocked")


def test_a_snapshot_after_which_nothing_was_written_holds_nothing_back(shop: TestDatabase) -> None:
    with old_snapshot(shop):
        time.sleep(1.1)
        result = vacuum(shop, tables=["Quote"], old_snapshot_seconds=1)
    assert (of(result, "Quote")["act"], result["verdict"]["status"]) == ("vacuum", "pass")


def test_a_prepared_transaction_is_named(shop: TestDatabase) -> None:
    with contextlib.closing(shop.open()) as connection:
        cursor = connection.cursor()
        cursor.execute("""BEGIN; INSERT INTO "User" VALUES (1); PREPARE TRANSACTION 'forgotten'""")
    shop.sql('DELETE FROM "Quote"')
    time.sleep(1.1)
    result = vacuum(shop, tables=["Quote"], old_snapshot_seconds=1)
    shop.sql("ROLLBACK PREPARED 'forgotten'")
    assert result["verdict"]["status"] == "unknown"
    assert "prepared transaction forgotten" in result["msg"]


def test_an_abandoned_replication_slot_is_named(shop: TestDatabase, postgres: Server, lab: Lab) -> None:
    shop.sql("SELECT pg_create_physical_replication_slot('abandoned')", superuser=True)
    with postgres.standby(
        lab, primary_slot_name="abandoned", hot_standby_feedback="on", wal_receiver_status_interval="1"
    ):
        until(lambda: shop.sql("SELECT xmin FROM pg_replication_slots WHERE xmin IS NOT NULL", superuser=True))
    shop.sql('UPDATE "Quote" SET status = status')
    result = vacuum(shop, tables=["Quote"])
    shop.sql("SELECT pg_drop_replication_slot('abandoned')", superuser=True)
    assert result["verdict"]["status"] == "unknown"
    assert "inactive replication slot abandoned" in result["msg"]


def test_what_another_session_vacuums_is_left_to_it(shop: TestDatabase) -> None:
    with vacuuming_slowly(shop) as other:
        result = vacuum(shop, tables=["Quote"])
    assert (result["changed"], result["verdict"]["status"]) == (False, "pass"), result
    assert of(result, "Quote")["act"] == "tended"
    assert f"pid {other}" in of(result, "Quote")["sentence"]


def test_what_autovacuum_vacuums_is_left_to_it_and_not_ended(lab: Lab) -> None:
    slow = {
        "autovacuum": "on", "autovacuum_naptime": "1", "autovacuum_vacuum_cost_delay": "100",
        "autovacuum_vacuum_cost_limit": "1", "shared_buffers": "1MB",
    }  # fmt: skip
    with server(lab, slow) as postgres:
        busy = postgres.database("busy")
        busy.sql("CREATE TABLE large (id int, filler text) WITH (autovacuum_vacuum_threshold = 10)")
        busy.sql("INSERT INTO large SELECT n, repeat('x', 500) FROM generate_series(1, 20000) n")
        busy.sql("DELETE FROM large WHERE id % 2 = 0")
        worker = until(
            lambda: busy.sql(
                "SELECT pid FROM pg_stat_progress_vacuum JOIN pg_stat_activity USING (pid)"
                " WHERE relid = 'large'::regclass AND backend_type = 'autovacuum worker'",
                superuser=True,
            )
        )[0][0]
        result = vacuum(busy, tables=["large"])
        assert of(result, "large")["act"] == "tended", result
        assert f"autovacuum works on it (pid {worker})" in of(result, "large")["sentence"]
        assert busy.sql("SELECT 1 FROM pg_stat_progress_vacuum WHERE pid = %s", [worker], superuser=True) == [(1,)]


def test_a_table_that_somebody_locked_is_unknown_and_nobody_waits(shop: TestDatabase) -> None:
    with contextlib.closing(shop.open(application="a migration")) as connection:
        connection.cursor().execute('BEGIN; LOCK TABLE "Quote" IN ACCESS EXCLUSIVE MODE')
        started = time.monotonic()
        result = vacuum(shop, tables=["Quote"])
        assert time.monotonic() - started < 20
    assert (of(result, "Quote")["act"], result["verdict"]["status"]) == ("busy", "unknown")
    assert "a migration" in result["msg"]


def test_readers_and_writers_pass_while_it_works(shop: TestDatabase) -> None:
    with contextlib.closing(shop.open()) as reader:
        reader.cursor().execute('BEGIN; SELECT count(*) FROM "Quote"')  # holds its lock until the end
        result = vacuum(shop, tables=["Quote"])
        shop.sql('SET lock_timeout = 500; INSERT INTO "Quote" VALUES (0, NULL)')
        assert result["verdict"]["status"] == "pass"


def test_a_terminated_session_is_told_and_a_rerun_converges(shop: TestDatabase) -> None:
    larger(shop)
    result = while_it_vacuums(shop, lambda pid: shop.sql("SELECT pg_terminate_backend(%s)", [pid], superuser=True))
    assert result["verdict"]["status"] == "fail"
    assert "closed the connection" in result["msg"]
    assert shop.sql('SELECT count(*) FROM "Quote"') == [(50000,)]
    again = vacuum(shop)
    assert (again["verdict"]["status"], vacuum(shop)["changed"]) == ("pass", False)


def test_a_cancelled_session_is_told(shop: TestDatabase) -> None:
    larger(shop)
    result = while_it_vacuums(shop, lambda pid: shop.sql("SELECT pg_cancel_backend(%s)", [pid], superuser=True))
    assert result["verdict"]["status"] == "fail"
    assert "Someone cancelled" in result["msg"]


def test_a_server_that_crashes_is_told_and_the_rest_is_not_begun(lab: Lab) -> None:
    with server(lab) as postgres:
        shop = postgres.database("crashing")
        shop.sql('CREATE TABLE "Quote" (id int, status text)')
        shop.sql("CREATE TABLE other (id int)")
        larger(shop)
        shop.sql("INSERT INTO other SELECT generate_series(1, 5000)")
        result = while_it_vacuums(shop, lambda _pid: postgres.stop())
        assert result["verdict"]["status"] == "fail", result
        assert "not begun" in of(result, "other")["sentence"]
        postgres.start()
        shop.sql("ANALYZE")  # a crash forgets the statistics; an analysis finds the dead rows again
        assert vacuum(shop)["verdict"]["status"] == "pass"
        assert vacuum(shop)["changed"] is False


def test_the_time_budget_ends_a_vacuum_and_nothing_else_is_begun(shop: TestDatabase) -> None:
    larger(shop)
    shop.sql("""INSERT INTO "Job" SELECT n, 'new' FROM generate_series(1001, 4000) n""")
    result = shop.operate("database_vacuum", cost_delay_milliseconds=100, cost_limit=1, max_minutes=0.05)
    assert result["verdict"]["status"] == "fail"
    assert "cancelled" in of(result, "Quote")["sentence"]
    assert "not begun" in of(result, "Job")["sentence"]
    assert shop.sql("SELECT count(*) FROM pg_stat_progress_vacuum", superuser=True) == [(0,)]
    assert vacuum(shop)["verdict"]["status"] == "pass"


def test_progress_is_told_while_it_goes_on(shop: TestDatabase) -> None:
    larger(shop)
    result = shop.operate(
        "database_vacuum", tables=["Quote"], cost_delay_milliseconds=50, cost_limit=20, max_minutes=0.1
    )
    assert any("scanning heap" in line for line in result["lines"]), result["lines"]


def test_a_table_near_its_freeze_limit_is_frozen(shop: TestDatabase) -> None:
    shop.sql('ALTER TABLE "User" SET (autovacuum_freeze_max_age = 100000)')
    shop.sql("DO $$ BEGIN FOR n IN 1..80000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$")
    shop.sql('INSERT INTO "User" VALUES (1)')
    first, second = vacuum(shop, tables=["User"]), vacuum(shop, tables=["User"])
    assert of(first, "User")["needs"][0]["kind"] == "freeze", first
    assert of(first, "User")["before"]["transaction_age"] > 75000 > of(first, "User")["after"]["transaction_age"]
    assert second["changed"] is False


def test_each_table_has_a_forecast(shop: TestDatabase) -> None:
    forecast = of(vacuum(shop, check_mode=True), "Quote")["forecast"]
    assert 2_000_000_000 < forecast["transactions_left"] < 2**31
    assert forecast["stop_at"] is None or forecast["stop_at"] > "2026"


def test_a_partitioned_table_means_its_partitions(shop: TestDatabase) -> None:
    shop.sql("CREATE TABLE event (at int) PARTITION BY RANGE (at)")
    shop.sql("CREATE TABLE event_1 PARTITION OF event FOR VALUES FROM (0) TO (10)")
    shop.sql("CREATE TABLE event_2 PARTITION OF event FOR VALUES FROM (10) TO (20)")
    shop.sql("INSERT INTO event SELECT 1 FROM generate_series(1, 3000)")
    result = vacuum(shop, tables=["event"])
    assert {table["name"]: table["act"] for table in result["tables"]} == {"event_1": "vacuum", "event_2": "none"}


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("quote", 'There is "Quote"'),
        ("Qoute", 'There is "Quote"'),
        ("nothing_like_it", 'There are "Job", "Quote", "User"'),
        ("elsewhere.Quote", "has no table elsewhere.Quote"),
        ("a.b.c", "is no name of a table"),
        ('"Quote"; DROP TABLE "Job"', "is no name of a table"),
    ],
)
def test_a_wrong_name_is_one_sentence_with_the_right_one(shop: TestDatabase, typed: str, said: str) -> None:
    result = vacuum(shop, tables=[typed])
    assert result["failed"] is True
    assert said in result["msg"], result["msg"]


def test_all_faults_are_named_at_once(shop: TestDatabase) -> None:
    result = vacuum(shop, tables=["quote", "jobs"])
    assert [fault["reason"] for fault in result["faults"]] == ["no_such_table", "no_such_table"]
    result = vacuum(shop, max_minutes=0, dead_ratio=2, window="now")
    assert len(result["faults"]) == 3


def test_a_name_in_quotes_or_with_its_schema_is_the_same(shop: TestDatabase) -> None:
    result = vacuum(shop, check_mode=True, tables=['"Quote"', "public.Quote", 'public."Job"'])
    assert sorted(table["name"] for table in result["tables"]) == ["Job", "Quote"]


def test_a_role_without_the_right_is_refused_where_vacuum_would_succeed_silently(shop: TestDatabase) -> None:
    shop.sql('ALTER TABLE "Quote" OWNER TO postgres', superuser=True)
    shop.sql("ALTER DATABASE shop OWNER TO postgres", superuser=True)
    named = vacuum(shop, tables=["Quote"])
    assert (named["failed"], named["reason"]) == (True, "privilege")
    every = vacuum(shop)
    assert (of(every, "Quote")["act"], every["verdict"]["status"]) == ("denied", "unknown")
    shop.sql(f'GRANT MAINTAIN ON "Quote" TO "{shop.user}"', superuser=True)
    assert vacuum(shop, tables=["Quote"])["verdict"]["status"] == "pass"


def test_a_standby_is_refused(shop: TestDatabase, postgres: Server, lab: Lab) -> None:
    with postgres.standby(lab) as other:
        result = vacuum(shop, login_port=other.port)
    assert (result["failed"], result["reason"]) == (True, "read_only")
    assert "standby" in result["msg"]


def test_a_read_only_role_is_refused(shop: TestDatabase) -> None:
    shop.sql(f'ALTER ROLE "{shop.user}" SET default_transaction_read_only = on', superuser=True)
    assert vacuum(shop)["reason"] == "read_only"


def test_a_wrong_password_is_one_sentence_without_it(shop: TestDatabase) -> None:
    result = vacuum(shop, login_password="canary-4711")
    assert result["reason"] == "password_wrong"
    assert "canary-4711" not in str(result)


def test_outside_its_window_nothing_is_begun(shop: TestDatabase) -> None:
    result = vacuum(shop, window="mon 00:00-00:01", tables=["Quote"])
    assert result["reason"] == "window_closed"
    assert vacuum(shop, window="00:00-23:59", tables=["Quote"])["changed"] is True


def test_a_thousand_tables_are_planned_within_the_goal(postgres: Server) -> None:
    many = postgres.database("many")
    many.sql(
        "DO $$ BEGIN FOR n IN 1..1000 LOOP EXECUTE format('CREATE TABLE t%s (id int primary key)', n); END LOOP; END $$"
    )
    started = time.monotonic()
    result = vacuum(many, check_mode=True)
    assert len(result["tables"]) == 1000
    assert time.monotonic() - started < 10 * 2.0  # the goal is 2 s; the benchmark measures it


@contextlib.contextmanager
def old_snapshot(shop: TestDatabase) -> Iterator[int]:
    """A transaction that has looked, and does not end; its pid."""
    with contextlib.closing(shop.open(application="a long report")) as connection:
        cursor = connection.cursor()
        cursor.execute('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM "User"; SELECT pg_backend_pid()')
        yield int(cursor.fetchone()[0])  # type: ignore[index]


@contextlib.contextmanager
def vacuuming_slowly(shop: TestDatabase) -> Iterator[int]:
    """Another session that vacuums the table, which takes long; its pid."""
    with contextlib.closing(shop.open(application="a colleague")) as connection:
        connection.cursor().execute("SET vacuum_cost_delay = 100; SET vacuum_cost_limit = 1")
        pid = connection.get_backend_pid()

        def work() -> None:
            with contextlib.suppress(psycopg2.Error):
                connection.cursor().execute('VACUUM "Quote"')

        thread = threading.Thread(target=work)
        thread.start()
        until(lambda: shop.sql("SELECT 1 FROM pg_stat_progress_vacuum WHERE pid = %s", [pid]))
        try:
            yield pid
        finally:
            connection.cancel()
            thread.join()


def larger(shop: TestDatabase) -> None:
    """Make the table large enough that a slow vacuum of it can be met in the middle."""
    shop.sql(
        """DELETE FROM "Quote"; INSERT INTO "Quote" SELECT n, repeat('x', 200) FROM generate_series(1, 100000) n"""
    )
    shop.sql('DELETE FROM "Quote" WHERE id > 50000')


def while_it_vacuums(shop: TestDatabase, act: Callable[[int], object]) -> Row:
    """The result of a slow vacuum that something happens to in the middle; it is given the session's pid."""
    results: list[Row] = []
    options = {"cost_delay_milliseconds": 100, "cost_limit": 10}
    thread = threading.Thread(target=lambda: results.append(shop.operate("database_vacuum", **options)))
    thread.start()
    act(until(lambda: shop.sql("SELECT pid FROM pg_stat_progress_vacuum", superuser=True))[0][0])
    thread.join(60)
    assert results, "it did not end"
    return results[0]


def until(ask: Callable[[], list[Any]], seconds: float = 30.0) -> list[Any]:
    """What is asked for, once there is something."""
    end = time.monotonic() + seconds
    while not (found := ask()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)
    return found
