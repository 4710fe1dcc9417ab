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


def test_a_standby_and_a_late_replica_are_both_named() -> None:
    row = {"standby": True, "lag_seconds": 90.0}
    assert [each.reason for each in readiness.replicas(row, 60, "shop")] == ["standby", "replication_lag"]
    assert readiness.replicas({"standby": False, "lag_seconds": 60.0}, 60, "shop") == []


def test_an_open_transaction_is_named_with_the_tables_that_it_holds() -> None:
    row = {"pid": 7, "application": "", "user": "ann", "state": "idle in transaction", "seconds": 90.0, "tables": ["A"]}
    said = readiness.blocker(row)
    assert "Pid 7 (no application name, ann, idle in transaction)" in said
    assert "for 1 min" in said
    assert "locks on A" in said
