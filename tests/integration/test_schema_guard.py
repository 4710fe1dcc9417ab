# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rollback to an image that does not know the schema: refused, accepted, or unknown and said."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.site import Lab
from tests.integration.harness.ground import Ground
from tests.integration.harness.prisma import Migrated, migrated
from tests.integration.harness.services import container

OLD, NEW = "servicelink/api:v1.0.0", "servicelink/api:v1.1.0"
WAITING = "servicelink/api:v1.2.0"
BROUGHT = "20250302100000_quotes_and_assignments"


@pytest.fixture(scope="module")
def scene(lab: Lab, shared: Ground) -> Iterator[Migrated]:
    """A service that went from v1.0.0 to v1.1.0, and its database with it; before each start waits another image."""
    with migrated(lab, shared) as made:
        waiting = {"name": "await-database", "image": WAITING, "command": ["node", "-e", "0"]}
        made.service.edit(lambda template: template["spec"].update(initContainers=[waiting]))
        made.service.deploy(NEW)
        made.service.workload.wait_ready()
        made.prisma("deploy")
        assert [row["migration_name"] for row in made.rows][-1] == BROUGHT
        yield made


def runs(scene: Migrated) -> str:
    """The image in the template."""
    return str(container(scene.service.workload.live["spec"]["template"])["image"])


def test_what_the_old_image_does_not_know_is_refused_and_what_cannot_be_asked_is_said(scene: Migrated) -> None:
    guarded = scene.service.having(migration_directory="prisma/migrations")
    refused = scene.ground.press("rollback", guarded, revision=2)
    assert refused.rc != 0
    assert f"The database has {BROUGHT}, which {OLD} does not know" in refused.failure(), refused.output
    assert "-e allow_schema_mismatch=true" in refused.failure()
    assert runs(scene) == NEW
    planned = scene.ground.press("rollback", guarded, revision=2, options=("--check",))
    assert planned.rc == 0, planned.output
    assert "Whether the schema fits is unknown: no ready pod runs" in planned.closing()
    silent = scene.ground.press("rollback", guarded.having(database_port=1), revision=2)
    assert "Whether the schema fits is unknown: " in silent.closing(), silent.output
    assert runs(scene) == OLD
    scene.service.deploy(NEW)
    scene.service.workload.wait_ready()
    accepted = scene.ground.press("rollback", guarded, image=OLD, allow_schema_mismatch=True)
    assert f"migrations that it does not know: {BROUGHT}" in accepted.closing(), accepted.output
    assert runs(scene) == OLD
