# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Samples of locks, read as the longest that each can have been held."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.database import locks
from ansible_collections.linkops.runbooks.plugins.module_utils.database.locks import Span

HARD, SOFT = "AccessExclusiveLock", "ShareUpdateExclusiveLock"


def sample(at: float, *held: tuple[int, str, str]) -> list[dict[str, Any]]:
    rows = [{"at": at, "pid": pid, "relation": relation, "mode": mode} for pid, relation, mode in held]
    return rows or [{"at": at, "pid": None, "relation": None, "mode": None}]


def test_a_lock_may_have_been_held_from_the_sample_before_to_the_one_after() -> None:
    mine = (1, "Quote", HARD)
    (span,) = locks.spans([sample(0.0), sample(1.0, mine), sample(2.0, mine), sample(3.5)])
    assert span == Span("Quote", HARD, 1.0, 3.5)


def test_each_time_it_is_taken_counts_for_itself_and_so_does_each_session() -> None:
    mine, other = (1, "Quote", HARD), (2, "Quote", SOFT)
    found = locks.spans([sample(0.0, mine, other), sample(1.0, other), sample(2.0, mine)])
    assert [(each.mode, each.since, each.seconds) for each in found] == [(HARD, 0, 1), (SOFT, 0, 2), (HARD, 2, 1)]


def test_no_sample_and_no_lock_are_no_spans() -> None:
    assert locks.spans([]) == []
    assert locks.spans([sample(0.0), sample(1.0)]) == []


@pytest.mark.parametrize(
    ("mode", "who"),
    [
        (HARD, "readers and writers"), ("ShareLock", "writers"), ("ShareRowExclusiveLock", "writers"),
        ("ExclusiveLock", "writers"), (SOFT, ""), ("RowExclusiveLock", ""), ("AccessShareLock", ""),
    ],
)  # fmt: skip
def test_a_mode_says_who_waits(mode: str, who: str) -> None:
    assert Span("Quote", mode, 0, 1).keeps_out == who


def test_in_words_each_table_has_its_longest_lock() -> None:
    found = [Span("Quote", "ShareLock", 0, 9.0), Span("Quote", HARD, 1, 2.0), Span("Job", SOFT, 0, 5.0)]
    assert locks.worst(found) == "writers of Quote wait up to 9.0 s"
    assert locks.worst([]) == ""


def test_a_lock_belongs_to_the_migration_in_whose_time_it_was_taken() -> None:
    found = [Span("A", HARD, 1.0, 1), Span("B", HARD, 3.0, 1)]
    assert [each.relation for each in locks.between(found, 0.5, 2.0)] == ["A"]
    assert [each.relation for each in locks.between(found, 2.0, None)] == ["B"]
