# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: up, status, down, env, logs, seed."""

from __future__ import annotations

import argparse
import fcntl
import os
import shlex
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lab import address, component, images, ownership, plan, removal
from lab.site import Lab, LabError, Shape
from lab.steps import Timings, run_all, spoken

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_NODES = 5000


def main(arguments: list[str] | None = None) -> int:
    """Run one verb; returns the exit code."""
    asked = _parser().parse_args(arguments)
    os.umask(0o022)  # what runs without privileges has to read its programs
    try:
        lab = Lab.of_this_machine()
        _require_root(lab, asked)
        code: int = asked.run(lab, asked)
    except LabError as fault:
        print(fault, file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print("Interrupted: `python -m lab up` goes on from here, `python -m lab down` cleans up.", file=sys.stderr)
        return 130
    return code


def _require_root(lab: Lab, asked: argparse.Namespace) -> None:
    if asked.verb == "env" or os.geteuid() == 0:
        return
    if asked.verb == "seed" or not (lab.shape.rootless or (asked.verb == "up" and asked.simulated_nodes)):
        raise LabError(
            f"The lab runs containers and sets addresses: run `python -m lab {asked.verb}` as root. "
            "Without root there is `python -m lab up --simulated-nodes N`."
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lab", description="A real, disposable production on this machine.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    for name, run, says in (
        ("up", _up, "bring the lab up, or repair it"),
        ("status", _status, "one line for each component; exit code 0 if all are healthy"),
        ("down", _down, "take everything away, except the cache"),
        ("env", _env, 'shell exports: eval "$(python -m lab env)"'),
        ("logs", _logs, "the last log lines of one component, or of all"),
        ("seed", _seed, "bring the services back to their known state"),
    ):
        verb = verbs.add_parser(name, help=says, description=says)
        verb.set_defaults(run=run)
        if name == "up":
            verb.add_argument(
                "--simulated-nodes",
                type=_count,
                metavar="N",
                help="have so many; later `up`s keep them, 0 removes them",
            )
            verb.add_argument(
                "--rootless",
                action="store_true",
                help="only what needs no root: the control plane and simulated nodes; implied without root",
            )
        if name == "logs":
            verb.add_argument("component", nargs="?", choices=sorted({**plan.COMPONENTS, **plan.SIMULATION}))
            verb.add_argument("-n", type=int, default=20, help="lines of each (default: 20)")
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) > MOST_NODES:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 0 to {MOST_NODES}")
    return int(text)


def _up(lab: Lab, asked: argparse.Namespace) -> int:
    began = time.monotonic()
    with _locked(lab) as lock:
        shape = _shape(lab, asked)
        if shape.rootless:
            _say("Without root: control plane and simulated nodes; no real node, no databases, no services.")
        else:
            ownership.take(lab)
        lab.remember(shape)
        run_all(plan.steps(lab, lock), Timings(lab.cache / "timings.json"), _say)
    _say(f'The lab is up after {spoken(time.monotonic() - began)}. To use it: eval "$(python -m lab env)"')
    return 0


def _shape(lab: Lab, asked: argparse.Namespace) -> Shape:
    """What was asked for, and where nothing was said what there is already.

    Raises LabError where a lab would have to change between with and without root.
    """
    kept, fresh = lab.shape, not lab.secrets_file.exists()
    nodes = kept.simulated_nodes if asked.simulated_nodes is None else asked.simulated_nodes
    rootless = asked.rootless or os.geteuid() != 0 or kept.rootless
    if rootless and not (kept.rootless or fresh):
        raise LabError(f"The lab in {lab.state} has a real node: take it down first, or set LINKOPS_LAB_STATE.")
    if rootless and not nodes:
        raise LabError("Without root the lab has simulated nodes only: say how many with --simulated-nodes N.")
    return Shape(nodes, rootless)


def _down(lab: Lab, _: argparse.Namespace) -> int:
    with _locked(lab):
        removal.remove(lab, _say)
    _say(f"The lab is gone; its cache stays in {lab.cache}.")
    return 0


def _status(lab: Lab, _: argparse.Namespace) -> int:
    healthy = lab.shape.rootless or address.has_address(lab)
    if not lab.shape.rootless:
        says = "healthy" if healthy else f"{lab.node_address} is not on the loopback interface"
        _say(f"{'address':<24} {'':>7}  {says}")
    for name, (definition, _after) in plan.components(lab).items():
        pid = component.pid_of(lab, name)
        try:
            reason = "is not running" if pid is None else definition(lab).ready()
            differs = pid is not None and not component.runs_as_defined(lab, definition(lab))
        except (LabError, OSError) as fault:
            reason, differs = str(fault), False
        healthy = healthy and reason is None
        verdict = reason or ("healthy, as another checkout defines it" if differs else "healthy")
        _say(f"{name:<24} {pid or '-':>7}  {verdict}")
    if not healthy:
        _say("Repair with: python -m lab up")
    return 0 if healthy else 1


def _env(lab: Lab, _: argparse.Namespace) -> int:
    exports = {
        "LINKOPS_LAB_STATE": lab.state,
        "LINKOPS_LAB_CACHE": lab.cache,
        "LINKOPS_LAB_SECRETS": lab.secrets_file,
        "LINKOPS_LAB_NODE": lab.node_address,
        "KUBECONFIG": lab.kubeconfig,
        "PGHOST": lab.node_address,
        "PGPORT": lab.postgres_port,
        "PGPASSFILE": lab.pgpass,
        "LINKOPS_LAB_REDIS": f"{lab.node_address}:{lab.redis_port}",
        "LINKOPS_LAB_PROMETHEUS": f"http://127.0.0.1:{lab.prometheus_port}",
    }
    for name, value in exports.items():
        _say(f"export {name}={shlex.quote(str(value))}")
    _say(f'export PATH={shlex.quote(str(lab.kubectl.parent))}:"$PATH"')
    return 0


def _logs(lab: Lab, asked: argparse.Namespace) -> int:
    for name in [asked.component] if asked.component else plan.components(lab):
        log = component.log_of(lab, name)
        _say(f"==> {log} <==")
        for line in component.last_lines(log, asked.n):
            _say(line)
    return 0


def _seed(lab: Lab, _: argparse.Namespace) -> int:
    with _locked(lab):
        plan.deploy_services(lab, images.build(lab.cache, _say))
    _say("The services are in their known state.")
    return 0


@contextmanager
def _locked(lab: Lab) -> Iterator[int]:
    """Hold the machine's one lab lock; yields its descriptor. Waits for another `up` or `down`, and says so."""
    lab.require_own_state()
    lab.cache.mkdir(parents=True, exist_ok=True)
    with (lab.cache / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            _say(f"Waiting for another run on this lab (pid {lock.read().strip() or 'unknown'}) to end.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield lock.fileno()


def _say(line: str) -> None:
    print(line, flush=True)
