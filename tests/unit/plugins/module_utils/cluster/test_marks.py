# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Marks count on the revision that they certify, and nowhere else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster import marks
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.marks import Mark

HASHES = st.text("bcdf456789", min_size=1, max_size=10)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(sorted(vars(Mark("good", "")))), inner),
    max_leaves=6,
)
MARK = Mark("good", "2026-03-04T09:12:44Z", {"Secret/db": "hmac:0a"}, "20250302_x", "20260304T0912-1a2b3c", "calm", 7)


def test_a_mark_is_read_back_as_it_was_written() -> None:
    assert marks.read(marks.write(MARK, "6d8f7c9b54"), "6d8f7c9b54") == MARK


@given(HASHES, HASHES)
def test_a_mark_never_counts_under_a_foreign_hash(certified: str, foreign: str) -> None:
    assert (marks.read(marks.write(MARK, certified), foreign) is not None) == (certified == foreign)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "good",
        "[]",
        "null",
        '{"verdict":"good"}',
        '{"since":"2026"}',
        '{"verdict":"unknown","since":"2026"}',
        '{"verdict":"good","since":"2026","more":1}',
        '{"verdict":"good","since":"2026","fingerprint":null}',
        '{"verdict":"good","since":"2026","fingerprint":["a"]}',
        '{"verdict":"good","since":"2026","fingerprint":{"Secret/db":1}}',
        '{"verdict":"good","since":2026}',
        '{"verdict":"good","since":"2026","migration":7}',
        '{"verdict":"good","since":"2026","revision":"7"}',
    ],
)
def test_unreadable_content_is_no_mark(content: str) -> None:
    assert marks.read({marks.PREFIX + "abc": content}, "abc") is None


@given(JSON)
def test_what_is_read_has_the_types_of_a_mark(content: Any) -> None:
    found = marks.read({marks.PREFIX + "abc": json.dumps(content)}, "abc")
    if found is not None:
        assert found.verdict in ("good", "bad")
        texts = [found.since, found.migration, found.run, found.reason]
        assert all(isinstance(each, str) for each in [*texts, *found.fingerprint, *found.fingerprint.values()])
        assert isinstance(found.revision, int)


@pytest.mark.parametrize(
    ("standing", "verdict", "forbidden"),
    [
        (None, "good", False),
        (None, "bad", False),
        (Mark("good", ""), "bad", False),
        (Mark("good", ""), "good", False),
        (Mark("bad", ""), "bad", False),
        (Mark("bad", ""), "good", True),
    ],
)
def test_bad_wins(standing: Mark | None, verdict: str, forbidden: bool) -> None:
    assert marks.outweighs(standing, verdict) == forbidden


def test_strays_are_the_marks_alone() -> None:
    annotations = {**marks.write(MARK, "b"), **marks.write(MARK, "a"), marks.MIGRATION: "x", "example.com/team": "y"}
    assert marks.strays(annotations) == [marks.PREFIX + "a", marks.PREFIX + "b"]
