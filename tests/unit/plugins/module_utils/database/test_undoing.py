# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A migration is marked or undone only where the doctor's verdict fits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.database.effects import Thing
from ansible_collections.linkops.runbooks.plugins.module_utils.database.migrations import Left, Migration, Row
from ansible_collections.linkops.runbooks.plugins.module_utils.database.undoing import (
    is_resolved,
    unresolvable,
    unrevertible,
)

NOW = datetime(2026, 11, 22, tzinfo=UTC)
DOWN = 'DROP TABLE "Quote"'


def applied(name: str, hours: int = 0, **changed: Any) -> Migration:
    moment = NOW + timedelta(hours=hours)
    values = {"finished_at": moment, "rolled_back_at": None, "logs": "", "steps": 1, **changed}
    return Migration(name, "applied", Row(name, "0", moment, **values))


def failed(remains: Any, state: Any = "failed") -> Migration:
    return Migration("a", state, None, Left(remains, "why", (Thing("relation", "", "Quote"),)))


@pytest.mark.parametrize(
    ("found", "resolution", "confirm", "reason"),
    [
        (failed("nothing"), "rolled_back", "", None),
        (failed("all"), "applied", "", None),
        (failed("all", "pending"), "applied", "", None),
        (failed("nothing"), "applied", "", "does_not_fit"),
        (failed("all"), "rolled_back", "", "does_not_fit"),
        (failed("some", "partial"), "rolled_back", "", "does_not_fit"),
        (failed("some", "partial"), "applied", "a", "does_not_fit"),
        (failed("unknown"), "rolled_back", "", "unconfirmed"),
        (failed("unknown"), "rolled_back", "b", "unconfirmed"),
        (failed("unknown"), "rolled_back", "a", None),
        (failed("nothing", "pending"), "rolled_back", "", "does_not_fit"),
        (applied("a"), "rolled_back", "a", "does_not_fit"),
        (Migration("a", "running"), "rolled_back", "a", "does_not_fit"),
        (None, "applied", "", "migration_unknown"),
    ],
)
def test_resolving(found: Migration | None, resolution: str, confirm: str, reason: str | None) -> None:
    fault = unresolvable(found, "a", resolution, confirm)
    assert (fault.reason if fault else None) == reason


def test_what_is_there_is_named() -> None:
    assert "relation Quote" in str(unresolvable(failed("some", "partial"), "a", "rolled_back", ""))


def test_what_is_marked_already() -> None:
    assert is_resolved(Migration("a", "rolled_back"), "rolled_back")
    assert is_resolved(applied("a"), "applied")
    assert not is_resolved(failed("nothing"), "rolled_back")


def test_the_newest_is_undone() -> None:
    assert unrevertible([applied("a"), applied("b", 1)], "b", DOWN, "b") == []


def test_all_that_stands_against_undoing_at_once() -> None:
    faults = unrevertible([applied("a"), applied("b", 1)], "a", None, "")
    assert [fault.reason for fault in faults] == ["no_down_script", "later_applied", "unconfirmed"]


def test_an_older_name_that_was_applied_later_stands_on_it() -> None:
    assert [fault.reason for fault in unrevertible([applied("a", 1), applied("b")], "b", DOWN, "b")] == [
        "later_applied"
    ]


def test_a_later_one_that_was_rolled_back_does_not() -> None:
    assert unrevertible([applied("a"), applied("b", 1, rolled_back_at=NOW)], "a", DOWN, "a") == []


@pytest.mark.parametrize(
    ("down", "reason"),
    [
        ("BEGIN; DROP TABLE a; COMMIT", "down_not_atomic"),
        ("DROP INDEX CONCURRENTLY i", "down_not_atomic"),
        ("\\connect other", "down_unread"),
        ("  \n", "no_down_script"),
    ],
)
def test_a_down_script_that_does_not_fit(down: str, reason: str) -> None:
    assert [fault.reason for fault in unrevertible([applied("a")], "a", down, "a")] == [reason]


def test_undoing_what_is_not_known_or_runs() -> None:
    assert [fault.reason for fault in unrevertible([], "a", DOWN, "a")] == ["migration_unknown"]
    running = [Migration("a", "running")]
    assert [fault.reason for fault in unrevertible(running, "a", DOWN, "a")] == ["does_not_fit"]
