# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watches that end, expire or die in silence."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.client import ApiFault, Unreachable
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.feed import (
    LONGEST_SECONDS,
    Change,
    Feed,
    present,
)
from ansible_collections.linkops.runbooks.plugins.module_utils.deadline import Deadline
from ansible_collections.linkops.runbooks.plugins.module_utils.errors import Fault, OperatorError
from ansible_collections.linkops.runbooks.tests.unit.plugins.fixtures.settled import settled

GONE = ApiFault(410, "too old resource version", Fault("api_error", "too old"))
AWAY = Unreachable(Fault("unreachable", "no answer"))
FORBIDDEN = ApiFault(403, "no", Fault("forbidden", "no"))


class Answer:
    """An open watch with these events, which then ends."""

    def __init__(self, *events: dict[str, Any]) -> None:
        self._chunks = [json.dumps(each).encode() + b"\n" for each in events]

    def read1(self, _most: int) -> bytes:
        return self._chunks.pop(0) if self._chunks else b""


class Server:
    """Gives one prepared answer for each watch, and objects as they are now; remembers what was asked."""

    def __init__(self, *answers: Answer | Exception, now: Any = None, pods: Any = ()) -> None:
        self.asked: list[str] = []
        self.seconds: list[float] = []
        self.now, self.pods = now, list(pods)
        self._answers = iter(answers)

    def stream(self, _path: str, seconds: float, **query: str) -> Answer:
        self.asked.append(query.get("resourceVersion", ""))
        self.seconds.append(seconds)
        answer = next(self._answers, Answer())
        if isinstance(answer, Exception):
            raise answer
        return answer

    def persist(self, _deadline: Deadline) -> None:
        pass

    def get(self, _path: str) -> Any:
        if isinstance(self.now, Exception):
            raise self.now
        return self.now

    def items(self, _path: str, **_query: str) -> list[dict[str, Any]]:
        return self.pods


@contextlib.contextmanager
def followed(server: Any, version: str) -> Iterator[Feed]:
    """A feed of pods since this version."""
    feed = Feed(server, Deadline(60))
    with contextlib.closing(feed):
        feed.follow("Pod", "/pods", version)
        yield feed


def event(version: str, how: str = "MODIFIED") -> dict[str, Any]:
    return {"type": how, "object": {"metadata": {"name": "api-1", "resourceVersion": version}}}


@pytest.mark.parametrize(
    "expired",
    [
        pytest.param(GONE, id="refused"),
        pytest.param(Answer({"type": "ERROR", "object": {"code": 410}}), id="told in the stream"),
    ],
)
def test_a_version_that_is_too_old_begins_anew(expired: Answer | Exception) -> None:
    server = Server(expired, Answer(event("9", "ADDED")))
    with followed(server, "5") as feed:
        told = [feed.next(10), feed.next(10)]
    assert [each and each.type for each in told] == ["RESET", "ADDED"]
    assert server.asked[:2] == ["5", ""]


def test_a_watch_that_ends_is_resumed_from_its_last_event() -> None:
    server = Server(Answer(event("6")), AWAY, Answer(event("7")))
    with followed(server, "5") as feed:
        assert feed.next(10) == Change("Pod", "MODIFIED", {**event("6")["object"], "kind": "Pod"})
        assert feed.next(10) == Change("Pod", "MODIFIED", {**event("7")["object"], "kind": "Pod"})
    assert server.asked[:3] == ["5", "6", "6"]


def test_a_watch_that_may_die_in_silence_is_renewed() -> None:
    server = Server(Answer(event("6")))
    with followed(server, "5") as feed:
        feed.next(10)
    assert server.seconds[0] <= LONGEST_SECONDS <= 30


def test_what_a_watch_cannot_recover_from_is_raised() -> None:
    with followed(Server(FORBIDDEN), "5") as feed, pytest.raises(OperatorError):
        feed.next(10)


def test_the_present_state_as_changes() -> None:
    at = settled("deployment")
    server: Any = Server(now=at.workload, pods=at.pods)
    told = present(server, at.workload)
    assert [(each.kind, each.type) for each in told] == [
        ("Deployment", "MODIFIED"),
        ("Pod", "RESET"),
        *[("Pod", "ADDED")] * 3,
    ]


@pytest.mark.parametrize(
    ("fault", "told"),
    [(ApiFault(404, "no", Fault("not_found", "no")), ["DELETED"]), (AWAY, [])],
    ids=["deleted", "no answer"],
)
def test_a_present_state_that_is_not_told(fault: Exception, told: list[str]) -> None:
    server: Any = Server(now=fault)
    assert [each.type for each in present(server, settled("deployment").workload)] == told
