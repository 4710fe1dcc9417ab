# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What RDS says of an instance: its status, what it is about to do to it, and what has happened. Pure.

Names are botocore's (botocore:data/rds/2014-10-31/service-2.json).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from ..lines import WARNING
from ..verdict import Verdict
from ..wording import duration, listed

Answer = Mapping[str, Any]

#: Statuses in which the instance serves (Amazon RDS User Guide, "Viewing DB instance status").
_SERVES = (
    "available",
    "backing-up",
    "configuring-enhanced-monitoring",
    "storage-optimization",
    "storage-config-upgrade",
)
#: Categories of events that are no routine (Amazon RDS User Guide, "Amazon RDS event categories").
_GRAVE = {"availability", "failover", "failure", "low storage", "notification", "recovery", "security"}


def instance(state: Answer) -> Verdict:
    """Whether it serves by its status."""
    status = str(state.get("DBInstanceStatus", "unknown"))
    zone = "two zones" if state.get("MultiAZ") else "one zone"
    facts = {
        "status": status,
        "class": state.get("DBInstanceClass"),
        "engine": f"{state.get('Engine', '')} {state.get('EngineVersion', '')}".strip(),
        "multi_az": bool(state.get("MultiAZ")),
        "allocated_gigabytes": state.get("AllocatedStorage"),
    }
    said = f"{status}, {facts['class']}, {facts['engine']}, {zone}"
    if status == "available":
        return Verdict("pass", said, facts)
    return Verdict("pass", f"{WARNING}{said}", facts) if status in _SERVES else Verdict("fail", said, facts)


def maintenance(state: Answer, pending: Sequence[Answer]) -> Verdict:
    """What waits for the next window or the next restart."""
    actions = [
        {
            "action": str(each.get("Action", "")),
            "when": _moment(
                each.get("CurrentApplyDate") or each.get("ForcedApplyDate") or each.get("AutoAppliedAfterDate")
            ),
            "description": str(each.get("Description", "")),
        }
        for resource in pending
        for each in resource.get("PendingMaintenanceActionDetails", [])
    ]
    groups = [
        str(group["DBParameterGroupName"])
        for group in state.get("DBParameterGroups", [])
        if group.get("ParameterApplyStatus") == "pending-reboot"
    ]
    changes = sorted(state.get("PendingModifiedValues") or {})
    told = [f"{each['action']}{' at ' + each['when'] if each['when'] else ', no date yet'}" for each in actions]
    told += [f"{', '.join(changes)} at the next window"] if changes else []
    told += [f"parameters of {', '.join(groups)} at the next restart"] if groups else []
    window = str(state.get("PreferredMaintenanceWindow", ""))
    facts = {"actions": actions, "changes": changes, "parameter_groups": groups, "window": window}
    if told:
        return Verdict("pass", f"{WARNING}{'; '.join(told)} (window {window or 'unknown'})", facts)
    return Verdict("pass", f"nothing is pending (window {window or 'unknown'})", facts)


def events(found: Sequence[Answer], now: datetime, seconds: float) -> Verdict:
    """What RDS did to it in the last C(seconds), the newest first."""
    newest = sorted(found, key=lambda each: each["Date"], reverse=True)
    rows: list[dict[str, Any]] = [
        {
            "time": _moment(each["Date"]),
            "message": str(each.get("Message", "")),
            "categories": list(each.get("EventCategories", [])),
        }
        for each in newest
    ]
    told = [
        f"{duration(max(0.0, (now - each['Date']).total_seconds()))} ago: {row['message'].rstrip('.')}"
        for each, row in zip(newest, rows, strict=True)
    ]
    said = listed(told) or f"none in the last {duration(seconds)}"
    grave = any(_GRAVE & set(row["categories"]) for row in rows)
    return Verdict("pass", f"{WARNING}{said}" if grave else said, {"events": rows})


def _moment(given: Any) -> str:
    return given.isoformat(timespec="seconds") if isinstance(given, datetime) else ""
