# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps run in order, side by side where they may, and say how long they took last time."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from lab.site import LabError
from lab.steps import Step, Timings, run_all, spoken


def _timings(folder: Path) -> Timings:
    return Timings(folder / "timings.json")


def test_a_step_runs_after_those_it_depends_on(tmp_path: Path) -> None:
    order: list[str] = []
    steps = [
        Step("kubelet", "", lambda _: order.append("kubelet"), ("containerd", "apiserver")),
        Step("apiserver", "", lambda _: order.append("apiserver"), ("etcd",)),
        Step("containerd", "", lambda _: order.append("containerd")),
        Step("etcd", "", lambda _: order.append("etcd")),
    ]
    run_all(steps, _timings(tmp_path), lambda _: None)
    assert sorted(order) == ["apiserver", "containerd", "etcd", "kubelet"]
    assert order[-1] == "kubelet"
    assert order.index("etcd") < order.index("apiserver")


def test_independent_steps_run_side_by_side(tmp_path: Path) -> None:
    both = threading.Barrier(2, timeout=10)  # breaks, and fails both steps, if they run one after the other

    def meet(_: object) -> None:
        both.wait()

    run_all([Step("a", "", meet), Step("b", "", meet)], _timings(tmp_path), lambda _: None)


def test_a_failure_stops_what_depends_on_it_and_nothing_else(tmp_path: Path) -> None:
    ran: list[str] = []

    def fail(_: object) -> None:
        raise LabError("etcd did not get ready.")

    steps = [
        Step("etcd", "", fail),
        Step("apiserver", "", lambda _: ran.append("apiserver"), ("etcd",)),
        Step("redis", "", lambda _: ran.append("redis")),
        Step("cache", "", lambda _: ran.append("cache"), ("redis",)),
    ]
    with pytest.raises(LabError, match=r"^etcd did not get ready\.$"):
        run_all(steps, _timings(tmp_path), lambda _: None)
    assert ran == ["redis", "cache"]


def test_an_unforeseen_fault_is_named_with_its_step(tmp_path: Path) -> None:
    def fail(_: object) -> None:
        raise ValueError("no such thing")

    with pytest.raises(LabError, match=r"^images: ValueError: no such thing$"):
        run_all([Step("images", "", fail)], _timings(tmp_path), lambda _: None)


def test_a_long_step_is_announced_with_its_last_duration_and_what_it_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.steps.ANNOUNCE_AFTER", 0.01)
    monkeypatch.setattr("lab.steps.REMIND_EVERY", 0.02)
    reminded = threading.Event()
    lines: list[str] = []

    def say(line: str) -> None:
        lines.append(line)
        if "waiting" in line and "17 packages" in line:
            reminded.set()

    def compile_(tell: object) -> str:
        assert callable(tell)
        tell("17 packages")
        assert reminded.wait(10)
        return "built"

    (tmp_path / "timings.json").write_text(json.dumps({"kubernetes": 312.0}))
    run_all([Step("kubernetes", "compiling Kubernetes", compile_)], _timings(tmp_path), say)
    assert "  ...      kubernetes: compiling Kubernetes (last time 5 min 12 s)" in lines
    assert lines[-1].startswith("  done     kubernetes: built, ")
    assert _timings(tmp_path).last("kubernetes") != " (last time 5 min 12 s)"


def test_a_step_without_work_keeps_the_duration_of_the_last_work(tmp_path: Path) -> None:
    timings = _timings(tmp_path)
    timings.note("kubernetes", 312.04)
    timings.note("kubernetes", 0.01)
    assert _timings(tmp_path).last("kubernetes") == " (last time 5 min 12 s)"


def test_timings_that_were_cut_off_by_a_kill_are_forgotten(tmp_path: Path) -> None:
    (tmp_path / "timings.json").write_text('{"kubernetes": 3')
    assert not _timings(tmp_path).last("kubernetes")


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.44, "0.4 s"), (9.96, "10.0 s"), (75, "75 s"), (120, "2 min 0 s"), (580, "9 min 40 s")]
)
def test_durations_as_people_say_them(seconds: float, words: str) -> None:
    assert spoken(seconds) == words
