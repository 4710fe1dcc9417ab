# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Benchmarks: ``python -m tests.benchmarks rollback|answers|fleet|vacuum|backup [--rounds N] [--write]``.

Each contender runs once in every round, in turn, so that a busy machine is busy for all of them; figures are ratios of
medians of the same run. ``--write`` puts them, with their date and setting, into docs/benchmarks.md.
"""

from __future__ import annotations

import argparse

from lab.site import Lab
from tests.benchmarks import answers, backup, fleet, page, rollback, vacuum

BENCHMARKS = {
    "rollback": (rollback.run, 7, 5),
    "answers": (answers.run, 5, 3),
    "fleet": (fleet.run, 3, 3),
    "vacuum": (vacuum.run, 5, 5),
    "backup": (backup.run, 3, 3),
}


def main() -> None:
    """Run a benchmark and print its figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("benchmark", choices=BENCHMARKS)
    parser.add_argument(
        "--rounds",
        type=int,
        help="how often each contender runs (rollback: 7, answers: 5, fleet: 3, vacuum: 5, backup: 3)",
    )
    parser.add_argument("--write", action="store_true", help="put the figures into docs/benchmarks.md")
    options = parser.parse_args()
    run, usual, least = BENCHMARKS[options.benchmark]
    rounds = options.rounds or usual
    if rounds < least:
        parser.error(f"a median of fewer than {least} runs says nothing")
    section = run(Lab.of_this_machine(), rounds)
    print(section)
    if options.write:
        page.put(section)


if __name__ == "__main__":
    main()
