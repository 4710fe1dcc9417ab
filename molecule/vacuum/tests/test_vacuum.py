# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is there after the button was pressed twice: no dead rows, and one vacuum."""

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
def runs() -> list[list[dict[str, Any]]]:
    """The lines of each record, oldest first."""
    root = Path(os.environ["LINKOPS_RECORDS"], "lab/servicelink-api")
    folders = sorted(path for path in root.iterdir() if path.is_dir())
    return [[json.loads(line) for line in (path / "record.jsonl").read_text().splitlines()] for path in folders]


def test_the_table_has_no_dead_rows(host: Host) -> None:
    """The server's own count."""
    assert ask(host, """SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = 'Quote'""") == "0"


def test_it_was_vacuumed_once_and_the_second_run_wrote_nothing(runs: list[list[dict[str, Any]]]) -> None:
    """The first run names what it did and why; the second one did nothing."""
    written = [[line for line in run if line["event"] == "write"] for run in runs]
    assert ['"Quote"' in [line["data"]["table"] for line in lines] for lines in written] == [True, False]
    assert written[1] == []
    assert [run[-1]["data"]["status"] for run in runs] == ["pass", "pass"]
