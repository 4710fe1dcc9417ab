# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Marks: what verification found out about a revision, kept on its ReplicaSet or ControllerRevision.

The annotation's name ends in the pod-template-hash (or ControllerRevision hash) that the mark certifies, and it
counts on that object alone. C(kubectl rollout undo) copies annotations from ReplicaSet to Deployment, and the
controller copies them on to the next ReplicaSet: a mark that travelled so stands under a foreign hash and is nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

PREFIX = "mark.runbooks.linkops.io/"
#: The newest database migration that a deploy brought along; set on the workload, copied to the ReplicaSet.
MIGRATION = "runbooks.linkops.io/newest-migration"
#: Revision numbers that a ControllerRevision had before it was renumbered, as revision-history is for ReplicaSets.
EARLIER_REVISIONS = "runbooks.linkops.io/earlier-revisions"
#: A change of the template that is not proved yet, see unproved.py; set on the workload.
UNPROVED = "runbooks.linkops.io/unproved-change"


@dataclass(frozen=True)
class Mark:
    """C(verdict) good or bad, C(since) in RFC 3339, the config fingerprint and newest migration of that moment.

    C(revision) is the number that the revision had then: under another one it became active anew.
    """

    verdict: Literal["good", "bad"]
    since: str
    fingerprint: dict[str, str] = field(default_factory=dict)
    migration: str = ""
    run: str = ""
    reason: str = ""
    revision: int = 0


def is_mark(annotation: str) -> bool:
    """Whether an annotation is a mark, of whatever revision."""
    return annotation.startswith(PREFIX)


def read(annotations: Mapping[str, str], certified: str) -> Mark | None:
    """The mark that certifies this hash; content that is not a mark's, as somebody may have edited it, is no mark."""
    try:
        mark = Mark(**json.loads(annotations[PREFIX + certified]))
        texts = [mark.since, mark.migration, mark.run, mark.reason, *mark.fingerprint, *mark.fingerprint.values()]
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    sound = isinstance(mark.revision, int) and all(isinstance(text, str) for text in texts)
    return mark if mark.verdict in ("good", "bad") and sound else None


def write(mark: Mark, certified: str) -> dict[str, str]:
    """The annotation for a mark."""
    return {PREFIX + certified: json.dumps(vars(mark), sort_keys=True, separators=(",", ":"))}


def outweighs(standing: Mark | None, verdict: str) -> bool:
    """Whether the standing mark forbids the new verdict: bad wins, until somebody lifts it."""
    return standing is not None and standing.verdict == "bad" and verdict == "good"


def strays(annotations: Mapping[str, Any]) -> list[str]:
    """Marks on a workload itself: carried there by a foreign undo, to be removed with our next write."""
    return sorted(name for name in annotations if is_mark(name))
