# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs verbs of the Makefile one after the other, all of them whatever fails, and tells at the end how each one went.

A verb that prints a line beginning with ``NOT RUN:`` counts as not run, never as passed. Verbs that need the lab are
not run when it did not come up, and that is a failure. Exit code: 0 when nothing failed, else 1.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Literal

NEED_THE_LAB = frozenset({"integration", "molecule"})

Outcome = Literal["passed", "FAILED", "not run"]


@dataclass(frozen=True)
class Phase:
    """One verb that was run: ``seconds`` of wall time, and why where the outcome needs a reason."""

    verb: str
    outcome: Outcome
    seconds: float
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.verb:18}{self.outcome:8}{self.seconds:8.1f} s  {self.reason}".rstrip()


def run(verb: str) -> Phase:
    """Run one verb with its output passed through as it comes."""
    print(f"::: {verb}", flush=True)
    begin = time.monotonic()
    reason = ""
    make = [os.environ.get("MAKE", "make"), "--no-print-directory", verb]
    with subprocess.Popen(make, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None
        for line in process.stdout:
            sys.stdout.buffer.write(line)
            sys.stdout.flush()
            if line.startswith(b"NOT RUN:"):
                reason = line.decode(errors="replace").strip()
    outcome: Outcome = "FAILED" if process.returncode else "not run" if reason else "passed"
    phase = Phase(verb, outcome, time.monotonic() - begin, reason)
    print(f"::: {phase}\n", flush=True)
    return phase


def main(verbs: list[str]) -> int:
    """Run the verbs in the given order and print the summary."""
    phases: list[Phase] = []
    for verb in verbs:
        if verb in NEED_THE_LAB and any(phase.verb == "lab" and phase.outcome != "passed" for phase in phases):
            phases.append(Phase(verb, "FAILED", 0, "the lab did not come up"))
            continue
        phases.append(run(verb))
    print("\n".join(map(str, phases)))
    print(f"{'all':18}{'':8}{sum(phase.seconds for phase in phases):8.1f} s")
    return int(any(phase.outcome == "FAILED" for phase in phases))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
