# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input ends in one sentence that says what to do, within bounds, and nothing is changed."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lab.cluster import Cluster
from lab.site import Lab
from tests.integration.harness import credentials, gateway
from tests.integration.harness.audit import AuditLog, Seen
from tests.integration.harness.pressing import Press, Pressed, Running
from tests.integration.harness.services import Service, Services

pytestmark = pytest.mark.matrix

AT_ONCE = 3  # runs side by side; more would only wait for each other's processor
BOUND = 50.0  # seconds; the goal of 5 s is printed beside what it took

#: What the button needs, except the two rights that the test leaves out.
RULES = {
    "apps:deployments": ["get", "list", "watch"],
    "apps:replicasets": ["list", "patch"],
    ":pods": ["list", "watch"],
    ":pods/log": ["get"],
    ":events": ["list"],
    "coordination.k8s.io:leases": ["get", "create", "patch"],
}


@dataclass(frozen=True)
class Case:
    """What an operator gets wrong, and the words that tell it."""

    name: str
    given: Mapping[str, Any]
    told: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


@pytest.fixture
def api(service: Services) -> Service:
    """A service whose history has two revisions; no pods are needed for a refusal."""
    return service(["v1.2.0", "v1.2.1"], replicas=0, wait=False)


def refuse(press: Press, audit: AuditLog, api: Service, cases: list[Case]) -> Seen:
    """Press each case and see it refused as it should be; returns what the API server was asked."""
    with audit.reading() as seen:
        for first in range(0, len(cases), AT_ONCE):
            batch = cases[first : first + AT_ONCE]
            running = [press.start("rollback", api, environment=c.environment, **c.given) for c in batch]
            for case, pressed in zip(batch, map(Running.wait, running), strict=True):
                refused(case, pressed)
    assert seen.writes == [], seen.lines
    return seen


def refused(case: Case, pressed: Pressed) -> None:
    """The run failed with the words, in one line, in time, and without a traceback."""
    print(f"{case.name}: {pressed.seconds:.1f} s")
    sentence = pressed.closing() or pressed.failure() or pressed.failure("localhost")
    assert pressed.rc != 0, pressed.output
    for word in case.told:
        assert word in sentence, f"{case.name}: no {word!r} in: {sentence}\n{pressed.output}"
    assert "\n" not in sentence.strip(), sentence
    assert "Traceback" not in pressed.output
    assert "defect" not in sentence, sentence
    assert pressed.seconds < BOUND


def test_wishes_that_make_no_sense(press: Press, audit: AuditLog, api: Service) -> None:
    """What is no revision is said to be none, and two wishes are one too many."""
    number = "Give a whole number from 1"
    refuse(press, audit, api, [
        Case("zero", {"revision": "0"}, ("revision=0 is not a revision number", number)),
        Case("negative", {"revision": "-1"}, ("revision=-1 is not a revision number", number)),
        Case("latest", {"revision": "latest"}, ("revision=latest is not a revision number", number)),
        Case("fraction", {"revision": "2.5"}, ("revision=2.5 is not a revision number", number)),
        Case("two wishes", {"revision": 1, "image": "v1.2.0"}, ("Both revision= and image= were given", "Give one")),
        Case("unknown revision", {"revision": 77}, ("has no revision 77", "1 (servicelink/api:v1.2.0)")),
        Case("unknown image", {"image": "v7.7.7"}, ("runs the image v7.7.7", "1 (servicelink/api:v1.2.0)")),
    ])  # fmt: skip


def test_names_that_are_not_there(press: Press, audit: AuditLog, api: Service, tmp_path: Path) -> None:
    """Unknown things are named together with those that exist."""
    file = tmp_path / "file"
    file.write_text("")
    seen = refuse(press, audit, api, [
        Case("service", {"service": "nobody"}, ("no service nobody", "servicelink-api", "credlink-api")),
        Case("namespace", {"kubernetes_namespace": "it-nowhere"}, ("no namespace it-nowhere", "kubernetes_namespace")),
        Case("workload", {"workload_name": "nobody"}, ("no Deployment nobody; it has api", "workload_name")),
        Case("cluster", {"cluster_uid": "another"}, ("not the cluster of this inventory", "pinned is another")),
        Case("unset", {"workload_name": "", "service_port": ""},
             ("does not set service_port, workload_name", "group_vars")),
        Case("records", {"record_directory": file / "records"}, ("cannot be kept", "Set record_directory")),
        Case("sink", {"record_sink": "ftp://records"}, ("record_sink=ftp://records is no address", "configmap:NAME")),
    ])  # fmt: skip
    assert seen.requests  # the audit log does show what these runs read


def test_kubeconfigs_that_lead_nowhere(press: Press, audit: AuditLog, api: Service, tmp_path: Path) -> None:
    """Each says which file, which context, what else there is; faults of the wish are told with them."""
    torn, empty, prose, gone = (tmp_path / name for name in ("torn", "empty", "prose", "gone"))
    torn.write_text("clusters: [")
    empty.write_text("")
    prose.write_text("to be done")
    refuse(press, audit, api, [
        Case("gone", {"kubernetes_kubeconfig": gone}, (f"kubeconfig {gone} does not exist", "kubernetes_kubeconfig")),
        Case("torn", {"kubernetes_kubeconfig": torn}, (f"kubeconfig {torn} cannot be read", "Correct it")),
        Case("prose", {"kubernetes_kubeconfig": prose}, (f"kubeconfig {prose} cannot be read", "Correct it")),
        Case("folder", {"kubernetes_kubeconfig": tmp_path}, (f"kubeconfig {tmp_path} cannot be read", "Correct it")),
        Case("empty", {"kubernetes_kubeconfig": empty}, (f"kubeconfig {empty} cannot be read", "Correct it")),
        Case("context", {"kubernetes_context": "prod"},
             ("has no context prod; it has linkops-lab", "kubernetes_context")),
        Case("two faults", {"kubernetes_kubeconfig": gone, "revision": "latest"},
             ("revision=latest is not a revision number", f"kubeconfig {gone} does not exist")),
    ])  # fmt: skip


def test_servers_that_do_not_answer(press: Press, audit: AuditLog, api: Service, lab: Lab, tmp_path: Path) -> None:
    """A closed port, a host that drops packets, one that accepts and is silent, and one of another authority."""

    def at(name: str, server: str = "", ca: Path | None = None) -> dict[str, Any]:
        return {"kubernetes_kubeconfig": credentials.kubeconfig(lab, tmp_path / name, server=server, ca=ca)}

    other, _key = gateway.certificate(tmp_path / "other")
    with dropping() as dropped, closing(socket.create_server(("127.0.0.1", 0))) as silent:
        refuse(press, audit, api, [
            Case("closed port", at("closed", "https://127.0.0.1:9"), ("does not answer", "refused", "Check network")),
            Case("dropped", at("dropped", dropped), ("does not answer", "timed out", "Check network")),
            Case("silent", at("silent", f"https://127.0.0.1:{silent.getsockname()[1]}"), ("does not answer", "Check")),
            Case("no such host", at("host", "https://kubernetes.invalid"), ("does not answer", "kubernetes.invalid")),
            Case("another authority", at("tls", ca=other), ("TLS to", "failed", "certificate-authority")),
        ])  # fmt: skip


def test_credentials_that_do_not_suffice(
    press: Press, audit: AuditLog, api: Service, lab: Lab, cluster: Cluster, tmp_path: Path
) -> None:
    """An expired token, a token of nobody, and an account that lacks two rights: both are named."""
    clerk = credentials.service_account(cluster, api.namespace, "clerk", RULES)

    def of(name: str, token: str) -> dict[str, Any]:
        return {"kubernetes_kubeconfig": credentials.kubeconfig(lab, tmp_path / name, token=token)}

    refuse(press, audit, api, [
        Case("expired", of("expired", credentials.expired_token(lab, api.namespace)), ("401", "Renew the credentials")),
        Case("foreign", of("foreign", "no-such-token"), ("401", "Renew the credentials")),
        Case("two rights", of("clerk", clerk), ("patch deployments.apps, get pods/proxy", "Ask for these rights")),
    ])  # fmt: skip


def test_another_cluster_and_lacking_rights_are_told_together(
    press: Press, audit: AuditLog, api: Service, lab: Lab, cluster: Cluster, tmp_path: Path
) -> None:
    """All that is wrong on the server's side comes in one message."""
    clerk = credentials.service_account(cluster, api.namespace, "clerk", RULES)
    kubeconfig = credentials.kubeconfig(lab, tmp_path / "clerk", token=clerk)
    given = {"kubernetes_kubeconfig": kubeconfig, "cluster_uid": "another", "revision": 1}
    refuse(press, audit, api, [Case("both", given, ("cluster_uid", "patch deployments.apps, get pods/proxy"))])


@pytest.mark.parametrize(
    ("inventory", "given", "told"),
    [
        ("servicelink/production.yml", {}, ("Outside the lab the service must be named", "servicelink-worker")),
        ("servicelink/production.yml", {"service": "servicelink-api"}, ("servicelink-api does not set cluster_uid",)),
        ("servicelink/staging.yml", {"service": "servicelink-worker"}, ("does not set cluster_uid, service_port",)),
        ("credlink/production.yml", {"service": "credlink-api"}, ("credlink-api does not set cluster_uid",)),
    ],
)  # fmt: skip
def test_production_is_never_pressed_by_chance(
    press: Press, inventory: str, given: dict[str, str], told: tuple[str, ...]
) -> None:
    """The service is mandatory there, and what is unset is named before anything runs."""
    pressed = press.start("rollback", inventories=[f"inventories/{inventory}"], **given).wait()
    assert pressed.rc != 0
    for word in told:
        assert word in pressed.output
    assert "workload_rollback" not in {task.action.rpartition(".")[2] for task in pressed.tasks}
    assert pressed.seconds < BOUND


@contextmanager
def dropping() -> Iterator[str]:
    """An address that answers no connection, as a firewall makes it: its queue is full and nobody accepts."""
    with closing(socket.socket()) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        waiting = []
        for _each in range(4):
            knock = socket.socket()
            knock.setblocking(False)
            knock.connect_ex(listening.getsockname())
            waiting.append(knock)
        yield f"https://127.0.0.1:{listening.getsockname()[1]}"
        for knock in waiting:
            knock.close()
