# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long an operator waits for an answer: the health of a service, and the refusal of what makes no sense."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from lab.cluster import Cluster
from lab.site import Lab
from tests.benchmarks.page import goals_table, seconds_table, setting
from tests.integration.harness.ground import made
from tests.integration.harness.pressing import Press
from tests.integration.harness.services import Service

HERE = Path(__file__).parent
PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")
GOAL_HEALTH_SECONDS, GOAL_REFUSAL_SECONDS = 3.0, 5.0
EMPTY, HEALTH = "an empty play (start of Ansible)", "health"
#: What is pressed, and a word of the refusal.
REFUSED: dict[str, tuple[str, dict[str, str], str]] = {
    "scale -e replicas=-1": ("scale", {"replicas": "-1"}, "replicas"),
    "scale -e replicas=2.5": ("scale", {"replicas": "2.5"}, "2.5"),
    "scale -e replicas=10000": ("scale", {"replicas": "10000"}, "10000"),
    "configure -e memory_limit=2GB": ("configure", {"memory_limit": "2GB"}, "2GB"),
    "configure of an unknown container": ("configure", {"memory_limit": "2Gi", "workload_container": "x"}, "container"),
    "restart, and no API server answers": ("restart", {"kubernetes_kubeconfig": "{nowhere}"}, "API server"),
}


def run(lab: Lab, rounds: int) -> str:
    """Time every contender in turn; returns the section of the page."""
    with tempfile.TemporaryDirectory() as folder, made(Cluster.of(lab), "bench-answers", Path(folder)) as ground:
        api = ground.service(["v1.2.1"], replicas=2, node_port=True)
        nowhere = Path(folder) / "nowhere.yml"
        nowhere.write_text(lab.kubeconfig.read_text().replace(lab.api_url, "https://127.0.0.1:1"))
        contenders: dict[str, Callable[[], None]] = {EMPTY: _empty, HEALTH: lambda: _healthy(ground.press, api)}
        for name, (button, given, word) in REFUSED.items():
            said = {key: value.format(nowhere=nowhere) for key, value in given.items()}
            contenders[name] = lambda button=button, said=said, word=word: _refused(
                ground.press, api, button, said, word
            )
        seconds: dict[str, list[float]] = {name: [] for name in contenders}
        for number in range(rounds):
            for name, press in contenders.items():
                started = time.monotonic()
                press()
                seconds[name].append(time.monotonic() - started)
                print(f"round {number + 1}: {name}: {seconds[name][-1]:.2f} s", file=sys.stderr)
    return _section(seconds, rounds)


def _empty() -> None:
    environment = {**os.environ, "ANSIBLE_PYTHON_INTERPRETER": sys.executable}
    subprocess.run(
        [PLAYBOOK, "empty.yml", "-i", "localhost,"], cwd=HERE, env=environment, capture_output=True, check=True
    )


def _healthy(press: Press, api: Service) -> None:
    pressed = press("health", api)
    if pressed.rc or "| pass" not in pressed.output:
        raise SystemExit(f"The service is not healthy, so there is nothing to time:\n{pressed.output}")


def _refused(press: Press, api: Service, button: str, given: dict[str, str], word: str) -> None:
    pressed = press(button, api, **given)
    if not pressed.rc or word not in pressed.output:
        raise SystemExit(f"{button} {given} was not refused as expected:\n{pressed.output}")


def _section(seconds: dict[str, list[float]], rounds: int) -> str:
    medians = {name: statistics.median(each) for name, each in seconds.items()}
    added = medians[HEALTH] - medians[EMPTY]
    slowest = max(REFUSED, key=medians.__getitem__)
    goals = (
        (
            f"health in under {GOAL_HEALTH_SECONDS:g} s beyond the start of Ansible",
            f"{added:.2f} s",
            added < GOAL_HEALTH_SECONDS,
        ),
        (
            f"what makes no sense is refused in under {GOAL_REFUSAL_SECONDS:g} s (slowest: {slowest})",
            f"{medians[slowest]:.2f} s",
            medians[slowest] < GOAL_REFUSAL_SECONDS,
        ),
    )
    return f"""## Answers

{setting(rounds)} A
service of 2 pods in the lab. Health asks its endpoints, pods, database, Redis and Prometheus. A refusal is the whole
press, from the command to its end.

{seconds_table(seconds)}

{goals_table(goals)}
"""
