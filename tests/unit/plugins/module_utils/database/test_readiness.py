# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is looked at before a migration: the newest backup, the disk, replicas, others' transactions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.database import readiness
from ansible_collections.linkops.runbooks.plugins.module_utils.database.archives import Manifest
from ansible_collections.linkops.runbooks.plugins.module_utils.errors import Fault

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
GIB = 1 << 30


def taken(hours_ago: float) -> Manifest:
    return Manifest({"name": "shop-1", "snapshot_at": (NOW - timedelta(hours=hours_ago)).isoformat()})


def test_a_young_backup_is_a_way_back() -> None:
    assert readiness.way_back(taken(23.9), NOW, "shop", "/kept", 24, True) is None
    assert readiness.way_back(taken(-0.1), NOW, "shop", "/kept", 24, True) is None  # clocks differ


@pytest.mark.parametrize(
    ("newest", "said"),
    [(taken(30), "shop-1, is 1 d old; the limit is 24 h"), (None, "no usable backup of the database shop in /kept")],
)
def test_an_old_one_or_none_is_warned_of_and_refused_where_one_is_required(newest: Manifest | None, said: str) -> None:
    warned = readiness.way_back(newest, NOW, "shop", "/kept", 24, False)
    assert isinstance(warned, str)
    assert said in warned
    refused = readiness.way_back(newest, NOW, "shop", "/kept", 24, True)
    assert isinstance(refused, Fault)
    assert said in refused.message
    assert "backup=true" in refused.remedy


def test_a_disk_is_refused_only_for_what_is_certain() -> None:
    assert readiness.room(50 * GIB, "", 20 * GIB, GIB) is None
    rewritten = readiness.room(20 * GIB, "", 20 * GIB, GIB)
    assert isinstance(rewritten, str)
    assert "20 GiB" in rewritten
    full = readiness.room(0.5 * GIB, "", 0, GIB)
    assert isinstance(full, Fault)
    assert full.reason == "disk_full"


def test_an_unknown_disk_is_a_warning_with_its_reason_and_nothing_where_nobody_asked() -> None:
    unknown = readiness.room(None, "Prometheus finds nothing", 0, GIB)
    assert isinstance(unknown, str)
    assert "unknown: Prometheus finds nothing" in unknown
    assert readiness.room(None, "", 0, GIB) is None


def test_a_standby_and_a_late_replica_are_both_named_and_one_that_is_hidden_is_warned_of() -> None:
    row = {"standby": True, "lag_seconds": 90.0, "hidden": 1}
    *faults, warning = readiness.replicas(row, 60, "shop", "app")
    assert [each.reason for each in faults if isinstance(each, Fault)] == ["standby", "replication_lag"]
    assert isinstance(warning, str)
    assert "GRANT pg_read_all_stats TO app" in warning
    assert readiness.replicas({"standby": False, "lag_seconds": 60.0, "hidden": 0}, 60, "shop", "app") == []


def test_an_open_transaction_is_named_with_the_tables_that_it_holds() -> None:
    row = {"pid": 7, "application": "", "user": "ann", "state": "idle in transaction", "seconds": 90.0, "tables": ["A"]}
    said = readiness.blocker(row)
    assert "Pid 7 (no application name, ann, idle in transaction)" in said
    assert "for 1 min" in said
    assert "locks on A" in said


def test_sessions_whose_transactions_are_hidden_are_counted_and_not_named() -> None:
    seen = {"pid": 7, "application": "x", "user": "ann", "state": "active", "seconds": 90.0, "tables": []}
    hidden = {**seen, "seconds": None, "state": None, "backend_type": None}
    told = readiness.blockers([{**seen, "backend_type": "client backend"}, hidden, hidden], "app")
    assert isinstance(told[0], str)
    assert "Pid 7" in told[0]
    (blind,) = told[1:]
    assert isinstance(blind, str)
    assert "2 sessions of other roles have a state that app may not see: GRANT pg_read_all_stats TO app." in blind
    assert readiness.blockers([], "app") == [None]


@pytest.mark.parametrize(
    ("options", "standing", "session", "said"),
    [
        ("", "2s", "0", ""),
        ("", None, "2000", ""),  # postgresql.conf, or a parameter group
        ("", "0", "2000", "waits for locks without an end"),
        ("", "0min", "0", "waits for locks without an end"),
        ("", None, "0", "waits for locks without an end"),
        ("", None, None, "ann, who asks, has one, which hides that of the server"),
        ("-c lock_timeout=3s", "0", "0", ""),
        ("-c statement_timeout=9s --lock-timeout=500", None, "0", ""),
        ("-c lock_timeout=0", "2s", "2000", "sets lock_timeout=0"),
        ("-c lock_timeout=2s -clock_timeout=0ms", "2s", "0", "sets lock_timeout=0ms"),
        ("-c deadlock_timeout=2s", None, "0", "waits for locks without an end"),
    ],
)
def test_how_long_the_role_that_migrates_waits_for_a_lock(
    options: str, standing: str | None, session: str | None, said: str
) -> None:
    fault = readiness.patience(options, {"standing": standing, "session": session}, "app", "shop", "ann")
    assert (fault.reason if fault else "") == ("no_lock_timeout" if said else "")
    assert said in (fault.message if fault else "")


@pytest.mark.parametrize(
    ("text", "bound"), [("1", True), ("0.3", False), ("300us", False), ("'2 s'", True), ("x", False)]
)
def test_a_time_of_0_is_no_bound(text: str, bound: bool) -> None:
    assert readiness.bounded(text) is bound
