# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of a real database: what is wrong is a line, and what cannot be asked is one as well."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from moto.server import ThreadedMotoServer
from psycopg2.errors import QueryCanceled

from ansible_collections.linkops.runbooks.plugins.module_utils.hosting.rds import Instance
from ansible_collections.linkops.runbooks.plugins.module_utils.shell import perform
from lab.site import Lab
from tests.integration.harness.postgres import Server, TestDatabase, server
from tests.integration.harness.stores import busy, until

CANARY = "canary@example.com"
OURS = "linkops.runbooks"
#: What a test can wait for.
QUICK = {
    "idle_warning_seconds": 0.05, "idle_critical_seconds": 0.1, "transaction_warning_seconds": 0.05,
    "transaction_critical_seconds": 0.1, "blocked_critical_seconds": 0.1, "large_bytes": 500_000,
    "query_warning_milliseconds": 5, "query_critical_milliseconds": 10,
}  # fmt: skip


@pytest.fixture(scope="module")
def postgres(lab: Lab) -> Iterator[Server]:
    """One server for all tests of this file."""
    with server(lab, {"wal_level": "logical"}) as made:
        yield made


@pytest.fixture
def shop(postgres: Server) -> TestDatabase:
    """A database whose owner may see what others do."""
    made = postgres.database("shop")
    made.sql(f'GRANT pg_read_all_stats TO "{made.user}"', superuser=True)
    return made


def looked(shop: TestDatabase, environment: dict[str, str] | None = None, **options: Any) -> dict[str, dict[str, Any]]:
    """The lines of the page by name."""
    module, call = shop.call("database_health", **{"unreachable": "unknown", **options})
    call.environment = environment or {}
    result = perform(module.operation, call, (shop.password,))
    assert "lines" in result, result
    assert shop.password not in str(result)
    return {line["line"]: line for line in result["lines"]}


def statuses(lines: dict[str, dict[str, Any]]) -> dict[str, str]:
    """The lines that do not simply pass."""
    return {
        name: "warning" if line["reason"].startswith("warning: ") else line["status"]
        for name, line in lines.items()
        if line["status"] != "pass" or line["reason"].startswith("warning: ")
    }


def test_a_quiet_database_passes_and_is_only_read(postgres: Server, shop: TestDatabase) -> None:
    shop.sql("CREATE EXTENSION pg_stat_statements; CREATE TABLE job AS SELECT 1 AS id", superuser=True)
    shop.sql("SELECT count(*) FROM pg_class, generate_series(1, 40)")
    before = postgres.log.stat().st_size
    lines = looked(shop)
    unfit = statuses(lines)
    assert unfit.pop("cache", "unknown") == "unknown"  # a new database was hardly read
    assert unfit == {"server": "warning"}  # it started just now
    assert list(lines) == [
        "server", "connections", "sessions", "idle in transaction", "long transactions", "blocking", "slow queries",
        "size", "cache", "dead rows", "bloat", "indexes", "wraparound", "replication", "replication slots",
    ]  # fmt: skip
    assert postgres.statements(OURS, before) != []
    assert postgres.writes(OURS, before) == []


def test_all_that_is_wrong_is_a_line(postgres: Server, shop: TestDatabase) -> None:
    shop.sql("CREATE EXTENSION pg_stat_statements; CREATE EXTENSION pgstattuple", superuser=True)
    shop.sql("""CREATE TABLE "Quote" AS SELECT n AS id, repeat('x', 100) AS text FROM generate_series(1, 30000) n""")
    shop.sql("""CREATE TABLE airy AS SELECT n AS id, repeat('x', 100) AS text FROM generate_series(1, 20000) n""")
    shop.sql("DELETE FROM airy WHERE id % 10 <> 0")
    shop.sql("VACUUM ANALYZE airy")
    shop.sql("ANALYZE")
    shop.sql("""DELETE FROM "Quote" WHERE id % 10 > 5""")
    for _ in range(10):
        shop.sql(f"SELECT pg_sleep(0.02), '{CANARY}'")
    with contextlib.closing(shop.open()) as reader, contextlib.closing(shop.open()) as builder:
        reader.cursor().execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM airy")
        builder.cursor().execute("SET statement_timeout = 300")
        with pytest.raises(QueryCanceled):
            builder.cursor().execute("CREATE INDEX CONCURRENTLY broken ON airy (id)")
        shop.sql("SELECT pg_create_physical_replication_slot('abandoned', true)", superuser=True)
        shop.sql("BEGIN; INSERT INTO airy VALUES (0, ''); PREPARE TRANSACTION 'half done'")
        waiter = shop.open(application="migration")
        with contextlib.closing(waiter), busy(waiter, f"ALTER TABLE airy ADD b text DEFAULT '{CANARY}'"):
            waits = "SELECT now() - query_start > '150 ms' FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            until(lambda: shop.sql(waits, superuser=True) == [(True,)], "the migration waits")
            lines = looked(shop, limits=QUICK)
    shop.sql("ROLLBACK PREPARED 'half done'")
    shop.sql("SELECT pg_drop_replication_slot('abandoned')", superuser=True)
    unfit = statuses(lines)
    assert unfit.pop("cache", "unknown") == "unknown"
    assert unfit == {
        "server": "warning", "idle in transaction": "fail", "long transactions": "fail", "blocking": "fail",
        "slow queries": "fail", "size": "unknown", "dead rows": "warning", "bloat": "fail", "indexes": "fail",
        "replication slots": "warning",
    }  # fmt: skip
    assert "SELECT count(*) FROM airy; end them with" in lines["idle in transaction"]["reason"]
    assert "the prepared transaction half done" in lines["long transactions"]["reason"]
    assert "ALTER TABLE airy ADD b text DEFAULT ?" in lines["blocking"]["reason"]
    assert "migration" in lines["sessions"]["reason"]
    assert "SELECT pg_sleep($1), $2" in lines["slow queries"]["reason"]
    assert 20 <= lines["slow queries"]["evidence"]["statements"][0]["mean_milliseconds"] < 2000
    assert "broken" in lines["indexes"]["reason"]
    assert "inactive physical slot abandoned" in lines["replication slots"]["reason"]
    assert "airy" in lines["bloat"]["reason"]
    assert '"Quote" 12,000 (40 %)' in lines["dead rows"]["reason"]
    assert lines["size"]["evidence"]["database_bytes"] > 1_000_000
    assert "what is largest cannot be told: A lock" in lines["size"]["reason"]  # the readers' queue is the migration's
    assert CANARY not in str(lines)


def test_an_estimate_is_near_what_is_measured_and_says_what_it_is(shop: TestDatabase) -> None:
    shop.sql("""CREATE TABLE airy AS SELECT n AS id, now() AS at, repeat('x', n % 200) AS text, NULL::int AS none
                FROM generate_series(1, 30000) n""")
    shop.sql("DELETE FROM airy WHERE id % 2 = 0")
    shop.sql("VACUUM ANALYZE airy")
    shop.sql("CREATE EXTENSION pgstattuple", superuser=True)
    forbidden = looked(shop, limits=QUICK)["bloat"]
    shop.sql(f'GRANT pg_stat_scan_tables TO "{shop.user}"', superuser=True)
    measured = looked(shop, limits=QUICK)["bloat"]
    shop.sql("DROP EXTENSION pgstattuple", superuser=True)
    estimated = looked(shop, limits=QUICK)["bloat"]
    figures = [each["evidence"]["tables"][0] for each in (forbidden, measured, estimated)]
    assert [each["measured"] for each in figures] == [False, True, False]
    ratios = [each["wasted_bytes"] / each["bytes"] for each in figures]
    assert ratios == pytest.approx([0.5] * 3, abs=0.08)
    assert "permission denied" in forbidden["reason"]
    assert "(measured)" in measured["reason"]
    assert "the extension pgstattuple, which measures, is not there" in estimated["reason"]


def test_what_a_role_may_not_see_is_unknown_with_its_remedy(postgres: Server) -> None:
    plain = postgres.database("plain")
    with contextlib.closing(plain.open(superuser=True)):
        lines = looked(plain, check_corruption=True)
    unknown = {name for name, line in lines.items() if line["status"] == "unknown"} - {"cache"}
    assert unknown == {
        "connections", "sessions", "idle in transaction", "long transactions", "blocking", "slow queries", "corruption",
    } - ({"connections"} if lines["connections"]["status"] == "pass" else set())  # fmt: skip
    assert "GRANT pg_read_all_stats TO app_plain" in lines["sessions"]["reason"]
    assert "CREATE EXTENSION pg_stat_statements" in lines["slow queries"]["reason"]
    assert "CREATE EXTENSION amcheck" in lines["corruption"]["reason"]
    plain.sql("CREATE EXTENSION amcheck", superuser=True)
    assert "GRANT EXECUTE ON FUNCTION" in looked(plain, check_corruption=True)["corruption"]["reason"]


def test_a_page_that_the_disk_lost_is_corruption(postgres: Server, shop: TestDatabase) -> None:
    shop.sql("CREATE EXTENSION amcheck", superuser=True)
    shop.sql("CREATE TABLE job AS SELECT n AS id FROM generate_series(1, 2000) n")
    shop.sql("ALTER TABLE job ADD PRIMARY KEY (id)")
    ((path,),) = shop.sql("SELECT pg_relation_filepath('job_pkey')")
    shop.sql("CHECKPOINT", superuser=True)
    administrator = {"login_user": "postgres", "login_password": postgres.password, "check_corruption": True}
    sound = looked(shop, **administrator)["corruption"]
    assert sound["status"] == "pass", sound
    hurried = looked(shop, max_minutes=1e-6, **administrator)["corruption"]
    assert hurried["status"] == "unknown", hurried
    postgres.stop()
    with (postgres.home / "data" / path).open("r+b") as file:
        file.seek(8192 + 4000)
        file.write(os.urandom(200))
    postgres.start()
    found = looked(shop, **administrator)["corruption"]
    assert found["status"] == "fail", found
    assert "job_pkey" in found["reason"]


def test_a_standby_and_its_primary_tell_their_lag(lab: Lab, postgres: Server, shop: TestDatabase) -> None:
    with postgres.standby(lab) as standby:
        attached = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"
        until(lambda: shop.sql(attached, superuser=True) == [(1,)], "the standby streams")
        primary = looked(shop)
        assert "streaming" in primary["replication"]["reason"]
        there = TestDatabase(standby, shop.name, shop.user, shop.password)
        followed = looked(there)
        assert "a standby" in followed["server"]["reason"]
        assert followed["replication"]["status"] == "pass", followed["replication"]
        postgres.stop()
        until(lambda: standby_alone(there), "the standby has lost its primary")
        assert "it receives nothing" in looked(there)["replication"]["reason"]
        postgres.start()


def standby_alone(there: TestDatabase) -> bool:
    """Whether a standby receives nothing."""
    return there.sql("SELECT count(*) FROM pg_stat_wal_receiver", superuser=True) == [(0,)]


def test_of_a_server_that_is_down_rds_still_tells(postgres: Server, shop: TestDatabase) -> None:
    speaking = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    speaking.start()
    host, port = speaking.get_host_and_port()
    environment = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "lab", "AWS_SECRET_ACCESS_KEY": "lab",
    }  # fmt: skip
    session = boto3.Session(aws_access_key_id="lab", aws_secret_access_key="lab", region_name="us-east-1")
    session.client("rds", endpoint_url=environment["AWS_ENDPOINT_URL"]).create_db_instance(
        DBInstanceIdentifier="shop", DBInstanceClass="db.t3.micro", Engine="postgres", MasterUsername="postgres",
        MasterUserPassword="canary-canary", AllocatedStorage=10,
    )  # fmt: skip
    lines = looked(shop, environment, login_port=1, rds_instance="shop", rds_region="us-east-1")
    speaking.stop()
    assert list(lines) == ["database", "rds instance", "rds maintenance", "rds events"]
    assert "Nothing listens" in lines["database"]["reason"]
    assert lines["rds instance"]["reason"].startswith("available, db.t3.micro, postgres")
    assert lines["rds events"]["status"] == "pass", lines
    assert lines["rds maintenance"]["status"] == "unknown"  # moto answers it with an error of its own
    assert "RDS refuses DescribePendingMaintenanceActions" in lines["rds maintenance"]["reason"]


def test_pending_maintenance_and_events_are_asked_as_aws_wants_it() -> None:
    """They are stubbed at the client, and checked against botocore's model: moto does not know pending maintenance."""
    environment = {"AWS_ACCESS_KEY_ID": "lab", "AWS_SECRET_ACCESS_KEY": "lab"}
    instance = Instance("shop", "us-east-1", environment)
    arn = "arn:aws:rds:us-east-1:123456789012:db:shop"
    actions = [{"ResourceIdentifier": arn, "PendingMaintenanceActionDetails": [{"Action": "system-update"}]}]
    event = {"SourceIdentifier": "shop", "Message": "Failover began", "Date": datetime.now(UTC)}
    with Stubber(instance._client) as stub:
        stub.add_response(
            "describe_pending_maintenance_actions", {"PendingMaintenanceActions": actions}, {"ResourceIdentifier": arn}
        )
        asked = {"SourceIdentifier": "shop", "SourceType": "db-instance", "Duration": 60}
        stub.add_response("describe_events", {"Events": [event]}, asked)
        assert instance.pending({"DBInstanceArn": arn}) == actions
        assert instance.events(3600) == [event]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"login_password": "wrong-canary"}, "refuses the password"),
        ({"limits": {"idle_warning_seconds": 900}}, "limits.idle_warning_seconds is above its critical limit"),
        ({"top": 0, "rds_instance": "shop"}, "top is 0, and must be above 0"),
    ],
)
def test_bad_input_is_one_sentence(shop: TestDatabase, wrong: dict[str, Any], said: str) -> None:
    module, call = shop.call("database_health", **wrong)
    result = perform(module.operation, call, (shop.password,))
    assert result["failed"]
    assert said in result["msg"]
    assert "wrong-canary" not in str(result)
    assert ("rds_region" in result["msg"]) == ("rds_instance" in wrong)  # all faults at once
