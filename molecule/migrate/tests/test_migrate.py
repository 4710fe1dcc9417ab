# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is there after the newest migration was undone twice: neither its column nor a row that counts."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from testinfra.host import Host

from lab.site import Lab

testinfra_hosts = ["ansible://servicelink-api"]

UNDONE = "20251001120000_quote_expiry"


@pytest.fixture
def database() -> Iterator[Any]:
    """A cursor in the service's database."""
    lab = Lab.of_this_machine()
    with closing(
        psycopg2.connect(
            host=lab.node_address, port=lab.postgres_port, dbname="servicelink", user="servicelink",
            password=lab.secrets["servicelink_password"],
        )
    ) as connection, connection.cursor() as cursor:  # fmt: skip
        yield cursor


def test_the_column_is_gone_and_the_row_counts_no_more(database: Any) -> None:
    """Schema and history say the same."""
    database.execute("SELECT count(*) FROM information_schema.columns WHERE column_name = 'expiresAt'")
    assert database.fetchone() == (0,)
    database.execute('SELECT finished_at IS NOT NULL, rolled_back_at IS NOT NULL FROM "_prisma_migrations"'
                     " WHERE migration_name = %s", (UNDONE,))  # fmt: skip
    assert database.fetchall() == [(True, True)]


def test_the_lock_of_prisma_is_free(database: Any) -> None:
    """Nobody holds it."""
    database.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 72707369")
    assert database.fetchone() == (0,)


def test_the_first_run_undid_it_and_the_second_nothing(host: Host) -> None:
    """Two records, one of which tells of an act, with the script that ran."""
    folder = Path(os.environ["LINKOPS_RECORDS"], "lab/servicelink-api")
    runs = sorted(path for path in folder.iterdir() if path.is_dir())
    events = [[json.loads(line)["event"] for line in (run / "record.jsonl").read_text().splitlines()] for run in runs]
    assert [each.count("reverted") for each in events] == [1, 0]
    assert host.file(str(runs[0] / f"evidence/migrations/{UNDONE}.down.sql")).contains("DROP COLUMN")
