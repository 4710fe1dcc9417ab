# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Feature flags in each of their stores: set, proved in every pod, returned where a pod does not show the value."""

from __future__ import annotations

import contextlib
import http.server
import json
import secrets
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.cluster import Manifest
from lab.site import Lab
from tests.integration.harness.ground import Ground
from tests.integration.harness.services import Service, container

pytestmark = pytest.mark.matrix

LOCK_SECONDS = 4  # how long the lock of a killed run counts here

#: A program that shows its flags, wherever they come from; "stubborn" is a value that it does not take.
PROGRAM = """
const http = require('node:http'), fs = require('node:fs')
const fromFile = () => { try { return fs.readFileSync('/flags/checkout', 'utf8').trim() } catch { return null } }
const fromService = async () => {
  if (!process.env.FLAG_SERVICE) return null
  const answer = await fetch(process.env.FLAG_SERVICE, { headers: { authorization: 'Bearer ' + process.env.PASS } })
  return (await answer.json()).enabled
}
const plain = value => value === 'stubborn' ? 'on' : value
http.createServer(async (request, response) => {
  const flags = { search: plain(process.env.FEATURE_SEARCH), started: plain(process.env.FEATURE_STARTED),
    new: process.env.FEATURE_NEW, checkout: plain(fromFile()),
    quotes: request.url === '/flags' ? await fromService() : null }
  response.setHeader('content-type', 'application/json')
  const sick = [process.env.FEATURE_NEW, process.env.FEATURE_STARTED].includes('sick')
  const health = { status: sick ? 'ill' : 'ok' }
  response.end(JSON.stringify(request.url === '/flags' ? { flags } : health))
}).listen(3001)
process.on('SIGTERM', () => process.exit(0))
"""
CONFIG = {"started": "on", "checkout": "on"}


def proof(name: str, **more: Any) -> dict[str, Any]:
    """Where a pod shows a flag."""
    return {"path": "/flags", "expect": f"flags.{name}", **more}


FLAGS: dict[str, Any] = {
    "search": {"store": "environment", "variable": "FEATURE_SEARCH", "proof": proof("search")},
    "started": {"store": "config_map", "config_map": "flags", "key": "started", "proof": proof("started")},
    "checkout": {
        "store": "config_map", "config_map": "flags", "key": "checkout", "values": [True, False, "stubborn"],
        "proof": proof("checkout"),
    },
    "new": {"store": "environment", "variable": "FEATURE_NEW", "proof": proof("new")},
    "unseen": {"store": "environment", "variable": "FEATURE_SEARCH", "proof": proof("nowhere")},
}  # fmt: skip


class FlagService:
    """A service that keeps one flag, and takes a token and an ETag; it may lie about what it was given."""

    def __init__(self, address: str) -> None:
        self.document: dict[str, Any] = {"name": "quotes", "enabled": True, "owner": "billing"}
        self.token = f"token{secrets.token_hex(8)}"
        self.methods: list[str] = []
        self.overridden = False
        self._server = http.server.ThreadingHTTPServer((address, 0), _handler(self))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://{address}:{self._server.server_port}/flags/quotes"

    @property
    def tag(self) -> str:
        """The document's version."""
        return f'"{abs(hash(json.dumps(self.document)))}"'

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()


def _handler(service: FlagService) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self, status: int, document: Any) -> None:
            content = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("ETag", service.tag)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_GET(self) -> None:
            if self.headers.get("Authorization") != f"Bearer {service.token}":
                self.answer(401, {"said": self.headers.get("Authorization")})
                return
            of_a_pod = self.headers.get("User-Agent") != "linkops.runbooks"
            self.answer(200, {**service.document, **({"enabled": True} if of_a_pod and service.overridden else {})})

        def do_PUT(self) -> None:
            service.methods.append("PUT")
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("If-Match") != service.tag:
                self.answer(412, {})
                return
            service.document = json.loads(body)
            self.answer(200, service.document)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class's name)
            """Say nothing."""

    return Handler


@pytest.fixture
def quotes(lab: Lab) -> Iterator[FlagService]:
    """A flag service that pods reach as well."""
    with contextlib.closing(FlagService(lab.node_address)) as service:
        yield service


def made(ground: Ground, replicas: int = 2, variables: dict[str, str] | None = None, volume: bool = False) -> Service:
    """A service that shows its flags."""
    ground.cluster.apply(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "flags"}, "data": CONFIG}, ground.namespace
    )

    def change(manifest: Manifest) -> None:
        only = container(manifest["spec"]["template"])
        only["command"] = ["node", "-e", PROGRAM]
        started = {"configMapKeyRef": {"name": "flags", "key": "started"}}
        only["env"] = [
            {"name": "FEATURE_SEARCH", "value": "on"},
            *([] if volume else [{"name": "FEATURE_STARTED", "valueFrom": started}]),
            *({"name": name, "value": value} for name, value in (variables or {}).items()),
        ]
        if volume:
            manifest["spec"]["template"]["spec"]["volumes"] = [{"name": "flags", "configMap": {"name": "flags"}}]
            only["volumeMounts"] = [{"name": "flags", "mountPath": "/flags"}]

    return ground.service(
        ["v1.2.1"],
        replicas=replicas,
        change=change,
        feature_flags=FLAGS,
        health_expect={"status": "ok"},
        lock_duration_seconds=LOCK_SECONDS,
    )


def config(ground: Ground) -> Manifest:
    """The ConfigMap."""
    found = ground.cluster.get("ConfigMap", ground.namespace, "flags")
    assert found is not None
    return found


def names(api: Service) -> set[str]:
    """Its pods."""
    return {pod["metadata"]["name"] for pod in api.workload.pods}


def test_a_variable_is_set_and_proved_in_every_pod(ground: Ground) -> None:
    api = made(ground)
    with ground.audit.reading() as seen:
        planned = ground.press("configure", api, options=["--check", "--diff"], flag="search", value="off")
    assert planned.rc == 0, planned.output
    assert "Would set the flag search from on to off, with a rollout" in planned.closing()
    assert seen.writes == []
    before = names(api)

    pressed = ground.press("configure", api, flag="search", value="off")
    assert pressed.rc == 0, pressed.output
    assert "pass: The flag search is off (before: on); every one of 2 pods shows it" in pressed.closing()
    assert not names(api) & before
    assert {each["reason"].rpartition(" ")[2] for each in pressed.results("feature_flag")[1]["proof"]} == {'"off"'}

    again = ground.press("configure", api, flag="search", value="off")
    assert again.rc == 0, again.output
    assert "The flag search is off already" in again.closing()
    assert "changed=0" in again.output.rpartition("PLAY RECAP")[2]

    # A value that pods do not take is returned, and the revision that was left runs again.
    failed = ground.press("configure", api, flag="search", value="stubborn")
    assert failed.rc != 0
    assert "was set to stubborn, and it does not work" in failed.closing()
    assert 'shows "on"' in failed.closing()
    assert "It was returned to off" in failed.closing()
    assert container(api.workload.live["spec"]["template"])["env"][0] == {"name": "FEATURE_SEARCH", "value": "off"}

    # The same where a run dies behind the write: the value before stands in the revision that it left.
    killed = ground.press.start("configure", api, flag="search", value="stubborn")
    killed.until("watching the rollout")
    killed.vanish()
    api.workload.wait_ready()
    resumed = ground.press("configure", api, flag="search", value="stubborn")
    assert resumed.rc != 0
    assert "its value was never proved; before that it was off" in resumed.output
    assert "It was returned to off" in resumed.closing()
    assert container(api.workload.live["spec"]["template"])["env"][0] == {"name": "FEATURE_SEARCH", "value": "off"}

    # What cannot be seen is unknown: it holds.
    unknown = ground.press("configure", api, flag="unseen", value="on")
    assert unknown.rc != 0
    assert "unknown: " in unknown.closing()
    assert "does not show flags.nowhere" in unknown.closing()
    assert container(api.workload.live["spec"]["template"])["env"][0]["value"] == "on"


def test_a_flag_that_makes_the_service_worse_is_returned(ground: Ground) -> None:
    api = made(ground, replicas=1)
    pressed = ground.press("configure", api, flag="new", value="sick")
    assert pressed.rc != 0
    assert "The flag new is sick (before: absent); every one of 1 pods shows it" in pressed.closing()
    assert 'status is "ill", expected "ok"; the flag was returned to the value it had' in pressed.closing()
    listed = container(api.workload.live["spec"]["template"])["env"]
    assert "FEATURE_NEW" not in {each["name"] for each in listed}
    assert pressed.results("feature_flag")[-1]["to_revision"] == 1

    # Also by the run after one that was killed behind its first write, to what stood before that.
    killed = ground.press.start("configure", api, flag="started", value="sick")
    killed.until("flag started is set to sick")
    killed.vanish()
    assert config(ground)["data"]["started"] == "sick"
    resumed = ground.press("configure", api, flag="started", value="sick")
    assert resumed.rc != 0
    assert "every one of 1 pods shows it" in resumed.closing()
    assert "the flag was returned to the value it had" in resumed.closing()
    assert config(ground)["data"]["started"] == "on"
    assert not config(ground)["metadata"].get("annotations")


def test_a_config_map_read_at_the_start_rolls_its_pods(ground: Ground) -> None:
    api = made(ground, replicas=1)
    before = names(api)
    pressed = ground.press("configure", api, flag="started", value="off")
    assert pressed.rc == 0, pressed.output
    assert "every one of 1 pods shows it" in pressed.closing()
    assert not names(api) & before
    assert config(ground)["data"] == {**CONFIG, "started": "off"}
    assert not config(ground)["metadata"].get("annotations"), "nothing is pending once it is proved"

    failed = ground.press("configure", api, flag="started", value="stubborn")
    assert failed.rc != 0
    assert "It was returned to off" in failed.closing()
    assert config(ground)["data"]["started"] == "off"
    assert not config(ground)["metadata"].get("annotations")

    # A run that dies behind its first write leaves the old value behind, so that the next one can return to it.
    running = ground.press.start("configure", api, flag="started", value="stubborn")
    running.until("watching the rollout")
    running.vanish()
    assert json.loads(config(ground)["metadata"]["annotations"]["runbooks.linkops.io/pending-keys"]) == {
        "started": {"value": "off", "passed": True}
    }
    resumed = ground.press("configure", api, flag="started", value="stubborn")
    assert resumed.rc != 0
    assert "It was returned to off" in resumed.closing()
    assert config(ground)["data"]["started"] == "off"


def test_a_mounted_config_map_shows_by_itself(ground: Ground) -> None:
    api = made(ground, replicas=1, volume=True)
    before = names(api)
    pressed = ground.press("configure", api, flag="checkout", value="off")
    assert pressed.rc == 0, pressed.output
    assert "The flag checkout is off (before: on); every one of 1 pods shows it" in pressed.closing()
    assert names(api) == before, "no pod was replaced"


def test_a_flag_service_is_told_and_every_pod_follows(ground: Ground, quotes: FlagService, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(quotes.token + "\n")
    flag = {"store": "http", "url": quotes.url, "field": "enabled", "token_file": str(token), "proof": proof("quotes")}
    api = made(ground, variables={"FLAG_SERVICE": quotes.url, "PASS": quotes.token})
    api = api.having(feature_flags={**FLAGS, "quotes": flag})

    planned = ground.press("configure", api, options=["--check"], flag="quotes", value="off")
    assert "Would set the flag quotes from true to off, with no rollout" in planned.closing()
    assert quotes.methods == []

    pressed = ground.press("configure", api, options=["-vvv"], flag="quotes", value="off")
    assert pressed.rc == 0, pressed.output
    assert quotes.document == {"name": "quotes", "enabled": False, "owner": "billing"}
    again = ground.press("configure", api, flag="quotes", value="off")
    assert "changed=0" in again.output.rpartition("PLAY RECAP")[2]
    assert quotes.methods == ["PUT"]

    # Pods that go by something else: the flag is returned.
    quotes.document["enabled"] = True
    quotes.overridden = True
    failed = ground.press("configure", api, flag="quotes", value="off")
    assert failed.rc != 0
    assert "It was returned to true" in failed.closing()
    assert quotes.document["enabled"] is True

    # A service that refuses our token, and says it aloud.
    token.write_text("another-token-0123456789")
    refused = ground.press("configure", api, options=["-vvv"], flag="quotes", value="off")
    assert refused.rc != 0
    assert "answers 401" in refused.closing()
    for each in (pressed, failed, refused):
        assert quotes.token not in each.output
        assert "another-token" not in each.output


def test_what_is_wrong_with_a_flag_is_said_at_once(ground: Ground) -> None:
    api = made(ground, replicas=1)
    unknown = ground.press("configure", api, flag="serach", value="off")
    assert "knows no feature flag serach; it knows checkout, new, search, started, unseen" in unknown.closing()
    other = ground.press("configure", api, flag="checkout", value="maybe")
    assert "The flag checkout has no value maybe. It may be on, off, stubborn." in other.closing()
    both = ground.press("configure", api, flag="search", value="off", memory_limit="1Gi")
    assert "memory_limit came with it" in both.closing()
    ground.cluster.patch("ConfigMap", ground.namespace, "flags", {"immutable": True})
    immutable = ground.press("configure", api, flag="started", value="off")
    assert "ConfigMap flags is immutable" in immutable.closing()
    for each in (unknown, other, both, immutable):
        assert each.rc != 0
