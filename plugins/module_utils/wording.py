# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Figures in words that people read at a glance."""

from __future__ import annotations

import re
from collections.abc import Sequence

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_SIZES = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))
_TYPED = re.compile(r"([0-9]{1,5})([smhd])")
_TYPED_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def duration(seconds: float) -> str:
    """A time span in its largest whole unit, such as C(5 h)."""
    for length, unit in _UNITS:
        if seconds >= length:
            return f"{int(seconds // length)} {unit}"
    return "0 s"


def typed_seconds(text: str) -> int | None:
    """The seconds of a time span as operators type it, such as C(90s), C(10m), C(2h) or C(1d); none if it is none."""
    found = _TYPED.fullmatch(text)
    return int(found[1]) * _TYPED_UNITS[found[2]] if found else None


def size(count: float) -> str:
    """Bytes in a binary unit, such as C(256 MiB)."""
    for length, unit in _SIZES:
        if abs(count) >= length:
            return f"{count / length:.3g} {unit}" if abs(count) < 1000 * length else f"{count / length:.0f} {unit}"
    return f"{count:.0f} B"


def share(ratio: float) -> str:
    """A ratio in per cent."""
    return f"{100 * ratio:.0f} %" if ratio >= 0.1 or ratio == 0 else f"{100 * ratio:.1f} %"


def listed(parts: Sequence[str], most: int = 5) -> str:
    """The first of several, and how many more there are."""
    more = len(parts) - most
    return "; ".join(parts[:most]) + (f"; and {more} more" if more > 0 else "")


def counted(number: int, noun: str, plural: str = "") -> str:
    """A number with its noun, in the plural where it is not one."""
    return f"{number} {noun if number == 1 else plural or f'{noun}s'}"
