# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures and lists in words."""

from __future__ import annotations

from ansible_collections.linkops.runbooks.plugins.module_utils import wording


def test_a_long_list_says_how_much_more_there_is() -> None:
    assert wording.listed([str(n) for n in range(7)]) == "0; 1; 2; 3; 4; and 2 more"
