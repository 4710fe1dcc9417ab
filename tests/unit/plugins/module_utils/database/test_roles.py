# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Roles that a server lacks: which they are, what is in the way, what is said of those that are made again."""

from __future__ import annotations

from typing import Any

from ansible_collections.linkops.runbooks.plugins.module_utils.database import roles

OWNER: dict[str, Any] = {
    "name": "shop", "needed": True, "login": True, "superuser": True, "createdb": True, "member_of": ["a", "rds_iam"],
}  # fmt: skip
ENTRIES: dict[str, Any] = {
    "roles": [OWNER, {"name": "reader", "needed": False}, {"name": "stranger", "needed": False}],
    "settings": [{"role": "worker", "setting": "x=1"}, {"role": None, "setting": "y=1"}],
    "grants": [{"role": "reader", "privilege": "CONNECT"}, {"role": None, "privilege": "TEMPORARY"}],
}


def test_owners_and_those_with_grants_or_settings_are_needed() -> None:
    assert [each["name"] for each in roles.missing(ENTRIES, ["worker"])] == ["reader", "shop"]
    assert roles.missing(ENTRIES, ["worker", "reader", "shop"]) == []
    assert roles.missing(ENTRIES, ["shop", "reader"]) == [{"name": "worker"}], "the manifest does not know it"


def test_nobody_makes_a_role_unasked_or_without_the_right() -> None:
    assert roles.judged([], asked=False, may=False, server="db") == ([], [])
    ((fault,), _none) = roles.judged([OWNER], asked=False, may=True, server="db")
    assert (fault.reason, "db has no role shop," in fault.message) == ("roles_missing", True)
    ((fault,), _none) = roles.judged([OWNER], asked=True, may=False, server="db")
    assert fault.reason == "privilege"


def test_what_a_role_does_not_get_back_is_said() -> None:
    (_none, (said,)) = roles.judged([OWNER], asked=True, may=True, server="db")
    assert said == (
        "The role shop is made again without a password, so it cannot log in, and without SUPERUSER, CREATEDB, rds_iam."
        " ALTER ROLE shop LOGIN PASSWORD ... lets it in."
    )
    assert roles.said([{"name": "group"}]) == ["The role group is made again without a password, so it cannot log in."]
