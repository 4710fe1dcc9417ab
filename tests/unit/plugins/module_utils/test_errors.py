# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults: one sentence each, all of them at once."""

from __future__ import annotations

from ansible_collections.linkops.runbooks.plugins.module_utils.errors import Fault, Interrupted, OperatorError

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
