# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page docs/benchmarks.md: one section for each benchmark, which writes its own and leaves the others."""

from __future__ import annotations

import os
import platform
import re
import statistics
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from tests.integration.harness.pressing import CHECKOUT

PAGE = CHECKOUT / "docs" / "benchmarks.md"
INTRODUCTION = """# Benchmarks

Made by `./dev bench` and `./dev bench-answers` against the lab, by `./dev bench-vacuum` and `./dev bench-backup` with
servers of their own from the lab's binaries, and by `./dev bench-fleet` against a lab of simulated nodes. Every
contender runs once per round, in turn; what counts are the ratios within one run, since seconds depend on the machine.
"""
Goal = tuple[str, str, bool]  # what is wanted, the figure, whether it is reached


def put(section: str) -> None:
    """Write a section (it begins with its heading) in place of the one of the same heading, or at the end."""
    there = re.split(r"^(?=## )", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:] if PAGE.exists() else []
    sections = {_heading(each): each for each in there} | {_heading(section): section}
    PAGE.write_text("\n".join(each.strip() + "\n" for each in (INTRODUCTION, *sections.values())), encoding="utf-8")


def setting(rounds: int) -> str:
    """When, how often and on what machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    machine = f"{os.cpu_count()} cores, {memory:.0f} GiB, Python {platform.python_version()}"
    return f"{datetime.now(UTC):%Y-%m-%d}, {rounds} rounds, {machine}."


def seconds_table(seconds: Mapping[str, Sequence[float]]) -> str:
    """Least, median and most of each contender."""
    rows = (
        f"| {name} | {min(each):.2f} | {statistics.median(each):.2f} | {max(each):.2f} |"
        for name, each in seconds.items()
    )
    return "\n".join(("| contender | least, s | median, s | most, s |", "|---|---|---|---|", *rows))


def goals_table(goals: Sequence[Goal]) -> str:
    """Each goal with its figure."""
    rows = (f"| {goal} | {figure} | {'yes' if reached else 'no'} |" for goal, figure, reached in goals)
    return "\n".join(("| goal | figure | reached |", "|---|---|---|", *rows))


def _heading(section: str) -> str:
    return section.partition("\n")[0].strip()
