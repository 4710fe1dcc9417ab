# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is there after the button was pressed twice: in each record the lines of every pod, merged, without a secret."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from testinfra.host import Host

from lab.seed import CREDLINK
from lab.site import Lab

testinfra_hosts = ["ansible://credlink-api"]

NAME = "credlink-api"


@pytest.fixture
def runs() -> list[Path]:
    """The folders of the records."""
    return sorted(path for path in Path(os.environ["LINKOPS_RECORDS"], "lab", NAME).iterdir() if path.is_dir())


def test_each_record_has_the_lines_of_all_pods(host: Host, runs: list[Path]) -> None:
    """As many pods as the cluster has of them."""
    lab = Lab.of_this_machine()
    command = f"{lab.kubectl} --kubeconfig={lab.kubeconfig} -n {CREDLINK} get pods -l app={NAME} -ojson"
    pods = [each["metadata"]["name"] for each in json.loads(host.check_output(command))["items"]]
    assert len(runs) == 2
    for run in runs:
        merged = (run / "evidence/logs/merged.log").read_text()
        assert pods
        assert all(pod in merged for pod in pods)


def test_no_password_is_kept(host: Host, runs: list[Path]) -> None:
    """Not in the merged log, nor anywhere else in the records."""
    password = Lab.of_this_machine().secrets["credlink_password"]
    kept = [path for run in runs for path in run.rglob("*") if path.is_file()]
    assert kept
    assert all(password not in path.read_text(errors="replace") for path in kept)
    assert all(host.file(str(run)).mode == 0o700 for run in runs)
