# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Overrides: what they keep, when they are due, what they bring back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster import overrides
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.overrides import PAUSED_REPLICAS, Override

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
OVERRIDE = Override(
    {"minReplicas": 3, "maxReplicas": 10}, {"minReplicas": 12, "maxReplicas": 12},
    since="2026-11-22T11:00:00+00:00", until="2026-11-22T12:00:00+00:00", minutes=60, operator="ada", reason="launch",
)  # fmt: skip


def horizontal(low: int | None, high: int, override: Override | None = None) -> dict[str, Any]:
    """A HorizontalPodAutoscaler with these bounds."""
    spec = {"maxReplicas": high, **({} if low is None else {"minReplicas": low})}
    kept = {overrides.ANNOTATION: override.written()} if override else {}
    metadata = {"name": "api", "resourceVersion": "7", "annotations": {"team": "shop", **kept}}
    return {"kind": "HorizontalPodAutoscaler", "metadata": metadata, "spec": spec}


def applied(entry: dict[str, Any], patch: list[dict[str, Any]]) -> dict[str, Any]:
    """The object after a patch of this room, applied as the API server does."""
    assert patch[0] == {
        "op": "replace",
        "path": "/metadata/resourceVersion",
        "value": entry["metadata"]["resourceVersion"],
    }
    assert patch[1]["path"] == "/metadata/annotations"
    spec = dict(entry["spec"])
    for each in patch[2:]:
        field = each["path"].removeprefix("/spec/")
        if each["op"] == "remove":
            del spec[field]
        else:
            spec[field] = each["value"]
    return {**entry, "metadata": {**entry["metadata"], "annotations": patch[1]["value"]}, "spec": spec}


def test_it_survives_its_annotation() -> None:
    assert overrides.of(horizontal(12, 12, OVERRIDE)) == OVERRIDE


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        "since lunch",
        '{"old": 3, "new": {}, "since": ""}',
        '{"old": {}, "new": {}, "since": "lunch"}',
        '{"old": {}, "new": {}, "since": "2026-11-22T11:00:00"}',
        '{"old": {}, "new": {}, "since": "2026-11-22T11:00:00+00:00"}',
        '{"old": {}, "new": {}, "since": 5}',
        '{"old": {"paused": true}, "new": {}, "since": "2026-11-22T11:00:00+00:00"}',
    ],
)
def test_what_somebody_wrote_there_is_none(text: str) -> None:
    entry = horizontal(3, 10)
    entry["metadata"]["annotations"][overrides.ANNOTATION] = text
    assert overrides.of(entry) is None


@pytest.mark.parametrize(("moment", "due"), [("11:59:59", False), ("12:00:00", True), ("23:00:00", True)])
def test_it_is_due_when_its_time_is_over(moment: str, due: bool) -> None:
    assert OVERRIDE.due(datetime.fromisoformat(f"2026-11-22T{moment}+00:00")) is due


def test_without_an_end_it_is_never_due() -> None:
    permanent = Override({}, {}, since="2020-01-01T00:00:00+00:00")
    assert not permanent.due(NOON)


def test_it_brings_back_what_stood_before() -> None:
    assert overrides.returned(horizontal(12, 12), OVERRIDE) == {"minReplicas": 3, "maxReplicas": 10}


def test_what_somebody_changed_after_it_is_theirs() -> None:
    assert overrides.returned(horizontal(12, 20), OVERRIDE) == {"minReplicas": 3, "maxReplicas": 20}


def test_a_field_that_was_not_set_is_not_set_again() -> None:
    override = Override({"minReplicas": None, "maxReplicas": 5}, {"minReplicas": 4, "maxReplicas": 5}, OVERRIDE.since)
    entry = horizontal(4, 5, override)
    back = applied(entry, overrides.patch(entry, overrides.returned(entry, override), None))
    assert back["spec"] == {"maxReplicas": 5}
    assert back["metadata"]["annotations"] == {"team": "shop"}


def test_the_change_and_what_it_replaces_are_one_patch() -> None:
    entry = horizontal(3, 10)
    changed = applied(entry, overrides.patch(entry, OVERRIDE.new, OVERRIDE))
    assert changed["spec"] == {"minReplicas": 12, "maxReplicas": 12}
    assert overrides.of(changed) == OVERRIDE
    assert changed["metadata"]["annotations"]["team"] == "shop"


def test_keda_is_paused_by_an_annotation() -> None:
    entry = {"kind": "ScaledObject", "metadata": {"name": "q", "resourceVersion": "1"}, "spec": {"minReplicaCount": 2}}
    assert overrides.settings(entry) == {"minReplicaCount": 2, "maxReplicaCount": None, PAUSED_REPLICAS: None}
    paused = applied(entry, overrides.patch(entry, {**overrides.settings(entry), PAUSED_REPLICAS: 0}, None))
    assert paused["metadata"]["annotations"] == {PAUSED_REPLICAS: "0"}
    assert overrides.settings(paused)[PAUSED_REPLICAS] == "0"
    freed = applied(paused, overrides.patch(paused, overrides.settings(entry), None))
    assert (freed["metadata"]["annotations"], freed["spec"]) == ({}, {"minReplicaCount": 2})


@given(
    low=st.none() | st.integers(1, 50), high=st.integers(50, 99),
    floor=st.integers(1, 99), ceiling=st.integers(99, 200),
)  # fmt: skip
def test_there_and_back_leaves_nothing(low: int | None, high: int, floor: int, ceiling: int) -> None:
    entry = horizontal(low, high)
    wanted = {"minReplicas": floor, "maxReplicas": ceiling}
    override = Override(overrides.settings(entry), wanted, OVERRIDE.since)
    there = applied(entry, overrides.patch(entry, wanted, override))
    assert overrides.settings(there) == wanted
    back = applied(there, overrides.patch(there, overrides.returned(there, override), None))
    assert back == entry


def test_all_of_them_are_listed_with_what_became_of_them() -> None:
    workload = {"kind": "Deployment", "metadata": {"name": "api"}, "spec": {"replicas": 3}}
    (due,) = overrides.listed([workload, horizontal(12, 12, OVERRIDE)], NOON)
    assert due["due"]
    assert due["overtaken"] == []
    assert due["sentence"] == (
        "HorizontalPodAutoscaler api: minReplicas 12 instead of 3, maxReplicas 12 instead of 10 "
        "since 2026-11-22T11:00:00+00:00 by ada (launch), due since 2026-11-22T12:00:00+00:00"
    )
    (overtaken,) = overrides.listed([horizontal(5, 12, OVERRIDE)], datetime(2026, 11, 22, 11, 30, tzinfo=UTC))
    assert not overtaken["due"]
    assert overtaken["overtaken"] == ["minReplicas"]
    assert overtaken["sentence"].endswith("until 2026-11-22T12:00:00+00:00; minReplicas changed since then, and stays")


def test_one_without_an_end_says_so() -> None:
    override = Override({"minReplicas": 3}, {"minReplicas": 12}, since="2026-11-22T11:00:00+00:00")
    (found,) = overrides.listed([horizontal(12, 12, override)], NOON)
    assert found["sentence"].endswith("since 2026-11-22T11:00:00+00:00, until somebody returns it")
