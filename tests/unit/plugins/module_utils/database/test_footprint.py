# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the server's disk has room for what is built, as far as that can be known before."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.database.footprint import Need, index_bytes, room
from ansible_collections.linkops.runbooks.plugins.module_utils.errors import Fault

MIB = 1 << 20
GIB = 1 << 30
MORE = "Make room."


@pytest.mark.parametrize(
    ("method", "entries", "widths", "settings", "least", "most"),
    [  # a B-tree of integers is known to have about 21 MiB for a million rows; the lab's server is asked elsewhere
        pytest.param("btree", 1_000_000, [4], None, 11 * MIB, 43 * MIB, id="btree"),
        pytest.param("hash", 1_000_000, [400], None, 16 * MIB, 64 * MIB, id="hash"),
        pytest.param("hnsw", 10_000, [1544], {"m": 16}, 10 * MIB, 40 * MIB, id="hnsw"),
        pytest.param("hnsw", 1000, [6152], {}, 4 * MIB, 16 * MIB, id="hnsw-one-on-each-page"),
        pytest.param("ivfflat", 10_000, [1544], {}, 8 * MIB, 32 * MIB, id="ivfflat"),
    ],
)
def test_size_follows_from_rows_and_widths(
    method: str, entries: float, widths: list[int | None], settings: dict[str, Any], least: int, most: int
) -> None:
    estimated = index_bytes(method, entries, widths, settings)
    assert estimated is not None
    assert least < estimated < most


@pytest.mark.parametrize(
    ("method", "entries", "widths"),
    [
        pytest.param("btree", -1, [4], id="not-analyzed"),
        pytest.param("btree", 10, [4, None], id="an-expression"),
        pytest.param("gin", 10, [4], id="another-method"),
    ],
)
def test_what_does_not_follow_is_not_guessed(method: str, entries: float, widths: list[int | None]) -> None:
    assert index_bytes(method, entries, widths) is None


def test_an_empty_table_has_a_small_one_whatever_is_not_known() -> None:
    assert index_bytes("gin", 0, [None]) == 16384


def test_a_disk_without_room_is_refused_in_figures() -> None:
    needs = [Need("one", GIB), Need("two", 2 * GIB), Need("again", GIB, lasting=False)]
    assert room(needs, 6 * GIB, "", GIB, MORE) is None  # one and two stay, and two is sorted on the disk meanwhile
    full = room(needs, 5.9 * GIB, "", GIB, MORE)
    assert isinstance(full, Fault)
    assert full.reason == "disk_full"
    assert "has 5.9 GiB free, of which 1 GiB must stay free; what is built needs about 5 GiB" in full.message
    assert full.remedy == MORE


@pytest.mark.parametrize(
    ("needs", "free", "unknown", "said"),
    [
        pytest.param([], None, "no query", None, id="nothing-to-build"),
        pytest.param([Need("one", GIB)], None, "", None, id="nobody-asked"),
        pytest.param(
            [Need("one", GIB)], None, "no query", "disk has is unknown: no query; what is built needs about 2 GiB",
            id="free-unknown",
        ),
        pytest.param(
            [Need("one", GIB), Need("two", None)], 9 * GIB, "",
            "has 9 GiB free; what is built needs about 2 GiB until it is done; how large two will be is not known",
            id="one-size-unknown",
        ),
        pytest.param(
            [Need("two", None)], None, "no query", "is unknown: no query; how large two will be is not known",
            id="nothing-known",
        ),
        pytest.param([Need("two", None)], 9 * GIB, "", "how large two will be is not known before", id="size-unknown"),
    ],
)  # fmt: skip
def test_what_is_not_known_is_said(needs: list[Need], free: float | None, unknown: str, said: str | None) -> None:
    answer = room(needs, free, unknown, GIB, MORE)
    assert answer is None if said is None else said in str(answer)
    assert not isinstance(answer, Fault)


def test_a_full_disk_is_refused_even_where_no_size_is_known() -> None:
    assert isinstance(room([Need("two", None)], 0.5 * GIB, "", GIB, MORE), Fault)
