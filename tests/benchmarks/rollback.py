# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole rollback button beside kubectl, and beside the same steps chained from kubernetes.core."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

from lab.cluster import Cluster
from lab.site import Lab
from tests.benchmarks.page import goals_table, seconds_table, setting
from tests.integration.harness.ground import made
from tests.integration.harness.pressing import Press
from tests.integration.harness.services import Service

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
# The wheel of the community package carries kubernetes.core; only that is taken out of it.
ANSIBLE_PACKAGE = "12.3.0"
GOAL_OF_KUBECTL, GOAL_OF_CHAIN = 1.5, 0.5
GOAL_REQUESTS = 25


def run(lab: Lab, rounds: int) -> str:
    """Time every contender in turn; returns the section of the page."""
    chain = _kubernetes_core(lab.cache)
    with tempfile.TemporaryDirectory() as folder, made(Cluster.of(lab), "bench", Path(folder)) as ground:
        api = ground.service(["v1.2.0", "v1.2.1"], replicas=2, node_port=True)
        ground.press("health", api, mark="true")
        with ground.audit.reading() as seen:
            _own_button(ground.press, api)
        contenders: dict[str, Callable[[], None]] = {
            "an empty play (start of Ansible)": lambda: _playbook(HERE / "empty.yml", {}),
            "kubectl rollout undo --to-revision, then rollout status": lambda: _kubectl(lab, api),
            "the rollback button": lambda: _own_button(ground.press, api),
            "the same chained from kubernetes.core": lambda: _chained(lab, api, chain),
        }
        seconds: dict[str, list[float]] = {name: [] for name in contenders}
        for number in range(rounds):
            for name, press in contenders.items():
                api.workload.wait_ready()
                started = time.monotonic()
                press()
                seconds[name].append(time.monotonic() - started)
                print(f"round {number + 1}: {name}: {seconds[name][-1]:.2f} s", file=sys.stderr)
        # Two of the patches of the Lease take it and give it back; the others renew it.
        requests = len(seen.requests) - max(0, len(seen.renewals) - 2)
    return _section(seconds, requests, rounds)


def _own_button(press: Press, api: Service) -> None:
    # Without the callback that the integration tests read results from.
    alone = {"ANSIBLE_CALLBACKS_ENABLED": "linkops.runbooks.verdict"}
    pressed = press("rollback", api, environment=alone, revision=_other_revision(api))
    _require(pressed.rc == 0, pressed.output)


def _kubectl(lab: Lab, api: Service) -> None:
    for words in (("undo", f"--to-revision={_other_revision(api)}"), ("status", "--timeout=120s")):
        argv = [lab.kubectl, "-n", api.namespace, "rollout", words[0], f"deployment/{api.name}", words[1]]
        done = subprocess.run(
            argv, env={**os.environ, "KUBECONFIG": str(lab.kubeconfig)}, capture_output=True, text=True, check=False
        )
        _require(done.returncode == 0, done.stderr)


def _chained(lab: Lab, api: Service, collections: Path) -> None:
    extra = {"workload_namespace": api.namespace, "workload_name": api.name, "health_url": api.health_url}
    reached = {"K8S_AUTH_KUBECONFIG": str(lab.kubeconfig), "ANSIBLE_COLLECTIONS_PATH": str(collections)}
    _playbook(HERE / "kubernetes_core.yml", extra, reached)


def _playbook(playbook: Path, extra: dict[str, str], environment: dict[str, str] | None = None) -> None:
    argv = [str(BIN / "ansible-playbook"), str(playbook), "-i", "localhost,"]
    for name, value in extra.items():
        argv += ["-e", f"{name}={value}"]
    # Pipelining, forks and the interpreter are as fast for the peer as for the button.
    settings = {"ANSIBLE_PIPELINING": "1", "ANSIBLE_PYTHON_INTERPRETER": sys.executable}
    done = subprocess.run(
        argv,
        cwd=HERE,
        env={**os.environ, **settings, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    _require(done.returncode == 0, done.stdout + done.stderr)


def _other_revision(api: Service) -> int:
    """The number that the revision which does not run has at the moment."""
    live = api.workload.live
    active = int(live["metadata"]["annotations"]["deployment.kubernetes.io/revision"])
    return active - 1


def _kubernetes_core(cache: Path) -> Path:
    """A collections path with kubernetes.core alone."""
    folder = cache / f"ansible-{ANSIBLE_PACKAGE}-kubernetes-core"
    if not folder.exists():
        with tempfile.TemporaryDirectory() as downloads:
            argv = [
                str(BIN / "python"),
                "-m",
                "pip",
                "download",
                "-q",
                "--no-deps",
                "-d",
                downloads,
                f"ansible=={ANSIBLE_PACKAGE}",
            ]
            subprocess.run(argv, check=True)
            wheel = next(Path(downloads).glob("*.whl"))
            with zipfile.ZipFile(wheel) as packed:
                wanted = [name for name in packed.namelist() if name.startswith("ansible_collections/kubernetes/core/")]
                packed.extractall(folder.with_suffix(".new"), wanted)
        folder.with_suffix(".new").replace(folder)
    return folder


def _require(fine: bool, output: str) -> None:
    if not fine:
        raise SystemExit(f"A contender failed, so there is nothing to compare:\n{output}")


def _section(seconds: dict[str, list[float]], requests: int, rounds: int) -> str:
    start, kubectl, button, chain = (statistics.median(each) for each in seconds.values())
    of_kubectl, of_chain = button / (kubectl + start), button / chain
    goals = (
        (
            f"at most {GOAL_OF_KUBECTL} x (kubectl + start of Ansible)",
            f"{of_kubectl:.2f} x",
            of_kubectl <= GOAL_OF_KUBECTL,
        ),
        (f"at most {GOAL_OF_CHAIN} x the chain from kubernetes.core", f"{of_chain:.2f} x", of_chain <= GOAL_OF_CHAIN),
        (f"at most {GOAL_REQUESTS} API requests without lease renewals", str(requests), requests <= GOAL_REQUESTS),
    )
    return f"""## The rollback button

{setting(rounds)} A
Deployment of 2 replicas goes from one revision to the other. The button checks rights, plans, locks, asks both pods and
the service before and after, marks both revisions, and keeps its record. kubectl undoes and waits. The chain looks at
Deployment, ReplicaSets and pods, locks by a Lease, asks the service before and after, undoes, waits, marks and unlocks.

{seconds_table(seconds)}

{goals_table(goals)}
"""
