# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Events of a workload and its pods, grouped by reason and counted. Pure.

They explain; they are no verdict of their own, since warnings belong to every ordinary start.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..redaction import redact_text
from ..verdict import Verdict
from ..wording import duration

Object = Mapping[str, Any]

MOST_GROUPS = 20
MOST_NAMED = 4


@dataclass(frozen=True)
class Group:
    """All events of one reason: how many, on how many objects, the newest one's age and words."""

    type: str
    reason: str
    count: int
    objects: int
    seconds_ago: float
    message: str

    def __str__(self) -> str:
        return f"{self.reason} x{self.count} ({duration(self.seconds_ago)} ago)"


def grouped(events: Iterable[Object], uids: Container[str], now: datetime) -> list[Group]:
    """The events of these objects by reason, warnings first, then the newest."""
    by_reason: dict[tuple[str, str], list[Object]] = {}
    for event in events:
        if (event.get("involvedObject") or {}).get("uid") in uids:
            by_reason.setdefault((str(event.get("type")), str(event.get("reason"))), []).append(event)
    groups = [_group(kind, reason, found, now) for (kind, reason), found in by_reason.items()]
    return sorted(groups, key=lambda group: (group.type != "Warning", group.seconds_ago))


def newest_warnings(events: Iterable[Object]) -> dict[str, str]:
    """The newest warning by the name of its object, redacted."""
    found: dict[str, Object] = {}
    for event in sorted((each for each in events if each.get("type") == "Warning"), key=_when):
        found[str((event.get("involvedObject") or {}).get("name"))] = event
    return {name: redact_text(str(event.get("message") or event.get("reason")))[:300] for name, event in found.items()}


def verdict(groups: Sequence[Group], left_out: bool) -> Verdict:
    """What the events say; unknown where the namespace has more warnings than were read."""
    warnings = [group for group in groups if group.type == "Warning"]
    evidence = {"groups": [group.__dict__ for group in groups[:MOST_GROUPS]]}
    if left_out:
        return Verdict(
            "unknown", "the namespace has more warnings than were read; look at its other workloads", evidence
        )
    if not groups:
        return Verdict("pass", "none are kept", evidence)
    if not warnings:
        return Verdict("pass", f"no warnings; {_named(groups)}", evidence)
    newest = warnings[0]
    said = f": {newest.message}" if newest.message else ""
    return Verdict("pass", f"warnings: {_named(warnings)}; the newest says {newest.reason}{said}", evidence)


def _group(kind: str, reason: str, events: Sequence[Object], now: datetime) -> Group:
    newest = max(events, key=_when)
    stamp = _when(newest)
    return Group(
        kind,
        reason,
        sum(_count(event) for event in events),
        len({(event.get("involvedObject") or {}).get("uid") for event in events}),
        max(0.0, (now - datetime.fromisoformat(stamp)).total_seconds()) if stamp else 0.0,
        redact_text(" ".join(str(newest.get("message") or "").split()))[:200],
    )


def _count(event: Object) -> int:
    """How often it happened: events.k8s.io counts in a series."""
    return int((event.get("series") or {}).get("count") or event.get("count") or 1)


def _when(event: Object) -> str:
    series = event.get("series") or {}
    stamp = series.get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime")
    return str(stamp or event["metadata"].get("creationTimestamp") or "")


def _named(groups: Sequence[Group]) -> str:
    more = f", and {len(groups) - MOST_NAMED} more reasons" if len(groups) > MOST_NAMED else ""
    return ", ".join(str(group) for group in groups[:MOST_NAMED]) + more
