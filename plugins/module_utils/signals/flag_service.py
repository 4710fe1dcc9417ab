# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A feature flag that an HTTP service keeps: a JSON document at an address of its own."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import Fault, OperatorError
from ..redaction import redact_text
from ..verdict import Verdict
from . import flags, http
from .flags import Flag

TIMEOUT_SECONDS = 5.0


class FlagService:
    """The service behind one flag. Its token is read here and goes nowhere but into the request."""

    def __init__(self, flag: Flag, environment: Mapping[str, str]) -> None:
        self._settings = flag.settings
        self._url = str(flag.settings["url"])
        self._timeout = float(flag.settings.get("timeout_seconds") or TIMEOUT_SECONDS)
        self._token = _token(flag, environment)
        self._tag = ""

    def read(self) -> dict[str, Any]:
        """The document as it is; the next write is for exactly this state, where the service tells states apart."""
        status, body, headers = self._exchange("GET")
        try:
            document = json.loads(body)
        except ValueError:
            document = None
        if status != 200 or not isinstance(document, dict):
            told = f"answers {status}" if status != 200 else "does not answer with a JSON object"
            raise self._fault("flag_unread", f"{told}{self._said(body) if status != 200 else ''}", "")
        if flags.at(document, self._field) is None:
            raise self._fault("flag_unread", f"has no {self._field}", "Correct field in feature_flags.")
        self._tag = headers.get("etag", "")
        return document

    def value(self, document: Mapping[str, Any]) -> Any:
        """The flag's value in a document."""
        return flags.at(document, self._field)

    def write(self, document: Mapping[str, Any], value: Any) -> None:
        """Set the value, and read it back."""
        method = self._settings.get("method", "PUT")
        edited: dict[str, Any] = copy.deepcopy(dict(document)) if method == "PUT" else {}
        *parents, last = self._field.split(".")
        holder = edited
        for part in parents:
            holder = holder.setdefault(part, {})
        holder[last] = value
        status, body, _headers = self._exchange(method, json.dumps(edited).encode())
        if status in (409, 412):
            raise self._fault("conflict", "was changed by somebody else meanwhile", "Press again to plan on that.")
        if status and not 200 <= status < 300:
            raise self._fault("flag_refused", f"answers {status} to {method}{self._said(body)}", "Nothing was changed.")
        # No answer in time says nothing about whether it was done: the service is asked again.
        if self.value(self.read()) != value:
            raise self._fault("flag_refused", f"still has the old value after {method}", "Look at the service's log.")

    @property
    def _field(self) -> str:
        return str(self._settings["field"])

    def _exchange(self, method: str, body: bytes | None = None) -> tuple[int, str, dict[str, str]]:
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json" if method == "PUT" else "application/merge-patch+json"
            headers |= {"If-Match": self._tag} if self._tag else {}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        answer = http.exchange(method, self._url, self._timeout, headers, body)
        if isinstance(answer, Verdict):
            raise OperatorError(Fault("flag_unread", f"{answer.reason}.", "Correct url in feature_flags."))
        if answer[0] == 0 and method == "GET":
            raise self._fault("flag_unread", f"does not answer: {answer[1].rstrip('.')}", "See whether it runs.")
        return answer

    def _said(self, body: str) -> str:
        words = redact_text(" ".join(body.split())[:200], [self._token] if self._token else [])
        return f': "{words}"' if words else ""

    def _fault(self, reason: str, told: str, remedy: str) -> OperatorError:
        return OperatorError(Fault(reason, f"The flag service {self._url} {told}.", remedy))


def _token(flag: Flag, environment: Mapping[str, str]) -> str:
    path, variable = flag.settings.get("token_file"), flag.settings.get("token_environment")
    try:
        token = (
            Path(path).expanduser().read_text(encoding="utf-8").strip() if path else environment.get(variable or "", "")
        )
    except (OSError, UnicodeDecodeError) as fault:
        said = fault.strerror if isinstance(fault, OSError) else "it is not text"
        told = f"The token file {path} of the flag {flag.name} cannot be read: {said}."
        raise OperatorError(Fault("token_missing", told, "Correct token_file in feature_flags.")) from fault
    if (path or variable) and not token:
        told = f"The flag {flag.name} needs a token, and {path or f'the variable {variable}'} is empty."
        raise OperatorError(Fault("token_missing", told, "Fill it; nothing was changed."))
    return token
