# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What database_index does to a real server: concurrently, by meaning, and leaving nothing broken behind."""

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
QUOTES = {"name": "idx_quotes_job_provider", "table": "Quote", "columns": ["jobId", "providerId", "status"]}
ASSIGNMENTS = {
    "name": "idx_assignments_status_scheduled", "table": "Assignment", "columns": ["status", "scheduledStart"],
    "where": "status IN ('scheduled', 'in_progress')",
}  # fmt: skip
RUNBOOK = [QUOTES, ASSIGNMENTS]


@pytest.fixture
def shop(postgres: Server) -> TestDatabase:
    """A database with the runbook's tables."""
    made = postgres.database("shop")
    made.sql("""CREATE TYPE progress AS ENUM ('scheduled', 'in_progress', 'done')""")
    made.sql('CREATE TABLE "Quote" (id int PRIMARY KEY, "jobId" text, "providerId" text, status text)')
    made.sql('CREATE TABLE "Assignment" (id int PRIMARY KEY, status text, "scheduledStart" timestamp(3))')
    made.sql("""INSERT INTO "Quote" SELECT n, 'j' || n, 'p' || n % 10, 'open' FROM generate_series(1, 2000) n""")
    return made


def index(shop: TestDatabase, *declared: Row, check_mode: bool = False, **options: Any) -> Row:
    return shop.operate("database_index", check_mode, indexes=list(declared), **options)


def there(shop: TestDatabase, *, valid: bool = True) -> list[str]:
    """The indexes that are not primary keys."""
    query = """
        SELECT indexrelid::regclass::text FROM pg_index
        WHERE NOT indisprimary AND indisvalid = %s AND indrelid IN (SELECT relid FROM pg_stat_user_tables)
    """
    return sorted(row[0] for row in shop.sql(query, [valid]))


def acts(result: Row) -> dict[str, str]:
    return {each["name"]: each["act"] for each in result["indexes"]}


def test_the_runbooks_indexes_are_built_and_a_second_run_changes_nothing(shop: TestDatabase) -> None:
    first, second = index(shop, *RUNBOOK), index(shop, *RUNBOOK)
    assert (first["changed"], first["verdict"]["status"]) == (True, "pass"), first
    assert there(shop) == ["idx_assignments_status_scheduled", "idx_quotes_job_provider"]
    definition = shop.sql("SELECT pg_get_indexdef('idx_assignments_status_scheduled'::regclass)")[0][0]
    assert '(status, "scheduledStart") WHERE' in definition
    assert (second["changed"], acts(second)) == (False, dict.fromkeys(acts(first), "none"))


def test_check_mode_compares_by_meaning_and_writes_nothing(shop: TestDatabase, postgres: Server) -> None:
    index(shop, ASSIGNMENTS)
    before = postgres.log.stat().st_size
    result = index(shop, *RUNBOOK, check_mode=True)
    assert acts(result) == {QUOTES["name"]: "create", ASSIGNMENTS["name"]: "none"}
    assert (result["changed"], "Would create" in result["msg"]) == (True, True)
    assert any(each.startswith("EXPLAIN") for each in postgres.statements("linkops.runbooks", before))
    assert postgres.writes("linkops.runbooks", before) == []
    assert there(shop) == [ASSIGNMENTS["name"]]


@pytest.mark.parametrize(
    ("made", "declared"),
    [
        ("""(status) WHERE status = 'a' OR id > 1""", {"columns": ["status"], "where": "(status='a') or id > 1"}),
        ("""(status) WHERE (status = ANY (ARRAY['a'::text, 'b'::text]))""",
         {"columns": ["status"], "where": "status IN ('a', 'b')"}),
        ("""(lower(status))""", {"columns": [{"expression": 'LOWER( "Quote".status )'}]}),
        ("""(status DESC NULLS LAST, id)""",
         {"columns": [{"column": "status", "order": "desc", "nulls": "last"}, "id"]}),
        ("""(status text_pattern_ops) INCLUDE (id)""",
         {"columns": [{"column": "status", "opclass": "text_pattern_ops"}], "include": ["id"]}),
        ("""(status COLLATE "C")""", {"columns": [{"column": "status", "collation": "C"}]}),
        ("""USING hash (status)""", {"columns": ["status"], "method": "hash"}),
        ("""(status) WITH (fillfactor = 70)""", {"columns": ["status"], "settings": {"fillfactor": 70}}),
    ],
)  # fmt: skip
def test_spellings_of_one_meaning_are_the_same(shop: TestDatabase, made: str, declared: Row) -> None:
    shop.sql(f'CREATE INDEX by_hand ON "Quote" {made}')
    result = index(shop, {"name": "by_hand", "table": "Quote", **declared})
    assert (result["changed"], acts(result)) == (False, {"by_hand": "none"}), result
    other = index(shop, {"name": "another_name", "table": "Quote", **declared})
    assert (other["changed"], there(shop)) == (False, ["by_hand"])


@pytest.mark.parametrize(
    "made",
    [
        "(status)", """(status) WHERE status = 'a'""", """(status) WHERE status IN ('a', 'c')""", "(status, id)",
        """(status DESC) WHERE status IN ('a', 'b')""", """(status text_pattern_ops) WHERE status IN ('a', 'b')""",
        """(status COLLATE "C") WHERE status IN ('a', 'b')""", """USING hash (status) WHERE status IN ('a', 'b')""",
        """(status) INCLUDE (id) WHERE status IN ('a', 'b')""",
    ],
)  # fmt: skip
def test_another_meaning_is_refused_with_what_there_is(shop: TestDatabase, made: str) -> None:
    shop.sql(f'CREATE INDEX by_hand ON "Quote" {made}')
    result = index(shop, {"name": "by_hand", "table": "Quote", "columns": ["status"], "where": "status IN ('a', 'b')"})
    assert (result["failed"], result["reason"]) == (True, "differs"), result
    assert "CREATE INDEX by_hand" in result["msg"]
    assert "-e confirm=by_hand" in result["msg"]


def test_a_parent_with_rows_of_its_own_is_compared_column_by_column(shop: TestDatabase) -> None:
    """It has statistics with and without its children."""
    shop.sql('CREATE TABLE old_quotes () INHERITS ("Quote")')
    shop.sql("""INSERT INTO old_quotes SELECT n, 'j' || n, 'p', 'done' FROM generate_series(1, 2000) n""")
    index(shop, QUOTES)
    shop.sql('ANALYZE "Quote"')
    again = index(shop, QUOTES)
    assert (again.get("changed"), again.get("failed")) == (False, None), again


def test_an_enum_predicate_is_compared_by_meaning(shop: TestDatabase) -> None:
    shop.sql("CREATE TABLE task (state progress)")
    declared = {"name": "by_state", "table": "task", "columns": ["state"], "where": "state IN ('scheduled', 'done')"}
    assert [index(shop, declared)["changed"] for _ in range(2)] == [True, False]


def test_an_invalid_leftover_is_rebuilt(shop: TestDatabase) -> None:
    leave_invalid(shop, '"idx_quotes_job_provider" ON "Quote" ("jobId")')
    result = index(shop, QUOTES)
    assert acts(result) == {QUOTES["name"]: "rebuild"}
    assert (result["verdict"]["status"], there(shop), there(shop, valid=False)) == ("pass", [QUOTES["name"]], [])
    assert index(shop, QUOTES)["changed"] is False


def test_leftovers_that_nobody_declared_are_rebuilt_or_dropped(shop: TestDatabase) -> None:
    leave_invalid(shop, 'undeclared ON "Quote" (status)')
    shop.sql('CREATE INDEX reindexed ON "Quote" (status, id)')
    leave_reindex(shop, "reindexed")
    shop.sql('CREATE INDEX swapped ON "Quote" ("jobId")')
    leave_swapped(shop, "swapped")
    assert there(shop, valid=False) == ["reindexed_ccnew", "swapped_ccold", "undeclared"]
    result = index(shop)
    assert acts(result) == {
        "undeclared": "reindex", "reindexed_ccnew": "drop", "reindexed": "reindex", "swapped_ccold": "drop",
    }  # fmt: skip
    assert (there(shop), there(shop, valid=False)) == (["reindexed", "swapped", "undeclared"], [])
    assert index(shop)["changed"] is False


@pytest.mark.parametrize(
    "declared",
    [
        pytest.param({"columns": ["id"]}, id="btree"),
        pytest.param({"columns": ["status"], "method": "hash"}, id="hash"),
        pytest.param({"columns": [{"column": "place", "opclass": "vector_l2_ops"}], "method": "hnsw"}, id="hnsw"),
        pytest.param({"columns": [{"column": "place", "opclass": "vector_l2_ops"}], "method": "ivfflat"}, id="ivfflat"),
    ],
)
def test_a_build_that_the_disk_has_no_room_for_is_refused(shop: TestDatabase, declared: Row) -> None:
    """The estimate, which counts twice until the build is done, is between half and twice the size that it gets."""
    shop.sql("CREATE EXTENSION IF NOT EXISTS vector", superuser=True)
    shop.sql("""
        CREATE TABLE large AS SELECT n AS id, md5(n::text) AS status,
            (SELECT array_agg(random() + k) FROM generate_series(n, n + 127) k)::vector(128) AS place
        FROM generate_series(1, 4000) n
    """)
    by_size = {"name": "by_size", "table": "large", **declared}
    blind = index(shop, by_size, check_mode=True, free_bytes=1 << 40)
    assert any("how large by_size will be is not known before" in said for said in blind["warnings"]), (
        "not analyzed yet"
    )
    shop.sql("ANALYZE large")
    index(shop, by_size)
    (size,) = shop.sql("SELECT pg_relation_size('by_size')")[0]
    shop.sql("DROP INDEX by_size")
    refused = index(shop, by_size, free_bytes=size, reserve_bytes=0)
    assert refused["reason"] == "disk_full", refused
    assert there(shop) == []
    assert index(shop, by_size, free_bytes=4 * size, reserve_bytes=0)["changed"]
    assert index(shop, by_size, free_bytes=0)["changed"] is False, "what is built already needs no room"


def test_leftovers_are_left_alone_without_repair(shop: TestDatabase) -> None:
    leave_invalid(shop, 'undeclared ON "Quote" (status)')
    assert index(shop, repair=False)["changed"] is False


def test_a_build_waits_for_an_old_transaction_names_it_and_lets_others_pass(shop: TestDatabase) -> None:
    with contextlib.closing(shop.open(application="a long report")) as reader:
        cursor = reader.cursor()
        cursor.execute('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM "Quote"')
        results: list[Row] = []
        thread = threading.Thread(target=lambda: results.append(index(shop, QUOTES, max_minutes=0.1)))
        thread.start()
        until(lambda: shop.sql("SELECT 1 FROM pg_stat_progress_create_index WHERE current_locker_pid <> 0"))
        shop.sql("""SET lock_timeout = 1000; SELECT count(*) FROM "Quote"; INSERT INTO "Quote" VALUES (-1)""")
        thread.join(60)
        assert not thread.is_alive()
    (result,) = results
    assert result["verdict"]["status"] == "fail"
    assert "a long report" in result["msg"], result["msg"]
    assert any("a long report" in line for line in result["lines"]), result["lines"]
    assert index(shop, QUOTES)["verdict"]["status"] == "pass"
    assert (there(shop), there(shop, valid=False)) == ([QUOTES["name"]], [])


def test_a_terminated_build_leaves_nothing_that_a_rerun_does_not_mend(shop: TestDatabase) -> None:
    with blocked_build(shop) as (pid, results):
        shop.sql("SELECT pg_terminate_backend(%s)", [pid], superuser=True)
    assert results[0]["verdict"]["status"] == "fail"
    assert "closed the connection" in results[0]["msg"]
    again = index(shop, QUOTES)
    assert (again["verdict"]["status"], there(shop), there(shop, valid=False)) == ("pass", [QUOTES["name"]], [])


def test_a_crash_of_the_server_in_the_middle_is_mended_by_a_rerun(lab: Lab) -> None:
    with server(lab) as postgres:
        shop = postgres.database("crashing")
        shop.sql('CREATE TABLE "Quote" (id int PRIMARY KEY, "jobId" text, "providerId" text, status text)')
        with blocked_build(shop) as (_, results):
            postgres.stop()
        assert results[0]["verdict"]["status"] == "fail", results
        assert "could not be dropped yet" in results[0]["msg"]
        postgres.start()
        again = index(shop, QUOTES)
        assert (again["verdict"]["status"], there(shop), there(shop, valid=False)) == ("pass", [QUOTES["name"]], [])


def test_what_another_session_builds_is_left_to_it(shop: TestDatabase) -> None:
    with blocked_build(shop):
        result = index(shop, QUOTES)
        assert (result["changed"], result["verdict"]["status"]) == (False, "unknown"), result
        assert acts(result) == {QUOTES["name"]: "building"}


def test_a_unique_index_that_the_rows_forbid_leaves_nothing(shop: TestDatabase) -> None:
    result = index(shop, {"name": "by_status", "table": "Quote", "columns": ["status"], "unique": True})
    assert result["verdict"]["status"] == "fail"
    assert "could not create unique index" in result["msg"]
    assert (there(shop), there(shop, valid=False)) == ([], [])


def test_an_index_is_dropped_concurrently_with_its_name_typed_again(shop: TestDatabase) -> None:
    index(shop, QUOTES)
    refused = shop.operate("database_index", state="absent", names=[QUOTES["name"]])
    assert (refused["reason"], there(shop)) == ("unconfirmed", [QUOTES["name"]])
    options = {"state": "absent", "names": [QUOTES["name"]], "confirm": QUOTES["name"]}
    first, second = (shop.operate("database_index", **options) for _ in range(2))
    assert (first["changed"], second["changed"], there(shop)) == (True, False, [])


def test_an_index_that_a_constraint_rests_on_is_not_dropped(shop: TestDatabase) -> None:
    result = shop.operate("database_index", state="absent", names=["Quote_pkey"], confirm="Quote_pkey")
    assert result["reason"] == "index_needed"


def test_a_vector_index_is_built_and_known(shop: TestDatabase) -> None:
    shop.sql("CREATE EXTENSION vector", superuser=True)
    shop.sql("CREATE TABLE document (id int, embedding vector(3))")
    shop.sql("INSERT INTO document SELECT n, ARRAY[n, n % 7, 1]::vector FROM generate_series(1, 500) n")
    near = {
        "name": "by_distance", "table": "document", "method": "hnsw", "settings": {"m": 8},
        "columns": [{"column": "embedding", "opclass": "vector_cosine_ops"}],
    }  # fmt: skip
    lists = {
        "name": "by_lists",
        "table": "document",
        "columns": ["embedding"],
        "method": "ivfflat",
        "settings": {"lists": 10},
    }
    results = [index(shop, near, lists, maintenance_work_mem="64MB") for _ in range(2)]
    assert [result["changed"] for result in results] == [True, False], results
    bare = index(shop, {**near, "name": "bare", "columns": ["embedding"]})
    assert "hnsw needs an opclass" in bare["msg"]


def test_advice_names_missing_unused_duplicate_and_bloated_indexes_and_changes_nothing(
    shop: TestDatabase, postgres: Server
) -> None:
    shop.sql('CREATE TABLE "Note" (id int, quote int REFERENCES "Quote", text text)')
    shop.sql("""INSERT INTO "Note" SELECT n, n % 2000 + 1, repeat('x', 50) FROM generate_series(1, 20000) n""")
    shop.sql('CREATE INDEX once ON "Note" (id)')
    shop.sql('CREATE INDEX twice ON "Note" (id)')
    shop.sql('CREATE INDEX longer ON "Note" (text, id); CREATE INDEX shorter ON "Note" (text)')
    shop.sql('DELETE FROM "Note" WHERE id % 20 <> 0; ')
    shop.sql('VACUUM ANALYZE "Note"')
    for _ in range(60):
        shop.sql(
            """SET enable_indexscan = off; SET enable_bitmapscan = off; SELECT count(*) FROM "Note" WHERE text = 'a'"""
        )
    before = postgres.log.stat().st_size
    result = index(shop, state="advice", large_bytes=8192)
    found = {(each["kind"], each["subject"]) for each in result["advice"]}
    assert {("missing", '"Note"'), ("duplicate", "twice"), ("duplicate", "shorter"), ("bloated", "once")} <= found, (
        found
    )
    assert any("foreign key" in each["sentence"] for each in result["advice"])
    assert ("duplicate", "once") not in found
    assert (result["changed"], postgres.writes("linkops.runbooks", before)) == (False, [])


@pytest.mark.parametrize(
    ("declared", "reason", "said"),
    [
        ({**QUOTES, "table": "quote"}, "no_such_table", 'There is "Quote"'),
        ({**QUOTES, "columns": ["jobid"]}, "no_such_column", "There is jobId"),
        ({**ASSIGNMENTS, "where": "scheduledStart IS NULL"}, "index_invalid", "double quotes"),
        ({**ASSIGNMENTS, "where": "true) ; DROP TABLE x; --"}, "index_invalid", "closes a parenthesis"),
        ({**ASSIGNMENTS, "where": "status = 'a"}, "index_invalid", "does not end"),
        ({**QUOTES, "method": "tree"}, "index_invalid", "there is no method tree"),
        ({**QUOTES, "columns": [{"column": "status", "order": "up"}]}, "index_invalid", "must be asc or desc"),
        ({**QUOTES, "name": "Quote_pkey"}, "differs", "Quote_pkey"),
    ],
)  # fmt: skip
def test_a_wrong_declaration_is_one_sentence(shop: TestDatabase, declared: Row, reason: str, said: str) -> None:
    shop.sql("""INSERT INTO "Assignment" VALUES (1, 'scheduled', NULL)""")
    result = index(shop, declared)
    assert (result["failed"], result["reason"]) == (True, reason), result["msg"]
    assert said in result["msg"]
    assert shop.sql('SELECT count(*) FROM "Assignment"') == [(1,)]


def test_all_wrong_declarations_are_named_at_once(shop: TestDatabase) -> None:
    result = index(shop, {**QUOTES, "table": "quote"}, {**ASSIGNMENTS, "columns": ["Status"]})
    assert [fault["reason"] for fault in result["faults"]] == ["no_such_table", "no_such_column"]


def test_a_role_without_the_right_is_refused(shop: TestDatabase) -> None:
    shop.sql('ALTER TABLE "Quote" OWNER TO postgres', superuser=True)
    assert index(shop, QUOTES)["reason"] == "privilege"


def test_a_standby_and_a_read_only_role_are_refused(shop: TestDatabase, postgres: Server, lab: Lab) -> None:
    with postgres.standby(lab) as other:
        assert index(shop, QUOTES, login_port=other.port)["reason"] == "read_only"
        assert index(shop, state="advice", login_port=other.port)["verdict"]["status"] == "pass"
    shop.sql(f'ALTER ROLE "{shop.user}" SET default_transaction_read_only = on', superuser=True)
    assert index(shop, QUOTES)["reason"] == "read_only"


def leave_invalid(shop: TestDatabase, definition: str) -> None:
    """Leave an invalid index, as a build that was ended does."""
    interrupted(shop, f"CREATE INDEX CONCURRENTLY {definition}")


def leave_reindex(shop: TestDatabase, name: str) -> None:
    """Leave what an interrupted REINDEX CONCURRENTLY leaves."""
    interrupted(shop, f"REINDEX INDEX CONCURRENTLY {name}")


def leave_swapped(shop: TestDatabase, name: str) -> None:
    """Leave what a REINDEX CONCURRENTLY leaves that ended after the swap: the old index, dead under another name.

    The window is too short to be met by an interruption, so the catalogue is made to say it.
    """
    (definition,) = shop.sql("SELECT pg_get_indexdef(%s::regclass)", [name])[0]
    shop.sql(f"ALTER INDEX {name} RENAME TO {name}_ccold")
    shop.sql(definition)
    mark = "UPDATE pg_index SET indisvalid = false WHERE indexrelid = %s::regclass"
    shop.sql(mark, [f"{name}_ccold"], superuser=True)


def interrupted(shop: TestDatabase, statement: str) -> None:
    """Run a statement that ends by a lock_timeout while it waits for an old transaction."""
    with contextlib.closing(shop.open()) as reader:
        reader.cursor().execute('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM "Quote"')
        with contextlib.closing(shop.open()) as builder:
            builder.cursor().execute("SET lock_timeout = 300")
            with pytest.raises(psycopg2.errors.LockNotAvailable):
                builder.cursor().execute(statement)


@contextlib.contextmanager
def blocked_build(shop: TestDatabase) -> Iterator[tuple[int, list[Row]]]:
    """Our build in the middle, as a transaction holds it up; its pid, and the result once the block has ended."""
    results: list[Row] = []
    with contextlib.closing(shop.open(application="a writer")) as writer:
        writer.cursor().execute("""BEGIN; INSERT INTO "Quote" VALUES (-7)""")
        thread = threading.Thread(target=lambda: results.append(index(shop, QUOTES, repair=False)))
        thread.start()
        pid = until(lambda: shop.sql("SELECT pid FROM pg_stat_progress_create_index WHERE current_locker_pid <> 0"))[0][
            0
        ]
        yield pid, results
    thread.join(90)
    assert results, "it did not end"


def until(ask: Callable[[], list[Any]], seconds: float = 30.0) -> list[Any]:
    """What is asked for, once there is something."""
    end = time.monotonic() + seconds
    while not (found := ask()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)
    return found
