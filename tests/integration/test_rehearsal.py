# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rehearsal: the real Prisma CLI on a copy from a real backup, measured; the real database stays as it was."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster import redirected
from lab.site import Lab
from tests.integration.harness.ground import Ground
from tests.integration.harness.pressing import Pressed
from tests.integration.harness.prisma import PRISMA, Migrated, migrated, mount

pytestmark = pytest.mark.matrix
LATER, LAST = "20270101000000_slow", "20270102000000_bad"
SLOW = 'ALTER TABLE "User" ADD COLUMN "note" text;\nSELECT pg_sleep(0.5);\n'


@pytest.fixture(scope="module")
def scene(lab: Lab, shared: Ground, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Migrated]:
    """A service whose database has the image's migration and a backup, and whose pods have a further one."""
    kept = str(tmp_path_factory.mktemp("kept"))
    with migrated(lab, shared) as made:
        made.prisma("deploy")
        ready = dataclasses.replace(made, service=made.service.having(backup_directory=kept))
        taken = shared.press("backup", ready.service)
        assert taken.rc == 0, taken.output
        mounted(ready, {LATER: SLOW})
        yield ready


def mounted(scene: Migrated, files: dict[str, str]) -> None:
    """Put migrations into the service's pods."""
    scene.service.edit(lambda template: mount(scene.ground, template["spec"], "migrations", files))
    scene.service.workload.wait_ready()


def press(scene: Migrated, **extra: Any) -> Pressed:
    """Press the button."""
    return scene.ground.press("migrate", scene.service, rehearse=True, **extra)


def scratches(scene: Migrated) -> list[str]:
    """What is left of rehearsals: databases and Jobs."""
    like = f"{scene.database[:40]}%rehearsal"
    found = [name for (name,) in scene.server.run("SELECT datname FROM pg_database WHERE datname LIKE %s", like)]
    jobs = scene.ground.cluster.list("Job", scene.service.namespace, "runbooks.linkops.io/purpose=rehearse")
    return found + [each["metadata"]["name"] for each in jobs]


def test_durations_and_locks_are_measured_on_a_copy_that_is_dropped(scene: Migrated) -> None:
    before = scene.rows
    with scene.ground.audit.reading() as seen:
        planned = press(scene, options=("--check", "--diff"))
    assert planned.rc == 0, planned.output
    assert "would restore" in planned.closing()
    assert not [each for each in seen.writes if each["objectRef"]["resource"] != "pods"]  # it reads in a pod
    assert not scratches(scene)
    full = press(scene, options=("--check",), database_free_bytes_query="vector(5)")
    assert "The server's disk has 5 B free, of which 1 GiB must stay free; what is built" in full.failure()
    pressed = press(scene)
    assert pressed.rc == 0, pressed.output
    facts = pressed.stats["linkops_facts"]
    (slow,) = facts["migrations"]
    assert (slow["name"], slow["state"]) == (LATER, "applied")
    assert slow["seconds"] >= 0.5
    (lock,) = (each for each in slow["locks"] if each["mode"] == "AccessExclusiveLock")
    assert (lock["relation"], lock["keeps_out"]) == ("User", "readers and writers")
    assert 0.4 < lock["seconds_at_most"] < 10
    assert "readers and writers of User wait up to" in pressed.closing()
    assert facts["changed"] is False
    assert scene.rows == before
    assert not scratches(scene)
    assert scene.lab.secrets["servicelink_password"] not in pressed.output
    assert scene.lab.secrets["postgres_password"] not in pressed.output


def test_a_run_that_vanished_leaves_what_the_next_one_clears_away(scene: Migrated) -> None:
    running = scene.ground.press.start("migrate", scene.service, rehearse=True)
    running.until(f"rehearsing {LATER}")
    running.vanish()
    assert scratches(scene)
    again = press(scene, break_lock=True, reason="the other run was killed")
    assert again.rc == 0, again.output
    assert not scratches(scene)


def test_a_configuration_that_leads_elsewhere_is_not_followed(scene: Migrated) -> None:
    before = scene.rows
    done = scene.run(*redirected.deploy(PRISMA[:2], "no variable names this", "scratch"))
    assert done.returncode == redirected.ASTRAY
    assert f"Prisma goes to the database {scene.database} and not to scratch" in done.stderr
    assert scene.rows == before


def test_what_fails_there_is_told_and_what_would_be_refused_is_a_warning(scene: Migrated, tmp_path: Path) -> None:
    mounted(scene, {LATER: SLOW, LAST: 'ALTER TABLE "User" DROP COLUMN "email";\nSELECT 1/0;\n'})
    pressed = press(scene)
    assert pressed.rc != 0
    assert f"migration {LAST} failed" in pressed.closing(), pressed.output
    assert "Migrating would be refused" in pressed.output
    assert "ban-drop-column" in pressed.output
    assert not scratches(scene)
    absent = scene.ground.press("migrate", scene.service.having(backup_directory=str(tmp_path)), rehearse=True)
    assert "no usable backup" in absent.failure()
    (other,) = scene.ground.cluster.list("Deployment", scene.service.namespace)
    assert other["status"]["readyReplicas"] == 1
