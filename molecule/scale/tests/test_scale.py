# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is there after the button was pressed twice: ten pods, a raised floor that remembers, a free lock."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from testinfra.host import Host

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster import overrides
from lab.seed import CREDLINK
from lab.site import Lab

testinfra_hosts = ["ansible://credlink-api"]


def in_cluster(host: Host, *asked: str) -> dict[str, Any]:
    """What ``kubectl get`` shows of the service's namespace."""
    lab = Lab.of_this_machine()
    command = [str(lab.kubectl), f"--kubeconfig={lab.kubeconfig}", f"--namespace={CREDLINK}", "get", *asked]
    found: dict[str, Any] = json.loads(host.check_output(" ".join(["%s"] * (len(command) + 1)), *command, "-ojson"))
    return found


def test_ten_pods_are_ready(host: Host) -> None:
    """The autoscaler has looked since, and left them."""
    deployment = in_cluster(host, "deployment", "credlink-api")
    assert deployment["spec"]["replicas"] == 10
    assert deployment["status"]["readyReplicas"] == 10


def test_the_floor_is_raised_and_remembers_what_stood_before(host: Host) -> None:
    """The old values and the expiry stand on the autoscaler, once: the second run wrote nothing."""
    scaler = in_cluster(host, "horizontalpodautoscaler", "credlink-api")
    override = overrides.of({**scaler, "kind": "HorizontalPodAutoscaler"})
    assert override
    assert (scaler["spec"]["minReplicas"], scaler["spec"]["maxReplicas"]) == (10, 10)
    assert override.old == {"minReplicas": 3, "maxReplicas": 10}
    assert (override.minutes, override.reason) == (60, "molecule")


def test_users_are_served(host: Host) -> None:
    """The service answers at its users' address."""
    address = Lab.of_this_machine().node_address
    said = json.loads(host.check_output("curl --silent --fail --max-time 5 %s", f"http://{address}:30080/health"))
    assert said["status"] == "ok"


def test_the_lock_is_free_and_only_the_first_run_wrote(host: Host) -> None:
    """Two records; the lines of the second one hold no write."""
    assert in_cluster(host, "lease", "linkops-credlink-api")["spec"]["holderIdentity"] == ""
    runs = sorted(each for each in Path(os.environ["LINKOPS_RECORDS"], "lab/credlink-api").iterdir() if each.is_dir())
    events = [[json.loads(line)["event"] for line in (run / "record.jsonl").read_text().splitlines()] for run in runs]
    assert [each.count("write") for each in events] == [2, 0]
