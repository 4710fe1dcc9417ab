# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client's decisions: what a fault is called, what is tried again, how answers are put together."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import partial
from io import BytesIO
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, TypeAlias

import pytest
import urllib3
from hypothesis import given
from hypothesis import strategies as st
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, ProtocolError, ReadTimeoutError, SSLError

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster import client, refusals
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.client import ApiFault, Cluster, Unreachable
from ansible_collections.linkops.runbooks.plugins.module_utils.deadline import Deadline
from ansible_collections.linkops.runbooks.plugins.module_utils.errors import OperatorError

CONNECTION = urllib3.connection.HTTPSConnection("prod.example", 6443)
Answer: TypeAlias = "tuple[int, Any] | Exception"


def status(message: str, code: int = 403) -> dict[str, Any]:
    """The API server's own answer to what it refuses."""
    return {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code}


class Pool:
    """Gives the prepared answers one by one, in place of urllib3's pool; remembers what was asked."""

    def __init__(self, *answers: Answer) -> None:
        self.asked: list[tuple[str, str, Any]] = []
        self._answers = iter(answers)
        self.date = ""

    def request(self, method: str, url: str, body: str | None = None, **_options: Any) -> Any:
        self.asked.append((method, url.removeprefix("https://prod.example"), body and json.loads(body)))
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        content = answer[1]
        data = content if isinstance(content, bytes) else b"" if callable(content) else json.dumps(content).encode()
        return SimpleNamespace(
            status=answer[0], data=data, headers={"Date": self.date} if self.date else {},
            read1=content if callable(content) else BytesIO(data).read1, close=lambda: None,
        )  # fmt: skip


def cluster(pool: Pool) -> Cluster:
    """The cluster behind these answers."""
    configuration = SimpleNamespace(host="https://prod.example", auth_settings=dict)
    api: Any = SimpleNamespace(configuration=configuration, rest_client=SimpleNamespace(pool_manager=pool))
    return Cluster(api, "prod-eu")


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries follow one another at once."""

    def sleep(_seconds: float) -> None:
        pass

    monkeypatch.setattr(client, "on_error", partial(client.on_error, sleep_func=sleep))
    monkeypatch.setattr(client.time, "sleep", sleep)


def failed(*answers: Answer) -> OperatorError:
    """The fault of one GET."""
    with pytest.raises(OperatorError) as fault:
        cluster(Pool(*answers)).get("/api/v1/x")
    return fault.value


@pytest.mark.parametrize(
    ("code", "reason", "remedy"),
    [
        (401, "unauthorized", "Renew the credentials"),
        (403, "forbidden", "docs/permissions.md"),
        (404, "not_found", "Check the names"),
        (409, "conflict", "run the button again"),
        (422, "invalid", "refuses this content"),
        (418, "api_error", ""),
    ],
)
def test_refusals_are_sentences_and_are_not_tried_again(code: int, reason: str, remedy: str) -> None:
    fault = failed((code, status("pods is forbidden.", code)))
    assert isinstance(fault, ApiFault)
    assert (fault.status, fault.reason) == (code, reason)
    assert str(fault).startswith(f"prod-eu answered {code} to GET /api/v1/x: pods is forbidden.")
    assert remedy in str(fault)


@pytest.mark.parametrize("code", sorted(refusals.TRANSIENT))
def test_a_transient_status_is_tried_once_more(code: int) -> None:
    again = Pool((code, status("busy", code)), (200, {"kind": "Pod"}))
    assert cluster(again).get("/api/v1/x") == {"kind": "Pod"}
    assert len(again.asked) == 2
    fault = failed((code, status("busy", code)), (code, status("busy", code)))
    assert fault.reason == "api_unavailable"


@pytest.mark.parametrize(
    ("fault", "reason", "tries"),
    [
        pytest.param(NewConnectionError(CONNECTION, "Connection refused"), "unreachable", 2, id="refused"),
        pytest.param(ConnectTimeoutError(CONNECTION, "timed out"), "unreachable", 2, id="connect timeout"),
        pytest.param(ProtocolError("Connection aborted.", ConnectionResetError()), "unreachable", 2, id="reset"),
        pytest.param(SSLError("certificate verify failed"), "tls", 1, id="tls"),
    ],
)
def test_no_answer_is_tried_once_more_and_a_wrong_certificate_is_not(fault: Exception, reason: str, tries: int) -> None:
    pool = Pool(fault, fault, fault)
    with pytest.raises(Unreachable) as told:
        cluster(pool).get("/api/v1/x")
    assert told.value.reason == reason
    assert len(pool.asked) == tries
    assert "https://prod.example (prod-eu)" in str(told.value)


def test_after_the_first_write_it_is_tried_until_the_deadline() -> None:
    pool = Pool(*[(503, status("busy", 503))] * 3, (200, {}))
    mine = cluster(pool)
    mine.persist(Deadline(3600))
    assert mine.patch("/api/v1/x", []) == {}
    assert len(pool.asked) == 4


def test_after_the_deadline_it_is_not_tried_again() -> None:
    pool = Pool(*[(503, status("busy", 503))] * 3)
    mine = cluster(pool)
    mine.persist(Deadline(0))
    with pytest.raises(ApiFault):
        mine.patch("/api/v1/x", [])
    assert len(pool.asked) == 1


@pytest.mark.parametrize(
    "body", [b"<html>Sign in</html>", b"", b"[1]", b'"x"'], ids=["page", "nothing", "list", "text"]
)
def test_an_address_that_is_no_kubernetes_is_a_sentence(body: bytes) -> None:
    fault = failed((200, body))
    assert fault.reason == "not_kubernetes"
    assert "https://prod.example (prod-eu)" in str(fault)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param(json.dumps(status("pods is forbidden")).encode(), "pods is forbidden", id="a status"),
        pytest.param(b"404 page not found\n", "404 page not found", id="text"),
        pytest.param(b"", "no message", id="nothing"),
        pytest.param(
            b'{"kind": "Status", "message": "mine"}', '{"kind": "Status", "message": "mine"}', id="not its own"
        ),
        pytest.param(b"\xff\xfe", "\ufffd\ufffd", id="no text"),
        pytest.param(b"x" * 1000, "x" * 300, id="long"),
        pytest.param(b"redis://:hunter22@cache is down", "redis://:[hidden]@cache is down", id="a secret"),
    ],
)
def test_the_servers_own_words(body: bytes, message: str) -> None:
    assert refusals.message(body) == message


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        pytest.param(
            NewConnectionError(CONNECTION, "Failed to establish a new connection: [Errno 111] Connection refused"),
            "Failed to establish a new connection: [Errno 111] Connection refused",
            id="refused",
        ),
        pytest.param(
            ReadTimeoutError(
                urllib3.HTTPSConnectionPool("prod.example", 6443), "/x", "Read timed out. (read timeout=10)"
            ),
            "Read timed out. (read timeout=10)",
            id="read timeout",
        ),
        pytest.param(
            urllib3.exceptions.MaxRetryError(
                urllib3.HTTPSConnectionPool("prod.example"), "/x", NewConnectionError(CONNECTION, "No route to host")
            ),
            "No route to host",
            id="the innermost",
        ),
        pytest.param(SSLError(), "SSLError", id="no words"),
    ],
)
def test_the_cause_in_its_own_words(fault: Exception, cause: str) -> None:
    assert refusals.cause(fault) == cause


def test_pages_are_put_together() -> None:
    pool = Pool(
        (200, {"metadata": {"continue": "t1", "resourceVersion": "7"}, "items": [{"a": 1}]}),
        (200, {"metadata": {"continue": "", "resourceVersion": "7"}, "items": None}),
    )
    assert cluster(pool).listed("/api/v1/pods", labelSelector="app=api") == ([{"a": 1}], "7")
    assert [url for _method, url, _body in pool.asked] == [
        "/api/v1/pods?limit=500&labelSelector=app%3Dapi",
        "/api/v1/pods?limit=500&labelSelector=app%3Dapi&continue=t1",
    ]


def test_a_delete_is_of_exactly_one_object() -> None:
    pool = Pool((200, {}))
    cluster(pool).delete("/api/v1/x", "uid-1")
    assert pool.asked == [("DELETE", "/api/v1/x", {"preconditions": {"uid": "uid-1"}})]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        pytest.param((200, {"status": "ok"}), (200, '{"status": "ok"}', "service"), id="healthy"),
        pytest.param((503, b"down"), (503, "down", "service"), id="unhealthy"),
        pytest.param(
            (503, status("refused", 503)), (503, json.dumps(status("refused", 503)), "api server"), id="refused"
        ),
    ],
)
def test_who_answers_through_the_proxy(answer: Answer, told: tuple[int, str, str]) -> None:
    pool = Pool(answer)
    assert cluster(pool).proxied("/proxy/health", 2) == told
    assert len(pool.asked) == 1


def test_no_answer_through_the_proxy_is_an_answer_too() -> None:
    code, words, who = cluster(Pool(ConnectTimeoutError(CONNECTION, "timed out"))).proxied("/proxy/health", 2)
    assert (code, who) == (0, "api server")
    assert "timed out" in words


def breaking(fault: Exception) -> Any:
    """A body that breaks off after its first words."""
    pieces = iter([b"{"])

    def read1(_amount: int) -> bytes:
        for piece in pieces:
            return piece
        raise fault

    return read1


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param(ReadTimeoutError(CONNECTION, "/", "timed out"), "nothing comes within 0.05 s", id="hangs"),
        pytest.param((200, lambda _amount: b"tick\n"), "begins (200), and does not end within 0.05 s", id="streams"),
        pytest.param(
            (200, breaking(ReadTimeoutError(CONNECTION, "/", "timed out"))), "does not end within", id="stops in it"
        ),
        pytest.param((200, breaking(ProtocolError("cut"))), "begins (200) and breaks off: cut", id="breaks off"),
    ],
)
def test_an_answer_that_does_not_come_whole_is_nobodys(answer: Answer, words: str) -> None:
    code, told, who = cluster(Pool(answer)).proxied("/proxy/health", 0.05)
    assert (code, who) == (0, "nobody")
    assert words in told


def test_a_large_answer_is_cut_off() -> None:
    assert cluster(Pool((200, b"x" * (5 << 20)))).proxied("/proxy/health", 60) == (200, "x" * (1 << 20), "service")


class Stream:
    """An open watch that sends these pieces."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = list(pieces)

    def read1(self, _amount: int) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""


EVENTS = [{"type": "ADDED", "object": {"name": f"é{number}"}} for number in range(5)]


@given(st.sets(st.integers(1, 200)))
def test_events_are_whole_however_they_are_cut(cuts: set[int]) -> None:
    content = b"\n".join(json.dumps(each, ensure_ascii=False).encode() for each in EVENTS) + b"\n\n"
    places = [0, *sorted(cut for cut in cuts if cut < len(content)), len(content)]
    pieces = [content[start:end] for start, end in pairwise(places)]
    assert list(client.events(Stream(pieces))) == EVENTS


def test_an_event_that_is_cut_off_is_not_one() -> None:
    assert list(client.events(Stream([b'{"type":"ADDED"}\n{"type":']))) == [{"type": "ADDED"}]


def test_the_servers_clock_is_that_of_its_last_answer() -> None:
    pool = Pool((200, {}))
    asked = cluster(pool)
    assert abs(asked.now - datetime.now(UTC)) < timedelta(minutes=1)
    pool.date = "Thu, 05 Mar 2026 12:00:00 GMT"
    asked.get("/version")
    assert timedelta() <= asked.now - datetime(2026, 3, 5, 12, tzinfo=UTC) < timedelta(minutes=1)


def test_create_once_takes_a_refusal_for_an_answer() -> None:
    pool = Pool((429, status("budget", 429)))
    with pytest.raises(ApiFault) as fault:
        cluster(pool).create_once("/evict", {})
    assert fault.value.status == 429
    assert len(pool.asked) == 1


WRITE = [
    {"op": "replace", "path": "/metadata/resourceVersion", "value": "7"},
    {"op": "replace", "path": "/spec/replicas", "value": 3},
]


@pytest.mark.parametrize(
    ("before", "replicas", "ours"),
    [
        pytest.param([(504, status("late", 504))], 3, True, id="our own, whose answer was lost"),
        pytest.param([(504, status("late", 504))], 5, False, id="somebody wrote something else"),
        pytest.param([], 3, False, id="somebody wrote the same before"),
    ],
)
def test_a_conflict_with_our_own_write_is_none(before: list[Answer], replicas: int, ours: bool) -> None:
    now = {"metadata": {"resourceVersion": "8"}, "spec": {"replicas": replicas}}
    mine = cluster(Pool(*before, (409, status("modified", 409)), (200, now)))
    mine.persist(Deadline(3600))
    if ours:
        assert mine.patch("/api/v1/x", WRITE) == now
        return
    with pytest.raises(ApiFault) as fault:
        mine.patch("/api/v1/x", WRITE)
    assert fault.value.status == 409


def test_hurried_reads_share_their_time_and_are_not_tried_again() -> None:
    pool = Pool((500, status("no route to host", 500)), (200, {}))
    mine = cluster(pool)
    mine.persist(Deadline(3600))
    renewed: list[str] = []
    hurried = mine.hurried(3600, lambda: renewed.append("renewed"))
    with pytest.raises(ApiFault):
        hurried.text("/log")
    assert hurried.get("/api/v1/x") == {}
    assert renewed == ["renewed"] * 2
    late = mine.hurried(0, lambda: None)
    with pytest.raises(Unreachable) as fault:
        late.text("/log")
    assert fault.value.reason == "out_of_time"
    assert len(pool.asked) == 2
