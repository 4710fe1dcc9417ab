# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restarts of a real server: by RDS's API, by a container engine, and what is not interrupted unasked."""

from __future__ import annotations

import contextlib
import os
import pwd
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from moto.rds.models import RDSBackend

from ansible_collections.linkops.runbooks.plugins.module_utils.shell import perform
from lab.cluster import Manifest
from lab.component import UNPRIVILEGED
from lab.site import Lab
from tests.integration.harness.amazon import REGION, amazon
from tests.integration.harness.engine import contained, engine
from tests.integration.harness.postgres import Server, TestDatabase, server
from tests.integration.harness.pressing import Press
from tests.integration.harness.services import Services, container
from tests.integration.harness.stores import comes_back, until


@pytest.fixture
def shop(postgres: Server) -> TestDatabase:
    """A database in it, with the right to see what others do."""
    made = postgres.database("shop")
    made.sql(f'GRANT pg_read_all_stats TO "{made.user}"', superuser=True)
    return made


@pytest.fixture(scope="module")
def rds(postgres: Server) -> Iterator[dict[str, str]]:
    """RDS's API spoken by moto, where a reboot restarts the real server; the environment that leads to it."""
    mocked = RDSBackend.reboot_db_instance

    def reboot(self: RDSBackend, db_instance_identifier: str) -> Any:
        postgres.restart()
        return mocked(self, db_instance_identifier)

    patched = pytest.MonkeyPatch()
    patched.setattr(RDSBackend, "reboot_db_instance", reboot)
    with amazon() as speaking:
        speaking.client("rds").create_db_instance(
            DBInstanceIdentifier="shop", DBInstanceClass="db.t3.micro", Engine="postgres", MasterUsername="postgres",
            MasterUserPassword="canary-canary", AllocatedStorage=10,
        )  # fmt: skip
        yield speaking.environment
    patched.undo()


def pressed(
    shop: TestDatabase, environment: dict[str, str], check_mode: bool = False, **options: Any
) -> dict[str, Any]:
    """What the module says."""
    module, call = shop.call("database_restart", check_mode, **{"deadline_seconds": 60, "fresh_minutes": 0, **options})
    call.environment = environment
    return {**perform(module.operation, call, (shop.password,)), "warnings": call.warnings}


def test_an_instance_is_rebooted_once(shop: TestDatabase, rds: dict[str, str]) -> None:
    told = {"method": "rds", "rds_instance": "shop", "rds_region": REGION}
    with comes_back(lambda name: shop.open(application=name), "servicelink-api"):
        until(lambda: pressed(shop, rds, check_mode=True, confirm="shop", **told)["sessions"] == 1, "it is connected")
        refused = pressed(shop, rds, **told)
        assert refused["reason"] == "unconfirmed", refused
        assert "1 session (1 x servicelink-api) end, 0 of them in a transaction" in refused["msg"]
        planned = pressed(shop, rds, check_mode=True, confirm="shop", **told)
        assert planned["changed"], planned
        done = pressed(shop, rds, confirm="shop", **told)
    assert done.get("failed") is None, done
    assert done["changed"], done
    assert done["started"] > planned["started"]
    assert "servicelink-api among them" in done["msg"]
    again = pressed(shop, rds, confirm="shop", **{**told, "fresh_minutes": 10})
    assert not again["changed"], again
    assert "was not restarted: it was started" in again["msg"]


def test_a_server_that_is_down_can_be_restarted(postgres: Server, shop: TestDatabase, rds: dict[str, str]) -> None:
    told = {"method": "rds", "rds_instance": "shop", "rds_region": REGION, "confirm": "shop"}
    postgres.stop()
    done = pressed(shop, rds, **told)
    assert done.get("failed") is None, done
    assert done["changed"]


def test_a_client_that_stays_away_fails_it(shop: TestDatabase, rds: dict[str, str]) -> None:
    told = {"method": "rds", "rds_instance": "shop", "rds_region": REGION, "confirm": "shop"}
    said = pressed(shop, rds, clients=["servicelink-api"], **{**told, "deadline_seconds": 3})
    assert said["failed"], said
    assert "no session of servicelink-api yet" in said["msg"]


def test_what_runs_is_not_interrupted_unasked(shop: TestDatabase, rds: dict[str, str]) -> None:
    told = {"method": "rds", "rds_instance": "shop", "rds_region": REGION, "confirm": "shop"}
    with contextlib.closing(shop.open(application="prisma")) as held, held.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(72707369)")
        refused = pressed(shop, rds, **told)
        assert refused["reason"] == "work_running", refused
        assert "A migration (Prisma) is running" in refused["msg"]
    with contextlib.closing(shop.open(application="pg_dump")):
        assert "A backup is running" in pressed(shop, rds, **told)["msg"]
        assert pressed(shop, rds, interrupt=True, **told).get("changed")


def test_the_work_of_other_roles_is_seen_by_its_name_and_its_locks(
    postgres: Server, rds: dict[str, str], shop: TestDatabase
) -> None:
    """Their state is hidden from a role without pg_read_all_stats, which is said."""
    told = {"method": "rds", "rds_instance": "shop", "rds_region": REGION, "confirm": "shop"}
    shop.sql(f'REVOKE pg_read_all_stats FROM "{shop.user}"', superuser=True)
    with contextlib.closing(shop.open(superuser=True, application="prisma")) as held, held.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(72707369)")
        assert "A migration (Prisma) is running" in pressed(shop, rds, **told)["msg"]
    with contextlib.closing(shop.open(superuser=True, application="pg_dump")):
        assert "A backup is running" in pressed(shop, rds, **told)["msg"]
        planned = pressed(shop, rds, check_mode=True, interrupt=True, **told)
    (unseen,) = [each for each in planned["warnings"] if "may not see" in each]
    assert f"GRANT pg_read_all_stats TO {shop.user}" in unseen
    assert "what they do is not known" in unseen


def test_the_word_is_the_database_s_name_wherever_that_comes_from(shop: TestDatabase, rds: dict[str, str]) -> None:
    told = {"method": "rds", "rds_instance": "shop", "rds_region": REGION}
    named = {"PGDATABASE": "shop", "PGUSER": shop.user}
    nameless = pressed(shop, {**rds, **named}, login_db=None, login_user=None, confirm="", **told)
    assert nameless["reason"] == "unconfirmed", nameless
    assert "-e confirm=shop" in nameless["msg"]


def test_bad_input_is_said_in_a_sentence(shop: TestDatabase, rds: dict[str, str]) -> None:
    told = {"method": "rds", "rds_instance": "other", "rds_region": REGION, "confirm": "shop"}
    said = pressed(shop, rds, **told)
    assert said["reason"] == "rds_refused", said
    assert "other" in said["msg"]
    assert "database_rds_instance" in pressed(shop, rds, method="rds", confirm="shop")["msg"]
    wrong = pressed(shop, rds, **{**told, "login_password": "wrong-canary"})
    assert wrong["reason"] == "password_wrong", wrong
    gone = pressed(shop, {}, method="container", container="db", container_socket="unix:///nowhere", confirm="shop")
    assert gone["reason"] == "engine_refused", gone


def test_a_container_is_restarted(lab: Lab) -> None:
    """The server runs in a container of Podman, which speaks Docker's API."""
    with server(lab) as postgres, engine() as podman:
        shop = postgres.database("shop")
        contained(podman, postgres, lab)
        told = {"method": "container", "container": "db", "container_socket": podman.socket, "confirm": "shop"}
        first = pressed(shop, dict(os.environ), **told)
        assert first.get("failed") is None, first
        assert first["changed"]
        assert shop.sql("SELECT 1") == [(1,)]
        assert first["warnings"] == []
        absent = pressed(shop, dict(os.environ), **{**told, "container": "other"})
        assert absent["reason"] == "no_such_container", absent


def test_what_something_else_restarted_is_proved(postgres: Server, shop: TestDatabase) -> None:
    planned = pressed(shop, {}, check_mode=True, method="elsewhere", confirm="shop")
    told = {"method": "elsewhere", "state": "proved", "started": planned["started"]}
    before = pressed(shop, {}, **{**told, "deadline_seconds": 2})
    assert before["reason"] == "not_back", before
    assert "the one from before" in before["msg"]
    postgres.restart()
    assert pressed(shop, {}, **told)["verdict"]["status"] == "pass"


def test_a_server_that_crashes_in_a_backup_and_in_a_restore(
    lab: Lab, postgres: Server, shop: TestDatabase, tmp_path: Path
) -> None:
    """Nothing is lost, what is said is true, and the next run converges."""
    shop.sql("CREATE TABLE job AS SELECT n AS id FROM generate_series(1, 400) n")
    kept = {"directory": str(tmp_path / "kept"), "client_directory": str(postgres.programs), "reserve_bytes": 0}
    results: list[dict[str, Any]] = []

    def crash_during(module: str, condition: str, **options: Any) -> dict[str, Any]:
        running = threading.Thread(target=lambda: results.append(shop.operate(module, **options)))
        running.start()
        until(lambda: shop.sql(condition, superuser=True)[0][0], f"{module} works")
        postgres.restart()
        running.join(60)
        return results[-1]

    waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    with contextlib.closing(shop.open()) as held, held.cursor() as cursor:
        cursor.execute("BEGIN; LOCK TABLE job IN ACCESS EXCLUSIVE MODE")
        said = crash_during("database_backup", waits, **kept)
    assert said["reason"] in ("connection_lost", "not_ready", "refused"), said
    assert list((tmp_path / "kept").glob("shop-*")) == []
    assert shop.operate("database_backup", **kept)["changed"]
    shop.sql("DELETE FROM job WHERE id > 7")
    (name,) = [each.name for each in (tmp_path / "kept").glob("shop-*")]
    wanted = {
        **kept, "database": "shop", "backup": name, "confirm": "shop",
        "login_user": "postgres", "login_password": postgres.password,
    }  # fmt: skip
    making = "SELECT count(*) FROM pg_database WHERE datname = 'shop_restoring'"
    said = crash_during("database_restore", making, **wanted)
    assert said["failed"], said
    assert shop.sql("SELECT count(*) FROM job") == [(7,)]
    done = shop.operate("database_restore", **wanted)
    assert done.get("changed"), done
    assert shop.sql("SELECT count(*) FROM job") == [(400,)]
    shop.sql(f'DROP DATABASE "{done["set_aside"]}" WITH (FORCE)', superuser=True)


def test_the_button(
    lab: Lab, postgres: Server, shop: TestDatabase, rds: dict[str, str], service: Services, press: Press, tmp_path: Path
) -> None:
    api = service(
        ["v1.2.0"], node_port=True, **shop.inventory(tmp_path), database_restart_method="rds",
        database_rds_instance="shop", database_rds_region=REGION,
    )  # fmt: skip
    refused = press("restart_database", api, environment=rds, fresh_minutes=0)
    assert refused.rc != 0
    assert "-e confirm=shop" in refused.failure()
    started = shop.sql("SELECT pg_postmaster_start_time()")
    pressed = press("restart_database", api, environment=rds, fresh_minutes=0, confirm="shop", reason="stuck")
    assert pressed.rc == 0, pressed.output
    assert "restarted, answers again" in pressed.closing()
    assert "are healthy" in pressed.closing()
    assert shop.sql("SELECT pg_postmaster_start_time()") > started
    again = press("restart_database", api, environment=rds, confirm="shop")
    assert again.rc == 0, again.output
    assert "was not restarted: it was started" in again.closing()


def test_the_button_restarts_a_stateful_set(lab: Lab, service: Services, press: Press, tmp_path: Path) -> None:
    """The server runs in a pod, from the node's own files; its client connects again, which the button waits for."""
    with server(lab) as postgres:
        shop = postgres.database("shop")
        shop.sql(f'GRANT pg_read_all_stats TO "{shop.user}"', superuser=True)
        postgres.stop()
        service(["v1.2.0"], "db", kind="StatefulSet", change=lambda manifest: _run(manifest, postgres, lab))
        api = service(
            ["v1.2.0"], node_port=True, **shop.inventory(tmp_path), database_restart_method="statefulset",
            database_workload_name="db",
        )  # fmt: skip
        postgres.wait()
        started = shop.sql("SELECT pg_postmaster_start_time()")
        with comes_back(lambda name: shop.open(application=name), "servicelink-api"):
            connected = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'servicelink-api'"
            until(lambda: shop.sql(connected) == [(1,)], "the client is connected")
            pressed = press("restart_database", api, fresh_minutes=0, confirm="shop", reason="stuck")
            assert pressed.rc == 0, pressed.output
            assert "servicelink-api among them" in pressed.closing()
            assert shop.sql("SELECT pg_postmaster_start_time()") > started
            again = press("restart_database", api, confirm="shop")
        assert again.rc == 0, again.output
        assert "was not restarted: it was started" in again.closing()


def _run(manifest: Manifest, postgres: Server, lab: Lab) -> None:
    """Turn a workload into a PostgreSQL of the node: its programs, its data, its network."""
    pod = manifest["spec"]["template"]["spec"]
    folders = {"usr": Path("/usr"), "programs": lab.cache, "data": postgres.home}
    pod["hostNetwork"] = True
    pod["securityContext"] = {"runAsUser": pwd.getpwnam(UNPRIVILEGED).pw_uid}
    pod["volumes"] = [{"name": name, "hostPath": {"path": str(path)}} for name, path in folders.items()]
    pod["containers"] = [
        {
            "name": "postgres",
            "image": container(manifest["spec"]["template"])["image"],
            "command": postgres.argv(listen_addresses=f"127.0.0.1,{lab.node_address}", shared_buffers="16MB"),
            "ports": [{"containerPort": postgres.port, "name": "postgres"}],
            "readinessProbe": {"tcpSocket": {"port": postgres.port}, "periodSeconds": 1},
            "lifecycle": {"preStop": {"exec": {"command": ["/bin/sh", "-c", "kill -INT 1"]}}},
            "volumeMounts": [
                {"name": name, "mountPath": str(path), "readOnly": name != "data"} for name, path in folders.items()
            ],
        }
    ]
