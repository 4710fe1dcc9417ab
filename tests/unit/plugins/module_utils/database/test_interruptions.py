# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a restart of a server interrupts, and when it counts as done."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.database import interruptions

WORK: dict[str, Any] = {"kind": "a backup", "pid": 7, "application": "pg_dump", "user": "shop", "seconds": 90.0}


def test_work_is_named_and_what_is_none_is_left_out() -> None:
    faults = interruptions.hindrances([WORK, {**WORK, "kind": None}, {**WORK, "seconds": None}])
    assert [fault.message for fault in faults] == [
        "A backup is running: pid 7, pg_dump as shop, for 1 min.",
        "A backup is running: pid 7, pg_dump as shop.",
    ]


def test_the_act_says_who_is_interrupted() -> None:
    sessions = [{"application": "api", "transaction_seconds": each} for each in (None, 2.0)]
    assert interruptions.act("It", sessions, "") == (
        "It is restarted: 2 sessions (2 x api) end, 1 of them in a transaction that is rolled back"
    )
    assert "cannot be asked who is connected (nothing listens)" in interruptions.act("It", None, "nothing listens.")


def test_standbys_are_told_with_how_far_they_are_behind() -> None:
    replica = {"name": "b", "state": "streaming", "sync_state": "async", "bytes": 2048.0}
    assert interruptions.replicas_said([replica], False) == [
        "The standby b is streaming (async, 2 KiB behind); it reconnects."
    ]
    assert interruptions.replicas_said([], True) == ["This server is a standby; its primary is not restarted."]


@pytest.mark.parametrize(("uptime", "minutes", "is_recent"), [(59, 1, True), (61, 1, False), (1, 0, False)])
def test_a_young_server_is_left_alone(uptime: float, minutes: float, is_recent: bool) -> None:
    assert bool(interruptions.recent({"uptime_seconds": uptime}, minutes)) is is_recent
    assert interruptions.recent(None, minutes) == ""


@pytest.mark.parametrize(
    ("before", "now", "elapsed", "back"),
    [
        ({"started_epoch_seconds": 10.0}, {"started_epoch_seconds": 10.0}, 5, False),
        ({"started_epoch_seconds": 10.0}, {"started_epoch_seconds": 11.0}, 5, True),
        (None, {"uptime_seconds": 3.0}, 5, True),
        (None, {"uptime_seconds": 300.0}, 5, False),
    ],
)
def test_only_a_server_that_was_started_since_is_back(before: Any, now: Any, elapsed: float, back: bool) -> None:
    assert interruptions.came_back(before, now, elapsed) is back
