# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asking an HTTP endpoint as its users do, from where this runs."""

from __future__ import annotations

import socket
from urllib.error import HTTPError, URLError

from ansible.module_utils.urls import open_url

from ..verdict import Verdict

MOST_BYTES = 1 << 20


def get(url: str, timeout_seconds: float, validate_certs: bool = True) -> tuple[int, str] | Verdict:
    """Status and body; status 0 with the reason where nobody answered; unknown where nobody could be asked."""
    try:
        answer = open_url(
            url,
            timeout=timeout_seconds,
            validate_certs=validate_certs,
            http_agent="linkops.runbooks",
            follow_redirects="safe",
        )
        return answer.status, answer.read(MOST_BYTES).decode("utf-8", "replace")
    except HTTPError as fault:
        return fault.code, fault.read(MOST_BYTES).decode("utf-8", "replace")
    except URLError as fault:
        if isinstance(fault.reason, socket.gaierror):
            return Verdict("unknown", f"{url} cannot be asked from here: the name does not resolve ({fault.reason})")
        return 0, str(fault.reason)
    except (OSError, ValueError) as fault:
        return 0, str(fault) or type(fault).__name__
