# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The hash chain of a service's run records. Pure.

Every line names the hash of the line before it, across all runs of one service. A chain proves that nothing in the
middle was changed or left out; only a head that is kept elsewhere (in the verdict line, on the Lease) proves its end.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

#: What the first line of a service's first record names as its predecessor.
GENESIS = "0" * 64


def link(entry: Mapping[str, Any], previous: str) -> dict[str, Any]:
    """The entry with its predecessor and its own hash."""
    linked = {**entry, "previous": previous}
    return {**linked, "hash": digest(linked)}


def digest(entry: Mapping[str, Any]) -> str:
    """SHA-256 over the canonical JSON of an entry without its own hash."""
    content = {key: value for key, value in entry.items() if key != "hash"}
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def line(entry: Mapping[str, Any]) -> str:
    """The entry as it is stored, one line."""
    return json.dumps(entry, sort_keys=True, separators=(",", ":")) + "\n"


def verify(entries: Iterable[Mapping[str, Any]], head: str = "") -> list[str]:
    """Sentences for all that is wrong with the records of one service, none if they are consistent.

    With a C(head) from elsewhere, the records must also contain it.
    """
    listed = list(entries)
    faults = [
        f"a line of run {each.get('run')} at {each.get('time')} was changed after it was written"
        for each in listed
        if digest(each) != each.get("hash")
    ]
    known = {each.get("hash") for each in listed} | {GENESIS}
    followers: dict[str, int] = {}
    for each in listed:
        previous = str(each.get("previous"))
        followers[previous] = followers.get(previous, 0) + 1
        if previous not in known:
            faults.append(
                f"the line before {each.get('event')} of run {each.get('run')} at {each.get('time')} is missing"
            )
    faults += [
        f"{count} lines follow {previous[:12]}, so the chain forks"
        for previous, count in followers.items()
        if count > 1
    ]
    if head and head not in known:
        faults.append(f"the anchored head {head[:12]} is not among the records: lines are missing at the end")
    return faults
