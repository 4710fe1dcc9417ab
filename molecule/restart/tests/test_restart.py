# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is there after the button was pressed twice with one key: pods that were restarted once, and are served."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from testinfra.host import Host

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster import marks, restarting
from lab.seed import CREDLINK
from lab.site import Lab

testinfra_hosts = ["ansible://credlink-api"]

NAME = "credlink-api"


def in_cluster(host: Host, *asked: str) -> dict[str, Any]:
    """What ``kubectl get`` shows of the service's namespace."""
    lab = Lab.of_this_machine()
    command = [str(lab.kubectl), f"--kubeconfig={lab.kubeconfig}", f"--namespace={CREDLINK}", "get", *asked]
    found: dict[str, Any] = json.loads(host.check_output(" ".join(["%s"] * (len(command) + 1)), *command, "-ojson"))
    return found


@pytest.fixture
def deployment(host: Host) -> dict[str, Any]:
    """The service's Deployment."""
    return in_cluster(host, "deployment", NAME)


@pytest.fixture
def runs() -> list[Path]:
    """The folders of the records, oldest first."""
    return sorted(path for path in Path(os.environ["LINKOPS_RECORDS"], "lab", NAME).iterdir() if path.is_dir())


def test_the_template_bears_the_key(deployment: dict[str, Any]) -> None:
    """The key, and the time as kubectl writes it."""
    annotations = deployment["spec"]["template"]["metadata"]["annotations"]
    assert annotations[restarting.KEY] == "MOLECULE-1"
    assert annotations["kubectl.kubernetes.io/restartedAt"].endswith("Z")


def test_it_was_restarted_once(host: Host, deployment: dict[str, Any], runs: list[Path]) -> None:
    """The first run wrote, the second one did not, and every pod is of the one new revision, marked good."""
    written = [(run / "record.jsonl").read_text().count('"event":"write"') for run in runs]
    assert written == [1, 0]
    status = deployment["status"]
    assert status["updatedReplicas"] == status["readyReplicas"] == status["replicas"]
    number = deployment["metadata"]["annotations"]["deployment.kubernetes.io/revision"]
    sets = in_cluster(host, "replicasets", f"--selector=app={NAME}")["items"]
    active = next(
        each["metadata"]
        for each in sets
        if each["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == number
    )
    mark = marks.read(active["annotations"], active["labels"]["pod-template-hash"])
    assert mark is not None
    assert mark.verdict == "good"


def test_users_are_served(host: Host) -> None:
    """The service answers at its users' address, its database connected."""
    address = Lab.of_this_machine().node_address
    said = json.loads(host.check_output("curl --silent --fail --max-time 5 %s", f"http://{address}:30080/health"))
    assert (said["status"], said["checks"]["database"]) == ("ok", "ok")


def test_the_lock_is_free(host: Host) -> None:
    """Nobody holds the Lease."""
    assert in_cluster(host, "lease", f"linkops-{NAME}")["spec"]["holderIdentity"] == ""
