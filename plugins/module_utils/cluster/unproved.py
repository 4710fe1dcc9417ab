# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A change of the template that is not proved yet, and the revision that it left: kept in the change's own write. Pure.

A run may be killed behind its write. The next one with the same wish finds nothing to write; by this annotation it
takes the change up, and returns to the same revision should it fail. The annotation counts while the active revision
has the number that the change made, since no other change makes the same one, wherever controllers and
C(kubectl rollout undo) copy annotations; and until that revision is marked good under that number.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import marks, revisions
from .planning import Change
from .revisions import Revision

_ANNOTATIONS = "/metadata/annotations"


@dataclass(frozen=True)
class Unproved:
    """C(left) is the revision that was left, which served; C(passed) tells whether the whole service passed then."""

    left: Revision
    passed: bool


def noted(
    workload: Mapping[str, Any], known: Sequence[Revision], planned: Change, passed: bool
) -> list[dict[str, Any]]:
    """The patch of a planned change, with what it leaves."""
    if planned.source is None:
        return planned.patch
    number = max(each.number for each in known) + 1  # the next one, also where an earlier revision becomes active again
    note = json.dumps({"revision": number, "left": planned.source.name, "passed": passed}, sort_keys=True)
    own = [each for each in planned.patch if each["path"] == _ANNOTATIONS]
    annotations = own[-1]["value"] if own else workload["metadata"].get("annotations") or {}
    others = [each for each in planned.patch if each not in own]
    return [*others, {"op": "add", "path": _ANNOTATIONS, "value": {**annotations, marks.UNPROVED: note}}]


def read(workload: Mapping[str, Any], known: Sequence[Revision]) -> Unproved | None:
    """The change that made the active revision, if it is not proved; anybody may have edited it: unreadable is none."""
    active = revisions.active_revision(known)
    try:
        note = json.loads((workload["metadata"].get("annotations") or {})[marks.UNPROVED])
        number, name, passed = note["revision"], note["left"], note["passed"] is True
    except (KeyError, TypeError, ValueError):
        return None
    left = next((each for each in known if each.name == name), None)
    if active is None or left is None or left is active or active.number != number:
        return None
    proved = active.mark and (active.mark.verdict, active.mark.revision) == ("good", number)
    return None if proved else Unproved(left, passed)
