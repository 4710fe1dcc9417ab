# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is there after the button was pressed twice: the rows, the old database aside, and a service that uses them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from testinfra.host import Host

from lab import binaries
from lab.site import Lab

testinfra_hosts = ["ansible://credlink-api"]


def ask(host: Host, database: str, query: str) -> str:
    """What the lab's server answers, asked over the socket as its superuser, who needs no password there."""
    lab = Lab.of_this_machine()
    psql = binaries.postgres(lab) / "bin" / "psql"
    where = (str(lab.state / "postgres" / "run"), str(lab.postgres_port), database)
    return host.check_output(f"{psql} -h %s -p %s -U postgres -d %s -XAtc %s", *where, query).strip()


@pytest.fixture
def runs() -> list[list[dict[str, Any]]]:
    """The lines of each record of the button, oldest first."""
    records = sorted(Path(os.environ["LINKOPS_RECORDS"], "lab/credlink-api").glob("*-restore/record.jsonl"))
    return [[json.loads(line) for line in record.read_text().splitlines()] for record in records]


def test_the_rows_are_back_and_the_database_without_them_is_aside(host: Host) -> None:
    assert ask(host, "credlink", "SELECT count(*) FROM signature") == "1000"
    (aside,) = ask(host, "postgres", "SELECT datname FROM pg_database WHERE datname ~ '^credlink_before_'").split()
    assert ask(host, aside, "SELECT count(*) FROM signature") == "0"


def test_the_service_uses_it(host: Host) -> None:
    there = "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = 'credlink' AND application_name = 'credlink-api'"
    assert ask(host, "credlink", there) == "t"


def test_it_was_restored_once(runs: list[list[dict[str, Any]]]) -> None:
    """The first run restored and saw the service come back; the second one did nothing."""
    events = [[line["event"] for line in run] for run in runs]
    assert [each.count("restore") for each in events] == [1, 0]
    (back,) = [line["data"] for line in runs[0] if line["event"] == "reconnected"]
    assert (back["clients"], back["away"]) == (["credlink-api"], [])
    assert [run[-1]["data"]["status"] for run in runs] == ["pass", "pass"]
