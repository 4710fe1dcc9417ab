# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the records of two looks at the seeded production say."""

from __future__ import annotations

import json
import os
from pathlib import Path

from testinfra.host import Host

testinfra_hosts = ["ansible://servicelink-api"]


def test_every_migration_is_applied(host: Host) -> None:
    """Both runs said so, and left reports that only their owner reads."""
    folder = Path(os.environ["LINKOPS_RECORDS"], "lab/servicelink-api")
    runs = sorted(path for path in folder.iterdir() if path.is_dir())
    assert len(runs) == 2
    for run in runs:
        lines = [json.loads(line) for line in (run / "record.jsonl").read_text().splitlines()]
        (found,) = (line["data"] for line in lines if line["event"] == "migrations")
        assert found["verdict"] == "pass"
        assert set(found["states"].values()) == {"applied"}
        assert len(found["states"]) == 4
        assert host.file(str(run)).mode == 0o700
