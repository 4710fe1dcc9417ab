# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deadlines, on a clock of the test's own."""

from __future__ import annotations

from ansible_collections.linkops.runbooks.plugins.module_utils.deadline import Deadline


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_counts_down_to_zero_and_not_below() -> None:
    clock = Clock()
    deadline = Deadline(10, clock)
    assert (deadline.elapsed, deadline.remaining, deadline.expired) == (0, 10, False)
    clock.now += 9.5
    assert (deadline.elapsed, deadline.remaining, deadline.expired) == (9.5, 0.5, False)
    clock.now += 0.5
    assert (deadline.remaining, deadline.expired) == (0, True)
    clock.now += 100
    assert (deadline.elapsed, deadline.remaining, deadline.expired) == (110, 0, True)


def test_no_time_at_all_is_expired_at_once() -> None:
    assert Deadline(0, Clock()).expired


def test_its_own_clock_never_goes_back() -> None:
    deadline = Deadline(3600)
    assert 0 <= deadline.elapsed <= deadline.elapsed
    assert not deadline.expired
