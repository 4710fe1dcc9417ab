# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is there after the button was pressed twice: the runbook's memory in every pod, a free lock, a whole record."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from testinfra.host import Host

from lab.seed import CREDLINK
from lab.site import Lab

testinfra_hosts = ["ansible://credlink-api"]

WANTED = {"limits": {"memory": "2Gi"}, "requests": {"cpu": "20m", "memory": "1Gi"}}


def in_cluster(host: Host, *asked: str) -> dict[str, Any]:
    """What ``kubectl get`` shows of the service's namespace."""
    lab = Lab.of_this_machine()
    command = [str(lab.kubectl), f"--kubeconfig={lab.kubeconfig}", f"--namespace={CREDLINK}", "get", *asked]
    found: dict[str, Any] = json.loads(host.check_output(" ".join(["%s"] * (len(command) + 1)), *command, "-ojson"))
    return found


def test_every_pod_has_the_memory_of_the_runbook(host: Host) -> None:
    """And nothing else of the container changed."""
    pods = in_cluster(host, "pods", "--selector=app=credlink-api", "--field-selector=status.phase=Running")["items"]
    alive = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
    assert len(alive) >= 3
    assert [pod["spec"]["containers"][0]["resources"] for pod in alive] == [WANTED] * len(alive)


def test_users_are_served(host: Host) -> None:
    """The service answers at its users' address, database connected."""
    address = Lab.of_this_machine().node_address
    said = json.loads(host.check_output("curl --silent --fail --max-time 5 %s", f"http://{address}:30080/health"))
    assert (said["status"], said["checks"]["database"]) == ("ok", "ok")


def test_the_lock_is_free(host: Host) -> None:
    """Nobody holds the Lease."""
    assert in_cluster(host, "lease", "linkops-credlink-api")["spec"]["holderIdentity"] == ""


def test_the_first_run_wrote_and_the_second_one_verified() -> None:
    """Two runs, two records."""
    runs = sorted(path for path in Path(os.environ["LINKOPS_RECORDS"], "lab/credlink-api").iterdir() if path.is_dir())
    lines = [[json.loads(line) for line in (run / "record.jsonl").read_text().splitlines()] for run in runs]
    assert [[line["event"] for line in run].count("write") for run in lines] == [1, 0]
