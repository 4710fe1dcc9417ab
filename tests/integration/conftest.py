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

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.cluster import Cluster
from lab.site import Lab
from tests.integration.harness import sampling
from tests.integration.harness.audit import AuditLog
from tests.integration.harness.ground import Ground, made
from tests.integration.harness.postgres import Server, server
from tests.integration.harness.pressing import Press
from tests.integration.harness.services import Services
from tests.integration.harness.watcher import Watcher

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)  # before the marks are looked at
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Every test here needs the lab; of the fault matrix, those run that the seed draws in each file."""
    matrix: dict[Path, list[pytest.Item]] = {}
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.lab)
            if item.get_closest_marker("matrix"):
                matrix.setdefault(item.path, []).append(item)
    kept = {item for path, tests in matrix.items() for item in sampling.drawn(tests, path.stem)}
    left = {item for tests in matrix.values() for item in tests} - kept
    config.hook.pytest_deselected(items=[item for item in items if item in left])
    items[:] = [item for item in items if item not in left]


def pytest_report_header() -> str:
    """Say how to repeat a sample, and how to run all."""
    if not sampling.SEED:
        return "fault matrix: all of it"
    one = f"LINKOPS_SAMPLE={sampling.SEED}"
    return f"fault matrix: one test in {sampling.ONE_IN} of each file, drawn by {one}; `./dev matrix` runs all of it"


@pytest.fixture(scope="session")
def cluster(lab: Lab) -> Cluster:
    """The lab's API server, as its administrator."""
    return Cluster.of(lab)


@pytest.fixture(scope="module")
def postgres(lab: Lab) -> Iterator[Server]:
    """A PostgreSQL server of the file's tests alone."""
    with server(lab) as alone:
        yield alone


@pytest.fixture
def ground(cluster: Cluster, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ground]:
    """All that follows, in a fresh namespace of the test."""
    with made(cluster, request.node.name.removeprefix("test_"), tmp_path) as here:
        yield here


@pytest.fixture(scope="module")
def shared(
    cluster: Cluster, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ground]:
    """The same in one namespace of all tests of a file, for outcomes of one run that several tests look at."""
    name = request.path.stem.removeprefix("test_")
    with made(cluster, name, tmp_path_factory.mktemp(name)) as here:
        yield here


@pytest.fixture
def namespace(ground: Ground) -> str:
    """A fresh namespace with what the images need; it is deleted afterwards, which nobody waits for."""
    return ground.namespace


@pytest.fixture
def service(ground: Ground) -> Services:
    """Makes services in the test's namespace: ``service(["v1.2.0", "v1.2.1"])``, see Services."""
    return ground.service


@pytest.fixture
def press(ground: Ground) -> Press:
    """Presses a button as a user does: ``press("rollback", service, revision=5)``, see Press."""
    return ground.press


@pytest.fixture
def audit(ground: Ground) -> AuditLog:
    """What the API server was asked in the test's namespace: ``with audit.reading() as seen``."""
    return ground.audit


@pytest.fixture
def watcher(ground: Ground) -> Callable[[str], Watcher]:
    """Follows all objects of a kind in the test's namespace; ``watcher("Pod")`` begins now."""
    return ground.watch
