# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Growth over time: a straight line through samples, and whether it is too steep. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .verdict import Verdict
from .wording import duration, size

#: A time in seconds and the bytes at that time.
Sample = tuple[float, float]

LEAST_SAMPLES = 5
#: What a process takes while it starts is no growth: a series that begins inside the window is read from here on.
WARM_UP_SECONDS = 120.0


@dataclass(frozen=True)
class Growth:
    """The slope of a series, and what it rests on."""

    bytes_per_hour: float
    span_seconds: float
    samples: int


def growth(samples: Sequence[Sample]) -> Growth | None:
    """The least-squares slope; none where too few samples are there for a line."""
    if len(samples) < LEAST_SAMPLES or samples[-1][0] <= samples[0][0]:
        return None
    middle = sum(time for time, _bytes in samples) / len(samples)
    mean = sum(count for _time, count in samples) / len(samples)
    spread = sum((time - middle) ** 2 for time, _bytes in samples)
    slope = sum((time - middle) * (count - mean) for time, count in samples) / spread
    return Growth(slope * 3600, samples[-1][0] - samples[0][0], len(samples))


def settled(samples: Sequence[Sample], began: float) -> list[Sample]:
    """The samples after the warm-up of a process that C(began) then, in seconds on the samples' clock."""
    return [sample for sample in samples if sample[0] >= began + WARM_UP_SECONDS]


def judge(series: Mapping[str, Sequence[Sample]], window_seconds: float, most_bytes_per_hour: float | None) -> Verdict:
    """The verdict on series by name; one that covers less than half of the window is not judged.

    Without C(most_bytes_per_hour) growth is told and not judged.
    """
    grown = {name: growth(samples) for name, samples in series.items()}
    known = {name: each for name, each in grown.items() if each and each.span_seconds >= window_seconds / 2}
    if not known:
        return Verdict(
            "unknown",
            f"too few samples for a trend over {duration(window_seconds)}",
            {"samples": {name: len(samples) for name, samples in series.items()}},
        )
    steepest = max(known, key=lambda name: known[name].bytes_per_hour)
    slope = known[steepest].bytes_per_hour
    evidence: dict[str, Any] = {
        "bytes_per_hour": {name: round(each.bytes_per_hour) for name, each in sorted(known.items())},
        "too_young": sorted(set(series) - set(known)),
        "window_seconds": window_seconds,
    }
    words = f"{'-' if slope < 0 else '+'}{size(abs(slope))} per hour in {steepest}"
    if most_bytes_per_hour is not None and slope > most_bytes_per_hour:
        return Verdict("fail", f"{words}, the most is {size(most_bytes_per_hour)} per hour", evidence)
    young = f"; too young for a trend: {', '.join(evidence['too_young'])}" if len(known) < len(series) else ""
    return Verdict("pass", words + young, evidence)
