# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking an address: what it answers, what it does not, and what never ends."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.signals import http

LARGE = b"x" * (3 << 20)


class Peculiar(BaseHTTPRequestHandler):
    """Answers as its path says."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        status, _slash, kind = self.path.strip("/").partition("/")
        body = gzip.compress(b"packed") if kind == "gzip" else LARGE if kind == "large" else b"plain"
        if kind == "garbage":
            self.wfile.write(b"garbage\r\n\r\n")
            self.close_connection = True
            return
        self.send_response(int(status))
        if kind == "gzip":
            self.send_header("Content-Encoding", "gzip")
        if kind == "endless":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            while not self.server.over.wait(0.02):  # type: ignore[attr-defined]
                self.wfile.write(b"5\r\ntick\n\r\n")
            return
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_words: object) -> None:
        """Stay silent."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A server on this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Peculiar)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # whoever asked has gone
    server.over = threading.Event()  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.over.set()  # type: ignore[attr-defined]
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("200", (200, "plain")),
        ("503", (503, "plain")),
        ("200/gzip", (200, "packed")),
        ("200/large", (200, "x" * (1 << 20))),
    ],
)
def test_status_and_body(address: str, path: str, answer: tuple[int, str]) -> None:
    assert http.get(f"{address}/{path}", 30) == answer


@pytest.mark.parametrize("status", [200, 503])
def test_what_never_ends_is_no_answer(address: str, status: int) -> None:
    assert http.get(f"{address}/{status}/endless", 0.2) == (0, "an answer begins, and does not end within 0.2 s")


def test_what_speaks_no_http_is_no_answer(address: str) -> None:
    status, reason = http.get(f"{address}/200/garbage", 30)  # type: ignore[misc]
    assert status == 0
    assert "garbage" in reason
