# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How large an index gets, by the table's statistics, and whether the server's disk has room for a build. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import Fault
from ..wording import size
from .readiness import Answer

PAGE = 8192
_PAGE_HEADER, _SPECIAL, _ENTRY, _ALIGN = 24, 16, 12, 8
_FILLFACTOR = 0.9
#: An element of HNSW beside its vector, and each link of it (pgvector:src/hnsw.h); m is 16 unless it is set.
_ELEMENT, _LINK, _LINKS = 120, 6, 16
_HASHED = 4  # bytes of a hash index's key, whatever the column's


@dataclass(frozen=True)
class Need:
    """What one build takes: C(bytes_) of its index, none where that is not known before.

    C(lasting) is false where it replaces an index of its size, which is there until then.
    """

    shown: str
    bytes_: int | None
    lasting: bool = True


def btree_pages(entries: float, widths: Sequence[int]) -> int:
    """Pages of a B-tree with so many entries that is built now; C(widths) are the columns' average bytes.

    Entries of equal keys are shared since PostgreSQL 13, so this is rather too many.
    """
    entry = _ENTRY + math.ceil(sum(widths) / _ALIGN) * _ALIGN
    return 2 + math.ceil(entries * entry / ((PAGE - _PAGE_HEADER - _SPECIAL) * _FILLFACTOR))


def index_bytes(
    method: str, entries: float, widths: Sequence[int | None], settings: Mapping[str, Any] | None = None
) -> int | None:
    """How large the index gets; none where statistics are missing, or the method's size does not follow from them."""
    if entries == 0:  # nothing is known of the widths, either
        return 2 * PAGE
    known = [width for width in widths if width is not None]
    if entries < 0 or len(known) < len(widths):  # -1: neither analyzed nor vacuumed yet
        return None
    if method == "btree":
        return PAGE * btree_pages(entries, known)
    if method == "hash":
        return PAGE * btree_pages(entries, [_HASHED])
    if method in ("hnsw", "ivfflat"):
        links = 2 * int((settings or {}).get("m", _LINKS)) * _LINK
        entry = sum(known) + (_ELEMENT + links if method == "hnsw" else _ENTRY)
        return PAGE * (2 + math.ceil(entries / max(1, (PAGE - _PAGE_HEADER - _SPECIAL) // entry)))
    return None


def room(needs: Sequence[Need], free: float | None, unknown: str, reserve_bytes: int, remedy: str) -> Answer:
    """Whether the server's disk has room for all builds, one after the other.

    Each index has its entries in temporary files once more while it sorts them, or its old index beside it.
    C(unknown) says why C(free) is not known, C(remedy) what to do where it is not enough.
    """
    if not needs:
        return None
    sizes = {need.shown: need.bytes_ for need in needs if need.bytes_ is not None}
    peak = sum(sizes[need.shown] for need in needs if need.lasting and need.shown in sizes)
    peak += max(sizes.values(), default=0)
    vague = [need.shown for need in needs if need.bytes_ is None]
    known = f"what is built needs about {size(peak)} until it is done" if sizes else ""
    guess = f"how large {', '.join(vague)} will be is not known before" if vague else ""
    about = "; ".join(filter(None, [known, guess]))
    if free is None:
        return f"How much space the server's disk has is unknown: {unknown}; {about}." if unknown else None
    if free - peak < reserve_bytes:
        return Fault(
            "disk_full",
            f"The server's disk has {size(free)} free, of which {size(reserve_bytes)} must stay free; {about}.",
            remedy,
        )
    return f"The server's disk has {size(free)} free; {about}." if vague else None
