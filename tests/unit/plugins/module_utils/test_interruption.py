# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SIGINT and SIGTERM, sent for real to this process."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.errors import Interrupted, OperatorError
from ansible_collections.linkops.runbooks.plugins.module_utils.interruption import SIGNALS, interruptible


@pytest.fixture
def arrived() -> Iterator[list[int]]:
    """The signals that reach the handlers which stood before, in their order."""
    seen: list[int] = []

    def take(signal_number: int, _frame: FrameType | None) -> None:
        seen.append(signal_number)

    before: dict[int, Any] = {each: signal.signal(each, take) for each in SIGNALS}
    yield seen
    for each, handler in before.items():
        signal.signal(each, handler)


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_a_signal_is_raised_in_the_block_and_passed_on_after_it(arrived: list[int], number: int) -> None:
    with pytest.raises(Interrupted) as stop, interruptible():
        os.kill(os.getpid(), number)
    assert stop.value.signal_number == number
    assert arrived == [number]


def test_cleaning_up_is_not_disturbed_by_further_signals(arrived: list[int]) -> None:
    cleaned: list[str] = []

    def work() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except Interrupted:
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGINT)
            cleaned.append("released")
            raise

    with pytest.raises(Interrupted), interruptible():
        work()
    assert cleaned == ["released"]
    assert arrived == [signal.SIGTERM], "only the first is passed on"


def test_a_fault_while_cleaning_up_does_not_swallow_the_signal(arrived: list[int]) -> None:
    def work() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except Interrupted as stop:
            raise OperatorError([]) from stop

    with pytest.raises(OperatorError), interruptible():
        work()
    assert arrived == [signal.SIGTERM]


def test_a_block_that_swallows_the_interruption_keeps_the_signal(arrived: list[int]) -> None:
    with interruptible(), contextlib.suppress(Interrupted):
        os.kill(os.getpid(), signal.SIGINT)
    assert arrived == []


@pytest.mark.parametrize("fault", [None, ValueError], ids=["after a good end", "after an exception"])
def test_the_old_handlers_are_back(arrived: list[int], fault: type[Exception] | None) -> None:
    before = [signal.getsignal(each) for each in SIGNALS]
    try:
        with interruptible():
            assert [signal.getsignal(each) for each in SIGNALS] != before
            if fault:
                raise fault
    except ValueError:
        pass
    assert [signal.getsignal(each) for each in SIGNALS] == before
    assert arrived == []


def test_outside_the_main_thread_the_block_just_runs(arrived: list[int]) -> None:
    ran: list[bool] = []

    def work() -> None:
        with interruptible():
            ran.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert ran == [True]
