# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the API server's refusals, and no answer from it, are called in sentences. Pure."""

from __future__ import annotations

import json
import re
from typing import Any

from ..errors import Fault
from ..redaction import redact_text

#: HTTP codes of what may be over a moment later.
TRANSIENT = frozenset({429, 500, 502, 503, 504})


def status(body: bytes | str) -> dict[str, Any]:
    """The C(Status) object in an answer of the API server itself, empty when the answer is something else."""
    try:
        loaded = json.loads(body)
    except ValueError:
        return {}
    is_status = isinstance(loaded, dict) and loaded.get("kind") == "Status" and loaded.get("apiVersion") == "v1"
    return loaded if is_status else {}


def message(body: bytes) -> str:
    """The API server's own words, or those of who answered in its place; redacted."""
    return redact_text(
        str(status(body).get("message") or body.decode("utf-8", "replace").strip()[:300] or "no message")
    )


def cause(fault: Exception) -> str:
    """The innermost reason of a urllib3 exception in its own words, without object addresses."""
    while inner := [each for each in (getattr(fault, "reason", None), *fault.args) if isinstance(each, Exception)]:
        fault = inner[0]
    said = next((each for each in reversed(fault.args) if isinstance(each, str)), str(fault))
    text = re.sub(r"<[^>]*>:?\s*|\b\w*Connection\w*\([^)]*\):?\s*", "", said).strip(" .:")
    return redact_text(text or type(fault).__name__)


_SENTENCES: dict[int, tuple[str, str]] = {
    401: ("unauthorized", "Renew the credentials: the token or certificate is expired or is not of this cluster."),
    403: ("forbidden", "Ask for that right (docs/permissions.md lists what each button needs)."),
    404: ("not_found", "Check the names in the inventory."),
    409: ("conflict", "Somebody changed it meanwhile; run the button again to plan on the new state."),
    422: ("invalid", "The API server refuses this content; see its message."),
}


def explain(status: int, message: str, method: str, path: str, cluster: str) -> Fault:
    """The fault for an HTTP code, and what to do about it."""
    transient = ("api_unavailable", "The API server is overloaded or restarting; try again in a moment.")
    reason, remedy = _SENTENCES.get(status, transient if status in TRANSIENT else ("api_error", ""))
    return Fault(reason, f"{cluster} answered {status} to {method} {path}: {message.rstrip('.')}.", remedy)
