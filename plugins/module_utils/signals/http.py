# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asking an HTTP endpoint as its users do, from where this runs."""

from __future__ import annotations

import contextlib
import http.client
import socket
from collections.abc import Mapping
from typing import Any
from urllib.error import HTTPError, URLError

from ansible.module_utils.urls import open_url

from .. import bodies
from ..deadline import Deadline
from ..verdict import Verdict


def get(url: str, timeout_seconds: float, validate_certs: bool = True) -> tuple[int, str] | Verdict:
    """Status and body; status 0 with the reason where nobody answered; unknown where nobody could be asked."""
    answer = exchange("GET", url, timeout_seconds, validate_certs=validate_certs)
    return answer if isinstance(answer, Verdict) else answer[:2]


def exchange(
    method: str,
    url: str,
    timeout_seconds: float,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    validate_certs: bool = True,
) -> tuple[int, str, dict[str, str]] | Verdict:
    """The same with the answer's headers, their names in lower case. With headers of ours no redirect is followed,
    since they may hold a credential.
    """
    deadline = Deadline(timeout_seconds)
    try:
        with contextlib.closing(_answer(method, url, timeout_seconds, headers, body, validate_certs)) as answer:
            told = {name.lower(): value for name, value in answer.headers.items()}
            return answer.status, bodies.read(answer.read1, deadline), told
    except URLError as fault:
        if isinstance(fault.reason, socket.gaierror):
            return Verdict("unknown", f"{url} cannot be asked from here: the name does not resolve ({fault.reason})")
        return 0, str(fault.reason), {}
    except (OSError, ValueError, http.client.HTTPException) as fault:
        return 0, str(fault) or type(fault).__name__, {}


def _answer(
    method: str, url: str, timeout_seconds: float, headers: Mapping[str, str] | None, body: bytes | None, certs: bool
) -> Any:
    """The answer, its body yet unread, whatever its status."""
    try:
        return open_url(
            url,
            method=method,
            data=body,
            headers=dict(headers or {}),
            timeout=timeout_seconds,
            validate_certs=certs,
            http_agent="linkops.runbooks",
            follow_redirects="none" if headers else "safe",
        )
    except HTTPError as fault:
        return fault
