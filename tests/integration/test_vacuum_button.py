# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The vacuum button as an operator presses it: plan, lock, vacuum, verdict; killed, interrupted, contended."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from tests.integration.harness.audit import AuditLog
from tests.integration.harness.postgres import Server, TestDatabase
from tests.integration.harness.pressing import Press
from tests.integration.harness.services import Service, Services
from tests.integration.harness.stores import until

pytestmark = pytest.mark.matrix
OURS = "linkops.runbooks"


@pytest.fixture
def shop(postgres: Server) -> TestDatabase:
    """A database whose table "Quote" needs a vacuum."""
    made = postgres.database("shop")
    made.sql('CREATE TABLE "Quote" (id int PRIMARY KEY, status text)')
    made.sql("""INSERT INTO "Quote" SELECT n, repeat('x', 200) FROM generate_series(1, 100000) n""")
    made.sql('DELETE FROM "Quote" WHERE id > 50000')
    return made


@pytest.fixture
def api(service: Services, shop: TestDatabase, tmp_path: Path) -> Service:
    """A service whose inventory names this database."""
    return service(["v1.2.0"], **shop.inventory(tmp_path), lock_duration_seconds=5)


def test_of_two_services_with_one_database_the_second_waits_its_turn_and_finds_nothing_to_do(
    api: Service, service: Services, press: Press, shop: TestDatabase, tmp_path: Path
) -> None:
    worker = service(["v1.2.0"], "worker", replicas=0, **shop.inventory(tmp_path))
    pressed = press("vacuum", api, worker, tables="Quote")
    assert pressed.rc == 0, pressed.output
    assert "lock linkops-database-shop is held for another service of this press: vacuum by" in pressed.output
    did = {name: len(pressed.entries("write", name)) for name in (api.name, worker.name)}
    assert sorted(did.values()) == [0, 1]
    first, second = sorted(did, key=lambda name: -did[name])
    assert 'Vacuumed or analyzed "Quote"' in pressed.closing(first)
    assert "Nothing to do" in pressed.closing(second)
    again = press("vacuum", api, tables="Quote")
    assert again.rc == 0, again.output
    assert (again.entries("write"), "changed=0" in again.output) == ([], True)


def test_check_mode_writes_neither_to_the_database_nor_to_the_cluster(
    api: Service, press: Press, audit: AuditLog, postgres: Server
) -> None:
    before = postgres.log.stat().st_size
    with audit.reading() as seen:
        pressed = press("vacuum", api, options=("--check", "--diff"))
    assert pressed.rc == 0, pressed.output
    assert "Would vacuum" in pressed.closing()
    assert seen.writes == []
    assert postgres.statements(OURS, before) != []
    assert postgres.writes(OURS, before) == []


def test_the_lock_is_of_the_service_and_of_its_database_and_is_renewed(
    api: Service, press: Press, audit: AuditLog
) -> None:
    with audit.reading() as seen:
        pressed = press(
            "vacuum", api, options=("-e", '{"vacuum_cost_delay_milliseconds": 50, "vacuum_cost_limit": 100}')
        )
    assert pressed.rc == 0, pressed.output
    names = {event["objectRef"]["name"] for event in seen.renewals}
    assert names == {f"linkops-{api.name}", "linkops-database-shop"}
    assert len(seen.renewals) > 4  # the two that give both back, and renewals while it vacuums


def test_an_interruption_cancels_the_vacuum_and_gives_the_lock_back(
    api: Service, press: Press, shop: TestDatabase
) -> None:
    running = press.start(
        "vacuum", api, options=("-e", '{"vacuum_cost_delay_milliseconds": 100, "vacuum_cost_limit": 1}')
    )
    running.until("scanning heap")
    running.signal(signal.SIGTERM)
    running.wait(60)
    until(lambda: shop.sql("SELECT count(*) FROM pg_stat_progress_vacuum") == [(0,)], "the vacuum is cancelled")
    again = press("vacuum", api)
    assert again.rc == 0, again.output
    assert "is held" not in again.output


def test_killed_in_the_middle_a_rerun_converges(api: Service, press: Press, shop: TestDatabase) -> None:
    running = press.start(
        "vacuum", api, options=("-e", '{"vacuum_cost_delay_milliseconds": 50, "vacuum_cost_limit": 100}')
    )
    running.until("scanning heap")
    running.vanish()
    again = press("vacuum", api)  # what was begun goes on in the server, and is left to it
    assert again.rc == 0, again.output
    end = time.monotonic() + 120
    working = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'VACUUM%'"
    while shop.sql(working, superuser=True) != [(0,)]:
        assert time.monotonic() < end, "the vacuum does not end"
        time.sleep(0.5)
    assert press("vacuum", api).rc == 0
    assert "Nothing to do" in press("vacuum", api).closing()
    assert shop.sql('SELECT count(*) FROM "Quote"') == [(50000,)]


def test_a_wrong_name_and_a_missing_server_are_one_sentence_without_a_password(
    api: Service, press: Press, shop: TestDatabase
) -> None:
    wrong = press("vacuum", api, tables="quote")
    assert wrong.rc != 0
    assert 'There is "Quote"' in wrong.closing()
    gone = press("vacuum", api.having(database_port=1))
    assert "Nothing listens" in gone.closing()
    assert shop.password not in wrong.output + gone.output


def test_an_old_snapshot_is_an_unknown_verdict(api: Service, press: Press, shop: TestDatabase) -> None:
    with shop.open(application="a long report") as reader:
        reader.cursor().execute('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM "Quote"')
        shop.sql('UPDATE "Quote" SET status = status')
        time.sleep(1.1)
        pressed = press("vacuum", api, old_snapshot_seconds=1)
    assert pressed.rc != 0
    assert "unknown: " in pressed.closing()
    assert "a long report" in pressed.closing()
    assert pressed.entries("write") == []
