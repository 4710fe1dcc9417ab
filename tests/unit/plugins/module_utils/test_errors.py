# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults: one sentence each, all of them at once."""

from __future__ import annotations

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.errors import Fault, Interrupted, OperatorError, together

PAUSED = Fault("paused", "It is paused.", "Resume it.")
LOCKED = Fault("locked", "It is locked.")


def test_a_fault_reads_as_message_and_remedy() -> None:
    assert str(PAUSED) == "It is paused. Resume it."
    assert str(LOCKED) == "It is locked."


def test_a_fault_as_result() -> None:
    assert PAUSED.as_result() == {"reason": "paused", "message": "It is paused.", "remedy": "Resume it."}


def test_one_fault_needs_no_list() -> None:
    assert OperatorError(PAUSED).faults == (PAUSED,)


def test_several_faults_are_told_together_and_the_first_gives_the_reason() -> None:
    error = OperatorError(iter([PAUSED, LOCKED]), revisions=[5])
    assert str(error) == "It is paused. Resume it. It is locked."
    assert error.reason == "paused"
    assert error.details == {"revisions": [5]}


def test_an_interruption_is_no_operator_error() -> None:
    assert not issubclass(Interrupted, OperatorError)
    assert Interrupted(15).signal_number == 15


def test_what_a_block_finds_is_told_with_what_was_known() -> None:
    with pytest.raises(OperatorError) as told, together(PAUSED, None):
        raise OperatorError(LOCKED, revisions=[5])
    assert (told.value.faults, told.value.details) == ((PAUSED, LOCKED), {"revisions": [5]})


def test_what_was_known_is_told_where_the_block_finds_nothing_and_nothing_where_nothing_was() -> None:
    with pytest.raises(OperatorError) as told, together(PAUSED):
        pass
    assert told.value.faults == (PAUSED,)
    with together(None):
        found = "a snapshot"
    assert found
