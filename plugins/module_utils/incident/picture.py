# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The picture of a rollout: pods by revision over time, as an SVG of its own. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

WIDTH, HEIGHT, LEFT, BOTTOM = 720, 220, 40, 30
# Okabe and Ito's palette, told apart by colour-blind readers (jfly.uni-koeln.de/color).
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")


def rollout_svg(timeline: Sequence[Mapping[str, Any]]) -> str:
    """Stacked steps, one band per revision: filled where pods are ready, pale where not yet; empty without data."""
    if not timeline:
        return ""
    names = sorted({name for point in timeline for name in point["revisions"]}, key=lambda name: (len(name), name))
    end = max(float(timeline[-1]["seconds"]) * 1.05, 0.5)
    most = max(1, *(sum(each["pods"] for each in point["revisions"].values()) for point in timeline))
    bars: list[str] = []
    for index, point in enumerate(timeline):
        until = float(timeline[index + 1]["seconds"]) if index + 1 < len(timeline) else end
        x, width = _x(float(point["seconds"]), end), _x(until, end) - _x(float(point["seconds"]), end)
        base = 0
        for name in names:
            counted = point["revisions"].get(name, {"pods": 0, "ready": 0})
            for amount, opacity in ((counted["ready"], 0.9), (counted["pods"] - counted["ready"], 0.3)):
                if amount > 0:
                    bars.append(_bar(x, width, base, amount, most, COLOURS[names.index(name) % len(COLOURS)], opacity))
                base += max(amount, 0)
    legend = "".join(
        f'<rect x="{LEFT + 130 * i}" y="4" width="12" height="12" fill="{COLOURS[i % len(COLOURS)]}"/>'
        f'<text x="{LEFT + 130 * i + 17}" y="14" fill="currentColor">revision {escape(name)}</text>'
        for i, name in enumerate(names)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="Pods by revision over time" font-family="sans-serif" font-size="11">{legend}{"".join(bars)}'
        f"{_axes(end, most)}</svg>"
    )


def _x(seconds: float, end: float) -> float:
    return LEFT + (WIDTH - LEFT - 10) * seconds / end


def _bar(x: float, width: float, base: int, amount: int, most: int, colour: str, opacity: float) -> str:
    unit = (HEIGHT - BOTTOM - 25) / most
    y = HEIGHT - BOTTOM - unit * (base + amount)
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0.5):.1f}" height="{unit * amount:.1f}" '
        f'fill="{colour}" fill-opacity="{opacity}"/>'
    )


def _axes(end: float, most: int) -> str:
    floor = HEIGHT - BOTTOM
    ticks = "".join(
        f'<text x="{_x(end * i / 4, end):.1f}" y="{floor + 16}" text-anchor="{"end" if i == 4 else "middle"}" '
        f'fill="currentColor">{end * i / 4:.1f} s</text>'
        for i in range(5)
    )
    return (
        f'<line x1="{LEFT}" y1="{floor}" x2="{WIDTH - 10}" y2="{floor}" stroke="currentColor"/>'
        f'<line x1="{LEFT}" y1="25" x2="{LEFT}" y2="{floor}" stroke="currentColor"/>'
        f'<text x="{LEFT - 6}" y="30" text-anchor="end" fill="currentColor">{most}</text>'
        f'<text x="{LEFT - 6}" y="{floor}" text-anchor="end" fill="currentColor">0</text>{ticks}'
    )
