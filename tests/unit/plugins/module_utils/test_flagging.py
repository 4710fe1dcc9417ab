# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which value a flag is returned to, and whether it may be, also after a run that was killed."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils import flagging
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.config_map import Before
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.snapshot import Snapshot
from ansible_collections.linkops.runbooks.plugins.module_utils.flag_stores import Standing
from ansible_collections.linkops.runbooks.plugins.module_utils.flagging import Step
from ansible_collections.linkops.runbooks.plugins.module_utils.signals.flags import Flag

NOTHING = Snapshot({"metadata": {"name": "api"}}, [], [], [])


def step(value: str | None, standing: Any, before: Before | None = None) -> Step:
    """Setting a flag whose store has C(standing)."""
    return Step(Flag("search", "config_map"), value, Standing(standing, before, NOTHING), None, {})


@pytest.mark.parametrize(
    ("found", "previous", "returnable"),
    [
        pytest.param(step("off", "on"), "on", True, id="this run sets it"),
        pytest.param(step("off", True), "true", True, id="a value of JSON"),
        pytest.param(step("off", None), None, True, id="it was not set"),
        pytest.param(step("off", "off"), "off", False, id="it had it before"),
        pytest.param(step("off", "off", Before("on", True)), "on", True, id="a killed run set it"),
        pytest.param(step("off", "off", Before(None, True)), None, True, id="a killed run set it first of all"),
        pytest.param(step("off", "off", Before("on", False)), "on", False, id="the service was ill before that run"),
        pytest.param(step("dim", "off", Before("on", True)), "off", True, id="a killed run set another value"),
    ],
)
def test_the_value_before(found: Step, previous: str | None, returnable: bool) -> None:
    result = flagging._described(found, True)
    assert (result["previous"], result["returnable"]) == (previous, returnable)


def test_a_service_that_did_not_pass_before_is_not_returned() -> None:
    assert not flagging._described(step("off", "on"), False)["returnable"]
    assert not flagging._described(step("off", "on"), None)["returnable"]
