# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Resolving a host's name within a deadline; the resolver itself waits for a silent name server as long as it likes."""

from __future__ import annotations

import socket
import threading

from .deadline import Deadline


def addresses(host: str, deadline: Deadline) -> list[str] | OSError:
    """The host's addresses, or why there are none."""
    answers: list[list[str] | OSError] = []

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            answers.append(list(dict.fromkeys(str(each[4][0]) for each in found)))
        except OSError as fault:
            answers.append(fault)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(deadline.remaining)
    return answers[0] if answers else OSError(f"no name server answered within {deadline.seconds:g} s")
