# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said and asked before a database is replaced."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.database import standing
from ansible_collections.linkops.runbooks.plugins.module_utils.database.standing import Aside, Standing

NOW = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)
SESSION = {"application": "api", "user": "shop", "database": "shop"}


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
        (Standing("shop", mine=False), "shop", ["privilege"]),
    ],
)
def test_what_is_used_or_holds_data_needs_its_name(before: Standing, confirm: str | None, reasons: list[str]) -> None:
    assert [fault.reason for fault in standing.refused(before, "It is replaced", confirm)] == reasons


def test_who_is_connected_is_counted() -> None:
    other = {**SESSION, "application": "", "user": None}
    assert standing.users([SESSION, SESSION, other]) == "2 x api as shop, 1 x no application name as somebody"


def test_a_database_that_was_set_aside_says_so_itself() -> None:
    made = Aside("shop_before_x", "restored", "shop-20260305T093000Z", "what it is for")
    assert standing.aside("shop_before_x", made.note) == made


@pytest.mark.parametrize("comment", [None, "", "mine", "[]", '{"by": "me"}', '{"by": "linkops.runbooks", "kind": "x"}'])
def test_any_other_comment_is_none(comment: str | None) -> None:
    assert standing.aside("shop_before_x", comment) is None


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
