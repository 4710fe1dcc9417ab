# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Benchmarks against the lab: ``python -m tests.benchmarks [--rounds N] [--write]``.

Each contender runs once in every round, in turn, so that a busy machine is busy for all of them; figures are ratios of
medians of the same run. ``--write`` puts them, with their date and setting, into docs/benchmarks.md.
"""

from __future__ import annotations

import argparse

from lab.site import Lab
from tests.benchmarks import rollback


def main() -> None:
    """Run the benchmarks and print their figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="how often each contender runs (default: 7, at least 5)")
    parser.add_argument("--write", action="store_true", help="put the figures into docs/benchmarks.md")
    options = parser.parse_args()
    if options.rounds < 5:
        parser.error("a median of fewer than 5 runs says nothing")
    report = rollback.run(Lab.of_this_machine(), options.rounds)
    print(report)
    if options.write:
        rollback.PAGE.write_text(report, encoding="utf-8")


if __name__ == "__main__":
    main()
