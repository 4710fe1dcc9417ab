# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is there after the button was pressed twice on the record of a restart: one chain, found consistent."""

from __future__ import annotations

import itertools
import json
import os
from pathlib import Path

from testinfra.host import Host

testinfra_hosts = ["ansible://credlink-api"]


def test_all_runs_passed_and_are_one_chain(host: Host) -> None:
    """Each run's first line names the last line of the run before."""
    folder = Path(os.environ["LINKOPS_RECORDS"], "lab", "credlink-api")
    runs = sorted(path for path in folder.iterdir() if path.is_dir())
    lines = [json.loads(line) for run in runs for line in (run / "record.jsonl").read_text().splitlines()]
    assert len(runs) == 3
    assert [each["data"]["status"] for each in lines if each["event"] == "closed"] == ["pass"] * 3
    assert all(after["previous"] == before["hash"] for before, after in itertools.pairwise(lines))
    assert all(host.file(str(run)).mode == 0o700 for run in runs)
