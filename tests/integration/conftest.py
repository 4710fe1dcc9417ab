# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a test of the buttons works with: a namespace of its own, services in it, and the button itself.

def test_back(service, press):
    api = service(["v1.2.0", "v1.2.1"])
    pressed = press("rollback", api, revision=1)
    assert pressed.rc == 0, pressed.output
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.cluster import Cluster
from lab.site import Lab
from lab.workloads import ensure_namespace
from tests.integration.harness.audit import AuditLog
from tests.integration.harness.pressing import Press
from tests.integration.harness.services import Services
from tests.integration.harness.watcher import Watcher

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test here needs the lab."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.lab)


@pytest.fixture(scope="session")
def cluster(lab: Lab) -> Cluster:
    """The lab's API server, as its administrator."""
    return Cluster.of(lab)


@pytest.fixture
def namespace(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[str]:
    """A fresh namespace with what the images need; it is deleted afterwards, which nobody waits for."""
    test = re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_").lower()).strip("-")[:40].strip("-")
    name = f"it-{test}-{secrets.token_hex(3)}"
    ensure_namespace(cluster, name)
    yield name
    cluster.request("DELETE", f"/api/v1/namespaces/{name}")


@pytest.fixture
def service(lab: Lab, namespace: str) -> Services:
    """Makes services in the test's namespace: ``service(["v1.2.0", "v1.2.1"])``, see Services."""
    return Services(lab, namespace)


@pytest.fixture
def press(lab: Lab, tmp_path: Path) -> Iterator[Press]:
    """Presses a button as a user does: ``press("rollback", service, revision=5)``, see Press."""
    pressing = Press(lab, tmp_path)
    yield pressing
    pressing.end()


@pytest.fixture
def audit(cluster: Cluster, namespace: str) -> AuditLog:
    """What the API server was asked in the test's namespace: ``with audit.reading() as seen``."""
    return AuditLog(cluster, namespace)


@pytest.fixture
def watcher(cluster: Cluster, namespace: str) -> Iterator[Callable[[str], Watcher]]:
    """Follows all objects of a kind in the test's namespace: ``pods = watcher("Pod")``."""
    running: list[Watcher] = []

    def follow(kind: str) -> Watcher:
        running.append(Watcher(cluster, namespace, kind))
        return running[-1]

    yield follow
    for each in running:
        each.close()
