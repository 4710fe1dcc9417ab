# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is there after the button was pressed twice: the idle session is gone, the one that works is not, two pages."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from testinfra.host import Host

from lab import binaries
from lab.site import Lab

testinfra_hosts = ["ansible://servicelink-api"]


def ask(host: Host, query: str) -> str:
    """What the lab's database answers, asked over the socket as its superuser, who needs no password there."""
    lab = Lab.of_this_machine()
    psql = binaries.postgres(lab) / "bin" / "psql"
    where = (str(lab.state / "postgres" / "run"), str(lab.postgres_port))
    return host.check_output(f"{psql} -h %s -p %s -U postgres -d servicelink -XAtc %s", *where, query).strip()


@pytest.fixture
def runs() -> list[Path]:
    """The folders of the records, oldest first."""
    root = Path(os.environ["LINKOPS_RECORDS"], "lab/servicelink-api")
    return sorted(path for path in root.iterdir() if path.is_dir())


def record(run: Path) -> list[dict[str, Any]]:
    """The lines of a record."""
    return [json.loads(line) for line in (run / "record.jsonl").read_text().splitlines()]


def test_the_idle_session_is_gone_and_the_other_one_is_not(host: Host) -> None:
    """By the server's own list."""
    left = ask(host, "SELECT application_name FROM pg_stat_activity WHERE application_name LIKE 'molecule %'")
    assert left == "molecule works"


def test_it_was_ended_once_and_the_second_run_wrote_nothing(runs: list[Path]) -> None:
    """The first record names it before it was ended."""
    written = [[line["data"] for line in record(run) if line["event"] == "write"] for run in runs]
    assert [each["session"]["application"] for each in written[0]] == ["molecule stuck"]
    assert written[1] == []
    assert written[0][0]["session"]["query"] == 'SELECT count(*) FROM "Quote"'


def test_each_run_left_a_page_that_says_what_the_server_says(host: Host, runs: list[Path]) -> None:
    """Nobody is idle in a transaction for long any more, and the room for connections is the server's."""
    assert len(runs) == 2
    room = ask(
        host, "SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int"
    )
    for run in runs:
        page = json.loads((run / "evidence/health.json").read_text())
        lines = {line["line"]: line for line in page["lines"]}
        assert lines["idle in transaction"]["status"] == "pass"
        assert "molecule stuck" not in lines["idle in transaction"]["reason"]
        assert f"of {room} connections are taken" in lines["connections"]["reason"]
        assert lines["slow queries"]["status"] != "unknown"
        assert host.file(str(run / "evidence/health.html")).contains("wraparound")
