# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configure button: resources and environment of a container, planned, watched, proved and returned."""

from __future__ import annotations

import json

from tests.integration.harness.ground import Ground
from tests.integration.harness.services import Service, container


def resources(api: Service) -> dict[str, dict[str, str]]:
    """What the workload's container asks for and may take."""
    found: dict[str, dict[str, str]] = container(api.workload.live["spec"]["template"])["resources"]
    return found


def variables(api: Service) -> dict[str, str]:
    """The plain variables of the workload's container."""
    listed = container(api.workload.live["spec"]["template"]).get("env", [])
    return {each["name"]: each.get("value", "") for each in listed if "valueFrom" not in each}


def test_memory_is_set_once_and_put_back(ground: Ground) -> None:
    api = ground.service(["v1.2.1"], replicas=2, node_port=True)
    before = resources(api)

    # The plan says what would be done, and writes nothing at all.
    with ground.audit.reading() as seen:
        planned = ground.press("configure", api, options=["--check", "--diff"], memory_limit="512Mi")
    assert planned.rc == 0, planned.output
    assert seen.requests
    assert seen.writes == []
    assert "Would configure container api: memory limit 256Mi -> 512Mi" in planned.closing()
    assert any(line.strip().startswith("+") and "memory: 512Mi" in line for line in planned.output.splitlines())
    assert resources(api) == before

    pressed = ground.press("configure", api, memory_limit="512Mi", memory_request="128Mi")
    assert pressed.rc == 0, pressed.output
    told = "pass: Configured container api: memory limit 256Mi -> 512Mi, memory request 64Mi -> 128Mi (revision 2)"
    assert told in pressed.closing()
    assert resources(api) == {"limits": {"memory": "512Mi"}, "requests": {"cpu": "10m", "memory": "128Mi"}}
    assert {pod["spec"]["containers"][0]["resources"]["limits"]["memory"] for pod in api.workload.pods} == {"512Mi"}

    # The same amounts in other words: nothing changes, and all is verified.
    again = ground.press("configure", api, memory_limit="0.5Gi", memory_request=str(128 << 20))
    assert again.rc == 0, again.output
    assert "All of it was configured already" in again.closing()
    assert "changed=0" in again.output.rpartition("PLAY RECAP")[2]

    # What an earlier revision had is that revision again, whose words the API server keeps.
    back = ground.press("configure", api, memory_limit=str(256 << 20), memory_request="65536Ki")
    assert back.rc == 0, back.output
    assert back.results("workload_configure")[-1]["to_revision"] == 1, json.dumps(back.results("workload_configure"))
    assert resources(api) == before
