# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is there after the button was pressed twice: one backup, whole and private, and no scratch database."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from testinfra.host import Host

from lab import binaries
from lab.site import Lab

testinfra_hosts = ["ansible://credlink-api"]


@pytest.fixture
def backups() -> list[Path]:
    """The backups that were made."""
    return sorted((Path(os.environ["LINKOPS_RECORDS"]).parent / "backups").glob("credlink-*"))


def test_there_is_one_backup_and_it_is_private(host: Host, backups: list[Path]) -> None:
    (backup,) = backups
    assert host.file(str(backup)).mode == 0o700
    assert host.file(str(backup / "manifest.json")).mode == 0o600
    assert json.loads((backup / "manifest.json").read_text())["environment"] == "credlink/lab"


def test_its_checksums_are_those_that_others_compute(host: Host, backups: list[Path]) -> None:
    manifest = json.loads((backups[0] / "manifest.json").read_text())
    for each in manifest["files"]:
        assert host.file(str(backups[0] / each["path"])).sha256sum == each["sha256"]


def test_pg_restore_reads_it(host: Host, backups: list[Path]) -> None:
    program = binaries.postgres(Lab.of_this_machine()) / "bin" / "pg_restore"
    assert "TABLE DATA" in host.check_output("%s --list %s", str(program), str(backups[0] / "data"))


def test_both_drills_passed() -> None:
    records = sorted(Path(os.environ["LINKOPS_RECORDS"], "lab", "credlink-api").glob("*-backup/record.jsonl"))
    drills = [
        entry["data"]["verdict"]["status"]
        for record in records
        for entry in map(json.loads, record.read_text().splitlines())
        if entry["event"] == "drill"
    ]
    assert drills == ["pass", "pass"]
