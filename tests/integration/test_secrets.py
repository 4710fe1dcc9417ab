# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets that are planted wherever services keep them turn up nowhere: screen, records, reports, evidence, argv."""

from __future__ import annotations

import base64
import contextlib
import secrets
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.cluster import Cluster, Manifest
from lab.site import Lab
from tests.integration.harness.pressing import Press
from tests.integration.harness.services import Service, Services, container

#: What the failing version says before it dies: values as careless programs print them, with and without their names.
CONFESSION = """
const { DATABASE_URL, PAYMENT_TOKEN, SETTING, SIGNING } = process.env
console.log(`connecting to ${DATABASE_URL}`)
console.log(JSON.stringify({ password: PAYMENT_TOKEN, url: DATABASE_URL }))
console.log(`Authorization: Bearer ${PAYMENT_TOKEN}`)
console.log(`api_key=${SETTING}`)
console.error(`cannot sign with ${SIGNING}`)
process.exit(1)
"""


class Canaries(dict[str, str]):
    """Random values by where they are planted."""

    def __missing__(self, where: str) -> str:
        self[where] = f"canary{secrets.token_hex(8)}"
        return self[where]

    def seen_in(self, text: str) -> set[str]:
        """Where the values come from that are in this text, as they are or in base64."""
        return {
            where
            for where, value in self.items()
            if value in text or base64.b64encode(value.encode()).decode().rstrip("=") in text
        }


@pytest.fixture
def canaries() -> Canaries:
    """Fresh values."""
    return Canaries()


@pytest.fixture
def api(service: Services, cluster: Cluster, namespace: str, canaries: Canaries) -> Service:
    """A service on a good revision; its first one confesses all it knows and dies. Fingerprints are on."""
    data = {"signing": canaries["Secret"]}
    for name, content in (("vault", data), ("linkops-fingerprint", {"key": canaries["fingerprint key"]})):
        cluster.apply(
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": content}, namespace
        )
    settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}}
    cluster.apply({**settings, "data": {"setting": canaries["ConfigMap"]}}, namespace)
    made = service(["v1.2.0", "v1.2.1"], replicas=0, wait=False, change=lambda manifest: plant(manifest, canaries))
    made.edit(lambda template: container(template).update(command=["node", "-e", CONFESSION]))
    made.edit(lambda template: container(template).pop("command"))
    made.workload.scale(1)
    made.workload.wait_ready()
    gossip(cluster, made, canaries)
    return made


def plant(manifest: Manifest, canaries: Canaries) -> None:
    """Variables of all revisions, and an annotation."""
    manifest["metadata"].setdefault("annotations", {})["example.org/api-token"] = canaries["annotation"]
    made = container(manifest["spec"]["template"])
    made["env"] = [
        *made.get("env", []),
        {"name": "PAYMENT_TOKEN", "value": canaries["literal"]},
        {"name": "STRIPE_KEY", "value": canaries["literal that only a variable's name gives away"]},
        {"name": "LEGACY_DATABASE_URL", "value": f"postgresql://app:{canaries['database URL']}@db:5432/app"},
        {"name": "SETTING", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "setting"}}},
        {"name": "SIGNING", "valueFrom": {"secretKeyRef": {"name": "vault", "key": "signing"}}},
    ]


def gossip(cluster: Cluster, api: Service, canaries: Canaries) -> None:
    """An event of the workload that says too much."""
    metadata = api.workload.live["metadata"]
    involved = {"apiVersion": "apps/v1", "kind": "Deployment", "name": api.name, "uid": metadata["uid"]}
    event = {
        "metadata": {"generateName": "gossip-", "namespace": api.namespace},
        "involvedObject": {**involved, "namespace": api.namespace},
        "type": "Warning",
        "reason": "Gossip",
        "message": f"login with token={canaries['event']} failed, {canaries['Secret']} was refused",
    }
    cluster.request("POST", f"/api/v1/namespaces/{api.namespace}/events", event)


@contextlib.contextmanager
def arguments() -> Iterator[list[str]]:
    """The command lines of all processes that run meanwhile outside of pods.

    Within them Prisma's CLI may run for another test, which hands its engine the database's URL as an argument.
    """
    here = Path("/proc/self/ns/mnt").readlink()
    found: set[str] = set()
    shown: list[str] = []
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.02):
            for each in Path("/proc").glob("[0-9]*/cmdline"):
                with contextlib.suppress(OSError):
                    if (each.with_name("ns") / "mnt").readlink() != here:
                        continue
                    found.add(each.read_bytes().replace(b"\0", b" ").decode(errors="replace"))

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield shown
    finally:
        over.set()
        looking.join()
        shown += sorted(found)


def test_no_canary_is_seen_anywhere(press: Press, api: Service, canaries: Canaries, lab: Lab) -> None:
    """A failed rollback with all evidence, a plan with its diff, and a variable that configure refuses as a secret."""
    canaries["API token"] = lab.secrets["admin_token"]
    canaries["database password"] = lab.secrets["servicelink_password"]
    connection = {
        "K8S_AUTH_HOST": lab.api_url,
        "K8S_AUTH_API_KEY": lab.secrets["admin_token"],
        "K8S_AUTH_SSL_CA_CERT": str(lab.pki / "ca.crt"),
    }
    with arguments() as argv:
        failing = press.start("rollback", api, options=["-vvv", "--diff"], revision=3)
        planning = press.start(
            "rollback", api, options=["-vvv", "--diff", "--check"], environment=connection, revision=1
        )
        failed, planned = failing.wait(), planning.wait()
    asked = {"variable": "PARTNER_KEY", "value": canaries["refused variable"]}
    refused = press("configure", api, options=["-vvv", "--diff"], **asked)
    assert "looks like a secret" in refused.failure(), refused.output
    assert failed.rc != 0
    assert planned.rc == 0, planned.output
    assert failed.results("workload_rollback")[-1]["returned"] is True, failed.output
    folders = (failed.folder(), refused.folder())
    kept = {path: path.read_text() for folder in folders for path in folder.rglob("*") if path.is_file()}
    logs = [text for path, text in kept.items() if path.match("evidence/logs/*.log")]
    assert any("connecting to" in text and "cannot sign with" in text for text in logs), kept.keys()
    assert any("Gossip" in text for path, text in kept.items() if path.name == "events.json")
    assert "PAYMENT_TOKEN" in planned.output or "PAYMENT_TOKEN" in failed.output
    leaks = {str(path): seen for path, text in kept.items() if (seen := canaries.seen_in(text))}
    assert leaks == {}
    assert canaries.seen_in(failed.output) == set()
    assert canaries.seen_in(planned.output) == set()
    assert canaries.seen_in(refused.output) == set()
    assert canaries.seen_in("\n".join(argv)) == set()
    assert any("ansible-playbook" in line for line in argv)
    (opened,) = refused.entries("opened")
    assert opened["data"]["inputs"]["variables"] == {"PARTNER_KEY": "[hidden]"}
