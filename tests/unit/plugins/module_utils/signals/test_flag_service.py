# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A flag service: read, written on the state that was read, verified; its token stays in the request."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.errors import OperatorError
from ansible_collections.linkops.runbooks.plugins.module_utils.signals.flag_service import FlagService
from ansible_collections.linkops.runbooks.plugins.module_utils.signals.flags import Flag

TOKEN = "token-0123456789"


class Server:
    """Answers as it is told to; keeps what it was asked."""

    def __init__(self) -> None:
        self.status = {"GET": 200, "PUT": 200, "PATCH": 200}
        self.content: Any = {"search": {"new": True}, "owner": "web"}
        self.deaf = False
        self.asked: list[tuple[str, dict[str, str], Any]] = []
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/search"


def _handler(served: Server) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            loaded = json.loads(body) if body else None
            served.asked.append((self.command, dict(self.headers), loaded))
            status = served.status[self.command]
            if loaded is not None and status == 200 and not served.deaf:
                served.content = loaded if self.command == "PUT" else {**served.content, **loaded}
            text = served.content if isinstance(served.content, str) else json.dumps(served.content)
            if status >= 400:
                text = f"no: {self.headers.get('Authorization')}"
            self.send_response(status)
            self.send_header("ETag", '"7"')
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class's name)
            """Say nothing."""

        do_GET = do_PUT = do_PATCH = answer  # noqa: N815 (http.server's names)

    return Handler


@pytest.fixture
def server() -> Iterator[Server]:
    """A fresh one."""
    made = Server()
    yield made
    made.server.shutdown()
    made.server.server_close()


def client(server: Server, **settings: Any) -> FlagService:
    """A client of it, with a token from the environment."""
    given = {"url": server.url, "field": "search.new", "token_environment": "PASS", **settings}
    return FlagService(Flag("search", "http", given), {"PASS": TOKEN})


def test_the_whole_document_is_put_on_the_state_that_was_read(server: Server) -> None:
    service = client(server)
    service.write(service.read(), value=False)
    assert server.content == {"search": {"new": False}, "owner": "web"}
    method, headers, _body = server.asked[1]
    assert method == "PUT"
    assert headers["If-Match"] == '"7"'
    assert headers["Authorization"] == f"Bearer {TOKEN}"
    assert headers["Content-Type"] == "application/json"


def test_a_patch_holds_the_field_alone(server: Server) -> None:
    service = client(server, method="PATCH")
    service.write(service.read(), value=False)
    assert server.asked[1][2] == {"search": {"new": False}}
    assert server.asked[1][1]["Content-Type"] == "application/merge-patch+json"


@pytest.mark.parametrize(
    ("status", "reason", "words"),
    [
        (412, "conflict", "somebody else"),
        (409, "conflict", "somebody else"),
        (403, "flag_refused", "answers 403 to PUT"),
    ],
)
def test_a_write_that_is_refused(server: Server, status: int, reason: str, words: str) -> None:
    server.status["PUT"] = status
    service = client(server)
    with pytest.raises(OperatorError) as fault:
        service.write(service.read(), value=False)
    assert fault.value.reason == reason
    assert words in str(fault.value)
    assert TOKEN not in str(fault.value)


def test_a_write_that_does_nothing(server: Server) -> None:
    server.deaf = True
    service = client(server)
    with pytest.raises(OperatorError, match="still has the old value after PUT"):
        service.write(service.read(), value=False)


@pytest.mark.parametrize(
    ("status", "content", "words"),
    [
        (401, {}, "answers 401"),
        (302, {}, "answers 302"),
        (200, "<html>", "does not answer with a JSON object"),
        (200, [], "does not answer with a JSON object"),
        (200, {"search": {}}, "has no search.new"),
    ],
)
def test_what_cannot_be_read(server: Server, status: int, content: Any, words: str) -> None:
    server.status["GET"], server.content = status, content
    with pytest.raises(OperatorError) as fault:
        client(server).read()
    assert words in str(fault.value)
    assert TOKEN not in str(fault.value)


def test_nobody_there(server: Server) -> None:
    with pytest.raises(OperatorError, match="does not answer"):
        client(server, url="http://127.0.0.1:9/flag").read()
    with pytest.raises(OperatorError, match="does not resolve"):
        client(server, url="http://no-such-name.invalid/flag").read()


@pytest.mark.parametrize("content", [None, "", "  \n"])
def test_a_token_that_is_not_there(server: Server, tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "token"
    if content is not None:
        path.write_text(content)
    with pytest.raises(OperatorError) as fault:
        client(server, token_file=str(path), token_environment=None)
    assert fault.value.reason == "token_missing"
    assert str(path) in str(fault.value)
