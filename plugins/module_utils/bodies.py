# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The body of an HTTP answer: as much of it as a judgement needs, for as long as one may wait."""

from __future__ import annotations

from collections.abc import Callable

from .deadline import Deadline

MOST_BYTES = 1 << 20


def read(piece: Callable[[int], bytes], deadline: Deadline, most_bytes: int = MOST_BYTES) -> str:
    """The text of a body that C(piece) reads bit by bit, as C(read1) does, cut off at C(most_bytes).

    Raises C(TimeoutError) where it does not end by the deadline, such as that of a path which streams.
    """
    body = b""
    while len(body) < most_bytes and (more := piece(most_bytes - len(body))):
        body += more
        if deadline.expired:
            raise TimeoutError(f"an answer begins, and does not end within {deadline.seconds:g} s")
    return body.decode("utf-8", "replace")
