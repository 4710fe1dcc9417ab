# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps that depend on each other, run side by side where they do not, with live progress and last time's durations."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

from lab.site import LabError

ANNOUNCE_AFTER = 0.5  # seconds; a step that is done sooner is reported once, when it is done
REMIND_EVERY = 10.0


@dataclass(frozen=True)
class Step:
    """``run`` does the step and returns in a few words what was done; ``doing`` says it while it runs."""

    name: str
    doing: str
    run: Callable[[], str | None]
    after: tuple[str, ...] = ()


class Timings:
    """How long each step took when it last had work to do, in seconds, in a JSON file of the cache."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._seconds: dict[str, float] = json.loads(path.read_text())
        except (FileNotFoundError, ValueError):
            self._seconds = {}

    def last(self, name: str) -> str:
        """ "(last time 12.3 s)", or nothing for a step that never took a noticeable time."""
        seconds = self._seconds.get(name, 0.0)
        return f" (last time {spoken(seconds)})" if seconds >= ANNOUNCE_AFTER else ""

    def note(self, name: str, seconds: float) -> None:
        if seconds < ANNOUNCE_AFTER:  # nothing was to be done: the last figure with work in it stays
            return
        self._seconds[name] = round(seconds, 1)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_suffix(".new")
        fresh.write_text(json.dumps(self._seconds, indent=1, sort_keys=True))
        fresh.rename(self.path)


def spoken(seconds: float) -> str:
    """Seconds as people say them: 0.4 s, 75 s, 9 min 40 s."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds // 60:.0f} min {seconds % 60:.0f} s"


def run_all(steps: Sequence[Step], timings: Timings, say: Callable[[str], None]) -> None:
    """Run every step once those it comes after are done.

    After a failure nothing new starts, what runs is awaited, and all failures are raised as one LabError.
    """
    by_name = {step.name: step for step in steps}
    order = TopologicalSorter({step.name: step.after for step in steps})
    order.prepare()
    running: dict[Future[str | None], tuple[Step, float]] = {}
    announced: set[str] = set()
    faults: list[str] = []
    reminded = time.monotonic()
    with ThreadPoolExecutor(max_workers=len(steps)) as pool:
        while order.is_active():
            if not faults:
                for name in order.get_ready():
                    running[pool.submit(by_name[name].run)] = (by_name[name], time.monotonic())
            if not running:
                break
            done, _ = wait(running, timeout=ANNOUNCE_AFTER, return_when=FIRST_COMPLETED)
            now = time.monotonic()
            for future in done:
                step, since = running.pop(future)
                if fault := future.exception():
                    faults.append(str(fault) if isinstance(fault, LabError) else f"{step.name}: {type(fault).__name__}: {fault}")
                    say(f"  failed   {step.name} after {spoken(now - since)}")
                    continue
                timings.note(step.name, now - since)
                say(f"  done     {step.name}: {future.result() or 'ready'}, {spoken(now - since)}")
                order.done(step.name)
            for step, since in running.values():
                if step.name not in announced and now - since >= ANNOUNCE_AFTER:
                    announced.add(step.name)
                    say(f"  ...      {step.name}: {step.doing}{timings.last(step.name)}")
            if running and now - reminded >= REMIND_EVERY:
                reminded = now
                waiting = (f"{step.name} {spoken(now - since)}{timings.last(step.name)}" for step, since in running.values())
                say("  waiting  " + ", ".join(waiting))
    if faults:
        raise LabError("\n".join(faults))
