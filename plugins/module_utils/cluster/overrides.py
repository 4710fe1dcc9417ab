# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Temporary overrides of how many pods there are: what stood before, since when, until when, by whom. Pure.

An override stands as an annotation on the object whose fields it changes, written in the same patch as the change, so
that no kill between the two can lose the old values. It counts while the fields still have the values that it set: what
somebody changed after it is theirs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

ANNOTATION = "runbooks.linkops.io/scale-override"
#: KEDA scales to this number and stops scaling (https://keda.sh/docs/latest/concepts/scaling-deployments/).
PAUSED_REPLICAS = "autoscaling.keda.sh/paused-replicas"
PAUSED = "autoscaling.keda.sh/paused"

Object = Mapping[str, Any]
#: Values by the name of their field, C(None) where the field is not set.
Settings = dict[str, Any]

#: The fields that say how many pods there are, by kind: the floor first. KEDA's pause is an annotation.
FIELDS: dict[str, tuple[str, ...]] = {
    "Deployment": ("replicas",),
    "StatefulSet": ("replicas",),
    "HorizontalPodAutoscaler": ("minReplicas", "maxReplicas"),
    "ScaledObject": ("minReplicaCount", "maxReplicaCount", PAUSED_REPLICAS),
}


@dataclass(frozen=True)
class Override:
    """C(old) values and C(new) ones by field; C(until) is empty where it stands until somebody returns it."""

    old: Settings
    new: Settings
    since: str
    until: str = ""
    minutes: int = 0
    run: str = ""
    operator: str = ""
    reason: str = ""

    def due(self, now: datetime) -> bool:
        """Whether its time is over."""
        return bool(self.until) and datetime.fromisoformat(self.until) <= now

    def written(self) -> str:
        """The annotation's text."""
        return json.dumps(vars(self), separators=(",", ":"))


def settings(entry: Object) -> Settings:
    """What an object says about the number of pods."""
    annotations, spec = entry["metadata"].get("annotations") or {}, entry.get("spec") or {}
    return {
        field: annotations.get(field) if field == PAUSED_REPLICAS else spec.get(field)
        for field in FIELDS.get(entry["kind"], ())
    }


def of(entry: Object) -> Override | None:
    """The override that an object bears; a text that is not one's, as somebody may have edited it, is none."""
    try:
        found = Override(**json.loads((entry["metadata"].get("annotations") or {})[ANNOTATION]))
        for moment in (found.since, found.until):
            if moment and datetime.fromisoformat(moment).tzinfo is None:
                return None
        texts = (found.since, found.until, found.run, found.operator, found.reason)
        known = set(FIELDS.get(entry["kind"], ())) >= {*found.old, *found.new}
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    return found if found.new and known and all(isinstance(text, str) for text in texts) else None


def returned(entry: Object, override: Override) -> Settings:
    """The settings that ending an override brings back; a field that somebody changed after it keeps its value."""
    present = settings(entry)
    stands = {field for field in override.new if present[field] == override.new[field]}
    return {field: override.old.get(field) if field in stands else present[field] for field in present}


def patch(entry: Object, wanted: Settings, override: Override | None) -> list[dict[str, Any]]:
    """The patch that sets these values, and the override with them (or takes it away), on exactly this state."""
    metadata = entry["metadata"]
    annotations = {name: each for name, each in (metadata.get("annotations") or {}).items() if name != ANNOTATION}
    if override:
        annotations[ANNOTATION] = override.written()
    if PAUSED_REPLICAS in wanted:
        annotations.pop(PAUSED_REPLICAS, None)
        if wanted[PAUSED_REPLICAS] is not None:
            annotations[PAUSED_REPLICAS] = str(wanted[PAUSED_REPLICAS])
    present = settings(entry)
    changes: list[dict[str, Any]] = [
        {"op": "replace", "path": "/metadata/resourceVersion", "value": metadata["resourceVersion"]},
        {"op": "add", "path": "/metadata/annotations", "value": annotations},
    ]
    for field, value in wanted.items():
        if field != PAUSED_REPLICAS and value != present[field]:
            operation = {"op": "remove"} if value is None else {"op": "add", "value": value}
            changes.append({**operation, "path": f"/spec/{field}"})
    return changes


def listed(entries: Iterable[Object], now: datetime) -> list[dict[str, Any]]:
    """Every override that these objects bear, with whether it is due, as modules return it and the health page shows
    it.
    """
    found = []
    for entry in entries:
        override = of(entry)
        if override is None:
            continue
        name = f"{entry['kind']} {entry['metadata']['name']}"
        present = settings(entry)
        overtaken = sorted(field for field in override.new if present[field] != override.new[field])
        due = override.due(now)
        found.append(
            {
                "object": name,
                "old": override.old,
                "new": override.new,
                "since": override.since,
                "until": override.until,
                "due": due,
                "overtaken": overtaken,
                "operator": override.operator,
                "run": override.run,
                "reason": override.reason,
                "sentence": f"{name}: {_change(override)} since {override.since}{_by(override)}, "
                f"{_end(override, due)}"
                + (f"; {', '.join(overtaken)} changed since then, and stays" if overtaken else ""),
            }
        )
    return found


def shown(field: str, value: Any) -> str:
    """A field with its value, as an operator reads it."""
    return f"{field.rpartition('/')[2]} {'unset' if value is None else value}"


def _change(override: Override) -> str:
    changed = [field for field in override.new if override.old.get(field) != override.new[field]]
    return ", ".join(
        f"{shown(field, override.new[field])} instead of {_bare(override.old.get(field))}" for field in changed
    )


def _bare(value: Any) -> str:
    return "unset" if value is None else str(value)


def _by(override: Override) -> str:
    who = f" by {override.operator}" if override.operator else ""
    return f"{who} ({override.reason})" if override.reason else who


def _end(override: Override, due: bool) -> str:
    if not override.until:
        return "until somebody returns it"
    return f"due since {override.until}" if due else f"until {override.until}"
