# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods are asked side by side while the Leases are kept, and told to stop when nobody waits for them any more."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster import asking
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.asking import side_by_side
from ansible_collections.linkops.runbooks.plugins.module_utils.errors import Fault, OperatorError


class Lease:
    """Counts how often it was to be renewed, and is lost at a given time."""

    def __init__(self, lost_at: int = -1) -> None:
        self.asked = 0
        self._lost_at = lost_at

    def renew_if_due(self) -> None:
        self.asked += 1
        if self.asked == self._lost_at:
            raise OperatorError(Fault("lock_lost", "Somebody else has it."))


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "POLL_SECONDS", 0.01)


def held(lost_at: int = -1) -> Any:
    """A run's Leases."""
    return Lease(lost_at)


def test_every_answer_comes_once() -> None:
    lease = held()
    assert sorted(side_by_side(lease, lambda number, _stopped: number * 2, range(50))) == list(range(0, 100, 2))
    assert lease.asked > 0


def test_nobody_is_asked_where_there_is_nothing_to_ask() -> None:
    assert list(side_by_side(held(), lambda each, _stopped: each, [])) == []


def test_the_lease_is_kept_while_all_are_silent() -> None:
    lease, enough = held(), threading.Event()

    def ask(_number: int, _stopped: threading.Event) -> bool:
        return enough.wait(10)

    answers = side_by_side(lease, ask, range(2))
    threading.Timer(0.2, enough.set).start()
    assert list(answers) == [True, True]
    assert lease.asked > 3


def until_told(_number: int, stopped: threading.Event) -> bool:
    """A pod that would never answer."""
    return stopped.wait(60)


def test_a_lost_lease_stops_those_that_are_being_asked() -> None:
    with pytest.raises(OperatorError, match="Somebody else has it"):
        list(side_by_side(held(lost_at=3), until_told, range(20)))


def test_a_reader_that_goes_away_stops_them_as_well() -> None:
    def ask(number: int, stopped: threading.Event) -> bool:
        return number == 0 or stopped.wait(60)

    answers = side_by_side(held(), ask, range(20))
    assert next(answers) is True
    answers.close()
    assert list(answers) == []


def test_a_defect_in_one_is_not_swallowed() -> None:
    def ask(number: int, stopped: threading.Event) -> float:
        return 1 / (number - 3) if number == 3 else float(stopped.wait(60))

    with pytest.raises(ZeroDivisionError):
        list(side_by_side(held(), ask, range(5)))
