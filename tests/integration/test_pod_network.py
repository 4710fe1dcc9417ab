# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A controller has no route to the pods: health is asked through the API server, and where users ask."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lab.site import Lab
from tests.integration.harness.pressing import Press
from tests.integration.harness.services import Service, Services

BARRED = 64999  # a group that no account of this machine has


@pytest.fixture
def wall(lab: Lab) -> Iterator[None]:
    """Processes of the barred group cannot reach any pod, except through a Service, whose address is translated."""
    rule = [
        "OUTPUT", "--destination", lab.pod_network, "--match", "owner", "--gid-owner", str(BARRED),
        "--match", "conntrack", "!", "--ctstate", "DNAT",
        "--match", "comment", "--comment", "test: no route to the pods", "--jump", "REJECT",
    ]  # fmt: skip
    subprocess.run(["iptables", "--wait", "--insert", *rule], check=True)
    yield
    subprocess.run(["iptables", "--wait", "--delete", *rule], check=True)


@contextmanager
def barred() -> Iterator[None]:
    """The process, and what it starts meanwhile, belongs to the barred group."""
    before = os.getegid()
    os.setegid(BARRED)
    try:
        yield
    finally:
        os.setegid(before)


def reaches_pod(api: Service) -> bool:
    """Whether this process gets a connection to the service's pod."""
    address = (api.workload.pods[0]["status"]["podIP"], api.port)
    with socket.socket() as asking:
        asking.settimeout(5)
        return asking.connect_ex(address) == 0


@pytest.mark.usefixtures("wall")
def test_health_needs_no_route_to_the_pods(press: Press, service: Services) -> None:
    """Every pod is asked by the API server, the Service at the node's port; both are told as healthy."""
    api = service(["v1.2.0", "v1.2.1"], replicas=2, node_port=True)
    assert reaches_pod(api)
    with barred():
        assert not reaches_pod(api)
        running = press.start("rollback", api, revision=1)
    pressed = running.wait()
    assert pressed.rc == 0, pressed.output
    asked = {each["endpoint"]: each["status"] for each in pressed.results("service_health")[-1]["endpoints"]}
    assert asked == {**{f"pod {pod}": "pass" for pod in running_pods(api)}, api.health_url: "pass"}


def running_pods(api: Service) -> list[str]:
    """The names of the service's pods."""
    return [pod["metadata"]["name"] for pod in api.workload.pods]
