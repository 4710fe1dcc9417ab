# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is there after the button was pressed twice: a server that was started once, and its client in it."""

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

testinfra_hosts = ["ansible://credlink-api"]

RECORDS = Path(os.environ["LINKOPS_RECORDS"])


@pytest.fixture
def access() -> dict[str, Any]:
    """How the server is reached."""
    told: dict[str, Any] = json.loads((RECORDS.parent / "server.json").read_text())
    return told


@pytest.fixture
def database(access: dict[str, Any]) -> Iterator[Any]:
    """A cursor in it."""
    words = {word: access[word] for word in ("host", "port", "user", "password")}
    with closing(psycopg2.connect(dbname="credlink", **words)) as connection, connection.cursor() as cursor:
        yield cursor


def test_it_listens(host: Host, access: dict[str, Any]) -> None:
    assert host.socket(f"tcp://{access['host']}:{access['port']}").is_listening


def test_its_client_is_back(database: Any) -> None:
    database.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'credlink-api'")
    assert database.fetchone()[0] == 1


def test_it_was_started_by_the_first_run_alone(database: Any) -> None:
    runs = [
        [json.loads(line) for line in (folder / "record.jsonl").read_text().splitlines()]
        for folder in sorted((RECORDS / "lab/credlink-api").glob("*-restart_database"))
    ]
    acts = [[line for line in run if line["event"] == "write"] for run in runs]
    assert [len(each) for each in acts] == [1, 0]
    assert [run[-1]["data"]["status"] for run in runs] == ["pass", "pass"]
    assert "it was started" in runs[1][-1]["data"]["sentence"]
    database.execute("SELECT pg_postmaster_start_time() < %s::timestamptz", [runs[1][0]["time"]])
    assert database.fetchone()[0], "before the second run"
