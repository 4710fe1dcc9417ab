# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said and asked before a database is replaced."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.database import standing
from ansible_collections.linkops.runbooks.plugins.module_utils.database.marks import Mark
from ansible_collections.linkops.runbooks.plugins.module_utils.database.standing import Aside, Standing

NOW = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)
SESSION = {"application": "api", "user": "shop", "database": "shop", "endable": True, "superuser": False}
OTHERS = {**SESSION, "application": "psql", "user": "analyst", "endable": False}


def test_the_plan_says_how_many_minutes_are_lost() -> None:
    said = standing.loss(Standing("shop"), NOW - timedelta(minutes=95), NOW)
    assert "in the last 95 min (1 h)" in said
    assert "does not exist" in standing.loss(Standing("shop", exists=False), NOW, NOW)


@pytest.mark.parametrize(
    ("before", "confirm", "reasons"),
    [
        (Standing("shop"), None, []),
        (Standing("shop", exists=False), None, []),
        (Standing("shop", sessions=[SESSION]), None, ["unconfirmed"]),
        (Standing("shop", rows_in="public.Job"), "shopp", ["unconfirmed"]),
        (Standing("shop", sessions=[SESSION], rows_in="public.Job"), "shop", []),
        (Standing("shop", open=False), "shop", ["database_closed"]),
        (Standing("shop", open=False, interrupted=True), "shop", []),
        (Standing("shop", open=False, interrupted=True, unseen="it is closed"), None, ["unconfirmed"]),
        (Standing("shop", superuser=False, sessions=[SESSION]), "shop", []),
        (Standing("shop", superuser=False, sessions=[SESSION, OTHERS]), "shop", ["privilege"]),
        (Standing("shop", superuser=False, sessions=[{**SESSION, "superuser": True}]), "shop", ["privilege"]),
        (Standing("shop", sessions=[OTHERS, {**SESSION, "superuser": True}]), "shop", []),
        (Standing("shop", mine=False), "shop", ["privilege"]),
        (Standing("shop", prepared=["1_order"]), "shop", ["transactions_prepared"]),
    ],
)
def test_what_is_used_or_holds_data_needs_its_name(before: Standing, confirm: str | None, reasons: list[str]) -> None:
    assert [fault.reason for fault in standing.refused(before, "It is replaced", confirm)] == reasons


def test_who_is_connected_is_counted() -> None:
    other = {**SESSION, "application": "", "user": None}
    assert standing.users([SESSION, SESSION, other]) == "2 x api as shop, 1 x no application name as somebody"


def test_who_cannot_be_ended_is_named() -> None:
    (fault,) = standing.refused(Standing("shop", superuser=False, sessions=[SESSION, OTHERS]), "It is replaced", "shop")
    assert "may not end 1 session of shop: 1 x psql as analyst" in fault.message


def test_workers_of_autovacuum_are_nobodys_sessions() -> None:
    worker = {**SESSION, "application": "", "user": None, "backend_type": None}  # as a role without rights sees it
    assert standing.of_roles([SESSION, worker, {**SESSION, "database": "other"}], "shop") == [SESSION]


def test_what_was_set_aside_is_told_by_its_mark_and_not_by_its_name() -> None:
    long = "s" * 60
    first, second = f"{long[:37]}_before_20260305T090000Z", f"{long[:37]}_before_20260306T080000Z"
    mine = [Mark("restored", long, "b1"), Mark("returned", long, "b2")]
    comments = {
        first: mine[0].text,
        second: mine[1].text,
        f"{long[:37]}_before_20260307T080000Z": Mark("restored", f"{long}x", "b3").text,
        f"{long[:37]}_before_20260308T080000Z": "somebody's own",
        f"{long[:37]}_restoring": Mark("made", long, "b4").text,
        long: Mark("closed", long).text,
    }
    found = standing.asides(long, comments)
    assert found == [Aside(second, mine[1]), Aside(first, mine[0])]
    assert Standing(long, asides=found).last == found[0]


@pytest.mark.parametrize(
    ("text", "name", "values"),
    [
        ("lock_timeout=3s", "lock_timeout", ["3s"]),
        ("app.note=a=b, c", "app.note", ["a=b, c"]),
        ('search_path="$user", public, "od ""d"', "search_path", ["$user", "public", 'od "d']),
        ("DateStyle=ISO, MDY", "DateStyle", ["ISO, MDY"]),
    ],
)
def test_settings_are_taken_apart_as_the_server_wants_them_back(text: str, name: str, values: list[str]) -> None:
    assert standing.setting(text) == (name, values)
