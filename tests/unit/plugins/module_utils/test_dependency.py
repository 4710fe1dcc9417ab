# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all that a service depends on have in common."""

from __future__ import annotations

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.dependency import above_zero, library, library_missing
from ansible_collections.linkops.runbooks.plugins.module_utils.errors import OperatorError


def test_a_library_is_missing_with_the_reason() -> None:
    assert library_missing("json") is None
    assert "nobodys_library" in (library_missing("nobodys_library") or "")


def test_a_library_that_is_missing_is_one_sentence() -> None:
    assert library("json").loads("1") == 1
    with pytest.raises(OperatorError, match="The Python library nobodys_library cannot be imported here") as fault:
        library("nobodys_library")
    assert fault.value.reason == "library_missing"


def test_all_options_that_are_not_above_zero_are_named() -> None:
    faults = above_zero({"max_minutes": 0, "top": 1, "lag": -1.5}, "max_minutes", "top", "lag")
    assert [each.message for each in faults] == [
        "max_minutes is 0, and must be above 0.",
        "lag is -1.5, and must be above 0.",
    ]
