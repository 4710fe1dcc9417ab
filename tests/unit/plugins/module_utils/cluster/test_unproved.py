# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a change leaves is kept in its own write, and counts until the change is proved or another one is made."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster import marks, planning, revisions, unproved
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.planning import Change, Wish
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.unproved import Unproved
from ansible_collections.linkops.runbooks.tests.unit.plugins.fixtures.scenes import Scene, scene


def changed(at: Scene) -> Change:
    """A change of the template that makes a new revision."""
    template = copy.deepcopy(at.workload["spec"]["template"])
    template["spec"]["terminationGracePeriodSeconds"] = 5
    return planning.edit(at.workload, at.known, template)


def annotations(patch: list[dict[str, Any]]) -> dict[str, str]:
    """What the patch makes of the workload's annotations; it sets them once."""
    (found,) = [each["value"] for each in patch if each["path"] == "/metadata/annotations"]
    return dict(found)


def carried_out(at: Scene, target: int, number: int, patch: list[dict[str, Any]]) -> None:
    """What the controller makes of the patch: the revision C(target), which has the given number from then on."""
    at.deploy(target)
    at.workload["metadata"]["annotations"] = annotations(patch)
    name = at.numbered(target).name
    entry = next(each for each in at.history if each["metadata"]["name"] == name)
    entry["metadata"]["annotations"][revisions.REVISION] = str(number)


def taken_up(passed: bool = True) -> Scene:
    """A rollback from 8 to 4 that was killed behind its write."""
    at = scene("deployment")
    plan = planning.plan(at.workload, at.known, Wish("4", allow_schema_mismatch=True))
    carried_out(at, 4, 9, unproved.noted(at.workload, at.known, plan, passed))
    return at


@pytest.mark.parametrize("passed", [True, False])
def test_a_killed_change_tells_what_it_left(passed: bool) -> None:
    at = taken_up(passed)
    assert unproved.read(at.workload, at.known) == Unproved(at.numbered(8), passed)


@pytest.mark.parametrize("kind", ["deployment", "statefulset"])
def test_the_write_keeps_all_other_annotations(kind: str) -> None:
    at = scene(kind)
    plan = changed(at)
    before = dict(at.workload["metadata"].get("annotations") or {})
    patch = unproved.noted(at.workload, at.known, plan, True)
    assert patch[: len(plan.patch)] == plan.patch
    noted = annotations(patch)
    content = json.loads(noted.pop(marks.UNPROVED))
    assert noted == before
    newest = max(at.known, key=lambda each: each.number)
    assert content == {"revision": newest.number + 1, "left": newest.name, "passed": True}


def test_annotations_that_the_change_itself_sets_are_kept() -> None:
    at = scene("deployment")
    plan = planning.plan(at.workload, at.known, Wish("4", allow_schema_mismatch=True))
    noted = annotations(unproved.noted(at.workload, at.known, plan, True))
    del noted[marks.UNPROVED]
    assert noted == annotations(plan.patch)


def test_a_template_of_no_revision_leaves_nothing_to_return_to() -> None:
    at = scene("deployment")
    plan = Change(None, None, changed(at).patch)
    assert unproved.noted(at.workload, at.known, plan, True) == plan.patch


def test_another_change_to_the_same_template_does_not_count() -> None:
    at = taken_up()
    copied = [{"path": "/metadata/annotations", "value": at.workload["metadata"]["annotations"]}]
    carried_out(at, 8, 10, copied)
    carried_out(at, 9, 11, copied)
    assert at.numbered(11).active
    assert unproved.read(at.workload, at.known) is None


@pytest.mark.parametrize(
    ("mark", "proved"),
    [
        pytest.param({"verdict": "good", "revision": 9}, True, id="good, as this change made it"),
        pytest.param({"verdict": "good", "revision": 4}, False, id="good once, before it became active again"),
        pytest.param({"verdict": "good"}, False, id="good, nobody knows when"),
        pytest.param({"verdict": "bad", "revision": 9}, False, id="bad"),
    ],
)
def test_it_counts_until_the_revision_is_proved(mark: dict[str, Any], proved: bool) -> None:
    at = taken_up()
    active = at.numbered(9)
    entry = next(each for each in at.history if each["metadata"]["name"] == active.name)
    content = json.dumps({"since": "2026-03-05T09:00:00Z", **mark})
    entry["metadata"]["annotations"][marks.PREFIX + active.certified] = content
    assert (unproved.read(at.workload, at.known) is None) == proved


def test_a_revision_that_was_collected_as_garbage_is_not_returned_to() -> None:
    at = taken_up()
    left = at.numbered(8).name
    at.history = [each for each in at.history if each["metadata"]["name"] != left]
    assert unproved.read(at.workload, at.known) is None


@pytest.mark.parametrize("text", ["", "[]", "null", "{}", '{"revision": 9, "left": "api-1"}', '{"revision": "x"}'])
def test_what_is_not_readable_is_nothing(text: str) -> None:
    at = taken_up()
    at.workload["metadata"]["annotations"][marks.UNPROVED] = text
    assert unproved.read(at.workload, at.known) is None


def test_a_rollback_does_not_bring_back_what_its_target_once_left() -> None:
    at = taken_up()
    name = at.numbered(8).name
    entry = next(each for each in at.history if each["metadata"]["name"] == name)
    entry["metadata"]["annotations"][marks.UNPROVED] = "copied"
    assert marks.UNPROVED not in annotations(planning.plan(at.workload, at.known, Wish("8")).patch)
