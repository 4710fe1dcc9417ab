# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backup, drill and restore write nothing in check mode, by the server's log; a standby is backed up, not restored."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.site import Lab
from tests.integration.harness.postgres import Server, TestDatabase, server
from tests.integration.harness.stores import until

APPLICATION = "linkops.runbooks"


@pytest.fixture(scope="module")
def postgres(lab: Lab) -> Iterator[Server]:
    """A server whose log is read."""
    with server(lab) as made:
        yield made


@pytest.fixture
def shop(postgres: Server) -> TestDatabase:
    """A database with rows."""
    made = postgres.database("shop")
    made.sql("CREATE TABLE job AS SELECT n AS id FROM generate_series(1, 300) n")
    return made


@pytest.fixture
def kept(postgres: Server, tmp_path: Path) -> dict[str, Any]:
    """What the modules are told of the backups."""
    return {"directory": str(tmp_path / "kept"), "client_directory": str(postgres.programs)}


def administrator(of: Server) -> dict[str, Any]:
    """The superuser of a server, who makes databases of backups of the shop."""
    return {"login_port": of.port, "login_user": "postgres", "login_password": of.password, "database": "shop"}


def test_check_mode_and_second_runs_write_nothing(postgres: Server, shop: TestDatabase, kept: dict[str, Any]) -> None:
    def silent(module: str, check_mode: bool, **options: Any) -> dict[str, Any]:
        since = postgres.log.stat().st_size
        said = shop.operate(module, check_mode, **{**kept, **options})
        assert said.get("failed") is None, said
        assert postgres.statements(APPLICATION, since), "the log is read"
        assert postgres.writes(APPLICATION, since) == []
        return said

    written = {"reserve_bytes": 0}
    assert silent("database_backup", check_mode=True, **written)["changed"]
    assert not Path(kept["directory"]).exists()
    assert shop.operate("database_backup", **kept, **written)["changed"]
    assert not silent("database_backup", check_mode=False, **written)["changed"]
    told = administrator(postgres)
    silent("database_drill", check_mode=True, **told)
    asked = {**told, **written, "confirm": "shop"}
    assert silent("database_restore", check_mode=True, **asked)["changed"]
    done = shop.operate("database_restore", **kept, **asked)
    assert done["changed"], done
    assert not silent("database_restore", check_mode=False, **asked)["changed"]
    assert silent("database_restore", check_mode=True, state="returned", **asked)["changed"]
    shop.sql(f'DROP DATABASE "{done["set_aside"]}" WITH (FORCE)', superuser=True)


def test_two_servers_with_one_folder_have_each_its_own_backups(
    lab: Lab, postgres: Server, shop: TestDatabase, kept: dict[str, Any]
) -> None:
    told = {**kept, "reserve_bytes": 0}
    mine = shop.operate("database_backup", **told)["backup"]["name"]
    here = f"127.0.0.1:{postgres.port}"
    with server(lab) as another:
        there = another.database("shop")
        there.sql("CREATE TABLE job AS SELECT 7 AS id")
        asked = {**kept, **administrator(another)}
        refused = there.operate("database_drill", **asked)
        assert refused["reason"] == "no_such_backup", refused
        assert f"{mine} is of {here}, which is another server than 127.0.0.1:{another.port}" in refused["msg"]
        first = there.operate("database_backup", **told, fresh_minutes=60)
        assert first["changed"], first
        there.sql("INSERT INTO job VALUES (8)")
        only = {**told, "keep": 1, "keep_days": 0}
        until(lambda: there.operate("database_backup", True, **only)["expired"], "another second has begun")
        second = there.operate("database_backup", **only)
        assert second["expired"] == [first["backup"]["name"]], second
        assert second["backup"]["server"] == f"127.0.0.1:{another.port}"
        there.sql("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC", superuser=True)
        assert "is enough" in there.operate("database_backup", **told, fresh_minutes=60)["msg"], "the address decides"
        newest = shop.operate("database_restore", True, **told, **administrator(postgres), confirm="shop")
        assert f"{mine} is of {here}. The database shop is replaced" in newest["msg"], newest
        there.sql("DROP TABLE job")
        done = there.operate("database_restore", **asked, reserve_bytes=0, backup=mine)  # as after a disaster
        assert done.get("changed"), done
        assert any(f"{mine} is of {here}, which is another server" in each for each in done["lines"]), done
        assert there.sql("SELECT count(*) FROM job") == [(300,)]


def test_a_standby_is_backed_up_and_nothing_is_restored_there(
    lab: Lab, postgres: Server, shop: TestDatabase, kept: dict[str, Any]
) -> None:
    with postgres.standby(lab) as standby:
        there = TestDatabase(standby, shop.name, shop.user, shop.password)
        until(lambda: there.sql("SELECT count(*) FROM job") == [(300,)], "the standby has the rows")
        done = there.operate("database_backup", **kept, reserve_bytes=0)
        assert done.get("changed"), done
        for module in ("database_drill", "database_restore"):
            said = there.operate(module, **kept, **administrator(standby))
            assert "is a standby, which is read-only. Press for the primary." in said["msg"], said
    assert shop.operate("database_drill", **kept, **administrator(postgres))["verdict"]["status"] == "pass"
