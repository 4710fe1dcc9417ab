# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines, figures in words, and trends."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.linkops.runbooks.plugins.module_utils import trend, wording
from ansible_collections.linkops.runbooks.plugins.module_utils.errors import Fault, Interrupted, OperatorError
from ansible_collections.linkops.runbooks.plugins.module_utils.lines import WARNING, Line, asked, summary, told, warns
from ansible_collections.linkops.runbooks.plugins.module_utils.verdict import Verdict

MIB = 1 << 20


def refused() -> Verdict:
    """A question that may not be asked."""
    raise OperatorError(Fault("forbidden", "No right to list events.", "Ask for it."))


def test_what_cannot_be_asked_is_unknown_with_the_reason() -> None:
    line = asked("events", refused)
    assert line.verdict.status == "unknown"
    assert line.verdict.reason == "cannot be asked: No right to list events. Ask for it."


def test_a_defect_is_a_line_of_its_own_and_an_interruption_is_not() -> None:
    def broken() -> Verdict:
        raise KeyError("memory")

    def stopped() -> Verdict:
        raise Interrupted(15)

    line = asked("nodes", broken)
    assert line.verdict.status == "unknown"
    assert line.verdict.reason == (
        "cannot be asked: A defect of linkops.runbooks: KeyError: 'memory'. Report it; the other lines stand."
    )
    with pytest.raises(Interrupted):
        asked("nodes", stopped)


def test_the_summary_names_the_worst_lines() -> None:
    lines = [
        Line("pods", Verdict("pass", "2 of 2 ready")),
        Line("database", Verdict("unknown", "no host")),
        Line("rollout", Verdict("fail", "no pods can be created")),
    ]
    assert summary(lines) == Verdict("fail", "rollout: no pods can be created")
    assert summary(lines[:2]) == Verdict("unknown", "database: no host")
    assert summary(lines[:1]) == Verdict("pass", "pods: 2 of 2 ready")
    assert summary([lines[0], lines[0]]) == Verdict("pass", "all 2 lines pass")
    assert summary([]).status == "unknown"


def test_a_warning_passes_and_is_told() -> None:
    line = Line("memory", Verdict("pass", f"{WARNING}85 % of 256 MiB"))
    assert warns(line.verdict)
    assert not warns(Verdict("fail", f"{WARNING}x"))
    assert "memory: warning: 85 %" in told([line])["msg"]
    assert told([line])["lines"] == [
        {"line": "memory", "status": "pass", "reason": "warning: 85 % of 256 MiB", "evidence": {}}
    ]


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0 s"), (59.9, "59 s"), (60, "1 min"), (7199, "1 h"), (200_000, "2 d")]
)
def test_durations(seconds: float, words: str) -> None:
    assert wording.duration(seconds) == words


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 B"), (1023, "1023 B"), (256 * MIB, "256 MiB"), (1.5 * 1024 * MIB, "1.5 GiB")]
)
def test_sizes(count: float, words: str) -> None:
    assert wording.size(count) == words


@given(st.floats(min_value=-1e18, max_value=1e18, allow_nan=False))
def test_every_size_has_words_without_an_exponent(count: float) -> None:
    assert "e+" not in wording.size(count) or abs(count) >= 1e12


def line_of(slope_per_hour: float, minutes: int, start: float = 100 * MIB) -> list[trend.Sample]:
    """A sample each minute on a straight line."""
    return [(60.0 * minute, start + slope_per_hour * minute / 60) for minute in range(minutes + 1)]


@given(st.floats(min_value=-1e9, max_value=1e9), st.integers(min_value=10, max_value=60))
def test_the_slope_of_a_straight_line_is_found(slope: float, minutes: int) -> None:
    found = trend.growth(line_of(slope, minutes))
    assert found is not None
    assert math.isclose(found.bytes_per_hour, slope, rel_tol=1e-6, abs_tol=1)
    assert found.span_seconds == 60 * minutes


@pytest.mark.parametrize(
    ("series", "most", "status", "told_"),
    [
        pytest.param({"api": line_of(200 * MIB, 30)}, 100 * MIB, "fail", "+200 MiB per hour in api", id="leak"),
        pytest.param({"api": line_of(50 * MIB, 30)}, 100 * MIB, "pass", "+50 MiB per hour", id="below"),
        pytest.param({"api": line_of(200 * MIB, 30)}, None, "pass", "+200 MiB per hour", id="no limit"),
        pytest.param({"api": line_of(-50 * MIB, 30)}, 100 * MIB, "pass", "-50 MiB per hour", id="shrinks"),
        pytest.param({"api": line_of(900 * MIB, 10)}, 100 * MIB, "unknown", "too few samples", id="too short"),
        pytest.param({"api": [(0.0, 1.0)]}, 100 * MIB, "unknown", "too few samples", id="one sample is no trend"),
        pytest.param({}, 100 * MIB, "unknown", "too few samples", id="nothing"),
        pytest.param(
            {"old": line_of(MIB, 30), "new": line_of(900 * MIB, 3)},
            100 * MIB,
            "pass",
            "too young for a trend: new",
            id="mixed",
        ),
    ],
)
def test_trends(series: dict[str, list[trend.Sample]], most: float | None, status: str, told_: str) -> None:
    verdict = trend.judge(series, 1800, most)
    assert verdict.status == status
    assert told_ in verdict.reason


def test_the_start_of_a_process_is_no_growth() -> None:
    samples = [(0.0, 10.0), (60.0, 20.0), (120.0, 30.0), (180.0, 30.0)]
    assert trend.settled(samples, 0.0) == [(120.0, 30.0), (180.0, 30.0)]
    assert trend.settled(samples, -600.0) == samples
