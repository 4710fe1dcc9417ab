# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What RDS's answers mean."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.hosting import notices

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
STATE: dict[str, Any] = {
    "DBInstanceStatus": "available", "DBInstanceClass": "db.t3.micro", "Engine": "postgres", "EngineVersion": "16.4",
    "MultiAZ": True, "AllocatedStorage": 20, "PreferredMaintenanceWindow": "sun:04:00-sun:04:30",
}  # fmt: skip


@pytest.mark.parametrize(
    ("status", "said", "warns"),
    [
        ("available", "pass", False),
        ("backing-up", "pass", True),
        ("rebooting", "fail", False),
        ("storage-full", "fail", False),
    ],
)
def test_an_instance_serves_by_its_status(status: str, said: str, warns: bool) -> None:
    verdict = notices.instance({**STATE, "DBInstanceStatus": status})
    assert verdict.status == said
    assert verdict.reason.startswith("warning: ") == warns
    assert f"{status}, db.t3.micro, postgres 16.4, two zones" in verdict.reason


def test_pending_maintenance_is_told_with_its_date() -> None:
    assert notices.maintenance(STATE, []).reason == "nothing is pending (window sun:04:00-sun:04:30)"
    details = [{"Action": "system-update", "Description": "New OS", "CurrentApplyDate": NOW}, {"Action": "db-upgrade"}]
    state = {
        **STATE,
        "PendingModifiedValues": {"DBInstanceClass": "db.t3.small"},
        "DBParameterGroups": [{"DBParameterGroupName": "own", "ParameterApplyStatus": "pending-reboot"}],
    }
    verdict = notices.maintenance(state, [{"PendingMaintenanceActionDetails": details}])
    assert verdict.reason == (
        "warning: system-update at 2026-11-22T03:00:00+00:00; db-upgrade, no date yet;"
        " DBInstanceClass at the next window; parameters of own at the next restart (window sun:04:00-sun:04:30)"
    )


def test_events_are_told_newest_first_and_grave_ones_warn() -> None:
    assert notices.events([], NOW, 3600).reason == "none in the last 1 h"
    backup = {
        "Date": NOW - timedelta(minutes=40),
        "Message": "Finished DB Instance backup",
        "EventCategories": ["backup"],
    }
    failover = {"Date": NOW - timedelta(minutes=5), "Message": "Failover began.", "EventCategories": ["failover"]}
    assert notices.events([backup], NOW, 3600).reason == "40 min ago: Finished DB Instance backup"
    verdict = notices.events([backup, failover], NOW, 3600)
    assert verdict.reason == "warning: 5 min ago: Failover began; 40 min ago: Finished DB Instance backup"
    assert verdict.evidence["events"][0]["time"] == "2026-11-22T02:55:00+00:00"
