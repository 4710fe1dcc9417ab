# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hash chain: whatever is changed, left out, added or moved is found."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.linkops.runbooks.plugins.module_utils.incident import chain


def chained(count: int) -> list[dict[str, Any]]:
    """So many lines of one service, the first after GENESIS."""
    lines: list[dict[str, Any]] = []
    for number in range(count):
        previous = lines[-1]["hash"] if lines else chain.GENESIS
        entry = {"time": f"t{number}", "run": "r1", "event": f"e{number}", "data": {"number": number}}
        lines.append(chain.link(entry, previous))
    return lines


def test_an_untouched_chain_is_consistent_with_and_without_its_head() -> None:
    lines = chained(5)
    assert chain.verify(lines) == []
    assert chain.verify(lines, lines[-1]["hash"]) == []


def test_an_earlier_head_is_contained_too() -> None:
    lines = chained(5)
    assert chain.verify(lines, lines[2]["hash"]) == []


def test_no_records_at_all() -> None:
    assert chain.verify([]) == []
    assert chain.verify([], chain.GENESIS) == []
    assert "lines are missing at the end" in chain.verify([], "f" * 64)[0]


@given(st.integers(1, 12).flatmap(lambda count: st.tuples(st.just(count), st.integers(0, count - 1))))
def test_any_removed_line_is_found(place: tuple[int, int]) -> None:
    count, index = place
    lines = chained(count)
    head = lines[-1]["hash"]
    del lines[index]
    assert chain.verify(lines, head)


@given(
    st.integers(1, 12).flatmap(lambda count: st.tuples(st.just(count), st.integers(0, count - 1))),
    st.sampled_from(["time", "run", "event", "data", "previous", "hash", "new"]),
    st.booleans(),
)
def test_any_changed_line_is_found(place: tuple[int, int], field: str, rehashed: bool) -> None:
    count, index = place
    lines = chained(count)
    head = lines[-1]["hash"]
    lines[index][field] = "0" * 63 + "1"
    if rehashed and field != "hash":
        lines[index]["hash"] = chain.digest(lines[index])
    assert chain.verify(lines, head)


@given(st.integers(1, 12).flatmap(lambda count: st.tuples(st.just(count), st.integers(0, count - 1))))
def test_any_repeated_line_is_found(place: tuple[int, int]) -> None:
    count, index = place
    lines = chained(count)
    assert chain.verify([*lines, lines[index]])


def test_the_end_can_only_be_missed_by_an_anchor() -> None:
    lines = chained(3)
    assert chain.verify(lines[:2]) == []
    assert chain.verify(lines[:2], lines[2]["hash"]) == [
        f"the anchored head {lines[2]['hash'][:12]} is not among the records: lines are missing at the end"
    ]


@pytest.mark.parametrize(
    ("break_it", "told"),
    [
        pytest.param(lambda lines: lines[1]["data"].update(number=9), "was changed after it was written", id="changed"),
        pytest.param(lambda lines: lines.pop(1), "is missing", id="removed"),
        pytest.param(lambda lines: lines.append(chain.link({"event": "x"}, lines[0]["hash"])), "forks", id="forked"),
    ],
)
def test_what_is_wrong_is_told(break_it: Any, told: str) -> None:
    lines = chained(3)
    break_it(lines)
    assert told in " ".join(chain.verify(lines))


def test_a_line_is_one_line_whatever_it_holds() -> None:
    line = chain.line(chain.link({"data": {"log": "one\ntwo\u2028three\x85"}}, chain.GENESIS))
    assert line.count("\n") == 1
    assert line.splitlines() == [line[:-1]]


@given(st.dictionaries(st.text(), st.none() | st.booleans() | st.floats() | st.text() | st.lists(st.text())))
def test_any_plain_data_is_read_back_as_it_was_chained(data: dict[str, Any]) -> None:
    line = chain.line(chain.link({"event": "x", "data": data}, chain.GENESIS))
    assert chain.verify([json.loads(line)], json.loads(line)["hash"]) == []
