# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which database is this collection's own to drop, reopen or put back: never by its name alone."""

from __future__ import annotations

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.database import marks, restoring
from ansible_collections.linkops.runbooks.plugins.module_utils.database.marks import Mark

BACKUP = "shop-20260305T093000Z"


def test_a_mark_is_read_as_it_was_written() -> None:
    made = Mark("restored", "shop", BACKUP, "what it is for")
    assert marks.read(made.text) == made


@pytest.mark.parametrize(
    "comment",
    [None, "", "mine", "[]", '{"by": "me"}', '{"by": "linkops.runbooks", "kind": "x"}', '{"by": "linkops.runbooks"}'],
)
def test_any_other_comment_is_none(comment: str | None) -> None:
    assert marks.read(comment) is None
    assert marks.own(comment) == comment


def test_a_closed_database_keeps_its_own_comment() -> None:
    assert marks.own(Mark("closed", "shop", comment="ours").text) == "ours"
    assert marks.own(Mark("closed", "shop").text) is None


@pytest.mark.parametrize(
    ("comment", "is_open", "limit", "ours"),
    [
        pytest.param(Mark("made", "shop", BACKUP).text, True, -1, True, id="marked"),
        pytest.param(None, False, marks.NEWBORN, True, id="killed-before-its-mark"),
        pytest.param(None, True, -1, False, id="somebody-elses"),
        pytest.param("a drill for the team", False, -1, False, id="somebody-elses-closed"),
        pytest.param(None, True, marks.NEWBORN, False, id="somebody-has-been-in-it"),
        pytest.param(Mark("made", "shop_of_another", BACKUP).text, True, -1, False, id="of-another-database"),
        pytest.param(Mark("restored", "shop", BACKUP).text, True, -1, False, id="set-aside"),
        pytest.param(Mark("closed", "shop_drill").text, False, -1, False, id="itself-restored-into"),
    ],
)
def test_only_what_was_made_for_the_database_is_dropped(
    comment: str | None, is_open: bool, limit: int, ours: bool
) -> None:
    row = {"comment": comment, "open": is_open, "connection_limit": limit}
    assert marks.made_for(row, "shop") == ours
    fault = restoring.foreign("shop_drill", "shop", [row])
    assert (fault is None) == ours
    assert fault is None or "There is a database shop_drill already" in fault.message


def test_a_name_that_is_free_is_nobodys() -> None:
    assert restoring.foreign("shop_drill", "shop", []) is None


@pytest.mark.parametrize("database", ["shop", "s" * 63, "läden" * 12])
def test_a_name_beside_a_database_is_as_long_as_the_server_allows(database: str) -> None:
    name = restoring.named(database, "_restoring")
    assert len(name.encode()) <= 63
    assert name.endswith("_restoring")
    assert name.startswith(database[:20])
