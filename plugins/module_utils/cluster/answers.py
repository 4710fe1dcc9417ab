# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a probe inside a pod said of something that the service depends on. Pure.

A probe is a short program that uses the service's own connection. It prints one line of JSON: C(ok) true, or false with
C(code); C(milliseconds); and, where it can tell, C(sessions) as a list of application, state and count. A null C(ok)
says that the probe could not ask.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..redaction import redact, redact_text
from ..verdict import Status, Verdict
from ..wording import counted

MOST_SAID = 200  # characters
MOST_GROUPS = 20


def verdict(ran: Mapping[str, Any]) -> Verdict:
    """The verdict on one answer, as M(linkops.runbooks.pod_exec) returns it: C(rc), C(stdout), C(status), C(reason)."""
    where = f"pod {ran['pod']}"
    if ran["rc"] != 0:
        return Verdict("unknown", f"{where} cannot ask: {redact_text(str(ran['reason']))}")
    said = _loaded(str(ran["stdout"]))
    if said is None:
        return Verdict("unknown", f"{where} says nothing readable: {redact_text(str(ran['stdout']))[:MOST_SAID]}")
    code = redact_text(str(said.get("code") or "no reason given"))[:MOST_SAID]
    evidence = {"milliseconds": said.get("milliseconds"), "sessions": redact(_sessions(said)), "pod": ran["pod"]}
    if said.get("ok") is True:
        total = sum(int(each["count"]) for each in evidence["sessions"])
        by_state: dict[str, int] = {}
        for each in evidence["sessions"]:
            by_state[each["state"]] = by_state.get(each["state"], 0) + int(each["count"])
        states = ", ".join(f"{number} {state}" for state, number in sorted(by_state.items()))
        seen = f"; it sees {counted(total, 'other session')} ({states})" if total else ""
        return Verdict("pass", f"{where} is connected after {said.get('milliseconds')} ms{seen}", evidence)
    status: Status = "fail" if said.get("ok") is False else "unknown"
    words = "cannot connect" if status == "fail" else "cannot ask"
    return Verdict(status, f"{where} {words} with its own connection: {code}", evidence)


def _loaded(text: str) -> dict[str, Any] | None:
    """The last line that is a JSON object; libraries may say something before it."""
    for line in reversed(text.splitlines()):
        try:
            loaded = json.loads(line)
        except ValueError:
            continue
        if isinstance(loaded, dict):
            return loaded
    return None


def _sessions(said: Mapping[str, Any]) -> list[dict[str, Any]]:
    listed = said.get("sessions")
    return [
        {
            "application": str(each.get("application", ""))[:64],
            "state": str(each.get("state"))[:32],
            "count": each["count"],
        }
        for each in (listed if isinstance(listed, list) else [])[:MOST_GROUPS]
        if isinstance(each, dict) and isinstance(each.get("count"), int)
    ]
