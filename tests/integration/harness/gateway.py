# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A gateway in front of the API server that breaks what it is told to: resets, error answers, silence."""

from __future__ import annotations

import http.server
import itertools
import json
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import urllib3

from lab.site import Lab
from tests.integration.harness import credentials


@dataclass(frozen=True)
class Fault:
    """What becomes of a request: an error C(status) (0 closes the connection) after C(seconds) of silence.

    One that is C(carried_out) reaches the API server all the same; only its answer is lost.
    """

    status: int = 0
    seconds: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)
    carried_out: bool = False


RESET = Fault()
OVERLOADED = Fault(503)
THROTTLED = Fault(429, headers={"Retry-After": "1"})
LOST_ANSWER = Fault(504, carried_out=True)

#: The request as METHOD PATH?QUERY; the fault that it meets, or None to let it pass.
Policy = Callable[[str], Fault | None]


class Gateway:
    """Ends TLS with a certificate of its own and passes each request on, unless the policy has a fault for it."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.requests: list[str] = []
        self.policy: Policy = lambda _request: None
        self.hidden = ""  # an API group
        self._certificate, self._key = certificate(folder / "gateway")
        upstream = urllib3.PoolManager(cert_reqs="CERT_REQUIRED", ca_certs=str(lab.pki / "ca.crt"), retries=False)
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(self, lab.api_url, upstream))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._certificate, self._key)
        # The handshake is the handler thread's, so that a client that hangs hangs nobody else.
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        self.kubeconfig = credentials.kubeconfig(
            lab, folder / "gateway.kubeconfig", server=f"https://127.0.0.1:{self._server.server_port}",
            ca=self._certificate,
        )  # fmt: skip

    def fault_for(self, request: str) -> Fault | None:
        """Note the request and ask the policy."""
        self.requests.append(request)
        return self.policy(request)

    def target(self, path: str) -> str:
        """Where a request is passed on to: about the group that is hidden, the server says itself that it has none."""
        return path.replace(f"/apis/{self.hidden}/", "/apis/absent.k8s.io/") if self.hidden else path

    def until(self, words: str, seconds: float = 60.0) -> None:
        """Wait until a request that contains these words has come."""
        end = time.monotonic() + seconds
        while not any(words in request for request in self.requests):
            assert time.monotonic() < end, f"no request with {words!r} within {seconds:.0f} s: {self.requests}"
            time.sleep(0.05)

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()


def certificate(path: Path) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1 and its key."""
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-days", "1", "-subj", "/CN=gateway", "-addext", "subjectAltName=IP:127.0.0.1",
            "-keyout", f"{path}.key", "-out", f"{path}.crt",
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    return Path(f"{path}.crt"), Path(f"{path}.key")


def at_first(number: int, fault: Fault, *words: str) -> Policy:
    """The fault for the first so many requests that contain all these words."""
    left = [number]

    def policy(request: str) -> Fault | None:
        if left[0] and all(word in request for word in words):
            left[0] -= 1
            return fault
        return None

    return policy


def after(seconds: float, faults: Sequence[Fault], *words: str) -> Policy:
    """Once a request that contains all these words has passed, others meet the faults in turn for so many seconds."""
    began: list[float] = []
    turns = itertools.cycle(faults)

    def policy(request: str) -> Fault | None:
        if began:
            return next(turns) if time.monotonic() - began[0] < seconds else None
        if all(word in request for word in words):
            began.append(time.monotonic())
        return None

    return policy


def _sent(
    upstream: urllib3.PoolManager, url: str, request: http.server.BaseHTTPRequestHandler, body: bytes
) -> urllib3.BaseHTTPResponse:
    headers = {k: v for k, v in request.headers.items() if k.lower() not in ("host", "connection")}
    return upstream.request(
        request.command, url, body=body or None, headers=headers, preload_content=False,
        timeout=urllib3.Timeout(connect=5, read=120),
    )  # fmt: skip


def _handler(gateway: Gateway, api_url: str, upstream: urllib3.PoolManager) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            fault = gateway.fault_for(f"{self.command} {self.path}")
            self.close_connection = True
            if fault is None:
                self.pass_on(body)
                return
            if fault.carried_out:
                _sent(upstream, api_url + gateway.target(self.path), self, body).drain_conn()
            time.sleep(fault.seconds)
            if fault.status:
                said = {"kind": "Status", "apiVersion": "v1", "code": fault.status, "message": "the gateway says no"}
                self.begin(fault.status, {**fault.headers, "Content-Type": "application/json"})
                self.wfile.write(json.dumps(said).encode())

        def pass_on(self, body: bytes) -> None:
            answer = _sent(upstream, api_url + gateway.target(self.path), self, body)
            # Chunked as the API server's answers, without which a client cannot read a watch event by event.
            kind = answer.headers.get("Content-Type", "")
            self.begin(answer.status, {"Content-Type": kind, "Transfer-Encoding": "chunked"})
            while part := answer.read1():
                self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))
            self.wfile.write(b"0\r\n\r\n")
            answer.release_conn()

        def begin(self, status: int, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {**headers, "Connection": "close"}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class's name)
            """Say nothing."""

        do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = answer  # noqa: N815 (http.server's names)

        def handle(self) -> None:
            try:
                super().handle()
            except (OSError, urllib3.exceptions.HTTPError):  # either side went away
                self.close_connection = True

    return Handler
