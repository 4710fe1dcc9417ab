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
from typing import TYPE_CHECKING

from lab.site import LabError

if TYPE_CHECKING:
    from pathlib import Path

ANNOUNCE_AFTER = 0.5  # seconds; a step that is done sooner is reported once, when it is done
REMIND_EVERY = 10.0


Tell = Callable[[str], None]


@dataclass(frozen=True)
class Step:
    """``run`` does the step and returns in a few words what was done.

    ``doing`` says what is being done; ``run`` gets a function to tell how far it is.
    """

    name: str
    doing: str
    run: Callable[[Tell], str | None]
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
        """How long the step took, as in "(last time 12 s)"; nothing for one that never took a noticeable time."""
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

    After a failure all that does not depend on it goes on; then all failures are raised as one LabError.
    """
    _Run(steps, timings, say).to_the_end()


@dataclass
class _Running:
    step: Step
    since: float
    announced: bool = False
    told: str = ""

    def hear(self, text: str) -> None:
        self.told = text


class _Run:
    """One pass over all steps: which run, since when, and what each said last."""

    def __init__(self, steps: Sequence[Step], timings: Timings, say: Callable[[str], None]) -> None:
        self.by_name = {step.name: step for step in steps}
        self.order = TopologicalSorter({step.name: step.after for step in steps})
        self.timings = timings
        self.say = say
        self.running: dict[Future[str | None], _Running] = {}
        self.faults: list[str] = []

    def to_the_end(self) -> None:
        self.order.prepare()
        reminded = time.monotonic()
        with ThreadPoolExecutor(max_workers=len(self.by_name)) as pool:
            self._start(pool)
            while self.running:
                done, _ = wait(self.running, timeout=ANNOUNCE_AFTER, return_when=FIRST_COMPLETED)
                for future in done:
                    self._finish(future)
                self._start(pool)
                self._announce()
                if self.running and time.monotonic() - reminded >= REMIND_EVERY:
                    reminded = time.monotonic()
                    self.say("  waiting  " + "; ".join(self._progress(each) for each in self.running.values()))
        if self.faults:
            raise LabError("\n".join(self.faults))

    def _start(self, pool: ThreadPoolExecutor) -> None:
        for name in self.order.get_ready():
            running = _Running(self.by_name[name], time.monotonic())
            self.running[pool.submit(running.step.run, running.hear)] = running

    def _finish(self, future: Future[str | None]) -> None:
        running = self.running.pop(future)
        name, seconds = running.step.name, time.monotonic() - running.since
        fault = future.exception()
        if fault is None:
            self.timings.note(name, seconds)
            self.say(f"  done     {name}: {future.result() or 'ready'}, {spoken(seconds)}")
            self.order.done(name)
            return
        self.faults.append(str(fault) if isinstance(fault, LabError) else f"{name}: {type(fault).__name__}: {fault}")
        self.say(f"  failed   {name} after {spoken(seconds)}")

    def _announce(self) -> None:
        for each in self.running.values():
            if not each.announced and time.monotonic() - each.since >= ANNOUNCE_AFTER:
                each.announced = True
                self.say(f"  ...      {each.step.name}: {each.step.doing}{self.timings.last(each.step.name)}")

    def _progress(self, each: _Running) -> str:
        told = f", {each.told}" if each.told else ""
        return f"{each.step.name} {spoken(time.monotonic() - each.since)}{self.timings.last(each.step.name)}{told}"
