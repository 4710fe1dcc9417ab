# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs verbs of the Makefile, all of them whatever fails, and tells at the end how each one went.

Verbs that have to do with the lab run one after the other, as they are given. The others, most of which keep one core
busy, run before them, as many at once as there are cores; the output of each comes whole, when it has ended.

A verb that prints a line beginning with ``NOT RUN:`` counts as not run, never as passed. Verbs that need the lab are
not run when it did not come up, and that is a failure. Below the summary stand the tests that failed, since who reads
the end of a long output may have no more of it; in a verb that passed they failed once, and not when run alone. Exit
code: 0 when nothing failed, else 1.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

NEED_THE_LAB = frozenset({"integration", "molecule"})
ONE_BY_ONE = NEED_THE_LAB | {"lab", "lab-down"}

FAILED_TEST = re.compile(rb"(FAILED|ERROR) \S*tests/")  # pytest's short summary

_TERMINAL = threading.Lock()

Outcome = Literal["passed", "FAILED", "not run"]


@dataclass(frozen=True)
class Phase:
    """One verb that was run: ``seconds`` of wall time, why where the outcome needs a reason, pytest's failed tests."""

    verb: str
    outcome: Outcome
    seconds: float
    reason: str = ""
    failed: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.verb:18}{self.outcome:8}{self.seconds:8.1f} s  {self.reason}".rstrip()


def run(verb: str, show: Callable[[bytes], object]) -> Phase:
    """Run one verb and show its output line by line."""
    with _TERMINAL:
        print(f"::: {verb}", flush=True)
    begin = time.monotonic()
    reason = ""
    failed: list[str] = []
    make = [os.environ.get("MAKE", "make"), "--no-print-directory", verb]
    with subprocess.Popen(make, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None
        for line in process.stdout:
            show(line)
            if line.startswith(b"NOT RUN:"):
                reason = line.decode(errors="replace").strip()
            elif FAILED_TEST.match(line):
                failed.append(line.decode(errors="replace").strip())
    outcome: Outcome = "FAILED" if process.returncode else "not run" if reason else "passed"
    return Phase(verb, outcome, time.monotonic() - begin, reason, tuple(failed))


def aloud(verb: str) -> Phase:
    """Run one verb with its output passed through as it comes."""
    phase = run(verb, _pass_through)
    print(f"::: {phase}\n", flush=True)
    return phase


def in_one_piece(verb: str) -> Phase:
    """Run one verb and show its output when it has ended, since others run beside it."""
    output: list[bytes] = []
    phase = run(verb, output.append)
    with _TERMINAL:
        _pass_through(b"".join(output))
        print(f"::: {phase}\n", flush=True)
    return phase


def _pass_through(text: bytes) -> None:
    sys.stdout.buffer.write(text)
    sys.stdout.flush()


def main(verbs: list[str]) -> int:
    """Run the verbs and print the summary."""
    begin = time.monotonic()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        phases = list(pool.map(in_one_piece, (verb for verb in verbs if verb not in ONE_BY_ONE)))
    for verb in filter(ONE_BY_ONE.__contains__, verbs):
        if verb in NEED_THE_LAB and any(phase.verb == "lab" and phase.outcome != "passed" for phase in phases):
            phases.append(Phase(verb, "FAILED", 0, "the lab did not come up"))
            continue
        phases.append(aloud(verb))
    print("\n".join(map(str, phases)))
    print(f"{'all':18}{'':8}{time.monotonic() - begin:8.1f} s")
    for phase in phases:
        print(*(f"{phase.verb}: {test}" for test in phase.failed), sep="\n", end="\n" if phase.failed else "")
    return int(any(phase.outcome == "FAILED" for phase in phases))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
