# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which services used a database, and who of them is back."""

from __future__ import annotations

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.database import clients


def session(application: str | None, database: str = "shop") -> dict[str, str | None]:
    """A session as the server lists it."""
    return {"application": application, "database": database}


def test_services_are_known_by_their_name_each_once() -> None:
    there = [session("api"), session("api"), session("worker"), session("other", "books"), session(""), session(None)]
    assert clients.named(there, "shop") == ["api", "worker"]


@pytest.mark.parametrize("tool", ["psql", "pg_dump", "pgAdmin 4 - DB:shop", "DBeaver 24.1 - Main", "linkops.runbooks"])
def test_tools_do_not_come_back_by_themselves(tool: str) -> None:
    assert clients.named([session(tool)], "shop") == []


def test_who_has_no_session_with_this_database_is_absent() -> None:
    assert clients.absent(["api", "worker"], [session("worker"), session("api", "shop_before")], "shop") == ["api"]
    assert clients.absent([], [], "shop") == []
