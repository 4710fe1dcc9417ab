# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A probe answers None, or the reason why a component is not well."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest

from lab import packages, probe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

READYZ = "[+]ping ok\n[-]etcd failed: reason withheld\nreadyz check failed\n"


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        allowed = self.headers.get("Authorization") == "Bearer known"
        self.send_response({"/ok": 200, "/readyz": 500}.get(self.path, 200 if allowed else 401))
        self.end_headers()
        self.wfile.write(READYZ.encode() if self.path == "/readyz" else b'{"status":"ok"}')

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the name that http.server gives it
        """Say nothing."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_a_good_answer_is_no_reason(url: str) -> None:
    assert probe.http(f"{url}/ok") is None
    assert probe.read_json(f"{url}/ok") == {"status": "ok"}


def test_a_failed_check_is_named(url: str) -> None:
    assert probe.http(f"{url}/readyz") == f"{url}/readyz answers 500: [-]etcd failed: reason withheld"


def test_the_token_is_sent(url: str) -> None:
    assert probe.http(f"{url}/secret", token="known") is None
    assert (probe.http(f"{url}/secret") or "").startswith(f"{url}/secret answers 401")


def test_nobody_listening_is_a_reason() -> None:
    assert "Connection refused" in (probe.http("http://127.0.0.1:1/") or "")


def test_a_client_that_fails_is_a_reason_with_its_last_line() -> None:
    assert probe.command("sh", "-c", "echo PONG", wants="PONG") is None
    assert "no such user" in (probe.command("sh", "-c", "echo one; echo no such user >&2; exit 1") or "")
    assert probe.command("sh", "-c", "echo LOADING", wants="PONG") == "sh: LOADING"
    assert "No such file" in (probe.command("/no/such/client") or "")


def test_packages_are_missing_by_the_programs_that_are_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.packages.PATH", str(tmp_path))
    assert {"containerd", "redis-server", "prometheus"} <= set(packages.missing())
    for program in packages.PACKAGES:
        if not program.startswith("/"):
            (tmp_path / program).touch(mode=0o755)
    assert set(packages.missing()) <= {"containernetworking-plugins"}
