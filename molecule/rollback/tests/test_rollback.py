# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is there after the button was pressed twice: revision 5's version, a free lock, a whole record."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from testinfra.host import Host

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster import marks
from ansible_collections.linkops.runbooks.plugins.module_utils.incident import chain
from lab.seed import HISTORY, SERVICELINK
from lab.site import Lab

testinfra_hosts = ["ansible://servicelink-api"]

WANTED = HISTORY[5 - 1].image
RECORD_HEAD = "runbooks.linkops.io/record-head"


def in_cluster(host: Host, *asked: str) -> dict[str, Any]:
    """What ``kubectl get`` shows of the service's namespace."""
    lab = Lab.of_this_machine()
    command = [str(lab.kubectl), f"--kubeconfig={lab.kubeconfig}", f"--namespace={SERVICELINK}", "get", *asked]
    found: dict[str, Any] = json.loads(host.check_output(" ".join(["%s"] * (len(command) + 1)), *command, "-ojson"))
    return found


@pytest.fixture
def replica_sets(host: Host) -> list[dict[str, Any]]:
    """The service's revisions."""
    return list(in_cluster(host, "replicasets", "--selector=app=servicelink-api")["items"])


@pytest.fixture
def runs() -> list[Path]:
    """The folders of the records, oldest first."""
    return sorted(
        path for path in Path(os.environ["LINKOPS_RECORDS"], "lab/servicelink-api").iterdir() if path.is_dir()
    )


def lines(runs: list[Path]) -> list[dict[str, Any]]:
    """All lines of these records."""
    return [json.loads(line) for run in runs for line in (run / "record.jsonl").read_text().splitlines()]


def test_every_pod_runs_the_version_of_revision_5(host: Host) -> None:
    """No pod of another version is left, and all are ready."""
    status = in_cluster(host, "deployment", "servicelink-api")["status"]
    pods = in_cluster(host, "pods", "--selector=app=servicelink-api", "--field-selector=status.phase=Running")["items"]
    alive = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
    assert {pod["spec"]["containers"][0]["image"].removeprefix("docker.io/") for pod in alive} == {WANTED}
    assert status["readyReplicas"] == status["updatedReplicas"] == len(alive)


def test_users_are_served(host: Host) -> None:
    """The service answers at its users' address, database and cache connected."""
    address = Lab.of_this_machine().node_address
    said = json.loads(host.check_output("curl --silent --fail --max-time 5 %s", f"http://{address}:30001/health"))
    assert (said["status"], said["database"], said["redis"]) == ("ok", "connected", "connected")


def test_the_revision_is_renumbered_and_remembers_its_number(replica_sets: list[dict[str, Any]]) -> None:
    """Kubernetes gave it a new number; the history keeps 5, once: the second run wrote nothing."""
    annotations = next(each["metadata"]["annotations"] for each in replica_sets if each["spec"]["replicas"])
    assert annotations["deployment.kubernetes.io/revision-history"] == "5"
    assert int(annotations["deployment.kubernetes.io/revision"]) == len(HISTORY) + 1


def test_marks_say_what_was_found_out(replica_sets: list[dict[str, Any]]) -> None:
    """What serves is good, what was left is bad, and nothing is said about the others."""
    found = {
        each["spec"]["template"]["spec"]["containers"][0]["image"]: marks.read(
            each["metadata"]["annotations"], each["metadata"]["labels"]["pod-template-hash"]
        )
        for each in replica_sets
    }
    said = {image: mark.verdict for image, mark in found.items() if mark is not None}
    assert said == {WANTED: "good", HISTORY[-1].image: "bad"}


def test_the_lock_is_free_and_anchors_the_record(host: Host, runs: list[Path]) -> None:
    """Nobody holds the Lease; it keeps the head of the record's chain, which verifies with it."""
    lease = in_cluster(host, "lease", "linkops-servicelink-api")
    head = lease["metadata"]["annotations"][RECORD_HEAD]
    assert lease["spec"]["holderIdentity"] == ""
    assert chain.verify(lines(runs), head) == []
    assert [line["hash"] for line in lines(runs) if line["event"] == "closed"][-1] == head


def test_each_run_left_a_report(host: Host, runs: list[Path]) -> None:
    """Two runs, two reports that only their owner reads; the first one wrote, the second one verified."""
    written = [[line["event"] for line in lines([run])].count("write") for run in runs]
    assert written == [1, 0]
    for run in runs:
        assert host.file(str(run)).mode == 0o700
        assert host.file(str(run / "report.html")).contains("<svg")
