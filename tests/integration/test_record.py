# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run leaves: a chain that shows each tampering, a report for people, the record where it is sent."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.incident import chain, record
from lab.cluster import Cluster
from tests.integration.harness.amazon import Amazon, amazon
from tests.integration.harness.ground import Ground
from tests.integration.harness.pressing import Press, Pressed
from tests.integration.harness.services import Service, Services

SCRIPT = "<script>alert(1)</script>"
BUCKET = "records"


@pytest.fixture(scope="module")
def api(shared: Ground) -> Service:
    """A service on the second of two revisions."""
    return shared.service(["v1.2.0", "v1.2.1"], replicas=2)


@pytest.fixture(scope="module")
def pressed(shared: Ground, api: Service) -> Pressed:
    """A rollback that passed, after one that was refused; its reason is hostile."""
    shared.press("rollback", api, revision=77)
    done = shared.press("rollback", api, revision=1, reason=SCRIPT, operator="ada <ada@example.org>")
    assert done.rc == 0, done.output
    return done


@pytest.fixture
def lines(pressed: Pressed) -> list[dict[str, Any]]:
    """All lines of the service's records, both runs'."""
    return list(record.service_entries(pressed.folder().parent))


@pytest.fixture
def head(cluster: Cluster, api: Service) -> str:
    """The head of the chain as the Lease keeps it."""
    lease = cluster.get("Lease", api.namespace, f"linkops-{api.name}")
    assert lease is not None
    return str(lease["metadata"]["annotations"]["runbooks.linkops.io/record-head"])


def test_the_chain_is_whole_and_anchored(pressed: Pressed, lines: list[dict[str, Any]], head: str) -> None:
    """Both runs are one chain; Lease, verdict line and closing line agree on its head."""
    assert {line["run"] for line in lines} == {
        folder.name[:22] for folder in pressed.folder().parent.glob("*-rollback")
    }
    assert chain.verify(lines, head) == []
    assert lines[-1]["event"] == "closed"
    assert lines[-1]["hash"] == head
    assert f"(head {head[:12]})" in pressed.closing()


def test_tampering_is_found(lines: list[dict[str, Any]], head: str) -> None:
    """A changed line, one that is left out, and a cut end, which only the anchor tells."""
    changed = json.loads(json.dumps(lines))
    changed[1]["data"]["reason"] = "another"
    assert any("was changed after it was written" in fault for fault in chain.verify(changed, head))
    assert any("is missing" in fault for fault in chain.verify(lines[:3] + lines[4:], head))
    assert any("missing at the end" in fault for fault in chain.verify(lines[:-1], head))
    assert chain.verify(lines[:-1]) == [], "without an anchor a cut end is consistent"


def test_the_record_tells_the_run(pressed: Pressed) -> None:
    """Who, why and where; what was planned, written, seen and found out, in this order."""
    events = [line["event"] for line in pressed.entries()]
    expected = ["opened", "lock", "health", "plan", "write", "rollout", "health", "mark", "mark", "closed"]
    assert [event for event in events if event != "warning"] == expected
    opened, closed = pressed.entries("opened")[0]["data"], pressed.entries("closed")[0]["data"]
    assert (opened["operator"], opened["reason"]) == ("ada <ada@example.org>", SCRIPT)
    assert opened["inputs"]["revision"] == "1"
    assert (closed["status"], closed["from_revision"], closed["to_revision"]) == ("pass", 2, 1)
    assert pressed.folder().stat().st_mode & 0o777 == 0o700


def test_the_report_stands_alone_and_escapes(pressed: Pressed) -> None:
    """No script, nothing loaded from elsewhere, and the picture of the rollout in it."""
    page = (pressed.folder() / "report.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert re.findall(r"""(?:src|href|action)\s*=|url\(|@import""", page) == []
    assert set(re.findall(r"https?://[^\s\"'<]+", page)) <= {"http://www.w3.org/2000/svg"}
    pictures = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    assert len(pictures) == 1
    assert {"revision 1", "revision 2"} <= set(re.findall(r">(revision \d+)<", pictures[0]))
    assert pressed.entries("closed")[0]["hash"] in page


def test_the_next_node_of_a_workflow_gets_the_verdict(pressed: Pressed) -> None:
    """set_stats hands on verdict, sentence, revisions and the record's address."""
    assert pressed.stats["linkops_verdict"] == "pass"
    assert pressed.stats["linkops_record"] == str(pressed.folder())
    assert pressed.stats["linkops_sentence"].startswith("Rolled back from revision 2 to revision 1")
    facts = pressed.stats["linkops_facts"]
    assert (facts["from_revision"], facts["to_revision"], facts["active_revision"]) == (2, 1, 3)
    assert facts["returned"] is False


def test_a_record_goes_to_a_config_map(press: Press, service: Services, cluster: Cluster) -> None:
    """For controllers that do not outlive the run."""
    api = service(["v1.2.0"])
    pressed = press("rollback", api, revision=1, record_sink="configmap:records")
    assert pressed.rc == 0, pressed.output
    name = f"records-{pressed.folder().name.lower()}"
    assert f"record configmap:{api.namespace}/{name}" in pressed.closing()
    kept = cluster.get("ConfigMap", api.namespace, name)
    assert kept is not None
    assert kept["data"]["record.jsonl"] == (pressed.folder() / "record.jsonl").read_text()
    assert "<svg" in kept["data"]["report.html"]


@pytest.fixture
def s3() -> Iterator[Amazon]:
    """S3."""
    with amazon() as speaking:
        yield speaking


def test_a_record_goes_to_s3(press: Press, service: Services, s3: Amazon) -> None:
    """Every file of the folder, and the address in the last line; a bucket that is not there is a warning."""
    api, environment, bucket = service(["v1.2.0"]), s3.environment, s3.bucket(BUCKET)
    running = [
        press.start("rollback", api, revision=1, options=["--check"], environment=environment, record_sink="s3://none"),
        press.start("rollback", api, revision=1, environment=environment, record_sink=f"s3://{BUCKET}/prod/"),
    ]
    checked, sent = (each.wait() for each in running)
    lost = press("rollback", api, revision=1, environment=environment, record_sink="s3://no-such-bucket")
    assert {checked.rc, sent.rc, lost.rc} == {0}, sent.output
    base = f"prod/{sent.folder().name}"
    assert f"record s3://{BUCKET}/{base}" in sent.closing()
    kept = {item.key: item.get()["Body"].read().decode() for item in bucket.objects.all()}
    assert set(kept) == {f"{base}/record.jsonl", f"{base}/report.html"}
    assert kept[f"{base}/record.jsonl"] == (sent.folder() / "record.jsonl").read_text()
    assert "its sink does not take it" in lost.output
    assert f"record {lost.folder()}" in lost.closing()
