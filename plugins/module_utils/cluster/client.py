# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A thin client: one method per verb, plain dictionaries in and out, every fault a sentence.

TLS, credentials and proxies are the kubernetes library's; requests go through its urllib3 pool, so that objects stay
the JSON that the API server sent. Retries are C(kubernetes.utils.retry): before the first write once, within 3 s; after
it until the deadline of the operation, because what was begun must be seen through.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from .. import bodies
from ..deadline import Deadline
from ..errors import Fault, OperatorError
from . import executing, forwarding, paths, refusals, written

try:
    import urllib3
    from kubernetes.utils.retry import Backoff, on_error, on_retry_after_error
except ImportError:  # connect() has reported it
    pass

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

CONNECT_SECONDS = 2.0
READ_SECONDS = 10.0
MOST_AT_ONCE = 1 << 16
#: For a request and its retry before the first write, while the operator waits for a sentence.
FIRST_SECONDS = 3.0
LEAST_SECONDS = 0.5

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"


class ApiFault(OperatorError):
    """The API server answered with an error; C(status) is the HTTP code, C(message) its own words."""

    def __init__(self, status: int, message: str, fault: Fault, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(fault)
        self.status = status
        self.message = message
        self.tries = 1  # of the same request; an earlier one may have been carried out, and its answer lost
        self.headers = headers or {}  # kubernetes.utils.retry looks for Retry-After here


class Unreachable(OperatorError):
    """No answer from the API server."""


class Cluster:
    """The API server of one cluster, called by C(name) in sentences."""

    def __init__(self, api: ApiClient, name: str) -> None:
        self.name = name
        self.host: str = api.configuration.host
        self._api = api
        self._persist: Deadline | None = None
        self._told: tuple[datetime, float] | None = None

    @property
    def now(self) -> datetime:
        """The API server's clock as its last answer told it, never ahead; before any answer, this machine's."""
        if self._told is None:
            return datetime.now(UTC)
        told, at = self._told
        return told + timedelta(seconds=time.monotonic() - at)

    def persist(self, deadline: Deadline) -> None:
        """From now on (the first write) retry transient faults until the deadline."""
        self._persist = deadline

    def hurried(self, seconds: float, meanwhile: Callable[[], None]) -> Cluster:
        """The same API server for reads that must not hold up what follows, such as evidence of a failure.

        All of them together take so many seconds, none is tried again, and C(meanwhile) is called before each.
        """
        return Hurried(self._api, self.name, seconds, meanwhile)

    def get(self, path: str, **query: str) -> dict[str, Any]:
        """Read one object or a list."""
        return self._json("GET", path, query=query)

    def items(self, path: str, **query: str) -> list[dict[str, Any]]:
        """All items of a list."""
        return self.listed(path, **query)[0]

    def listed(self, path: str, **query: str) -> tuple[list[dict[str, Any]], str]:
        """All items of a list, page by page, and the resourceVersion to watch on from."""
        found: list[dict[str, Any]] = []
        query = {"limit": "500", **query}
        while True:
            page = self.get(path, **query)
            found += page.get("items") or []
            token = (page.get("metadata") or {}).get("continue")
            if not token:
                return found, page["metadata"].get("resourceVersion", "")  # the metrics API names none
            query["continue"] = token

    def create(self, path: str, body: Mapping[str, Any], **query: str) -> dict[str, Any]:
        """Create an object; C(query) may hold dryRun."""
        return self._json("POST", path, body=body, query=query)

    def create_once(self, path: str, body: Mapping[str, Any]) -> None:
        """Create without any retry, where a refusal such as 429 is an answer that the caller waits on."""
        self._checked(self._once("POST", path, body=body), "POST", path)

    def patch(self, path: str, body: Any, content_type: str = JSON_PATCH, **query: str) -> dict[str, Any]:
        """Patch an object; preconditions stand in the patch.

        A conflict with what an earlier try of the same patch wrote is none.
        """
        try:
            return self._json("PATCH", path, body=body, query=query, content_type=content_type)
        except ApiFault as fault:
            if fault.status != 409 or fault.tries == 1 or content_type != JSON_PATCH:
                raise
            now = self.get(path)
            if not written.says(now, body):
                raise
            return now

    def delete(self, path: str, uid: str, **options: str) -> dict[str, Any]:
        """Delete the object of exactly this uid; C(options) may hold propagationPolicy."""
        return self._json("DELETE", path, body={"preconditions": {"uid": uid}, **options})

    def text(self, path: str, **query: str) -> str:
        """Read a body that is not JSON, such as a log."""
        return str(self._request("GET", path, query=query).data, "utf-8", "replace")

    def chunks(self, path: str, **query: str) -> Generator[bytes, None, None]:
        """A body that is not JSON and may be large, piece by piece. Raises C(Unreachable) where it breaks off."""
        timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS)
        answer = self._request("GET", path, query=query, timeout=timeout, preload_content=False)
        try:
            while chunk := answer.read1(MOST_AT_ONCE):
                yield chunk
        except urllib3.exceptions.HTTPError as fault:
            raise Unreachable(
                Fault("unreachable", f"The answer of {self.host} ({self.name}) breaks off: {refusals.cause(fault)}.")
            ) from fault
        finally:
            answer.close()

    def executed(
        self,
        namespace: str,
        pod: str,
        container: str,
        command: Sequence[str],
        deadline: Deadline,
        most_bytes: int,
        stopped: threading.Event,
    ) -> executing.Ending:
        """Run a command in a container, once and without retry. Raises C(ApiFault) where it was not started."""
        path = paths.path("Pod", namespace, pod, "exec")
        asked = [("container", container), ("stdout", "true"), ("stderr", "true"), *(("command", e) for e in command)]
        try:
            return executing.run(
                self._api, f"{path}?{urlencode(asked)}", self._headers(), deadline, most_bytes, stopped
            )
        except executing.Refused as refusal:
            message = refusals.message(refusal.body)
            fault = refusals.explain(refusal.status, message, "GET", path, self.name)
            raise ApiFault(refusal.status, message, fault) from refusal

    def proxied(self, path: str, timeout_seconds: float) -> tuple[int, str, str]:
        """A GET through a pod or service proxy: status, body, and who answered (C(service), C(api server), C(nobody)).

        No retry: the caller judges. Status 0 comes with the reason; C(nobody) means that the time went by.
        """
        deadline = Deadline(timeout_seconds)
        try:
            answer = self._once("GET", path, timeout=_timeout(timeout_seconds), preload_content=False)
        except Unreachable as fault:
            if isinstance(fault.__cause__, urllib3.exceptions.ReadTimeoutError):
                return 0, f"nothing comes within {timeout_seconds:g} s", "nobody"
            return 0, str(fault), "api server"
        try:
            body = bodies.read(answer.read1, deadline)
        except (TimeoutError, urllib3.exceptions.ReadTimeoutError):
            return 0, f"an answer begins ({answer.status}), and does not end within {timeout_seconds:g} s", "nobody"
        except urllib3.exceptions.HTTPError as fault:
            return 0, f"an answer begins ({answer.status}) and breaks off: {refusals.cause(fault)}", "nobody"
        finally:
            answer.close()
        return answer.status, body, "api server" if refusals.status(body) else "service"

    def forwarded(
        self, namespace: str, pod: str, port: int, url_path: str, timeout_seconds: float
    ) -> tuple[int, str, str]:
        """The same through a port-forward."""
        return forwarding.get(self._api, namespace, pod, port, url_path, timeout_seconds)

    def stream(self, path: str, seconds: float, **query: str) -> Any:
        """An open watch; read it with C(events)."""
        timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=seconds + READ_SECONDS)
        return self._checked(
            self._once(
                "GET",
                path,
                query={"watch": "1", "timeoutSeconds": str(max(1, int(seconds))), **query},
                timeout=timeout,
                preload_content=False,
            ),
            "GET",
            path,
        )

    def _json(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        answer = self._request(method, path, **request)
        try:
            loaded = json.loads(answer.data)
        except ValueError:
            loaded = None
        if not isinstance(loaded, dict):
            raise OperatorError(
                Fault(
                    "not_kubernetes",
                    f"{self.host} ({self.name}) does not answer as a Kubernetes API server does.",
                    "Check the address: another web server, or a login page in front of it, may stand there.",
                )
            )
        return loaded

    def _request(self, method: str, path: str, **request: Any) -> Any:
        patience = Deadline(FIRST_SECONDS)
        tries = itertools.count(1)

        def attempt() -> Any:
            seconds = READ_SECONDS if self._persist else round(max(patience.remaining, LEAST_SECONDS), 1)
            number = next(tries)
            try:
                return self._try(method, path, seconds, request)
            except ApiFault as fault:
                fault.tries = number
                raise

        if self._persist is None:
            return on_error(
                Backoff(steps=2, duration=0.3, factor=1.0),
                lambda fault: _transient(fault) and not patience.expired,
                attempt,
            )
        deadline = self._persist
        return on_retry_after_error(
            # Without a growing delay and its cap, at which the library would end the retries.
            Backoff(steps=1_000_000, duration=0.4, factor=1.0, jitter=0.5),
            lambda fault: _transient(fault) and not deadline.expired,
            attempt,
            sleep_func=lambda seconds: time.sleep(min(seconds, deadline.remaining)),
        )

    def _try(self, method: str, path: str, seconds: float, request: Mapping[str, Any]) -> Any:
        answer = self._once(method, path, **{"timeout": _timeout(seconds), **request})
        return self._checked(answer, method, path)

    def _once(
        self,
        method: str,
        path: str,
        body: Any = None,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
        timeout: Any = None,
        preload_content: bool = True,
    ) -> Any:
        headers = {"Accept": "application/json", **self._headers()}
        if body is not None:
            headers["Content-Type"] = content_type
        address = f"{self.host}{path}"
        try:
            return self._api.rest_client.pool_manager.request(
                method,
                f"{address}?{urlencode(query)}" if query else address,
                body=None if body is None else json.dumps(body),
                headers=headers,
                retries=False,
                redirect=False,
                timeout=timeout or urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
                preload_content=preload_content,
            )
        except urllib3.exceptions.SSLError as fault:
            raise Unreachable(
                Fault(
                    "tls",
                    f"TLS to {self.host} ({self.name}) failed: {refusals.cause(fault)}.",
                    "Check ca_cert or the kubeconfig's certificate-authority, and that the address is the right one.",
                )
            ) from fault
        except urllib3.exceptions.HTTPError as fault:
            raise Unreachable(
                Fault(
                    "unreachable",
                    f"The API server {self.host} ({self.name}) does not answer: {refusals.cause(fault)}.",
                    "Check network, VPN and the address in the kubeconfig or K8S_AUTH_HOST.",
                )
            ) from fault

    def _headers(self) -> dict[str, str]:
        """Who asks: in the audit log by name, to the API server by credentials."""
        settings = self._api.configuration.auth_settings().values()
        return {"User-Agent": "linkops.runbooks", **{each["key"]: each["value"] for each in settings}}

    def _checked(self, answer: Any, method: str, path: str) -> Any:
        with contextlib.suppress(TypeError, ValueError):
            self._told = parsedate_to_datetime(answer.headers.get("Date")), time.monotonic()
        if 200 <= answer.status < 300:
            return answer
        message = refusals.message(answer.data if isinstance(answer.data, bytes) else answer.read())
        fault = refusals.explain(answer.status, message, method, path, self.name)
        raise ApiFault(answer.status, message, fault, answer.headers)


class Hurried(Cluster):
    """The API server for reads that must not hold up what follows: C(Cluster.hurried)."""

    def __init__(self, api: ApiClient, name: str, seconds: float, meanwhile: Callable[[], None]) -> None:
        super().__init__(api, name)
        self._budget = Deadline(seconds)
        self._meanwhile = meanwhile

    def _request(self, method: str, path: str, **request: Any) -> Any:
        self._meanwhile()
        if self._budget.expired:
            raise Unreachable(
                Fault("out_of_time", f"{self.name} was not asked: the {self._budget.seconds:.0f} s for this are over.")
            )
        return self._try(method, path, max(min(self._budget.remaining, FIRST_SECONDS), LEAST_SECONDS), request)


def events(answer: Any) -> Iterator[dict[str, Any]]:
    """The events of an open watch, one dictionary each, until the server ends it."""
    buffer = b""
    # As much as there is, whether the server sends chunks or a proxy on the way has joined them.
    while chunk := answer.read1(MOST_AT_ONCE):
        buffer += chunk
        *lines, buffer = buffer.split(b"\n")
        for line in lines:
            if line.strip():
                yield json.loads(line)


def _timeout(seconds: float) -> urllib3.Timeout:
    return urllib3.Timeout(connect=min(CONNECT_SECONDS, seconds), read=seconds)


def _transient(fault: Exception) -> bool:
    if isinstance(fault, ApiFault):
        return fault.status in refusals.TRANSIENT
    return isinstance(fault, Unreachable) and fault.reason == "unreachable"
