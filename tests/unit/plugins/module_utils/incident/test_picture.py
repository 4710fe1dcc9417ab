# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture of a rollout is well-formed XML whatever it is given."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.linkops.runbooks.plugins.module_utils.incident.picture import rollout_svg

SVG = "{http://www.w3.org/2000/svg}"


def point(seconds: float, **revisions: tuple[int, int]) -> dict[str, Any]:
    """One moment: pods and ready pods by revision."""
    counted = {name.removeprefix("r"): {"pods": pods, "ready": ready} for name, (pods, ready) in revisions.items()}
    return {"seconds": seconds, "revisions": counted}


def parsed(svg: str) -> ET.Element:
    """The picture as XML."""
    return ET.fromstring(svg)  # noqa: S314 (made by this collection a moment ago)


def bars(svg: str) -> list[dict[str, str]]:
    """The attributes of the bars, without the legend's boxes."""
    return [rect.attrib for rect in parsed(svg).iter(f"{SVG}rect") if "fill-opacity" in rect.attrib]


def test_no_data_no_picture() -> None:
    assert rollout_svg([]) == ""


def test_ready_pods_are_filled_and_the_rest_is_pale() -> None:
    svg = rollout_svg([point(0, r5=(2, 2)), point(1.5, r5=(1, 1), r6=(2, 1)), point(4, r6=(2, 2))])
    assert [band["fill-opacity"] for band in bars(svg)] == ["0.9", "0.9", "0.9", "0.3", "0.9"]
    assert "revision 5" in svg
    assert "revision 6" in svg


@pytest.mark.parametrize("timeline", [[point(0)], [point(0, r1=(0, 0))], [point(0, r1=(1, 0)), point(0, r1=(1, 1))]])
def test_odd_timelines_are_drawn(timeline: list[dict[str, Any]]) -> None:
    assert parsed(rollout_svg(timeline)).tag == f"{SVG}svg"


def test_a_name_is_text_and_not_markup() -> None:
    svg = rollout_svg([{"seconds": 0, "revisions": {"<script>alert(1)</script>": {"pods": 1, "ready": 1}}}])
    assert "<script" not in svg
    assert parsed(svg).find(f".//{SVG}script") is None


@given(
    st.lists(
        st.tuples(
            st.floats(0, 1000),
            st.dictionaries(st.text(st.characters(codec="ascii", categories=["L", "N", "P"])), st.integers(0, 50)),
        ),
        max_size=8,
    )
)
def test_every_bar_is_inside_the_picture(moments: list[tuple[float, dict[str, int]]]) -> None:
    timeline = [
        {"seconds": seconds, "revisions": {name: {"pods": pods, "ready": pods // 2} for name, pods in counts.items()}}
        for seconds, counts in sorted(moments, key=lambda moment: moment[0])
    ]
    svg = rollout_svg(timeline)
    for band in bars(svg) if svg else []:
        assert 0 <= float(band["x"]) <= 720
        assert 0 <= float(band["y"]) <= 220
        assert float(band["height"]) > 0
