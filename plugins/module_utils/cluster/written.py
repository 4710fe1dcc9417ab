# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether an object says already what a patch writes, as after a patch whose answer was lost on the way. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_PRECONDITION = "/metadata/resourceVersion"
#: Annotations that the controller sets by itself, right after the write.
_CONTROLLERS = "deployment.kubernetes.io/"


def says(entry: Mapping[str, Any], patch: Sequence[Mapping[str, Any]]) -> bool:
    """Whether everything that a JSON patch writes stands in the object; its preconditions do not count."""
    return all(_done(entry, step) for step in patch if step["op"] != "test" and step["path"] != _PRECONDITION)


def _done(entry: Any, step: Mapping[str, Any]) -> bool:
    found = entry
    for part in step["path"].split("/")[1:]:
        found = found.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(found, Mapping) else None
    return not found if step["op"] == "remove" else _within(step["value"], found)


def _within(wanted: Any, found: Any) -> bool:
    """Whether all that is wanted is there: the API server adds its defaults, and leaves out what is empty."""
    if not wanted and not found:
        return True
    if isinstance(wanted, Mapping) and isinstance(found or {}, Mapping):
        return all(
            _within(value, (found or {}).get(key)) for key, value in wanted.items() if not key.startswith(_CONTROLLERS)
        )
    if isinstance(wanted, list) and isinstance(found, list):
        return len(wanted) == len(found) and all(map(_within, wanted, found))
    return bool(wanted == found)
