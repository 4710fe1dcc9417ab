# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One command in one container: the exec stream of the API server, read within bounds of time and memory.

C(kubernetes.stream.stream) is not used: it replaces a method of the ApiClient that all threads share while it calls,
reads a flood of output without end, and sends no User-Agent. The connection is the same: websocket-client, with the
library's configuration.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..deadline import Deadline
from ..redaction import redact_text
from .bounding import Head

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

STDOUT, STDERR, STATUS = 1, 2, 3
MOST_STATUS_BYTES = 64 << 10
CONNECT_SECONDS = 10.0
#: How long one read waits before it looks whether it was told to stop.
POLL_SECONDS = 0.5
#: Both end with a Status on the channel of errors (kubernetes/apimachinery:pkg/util/remotecommand/constants.go).
PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")


class Refused(Exception):
    """The API server answered, and not with a stream."""

    def __init__(self, status: int, body: bytes) -> None:
        self.status = status
        self.body = body
        super().__init__(f"status {status}")


@dataclass(frozen=True)
class Ending:
    """What a command left: its output, and the C(Status) of its end, empty where C(lost) says why none came."""

    stdout: Head
    stderr: Head
    status: bytes
    lost: str


def run(
    api: ApiClient,
    path: str,
    headers: Mapping[str, str],
    deadline: Deadline,
    most_bytes: int,
    stopped: threading.Event,
) -> Ending:
    """Run what the path asks for until it ends, the deadline passes or C(stopped) is set. Raises C(Refused)."""
    import websocket  # noqa: PLC0415 (where it is needed: few tasks run a command)

    heads = {STDOUT: Head(most_bytes), STDERR: Head(most_bytes), STATUS: Head(MOST_STATUS_BYTES)}
    lost = ""
    connection: Any = websocket.WebSocket(sslopt=_tls(api), enable_multithread=False, skip_utf8_validation=True)
    try:
        _connect(connection, api, path, headers, deadline)
        lost = _read(connection, heads, deadline, stopped)
    except websocket.WebSocketBadStatusException as answer:
        raise Refused(answer.status_code, answer.resp_body or b"") from answer
    except (OSError, websocket.WebSocketException) as fault:
        said = redact_text(str(fault).strip(" .")) or type(fault).__name__
        lost = f"the connection broke ({said}); the command may have run, and may still run"
    finally:
        connection.shutdown()  # without the farewell, for which a command that floods us would let us wait
    return Ending(heads[STDOUT], heads[STDERR], heads[STATUS].raw, lost)


def _connect(connection: Any, api: ApiClient, path: str, headers: Mapping[str, str], deadline: Deadline) -> None:
    connection.settimeout(min(CONNECT_SECONDS, max(deadline.remaining, POLL_SECONDS)))
    address = f"ws{api.configuration.host.removeprefix('http')}{path}"
    connection.connect(
        address,
        header=[f"{name}: {value}" for name, value in headers.items()],
        subprotocols=list(PROTOCOLS),
        redirect_limit=0,  # the credentials are for this address alone
        **_proxy(api, address, headers),
    )


def _read(connection: Any, heads: Mapping[int, Head], deadline: Deadline, stopped: threading.Event) -> str:
    """Read until the server closes, since output may come behind the status; returns why it ended before, if it did."""
    from websocket import ABNF, WebSocketTimeoutException  # noqa: PLC0415

    while not deadline.expired:
        if stopped.is_set():
            return "the run was stopped; the command may still run in the container"
        connection.settimeout(min(POLL_SECONDS, max(deadline.remaining, 0.01)))
        try:
            opcode, frame = connection.recv_data_frame(control_frame=True)
        except WebSocketTimeoutException:
            continue
        if opcode == ABNF.OPCODE_CLOSE:
            return "the stream ended without the command's exit code"
        if opcode in (ABNF.OPCODE_BINARY, ABNF.OPCODE_TEXT) and frame.data and frame.data[0] in heads:
            heads[frame.data[0]].add(frame.data[1:])
    return f"it did not finish within {deadline.seconds:g} s, and may still run in the container"


def _tls(api: ApiClient) -> dict[str, Any]:
    """The options that C(kubernetes.stream.ws_client.create_websocket) makes of the same configuration."""
    import certifi  # noqa: PLC0415

    settings = api.configuration
    options: dict[str, Any] = {"cert_reqs": ssl.CERT_NONE}
    if settings.verify_ssl:
        options = {"cert_reqs": ssl.CERT_REQUIRED, "ca_certs": settings.ssl_ca_cert or certifi.where()}
        if settings.assert_hostname is not None:
            options["check_hostname"] = settings.assert_hostname
    named = {"certfile": settings.cert_file, "keyfile": settings.key_file, "server_hostname": settings.tls_server_name}
    return {**options, **{key: value for key, value in named.items() if value}}


def _proxy(api: ApiClient, address: str, headers: Mapping[str, str]) -> dict[str, Any]:
    from kubernetes.stream.ws_client import websocket_proxycare  # noqa: PLC0415

    if not api.configuration.proxy:
        return {"http_no_proxy": ["*"]}  # else websocket-client would follow the environment, as no other request does
    options: dict[str, Any] = websocket_proxycare({}, api.configuration, address, headers)
    return options
