# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every test shares: a test marked ``lab`` or ``lab_down`` fails where the lab is down; it is never skipped."""

from __future__ import annotations

import socket
from functools import cache

import pytest

from lab.site import Lab


@cache
def lab_is_up() -> bool:
    """Whether something listens on the lab's API port and its kubeconfig is there."""
    lab = Lab.of_this_machine()
    with socket.socket() as probe:
        probe.settimeout(3)
        return lab.kubeconfig.exists() and probe.connect_ex(("127.0.0.1", lab.api_port)) == 0


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Fail a test of the lab with the one thing to do about it."""
    if (item.get_closest_marker("lab") or item.get_closest_marker("lab_down")) and not lab_is_up():
        pytest.fail("The lab is down: run `./dev lab`, then this test again.", pytrace=False)


@pytest.fixture(scope="session")
def lab() -> Lab:
    """The lab of this machine."""
    return Lab.of_this_machine()
