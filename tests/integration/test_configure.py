# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configure button: resources and environment of a container, planned, watched, proved and returned."""

from __future__ import annotations

import json
import secrets
import urllib.request

import pytest

from tests.integration.harness.ground import Ground
from tests.integration.harness.services import Service, container

pytestmark = pytest.mark.matrix

LOCK_SECONDS = 4  # how long the lock of a killed run counts here


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


def test_what_is_wrong_with_the_words_is_said_at_once_and_no_secret_is_repeated(ground: Ground) -> None:
    api = ground.service(["v1.2.1"], replicas=0)
    canary = f"canary{secrets.token_hex(8)}"
    with ground.audit.reading() as seen:
        pressed = ground.press(
            "configure", api, options=["-vvv", "--diff"], memory_limit="2GB", cpu_request="-1",
            variable="JWT_SECRET", value=canary,
        )  # fmt: skip
        halved = ground.press("configure", api, memory="2GB", cpu_limit="1")
    assert pressed.rc != 0
    for words in (
        "memory_limit=2GB is not a quantity as Kubernetes writes it. Give 2Gi (powers of 1024) or 2G (powers of 1000).",
        "cpu_request=-1 is not more than 0",
        "The value given for JWT_SECRET looks like a secret",
    ):
        assert words in pressed.closing()
    assert halved.rc != 0
    assert (
        "memory=2GB does not say whether the limit or the request is meant. Give memory_limit=2Gi" in halved.closing()
    )
    assert seen.writes == []
    assert canary not in pressed.output
    assert all(canary not in path.read_text() for path in pressed.folder().rglob("*") if path.is_file())


def test_what_stands_against_it_in_the_cluster_is_said_before_anything_is_written(ground: Ground) -> None:
    api = ground.service(["v1.2.1"], replicas=0)
    limits = [{"type": "Container", "max": {"memory": "1Gi"}}]
    ground.cluster.apply(
        {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "l"}, "spec": {"limits": limits}},
        ground.namespace,
    )
    missing = {
        "variables_from": {"SIGNING": {"secret": "servicelink-secrets", "key": "NO_SUCH"}},
        "memory_limit": "8Gi",
    }
    cases = {
        "There is no container web; there are api.": {"container": "web", "memory_limit": "512Mi"},
        "The memory request 2Gi would be above the memory limit 256Mi.": {"memory_request": "2Gi"},
        "STRIPE_API comes from a Secret now": {"variable": "STRIPE_API", "value": "v2"},
        "maximum memory usage per Container is 1Gi": missing,
    }
    ground.cluster.patch("Secret", ground.namespace, "servicelink-secrets", {"stringData": {"STRIPE_API": "v1"}})
    with ground.audit.reading() as seen:
        pressed = [
            ground.press("configure", api, options=["--check", "-e", json.dumps(given)]) for given in cases.values()
        ]
    for words, each in zip(cases, pressed, strict=True):
        assert each.rc != 0
        assert words in each.closing()
    told = pressed[-1].closing()
    assert "Secret servicelink-secrets, key NO_SUCH, and it has no such key; it has" in told
    assert seen.writes == []


def test_memory_that_is_too_little_is_refused_and_where_forced_returned(ground: Ground) -> None:
    api = ground.service(["v1.2.1"], node_port=True, lock_duration_seconds=LOCK_SECONDS)
    name = api.workload.pods[0]["metadata"]["name"]
    path = f"/apis/metrics.k8s.io/v1beta1/namespaces/{ground.namespace}/pods"
    ground.cluster.until(
        lambda: any(each["metadata"]["name"] == name for each in ground.cluster.request("GET", path)["items"]),
        lambda: f"pod {name} has no metrics",
    )
    tiny = {"memory_limit": "20Mi", "memory_request": "10Mi"}
    refused = ground.press("configure", api, **tiny)
    assert refused.rc != 0
    assert "memory_limit=20Mi is below what is used: container api of pod" in refused.closing()

    forced = ground.press("configure", api, force="true", **tiny)
    assert forced.rc != 0
    assert "It was returned to revision 1, which serves again" in forced.closing()
    assert resources(api)["limits"] == {"memory": "256Mi"}
    assert name in {pod["metadata"]["name"] for pod in api.workload.pods}, "it served all the time"
    assert forced.results("workload_configure")[-1]["evidence"]

    # A run that dies behind its write: the next one finds the template written, and returns it all the same.
    killed = ground.press.start("configure", api, force="true", **tiny)
    killed.until("watching the rollout")
    killed.vanish()
    assert resources(api)["limits"] == {"memory": "20Mi"}
    resumed = ground.press("configure", api, force="true", **tiny)
    assert resumed.rc != 0
    assert "revision 4 is active already; it took the place of revision 3 and was never proved" in resumed.output
    assert "It was returned to revision 3, which serves again" in resumed.closing()
    assert resources(api)["limits"] == {"memory": "256Mi"}
    assert name in {pod["metadata"]["name"] for pod in api.workload.pods}, "it served all the time"


def test_a_service_that_got_worse_is_returned_also_by_the_run_after_a_killed_one(ground: Ground) -> None:
    """Its pods are ready, and say themselves that they have no database."""
    api = ground.service(["v1.2.1"], lock_duration_seconds=LOCK_SECONDS)
    ill = {"variable": "LAB_BEHAVIOUR", "value": "disconnected"}
    pressed = ground.press("configure", api, **ill)
    assert pressed.rc != 0
    assert "fail: Configured container api: LAB_BEHAVIOUR none -> disconnected (revision 2)" in pressed.closing()
    assert 'database is "disconnected"' in pressed.closing()
    assert "returned to revision 1" in pressed.closing()
    assert "LAB_BEHAVIOUR" not in variables(api)

    killed = ground.press.start("configure", api, **ill)
    killed.until("watching the rollout")
    killed.vanish()
    api.workload.wait_ready()
    resumed = ground.press("configure", api, **ill)
    assert resumed.rc != 0
    assert "All of it was configured already" in resumed.closing()
    assert "returned to revision 3" in resumed.closing()
    assert "LAB_BEHAVIOUR" not in variables(api)

    # What passed is proved: there is nothing to return to any more.
    well = {"variable": "LOG_LEVEL", "value": "debug"}
    proved = ground.press("configure", api, **well)
    assert proved.rc == 0, proved.output
    again = ground.press("configure", api, **well)
    assert again.rc == 0, again.output
    assert "never proved" not in again.output


def test_variables_reach_users_and_secrets_are_referred_to(ground: Ground) -> None:
    canary = f"canary{secrets.token_hex(8)}"
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "stripe-2026"}, "stringData": {"key": canary}}
    ground.cluster.apply(secret, ground.namespace)
    api = ground.service(["v1.2.1"], node_port=True)
    origins = "https://servicelink.com,https://www.servicelink.com,https://beta.servicelink.com/"
    given = {
        "variables": {"CORS_ORIGIN": origins, "AUTH_LOGIN_RATE_LIMIT": 20},
        "variables_from": {"STRIPE_SECRET_KEY": {"secret": "stripe-2026", "key": "key"}},
    }
    pressed = ground.press("configure", api, options=["-vvv", "--diff", "-e", json.dumps(given)])
    assert pressed.rc == 0, pressed.output
    said = " ".join(pressed.output.split())
    assert "a browser sends https://beta.servicelink.com" in said
    assert "CORS_ORIGIN comes from ConfigMap servicelink-config, key CORS_ORIGIN, until now" in said
    assert canary not in pressed.output
    assert all(canary not in path.read_text() for path in pressed.folder().rglob("*") if path.is_file())
    assert variables(api) == {"CORS_ORIGIN": origins, "AUTH_LOGIN_RATE_LIMIT": "20"}
    request = urllib.request.Request(api.health_url, headers={"Origin": "https://www.servicelink.com"})
    with urllib.request.urlopen(request) as answer:
        assert answer.headers["Access-Control-Allow-Origin"] == "https://www.servicelink.com"

    again = ground.press("configure", api, options=["-e", json.dumps(given)])
    assert "changed=0" in again.output.rpartition("PLAY RECAP")[2]

    # What is put back is the revision that it was, which inherits from the ConfigMap.
    absent = ["CORS_ORIGIN", "AUTH_LOGIN_RATE_LIMIT", "STRIPE_SECRET_KEY"]
    back = ground.press("configure", api, variables_absent=",".join(absent))
    assert back.rc == 0, back.output
    assert back.results("workload_configure")[-1]["to_revision"] == 1
    assert variables(api) == {}


def test_one_operator_at_a_time_and_a_killed_run_is_taken_up(ground: Ground) -> None:
    api = ground.service(["v1.2.1"], behaviour="slow-start", lock_duration_seconds=8)
    first = ground.press.start("configure", api, memory_limit="512Mi")
    first.until("watching the rollout")
    second = ground.press.start("configure", api, memory_limit="1Gi", operator="ada")
    second.until("is held: configure by")
    first.vanish()
    taken = second.wait()
    assert taken.rc == 0, taken.output
    assert resources(api)["limits"] == {"memory": "1Gi"}

    rival = ground.press.start("configure", api, memory_limit="768Mi")
    rival.until("watching the rollout")
    refused = ground.press("configure", api, memory_limit="2Gi")
    assert refused.rc != 0
    assert "that run is alive" in refused.closing() or "that run ended" in refused.closing()
    assert rival.wait().rc == 0
    assert resources(api)["limits"] == {"memory": "768Mi"}
