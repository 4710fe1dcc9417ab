# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is there after the button was pressed twice: both indexes, valid, with the columns of the runbook."""

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


def test_both_indexes_are_valid_and_mean_what_the_runbook_says(host: Host) -> None:
    """The leftover of fewer columns is gone."""
    query = "SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indisvalid AND indexrelid = to_regclass('{}')"
    assert '("jobId", "providerId", status)' in ask(host, query.format("idx_quotes_job_provider"))
    partial = ask(host, query.format("idx_assignments_status_scheduled"))
    assert '(status, "scheduledStart") WHERE' in partial
    assert ask(host, "SELECT count(*) FROM pg_index WHERE NOT indisvalid") == "0"


def test_the_second_run_wrote_nothing(runs: list[list[dict[str, Any]]]) -> None:
    """The first run rebuilt one and built the other."""
    written = [[line["data"]["what"] for line in run if line["event"] == "write"] for run in runs]
    assert written[:2] == [["rebuild", "create"], []]
