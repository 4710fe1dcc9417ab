# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pressing a button as a user does: ansible-playbook in a process of its own, from the checkout."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from lab.site import Lab
from tests.integration.harness.services import Service

CHECKOUT = Path(__file__).parents[3]
CALLBACKS = Path(__file__).parent / "callbacks"
LONGEST = 240.0  # seconds that any run of these tests may take before it counts as hung


@dataclass(frozen=True)
class Task:
    """One task's result on one host; ``started`` and ``ended`` are seconds since the epoch."""

    host: str
    name: str
    action: str
    state: str
    started: float
    ended: float
    result: dict[str, Any]


@dataclass(frozen=True)
class Pressed:
    """A run that ended. ``output`` is what the operator saw; the rest is of the first service unless one is named."""

    rc: int
    output: str
    seconds: float
    services: tuple[str, ...]
    records: Path
    _journal: Path

    @cached_property
    def tasks(self) -> list[Task]:
        """Every task's result, in the order in which they ended."""
        return [Task(**entry) for entry in self._lines if "task" not in entry and "stats" not in entry]

    @cached_property
    def stats(self) -> dict[str, Any]:
        """What ``set_stats`` handed on."""
        return next((entry["stats"] for entry in self._lines if "stats" in entry), {})

    def results(self, module: str, service: str = "") -> list[dict[str, Any]]:
        """The results of one of the collection's modules."""
        action = f"linkops.runbooks.{module}"
        return [t.result for t in self._of(service) if t.action == action and t.state != "skipped"]

    def closing(self, service: str = "") -> str:
        """The closing sentence; empty where the run did not get that far."""
        closed = [result["msg"] for result in self.results("run_record", service) if "head" in result]
        return closed[-1] if closed else ""

    def failure(self, service: str = "") -> str:
        """The message of the first task that failed."""
        return next((str(t.result.get("msg")) for t in self._of(service) if t.state == "failed"), "")

    def warnings(self, service: str = "") -> list[str]:
        """What the plan warned about."""
        return [
            text for result in self.results("workload_rollback", service)[:1] for text in result["plan"]["warnings"]
        ]

    def folder(self, service: str = "") -> Path:
        """The folder of this run's record."""
        opened = [result["run"]["record"] for result in self.results("run_record", service) if "run" in result]
        return Path(opened[0])

    def entries(self, event: str = "", service: str = "") -> list[dict[str, Any]]:
        """The lines of this run's record, of one event where it is named."""
        lines = (self.folder(service) / "record.jsonl").read_text().splitlines()
        return [entry for entry in map(json.loads, lines) if event in ("", entry["event"])]

    def _of(self, service: str) -> Iterator[Task]:
        return (task for task in self.tasks if task.host == (service or self.services[0]))

    @cached_property
    def _lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._journal.read_text().splitlines()] if self._journal.exists() else []


class Running:
    """A run that goes on; its output grows in a file."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, services: tuple[str, ...], records: Path) -> None:
        self.process = process
        self._log = log
        self._services = services
        self._records = records
        self._started = time.monotonic()

    @property
    def output(self) -> str:
        """What the operator has seen so far."""
        return self._log.read_text(errors="replace")

    def until(self, text: str, seconds: float = LONGEST) -> None:
        """Wait until the output has this text; fails when the run ends or time passes without it."""
        end = time.monotonic() + seconds
        while text not in self.output:
            ended = self.process.poll() is not None
            assert not ended or text in self.output, f"the run ended without {text!r}:\n{self.output}"
            assert time.monotonic() < end, f"no {text!r} within {seconds:.0f} s:\n{self.output}"
            time.sleep(0.05)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to ansible-playbook alone, as ``kill PID`` does, and as Ctrl-C does: workers are elsewhere."""
        self.process.send_signal(number)

    def vanish(self) -> None:
        """Kill ansible-playbook and its workers, which have sessions of their own: as if the machine lost its power."""
        for pid in [*descendants(self.process.pid), self.process.pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def wait(self, seconds: float = LONGEST) -> Pressed:
        """The run's end."""
        try:
            rc = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.vanish()
            raise AssertionError(f"the run did not end within {seconds:.0f} s:\n{self.output}") from None
        took = time.monotonic() - self._started
        return Pressed(rc, self.output, took, self._services, self._records, self._log.with_suffix(".jsonl"))


class Press:
    """Presses buttons with an inventory made for the services at hand; the records of one test are in one place."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.records = folder / "records"
        self._lab = lab
        self._folder = folder
        self._running: list[Running] = []

    def __call__(self, button: str, *services: Service, **arguments: Any) -> Pressed:
        """Press and wait; the arguments are those of ``start``."""
        return self.start(button, *services, **arguments).wait()

    def start(
        self,
        button: str,
        *services: Service,
        options: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        inventories: Sequence[str | Path] = ("inventories/lab",),
        folder: Path = CHECKOUT,
        **extra: Any,
    ) -> Running:
        """Press without waiting. ``extra`` are the operator's ``-e NAME=VALUE``, ``options`` go in as they are.

        ``button`` is a button's name, or a playbook as ansible-playbook takes it (a path, or a full name).
        Several services are pressed in one run, as a group of the inventory; without any the inventories are as they
        stand.
        """
        log = self._folder / f"run-{len(self._running)}.log"
        playbook = button if "." in button else f"playbooks/{button}.yml"
        argv = [str(Path(sys.executable).with_name("ansible-playbook")), playbook, *options]
        for each in inventories:
            argv += ["-i", str(each)]
        named = dict(extra)
        if services:
            inventory = log.with_suffix(".yml")
            inventory.write_text(yaml.safe_dump(_inventory(services)))
            argv += ["-i", str(inventory)]
            named = {"service": "pressed" if len(services) > 1 else services[0].name, **extra}
        for name, value in named.items():
            argv += ["-e", f"{name}={shlex.quote(str(value))}"]
        with log.open("wb") as output:
            process = subprocess.Popen(
                argv, cwd=folder, env=self._environment(log, environment or {}), stdin=subprocess.DEVNULL,
                stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        running = Running(process, log, tuple(each.name for each in services), self.records)
        self._running.append(running)
        return running

    def end(self) -> None:
        """Kill what a failed test left running."""
        for running in self._running:
            if running.process.poll() is None:
                running.vanish()

    def _environment(self, log: Path, added: Mapping[str, str]) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("ANSIBLE_", "K8S_AUTH_", "KUBECONFIG"))}
        return {
            **kept,
            "LINKOPS_RECORDS": str(self.records),
            "LINKOPS_LAB_STATE": str(self._lab.state),
            "ANSIBLE_CALLBACK_PLUGINS": str(CALLBACKS),
            "ANSIBLE_CALLBACKS_ENABLED": "linkops.runbooks.verdict,results",
            "RESULTS_FILE": str(log.with_suffix(".jsonl")),
            **added,
        }


def descendants(pid: int) -> list[int]:
    """Processes that this one has started, directly or not."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # ended meanwhile
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    found = [pid]
    for each in found:
        found += [child for child, parent in parents.items() if parent == each]
    return found[1:]


def _inventory(services: Sequence[Service]) -> dict[str, Any]:
    """The hosts in the lab's own groups, so that the lab's group_vars apply to them."""
    groups: dict[str, Any] = {"pressed": {"hosts": {}}}
    for each in services:
        groups.setdefault(each.group, {"hosts": {}})["hosts"][each.name] = each.variables
        groups["pressed"]["hosts"][each.name] = {}
    return {"all": {"children": groups}}
