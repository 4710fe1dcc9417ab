# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Judging the answer of a health endpoint: status, body, and each dependency that the body reports. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from typing import Any

from ..redaction import redact, redact_text
from ..verdict import Verdict

# The API server's words when a proxied connection was refused: the process is not there, which is an answer.
_REFUSED = re.compile(r"connection refused|EOF|reset by peer|malformed HTTP", re.IGNORECASE)


def judge(who: str, status: int, body: str, expect: Mapping[str, Any], statuses: Collection[int] = ()) -> Verdict:
    """The verdict on one answer; C(expect) maps dotted JSON paths to the values that healthy ones have.

    C(statuses) are those that a healthy service answers with, such as the 401 of an endpoint that wants a key; without
    them any 2xx is.

    A 200 with C("database": "disconnected") fails; a status of 0 (no answer at all) fails, since users got none either.
    """
    if status == 0:
        return Verdict("fail", f"{who} gives no answer: {redact_text(body)}", {"status": status})
    if statuses and status in statuses and not 200 <= status < 300:
        return Verdict("pass", f"{who} answers {status}, as it shall", {"status": status})
    shown = {"status": status, "body": redact_text(body[:500])}
    loaded = _loaded(body)
    wrong = [
        f"{path} is {_shown(path, found)}, expected {_shown(path, wanted)}"
        for path, wanted in sorted(expect.items())
        if (found := _at(loaded, path)) != wanted
    ]
    if status not in statuses if statuses else not 200 <= status < 300:
        dependencies = f" ({'; '.join(wrong)})" if loaded is not None and wrong else ""
        return Verdict("fail", f"{who} answers {status}{dependencies}", shown)
    if expect and loaded is None:
        return Verdict("fail", f"{who} answers {status}, and its body is not JSON", shown)
    if wrong:
        return Verdict("fail", f"{who} answers {status}, but {'; '.join(wrong)}", shown)
    return Verdict("pass", f"{who} is healthy", shown)


def judge_refusal(who: str, status: int, body: str) -> Verdict:
    """The verdict where the API server's proxy answered in the pod's place: only a refusal counts as an answer."""
    message = redact_text(str((_loaded(body) or {}).get("message") or body))[:300]
    if _REFUSED.search(message):
        return Verdict("fail", f"{who} refuses connections: {message}", {"status": status})
    return Verdict("unknown", f"{who} cannot be asked: {message}", {"status": status})


def _loaded(body: str) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _at(document: Any, path: str) -> Any:
    for part in path.split("."):
        if not isinstance(document, Mapping):
            return None
        document = document.get(part)
    return document


def _shown(path: str, value: Any) -> str:
    """A value in words, hidden where its path names a secret."""
    return "missing" if value is None else redact_text(json.dumps(*redact({path: value}).values())[:80])
