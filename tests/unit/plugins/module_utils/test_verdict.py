# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verdicts: unknown is never success, the worst of several wins."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.linkops.runbooks.plugins.module_utils.verdict import Verdict, worst

PASS, UNKNOWN, FAIL = Verdict("pass", "good"), Verdict("unknown", "not asked"), Verdict("fail", "down")


@pytest.mark.parametrize(
    ("verdicts", "status", "reason"),
    [
        pytest.param([], "unknown", "nothing was asked", id="nothing"),
        pytest.param([PASS], "pass", "good", id="one"),
        pytest.param([PASS, UNKNOWN], "unknown", "not asked", id="unknown outweighs pass"),
        pytest.param([UNKNOWN, FAIL, PASS], "fail", "down", id="fail outweighs unknown"),
        pytest.param([FAIL, Verdict("fail", "slow"), PASS], "fail", "down; slow", id="every failure is named"),
        pytest.param([FAIL, FAIL], "fail", "down", id="the same reason once"),
    ],
)
def test_the_worst_wins(verdicts: list[Verdict], status: str, reason: str) -> None:
    assert (worst(verdicts).status, worst(verdicts).reason) == (status, reason)


@given(st.lists(st.sampled_from([PASS, UNKNOWN, FAIL])))
def test_passes_only_where_all_pass_and_there_are_some(verdicts: list[Verdict]) -> None:
    assert worst(verdicts).passed == (bool(verdicts) and all(each == PASS for each in verdicts))


def test_result_has_three_fields() -> None:
    assert Verdict("fail", "down", {"status": 503}).as_result() == {
        "status": "fail",
        "reason": "down",
        "evidence": {"status": 503},
    }
