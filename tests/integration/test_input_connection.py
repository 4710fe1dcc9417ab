# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way to the API server: credentials from the environment, and an API server that fails now and then."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from lab.cluster import Cluster
from lab.site import Lab
from tests.integration.harness.audit import AuditLog
from tests.integration.harness.gateway import OVERLOADED, RESET, THROTTLED, Fault, Gateway, after, at_first
from tests.integration.harness.pressing import Press
from tests.integration.harness.services import Service, Services

pytestmark = pytest.mark.matrix

SILENCE = Fault(503, seconds=50.0)


@pytest.fixture
def api(service: Services) -> Service:
    """A service on its second revision."""
    return service(["v1.2.0", "v1.2.1"])


@pytest.fixture
def gateway(lab: Lab, tmp_path: Path) -> Iterator[Gateway]:
    """A gateway in front of the lab's API server."""
    opened = Gateway(lab, tmp_path)
    yield opened
    opened.close()


def written(gateway: Gateway) -> list[str]:
    """The requests that wrote a template."""
    return [request for request in gateway.requests if request.startswith("PATCH") and "/deployments/" in request]


def awx_credential(lab: Lab) -> dict[str, str]:
    """What AWX's Kubernetes credential puts into a job's environment, and no kubeconfig anywhere."""
    return {
        "K8S_AUTH_HOST": lab.api_url,
        "K8S_AUTH_API_KEY": lab.secrets["admin_token"],
        "K8S_AUTH_SSL_CA_CERT": str(lab.pki / "ca.crt"),
        "K8S_AUTH_VERIFY_SSL": "True",
    }


def outside_the_lab(api: Service, path: Path) -> Path:
    """An inventory as AWX has it: the cluster's uid, and nothing that says how the cluster is reached."""
    system = api.workload.cluster.request("GET", "/api/v1/namespaces/kube-system")
    host = {
        **api.variables,
        "ansible_connection": "local",
        "system_name": "servicelink",
        "environment_name": "staging",
        "workload_name": api.name,
        "cluster_uid": system["metadata"]["uid"],
        "record_directory": str(path.parent / "records"),
    }
    path.write_text(yaml.safe_dump({"all": {"hosts": {api.name: host}}}))
    return path


def test_a_credential_in_the_environment_is_enough(press: Press, api: Service, lab: Lab, tmp_path: Path) -> None:
    """No kubeconfig and no context: the closing line names the address, which is the one that was meant."""
    inventory = outside_the_lab(api, tmp_path / "inventory.yml")
    environment = {**awx_credential(lab), "HOME": str(tmp_path), "KUBECONFIG": ""}
    pressed = press("rollback", inventories=[inventory], environment=environment, service=api.name, revision=1)
    assert pressed.rc == 0, pressed.output
    assert f"environment staging, cluster {lab.api_url}, namespace {api.namespace} | pass" in pressed.output
    assert lab.secrets["admin_token"] not in pressed.output


def test_the_certificate_is_verified_unless_it_is_said_not_to_be(
    press: Press, api: Service, lab: Lab, tmp_path: Path
) -> None:
    """Without its authority the server is refused; K8S_AUTH_VERIFY_SSL=false is the operator's word."""
    inventory = outside_the_lab(api, tmp_path / "inventory.yml")
    known = {key: value for key, value in awx_credential(lab).items() if key in ("K8S_AUTH_HOST", "K8S_AUTH_API_KEY")}
    refused, trusted = (
        press.start(
            "rollback", options=["--check"], inventories=[inventory], service=api.name, revision=1,
            environment={**known, **verify, "HOME": str(tmp_path), "KUBECONFIG": ""},
        )
        for verify in ({}, {"K8S_AUTH_VERIFY_SSL": "false"})
    )  # fmt: skip
    strict, loose = refused.wait(), trusted.wait()
    assert strict.rc != 0
    assert f"TLS to {lab.api_url}" in strict.output
    assert loose.rc == 0, loose.output


def test_a_credential_in_the_environment_of_a_play(press: Press, api: Service, lab: Lab, tmp_path: Path) -> None:
    """The environment of a task or play reaches the engine, though it runs in the controller."""
    asked = {"namespace": api.namespace, "name": api.name}
    task = {"name": "Ask", "linkops.runbooks.workload_info": asked, "environment": awx_credential(lab)}
    play = {"hosts": api.name, "gather_facts": False, "tasks": [task]}
    playbook = tmp_path / "environment.yml"
    playbook.write_text(yaml.safe_dump([play]))
    pressed = press(str(playbook), api)
    assert pressed.rc == 0, pressed.output
    assert pressed.results("workload_info")[0]["revisions"]
    assert "admin_token" not in pressed.output
    assert lab.secrets["admin_token"] not in pressed.output


@pytest.mark.parametrize("fault", [RESET, OVERLOADED, THROTTLED], ids=["reset", "503", "429"])
def test_one_failure_before_the_first_write_is_retried(
    press: Press, api: Service, gateway: Gateway, fault: Fault
) -> None:
    """The first read of the workload fails once."""
    gateway.policy = at_first(1, fault, f"deployments/{api.name}")
    pressed = press("rollback", api, revision=1, kubernetes_kubeconfig=gateway.kubeconfig)
    assert pressed.rc == 0, pressed.output
    assert len(written(gateway)) == 1


@pytest.mark.parametrize("fault", [RESET, OVERLOADED, THROTTLED], ids=["reset", "503", "429"])
def test_failures_before_the_first_write_end_in_a_sentence(
    press: Press, audit: AuditLog, api: Service, gateway: Gateway, fault: Fault
) -> None:
    """One retry, then the operator is told; nothing was written."""
    gateway.policy = at_first(1000, fault, "deployments/")
    with audit.reading() as seen:
        pressed = press("rollback", api, revision=1, kubernetes_kubeconfig=gateway.kubeconfig)
    sentence = pressed.closing()
    print(f"{pressed.seconds:.1f} s: {sentence}")
    assert pressed.rc != 0
    assert "does not answer" in sentence or "overloaded or restarting" in sentence
    assert sum("deployments/" in each for each in gateway.requests) == 2
    assert seen.writes == [], seen.lines


def test_a_silent_api_server_is_not_awaited_for_long(press: Press, api: Service, gateway: Gateway) -> None:
    """It takes the request and never answers: the operator is told, and nobody asks again."""
    gateway.policy = at_first(1000, SILENCE, "deployments/")
    pressed = press("rollback", api, revision=1, kubernetes_kubeconfig=gateway.kubeconfig)
    print(f"{pressed.seconds:.1f} s: {pressed.closing()}")
    assert pressed.rc != 0
    assert "does not answer" in pressed.closing()
    assert sum("deployments/" in each for each in gateway.requests) == 1
    assert pressed.seconds < SILENCE.seconds


@pytest.mark.parametrize("seconds", [2.0, 8.0])
def test_an_api_server_that_is_gone_after_the_write_is_awaited(
    press: Press, api: Service, gateway: Gateway, seconds: float
) -> None:
    """From the write on every request fails for a while; watch, health, marks and lock go on when it is back."""
    gateway.policy = after(seconds, [RESET, OVERLOADED, THROTTLED], "PATCH", f"deployments/{api.name}")
    pressed = press("rollback", api, revision=1, kubernetes_kubeconfig=gateway.kubeconfig)
    assert pressed.rc == 0, pressed.output
    assert len(written(gateway)) == 1


@pytest.mark.parametrize("words", [("PATCH", "replicasets/"), ("PATCH", "leases/")], ids=["marks", "lock"])
def test_what_follows_the_write_is_seen_through(
    press: Press, cluster: Cluster, api: Service, gateway: Gateway, words: tuple[str, ...]
) -> None:
    """Marks and the lock's return are part of what was begun: four failures in a row do not stop them."""
    gateway.policy = at_first(4, OVERLOADED, *words)
    pressed = press("rollback", api, revision=1, kubernetes_kubeconfig=gateway.kubeconfig)
    assert pressed.rc == 0, pressed.output
    lease = cluster.get("Lease", api.namespace, f"linkops-{api.name}")
    assert lease is not None
    assert lease["spec"]["holderIdentity"] == ""
