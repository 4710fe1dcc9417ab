# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is there after the button was pressed twice: two pages that agree with the cluster, one mark, no lock."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from testinfra.host import Host

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster import marks
from lab.seed import CREDLINK
from lab.site import Lab

testinfra_hosts = ["ansible://credlink-api"]

NAME = "credlink-api"
SERVING = {"pods answer", "service", "endpoint slices", "rollout", "pods", "environment", "database"}


def in_cluster(host: Host, *asked: str) -> dict[str, Any]:
    """What ``kubectl get`` shows of the service's namespace."""
    lab = Lab.of_this_machine()
    command = [str(lab.kubectl), f"--kubeconfig={lab.kubeconfig}", f"--namespace={CREDLINK}", "get", *asked]
    found: dict[str, Any] = json.loads(host.check_output(" ".join(["%s"] * (len(command) + 1)), *command, "-ojson"))
    return found


@pytest.fixture
def runs() -> list[Path]:
    """The folders of the records, oldest first."""
    return sorted(path for path in Path(os.environ["LINKOPS_RECORDS"], "lab", NAME).iterdir() if path.is_dir())


def test_each_run_left_a_page_for_machines_and_one_for_people(host: Host, runs: list[Path]) -> None:
    """No line fails, and those that show that it serves pass."""
    assert len(runs) == 2
    for run in runs:
        page = json.loads((run / "evidence/health.json").read_text())
        said = {line["line"]: line["status"] for line in page["lines"]}
        assert "fail" not in said.values()
        assert {said[name] for name in SERVING} == {"pass"}
        assert host.file(str(run / "evidence/health.html")).contains("endpoint slices")
        assert host.file(str(run)).mode == 0o700


def test_the_page_says_what_the_cluster_says(host: Host, runs: list[Path]) -> None:
    """Pods and the autoscaler's numbers."""
    page = json.loads((runs[-1] / "evidence/health.json").read_text())
    lines = {line["line"]: line for line in page["lines"]}
    ready = in_cluster(host, "deployment", NAME)["status"]["readyReplicas"]
    scaler = in_cluster(host, "hpa", NAME)["spec"]
    assert len(lines["pods"]["evidence"]["ready"]) == ready
    assert f"{scaler['minReplicas']} to {scaler['maxReplicas']}" in lines["autoscaling"]["reason"]


def test_what_serves_is_marked_good(host: Host) -> None:
    """The active revision, and no other."""
    found = {
        each["spec"]["replicas"] > 0: marks.read(
            each["metadata"]["annotations"], each["metadata"]["labels"]["pod-template-hash"]
        )
        for each in in_cluster(host, "replicasets", f"--selector=app={NAME}")["items"]
    }
    assert found[True] is not None
    assert found[True].verdict == "good"


def test_no_lock_was_taken(host: Host) -> None:
    """Reading needs none: where a Lease is, nobody holds it."""
    leases = [each for each in in_cluster(host, "leases")["items"] if each["metadata"]["name"] == f"linkops-{NAME}"]
    assert all(not each["spec"].get("holderIdentity") for each in leases)
