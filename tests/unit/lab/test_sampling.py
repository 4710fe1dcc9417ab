# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a seed draws of the fault matrix."""

from __future__ import annotations

from tests.integration.harness.sampling import drawn

CASES = [f"case {number}" for number in range(10)]


def test_one_in_three_and_at_least_one_in_their_order() -> None:
    assert len(drawn(CASES, "scale", "8c77e22")) == 4
    assert drawn(CASES, "scale", "8c77e22") == sorted(drawn(CASES, "scale", "8c77e22"))
    assert drawn(["only"], "scale", "8c77e22") == ["only"]


def test_a_seed_draws_the_same_again_and_each_file_by_itself() -> None:
    assert drawn(CASES, "scale", "8c77e22") == drawn(CASES, "scale", "8c77e22")
    assert drawn(CASES, "scale", "8c77e22") != drawn(CASES, "configure", "8c77e22")


def test_all_cases_have_their_turn() -> None:
    assert {case for seed in range(50) for case in drawn(CASES, "scale", str(seed))} == set(CASES)


def test_without_a_seed_all_are_drawn() -> None:
    assert drawn(CASES, "scale", "") == CASES
