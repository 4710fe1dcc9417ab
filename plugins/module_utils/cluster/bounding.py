# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The beginning of a stream, kept within a bound, and how it is shown without half a secret at its end. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from ..redaction import redact_text

#: Kept beyond the bound: a secret that the bound cuts is recognised by what follows, such as the @ behind a password.
MARGIN_BYTES = 16 << 10


class Head:
    """The first C(most) bytes of a stream; the rest is counted, not kept."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept = bytearray()
        self.total = 0

    def add(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self.total += len(chunk)
        room = self._most + MARGIN_BYTES - len(self._kept)
        if room > 0:
            self._kept += chunk[:room]

    @property
    def raw(self) -> bytes:
        """What was kept, the margin included."""
        return bytes(self._kept)

    @property
    def left_out(self) -> int:
        """How many bytes are beyond the bound."""
        return max(0, self.total - self._most)

    def text(self, secrets: Iterable[str] = ()) -> str:
        """The beginning as text, redacted; what is not UTF-8 is replaced."""
        return shown(self.raw, self.total, self._most, secrets)


def shown(kept: bytes, total: int, most: int, secrets: Iterable[str]) -> str:
    """Kept bytes of a text of C(total) bytes as redacted text of C(most) characters.

    Where the margin is cut as well, nothing in it is shown: the part of a secret that it may end with is not known.
    """
    text = redact_text(kept.decode("utf-8", "replace"), secrets)
    if total > len(kept):
        text = text[: max(0, len(text) - MARGIN_BYTES)]
    return text[:most]
