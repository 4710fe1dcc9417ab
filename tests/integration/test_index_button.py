# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The index button as an operator presses it, with the runbook's indexes from the inventory."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.integration.harness.audit import AuditLog
from tests.integration.harness.postgres import Server, TestDatabase
from tests.integration.harness.pressing import Press
from tests.integration.harness.services import Service, Services

pytestmark = pytest.mark.matrix
NAMES = ["idx_assignments_status_scheduled", "idx_quotes_job_provider"]


@pytest.fixture
def shop(postgres: Server) -> TestDatabase:
    """A database with the runbook's tables."""
    made = postgres.database("shop")
    made.sql('CREATE TABLE "Quote" (id int PRIMARY KEY, "jobId" text, "providerId" text, status text)')
    made.sql('CREATE TABLE "Assignment" (id int PRIMARY KEY, status text, "scheduledStart" timestamp(3))')
    return made


@pytest.fixture
def api(service: Services, shop: TestDatabase, tmp_path: Path) -> Service:
    """A service whose inventory names this database."""
    return service(["v1.2.0"], **shop.inventory(tmp_path), lock_duration_seconds=5)


def there(shop: TestDatabase) -> list[tuple[str, bool]]:
    """The indexes that are not primary keys, and whether they are valid."""
    query = """
        SELECT relname, indisvalid FROM pg_index JOIN pg_class ON oid = indexrelid WHERE relname LIKE 'idx%' ORDER BY 1
    """
    return [(str(name), bool(valid)) for name, valid in shop.sql(query)]


def test_the_inventorys_indexes_are_built_once(api: Service, press: Press, shop: TestDatabase) -> None:
    refused = press("index", api, database_free_bytes_query="vector(5)")
    assert "The server's disk has 5 B free, of which 1 GiB must stay free" in refused.closing()
    assert there(shop) == []
    first, second = press("index", api), press("index", api)
    assert first.rc == second.rc == 0, first.output + second.output
    assert "space the server's disk has is unknown: the inventory has no database_free_bytes_query" in first.output
    assert there(shop) == [(name, True) for name in NAMES]
    assert [len(pressed.entries("write")) for pressed in (first, second)] == [2, 0]
    assert "changed=0" in second.output
    assert "Nothing to do; 2 indexes as declared" in second.closing()


def test_check_mode_and_advice_write_neither_to_the_database_nor_to_the_cluster(
    api: Service, press: Press, shop: TestDatabase, audit: AuditLog, postgres: Server
) -> None:
    before = postgres.log.stat().st_size
    with audit.reading() as seen:
        checked, advised = press("index", api, options=("--check", "--diff")), press("index", api, state="advice")
    assert checked.rc == advised.rc == 0, checked.output + advised.output
    assert "Would create" in checked.closing()
    assert seen.writes == []
    assert postgres.writes("linkops.runbooks", before) == []
    assert there(shop) == []


def test_a_drop_wants_its_name_typed_again(api: Service, press: Press, shop: TestDatabase) -> None:
    press("index", api)
    bare = press("index", api, state="absent", index=NAMES[0])
    assert bare.rc != 0
    assert f"-e confirm={NAMES[0]}" in bare.closing()
    assert press("index", api, state="absent", index=NAMES[0], confirm=NAMES[0]).rc == 0
    assert there(shop) == [(NAMES[1], True)]


def test_an_interruption_drops_what_was_begun_and_a_rerun_builds_it(
    api: Service, press: Press, shop: TestDatabase
) -> None:
    with shop.open(application="a writer") as writer:
        writer.cursor().execute("""BEGIN; INSERT INTO "Quote" VALUES (1)""")
        running = press.start("index", api)
        running.until("a writer")
        running.signal(signal.SIGTERM)
        running.wait(60)
    assert press("index", api).rc == 0
    assert there(shop) == [(name, True) for name in NAMES]


def test_killed_in_the_middle_a_rerun_converges(api: Service, press: Press, shop: TestDatabase) -> None:
    with shop.open(application="a writer") as writer:
        writer.cursor().execute("""BEGIN; INSERT INTO "Quote" VALUES (1)""")
        running = press.start("index", api)
        running.until("a writer")
        running.vanish()
        builder = shop.sql("SELECT pid FROM pg_stat_progress_create_index")[0][0]
        shop.sql("SELECT pg_terminate_backend(%s)", [builder], superuser=True)
    assert (NAMES[1], False) in there(shop)
    again = press("index", api)
    assert again.rc == 0, again.output
    assert there(shop) == [(name, True) for name in NAMES]
    assert "changed=0" in press("index", api).output
