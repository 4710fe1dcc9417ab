# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Only the exact name of a thing confirms what is done to it."""

from __future__ import annotations

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.confirmation import unconfirmed


@pytest.mark.parametrize(
    ("given", "name", "confirms"),
    [("shop", "shop", True), ("Shop", "shop", False), ("", "shop", False), (None, "shop", False), ("", "", False)],
)
def test_the_name_was_typed(given: str | None, name: str, confirms: bool) -> None:
    assert (unconfirmed(given, name, "It is restarted") is None) is confirms
