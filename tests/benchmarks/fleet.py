# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The restart of a whole fleet beside kubectl, and of one service among thousands of foreign pods.

Both on a lab of simulated nodes that the benchmark brings up for itself, without root. A pod is asked for its health
through the API server as any other; what answers for all of them is a small server in this process.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from lab import component, plan
from lab.cluster import Cluster, Manifest
from lab.simulation import simulated
from lab.site import Lab
from tests.benchmarks.page import goals_table, setting
from tests.integration.harness.pressing import CHECKOUT, descendants

NODES, SERVICES, REPLICAS = 100, 100, 5
FOREIGN_WORKLOADS, FOREIGN_REPLICAS = 6, 500
OFFSET = 5000  # of the ports, beside the lab of this machine
GOAL_OF_KUBECTL, GOAL_OF_EMPTY = 1.3, 1.2
HEALTHY = json.dumps({"status": "ok"}).encode()
PATIENCE = 600.0


def run(lab: Lab, rounds: int) -> str:
    """Bring a lab of simulated nodes up, measure both, take it down; returns the section of the page."""
    with _simulated_lab(lab) as site, _answering() as port:
        fleet = Fleet(site, port)
        fleet.deploy("fleet", [f"service-{number:03}" for number in range(SERVICES)], REPLICAS)
        kubectl = "kubectl rollout restart deployment, then rollout status of each"
        button = f"the restart button for {SERVICES} services"
        restarts: dict[str, Callable[[], float]] = {
            kubectl: lambda: fleet.kubectl_restart("fleet"),
            button: lambda: fleet.button("service-*"),
        }
        of_fleet = _in_turn(site, restarts, rounds)

        for namespace in ("empty", "crowded"):
            fleet.deploy(namespace, [f"{namespace}-api"], REPLICAS)
        foreign = [f"foreign-{number}" for number in range(FOREIGN_WORKLOADS)]
        fleet.deploy("crowded", foreign, FOREIGN_REPLICAS, pressed=False)
        crowd: dict[str, Callable[[], float]] = {
            "in an empty namespace": lambda: fleet.button("empty-api"),
            f"beside {FOREIGN_WORKLOADS * FOREIGN_REPLICAS} foreign pods": lambda: fleet.button("crowded-api"),
        }
        of_crowd = _in_turn(site, crowd, max(rounds, 5))
    return _section(of_fleet, of_crowd, rounds)


@dataclass(frozen=True)
class Cost:
    """What one restart took: seconds of the clock, CPU seconds of its own processes and of the control plane, MiB."""

    seconds: float
    own: float
    control_plane: float
    memory: float


class Fleet:
    """Services of simulated pods, and the two ways to restart them."""

    def __init__(self, site: Lab, port: int) -> None:
        self._site = site
        self._cluster = Cluster.of(site)
        self._port = port
        self._hosts: dict[str, dict[str, object]] = {}

    def deploy(self, namespace: str, names: list[str], replicas: int, *, pressed: bool = True) -> None:
        """Make workloads and wait until all their pods are ready; ``pressed`` ones are in the inventory."""
        self._cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}, "")
        for name in names:
            self._cluster.create(_deployment(name, replicas), namespace)
            if pressed:
                self._hosts[name] = {
                    "kubernetes_namespace": namespace,
                    "service_port": self._port,
                    "health_expect": {"status": "ok"},
                    "health_url": "",
                    "database_host": "",  # the simulated pods have none
                }
        for name in names:
            self.kubectl("-n", namespace, "rollout", "status", f"deployment/{name}", f"--timeout={PATIENCE:.0f}s")

    def kubectl(self, *arguments: str) -> None:
        """Run kubectl to its end."""
        _run([str(self._site.kubectl), *arguments], {"KUBECONFIG": str(self._site.kubeconfig)})

    def kubectl_restart(self, namespace: str) -> float:
        """Restart all Deployments of the namespace, wait for each; no memory is counted."""
        self.kubectl("-n", namespace, "rollout", "restart", "deployment")
        for name, host in self._hosts.items():
            if host["kubernetes_namespace"] == namespace:
                self.kubectl("-n", namespace, "rollout", "status", f"deployment/{name}", f"--timeout={PATIENCE:.0f}s")
        return 0.0

    def button(self, services: str) -> float:
        """Press the restart button; returns the most memory that its processes had together, in MiB."""
        folder = self._site.state.parent
        inventory = folder / "fleet.yml"
        groups = {"servicelink": {"children": {"servicelink_lab": {"hosts": self._hosts}}}}
        inventory.write_text(json.dumps({"all": {"children": groups}}))
        playbook = str(Path(sys.executable).with_name("ansible-playbook"))
        argv = [playbook, "playbooks/restart.yml", "-i", "inventories/lab", "-i", str(inventory)]
        environment = {"LINKOPS_LAB_STATE": str(self._site.state), "LINKOPS_RECORDS": str(folder / "records")}
        return _run([*argv, "-e", f"service={services}"], environment)


def _deployment(name: str, replicas: int) -> Manifest:
    template = {
        "metadata": {"labels": {"app": name}},
        # its address is this machine's: the server in this process answers
        "spec": {"hostNetwork": True, "containers": [{"name": "api", "image": "simulated/api:1"}]},
    }
    manifest = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template},
    }
    return simulated(manifest)


@contextlib.contextmanager
def _simulated_lab(lab: Lab) -> Iterator[Lab]:
    """A lab of simulated nodes in a folder of its own, with this machine's cache; it is taken down afterwards."""
    with tempfile.TemporaryDirectory(prefix="linkops-fleet-") as folder:
        site = Lab(state=Path(folder) / "state", cache=lab.cache, port_offset=OFFSET)
        environment = {
            "LINKOPS_LAB_STATE": str(site.state),
            "LINKOPS_LAB_CACHE": str(site.cache),
            "LINKOPS_LAB_PORT_OFFSET": str(OFFSET),
        }
        verb = [sys.executable, "-m", "lab"]
        try:
            _run([*verb, "up", "--rootless", "--simulated-nodes", str(NODES)], environment)
            yield site
        finally:
            _run([*verb, "down"], environment)


@contextlib.contextmanager
def _answering() -> Iterator[int]:
    """A server that is healthy; yields its port."""
    with _Server(("0.0.0.0", 0), _Healthy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


class _Server(ThreadingHTTPServer):
    request_queue_size = 512


class _Healthy(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(HEALTHY)))
        self.end_headers()
        self.wfile.write(HEALTHY)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _run(argv: list[str], environment: dict[str, str]) -> float:
    """Run to the end; returns the most memory that the process and its children had together, in MiB."""
    most = 0.0
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            argv,
            cwd=CHECKOUT,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(1.0)
                break
            most = max(most, sum(map(_memory, (process.pid, *descendants(process.pid)))))
        if process.returncode:
            output.seek(0)
            raise SystemExit(f"A contender failed, so there is nothing to compare:\n{output.read().decode()}")
    return most


def _memory(pid: int) -> float:
    """A process's memory in MiB; what it shares with others counts in parts (Pss of proc(5))."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:  # it has ended
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def _in_turn(site: Lab, contenders: dict[str, Callable[[], float]], rounds: int) -> dict[str, list[Cost]]:
    """What each contender took in each round."""
    costs: dict[str, list[Cost]] = {name: [] for name in contenders}
    for number in range(rounds):
        for name, restart in contenders.items():
            started, own, control_plane = time.monotonic(), _own_cpu(), _control_plane_cpu(site)
            memory = restart()
            cost = Cost(time.monotonic() - started, _own_cpu() - own, _control_plane_cpu(site) - control_plane, memory)
            costs[name].append(cost)
            print(f"round {number + 1}: {name}: {cost}", file=sys.stderr, flush=True)
    return costs


def _own_cpu() -> float:
    """CPU seconds of all processes that this one has started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _control_plane_cpu(site: Lab) -> float:
    """CPU seconds of the lab's components so far, see proc(5)."""
    pids = (component.pid_of(site, name) for name in plan.components(site))
    stats = (Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids)
    return sum(int(stat[11]) + int(stat[12]) for stat in stats) / os.sysconf("SC_CLK_TCK")


def _table(costs: dict[str, list[Cost]]) -> str:
    rows = [
        "| contender | least, s | median, s | most, s | own CPU, s | control plane's CPU, s |",
        "|---|---|---|---|---|---|",
    ]
    for name, each in costs.items():
        seconds = [cost.seconds for cost in each]
        figures = (min(seconds), statistics.median(seconds), max(seconds), *_cpu(each))
        rows.append(" | ".join((f"| {name}", *(f"{figure:.1f}" for figure in figures), "")).strip())
    return "\n".join(rows)


def _cpu(costs: list[Cost]) -> tuple[float, float]:
    """Medians of the CPU seconds: its own, and the control plane's."""
    return statistics.median(cost.own for cost in costs), statistics.median(cost.control_plane for cost in costs)


def _ratio(costs: dict[str, list[Cost]]) -> float:
    """How much longer the second contender takes than the first."""
    first, second = (statistics.median(cost.seconds for cost in each) for each in costs.values())
    return second / first


def _section(of_fleet: dict[str, list[Cost]], of_crowd: dict[str, list[Cost]], rounds: int) -> str:
    of_kubectl, of_empty = _ratio(of_fleet), _ratio(of_crowd)
    kubectl, button = (sum(_cpu(each)) for each in of_fleet.values())
    memory = max(cost.memory for each in of_fleet.values() for cost in each)
    goals = (
        (
            f"the button for {SERVICES} services: at most {GOAL_OF_KUBECTL} x kubectl",
            f"{of_kubectl:.2f} x",
            of_kubectl <= GOAL_OF_KUBECTL,
        ),
        (
            f"among foreign pods: at most {GOAL_OF_EMPTY} x an empty namespace",
            f"{of_empty:.2f} x",
            of_empty <= GOAL_OF_EMPTY,
        ),
    )
    return f"""## A fleet

{setting(rounds)} {SERVICES} Deployments of {REPLICAS} pods
on {NODES} simulated nodes are restarted in one run; the control plane works on the same cores. kubectl restarts all at
once, then waits for one after the other. The button does for each service what it does for one: rights, plan, lock,
health of every pod before and after, watch, mark, record. Its processes had at most {memory:.0f} MiB together. The CPU
seconds of both sides, which depend less on what else the machine does, are {button / kubectl:.2f} x those of kubectl.

Ansible starts a process for every task of every service, here ten for each. The API server is busy above all with the
status updates of the controllers (its CPU profile); of these a quarter of the services at a time probably causes more
than all at once, where they fall together.

{_table(of_fleet)}

One service of {REPLICAS} pods is restarted by the button, once in a namespace of its own and once in one with
{FOREIGN_WORKLOADS} other workloads of {FOREIGN_REPLICAS} pods each.

{_table(of_crowd)}

{goals_table(goals)}
"""
