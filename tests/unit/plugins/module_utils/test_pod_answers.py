# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two ways to a pod's answer, within one time."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils import pod_answers
from ansible_collections.linkops.runbooks.plugins.module_utils.signals import response
from ansible_collections.linkops.runbooks.plugins.module_utils.verdict import Verdict

Answer = tuple[int, str, str]
WELL: Answer = (200, "{}", "service")
SICK: Answer = (503, "{}", "service")
SILENT: Answer = (0, "nothing comes within 2 s", "nobody")
REFUSED: Answer = (503, "connect: connection refused", "api server")
FORBIDDEN: Answer = (403, "pods/proxy is forbidden", "api server")


class Ways:
    """A cluster whose two ways answer so; the proxy waits for the port-forward where it shall be the slower one."""

    def __init__(self, proxied: Answer, forwarded: Answer | None, slowly: bool = False) -> None:
        self.forwards = 0
        self._proxied, self._forwarded = proxied, forwarded
        self._turn = threading.Event()
        if not slowly:
            self._turn.set()

    def proxied(self, _path: str, _seconds: float) -> Answer:
        assert self._turn.wait(30)
        return self._proxied

    def forwarded(self, _namespace: str, _pod: str, _port: int, _path: str, seconds: float) -> Answer:
        assert self._forwarded is not None
        assert seconds > 0
        self.forwards += 1
        self._turn.set()
        return self._forwarded


def asked(ways: Any, forward: bool = True, seconds: float = 60) -> Verdict:
    """The verdict on pod a."""
    return pod_answers.ask(ways, "ns", "a", 80, "/health", seconds, forward, lambda *each: response.judge(*each, {}))


@pytest.mark.parametrize(
    ("proxied", "status", "reason"),
    [
        (WELL, "pass", "pod a is healthy"),
        (SICK, "fail", "pod a answers 503"),
        (REFUSED, "fail", "pod a refuses connections: connect: connection refused"),
        (SILENT, "fail", "pod a gives no answer: nothing comes within 2 s"),
    ],
)
@pytest.mark.parametrize("forward", [True, False])
def test_what_the_proxy_tells_in_time_needs_no_second_way(
    proxied: Answer, status: str, reason: str, forward: bool
) -> None:
    verdict = asked(Ways(proxied, None), forward)
    assert (verdict.status, verdict.reason) == (status, reason)


@pytest.mark.parametrize(
    ("proxied", "forwarded", "status", "reason"),
    [
        pytest.param(SILENT, WELL, "pass", "pod a is healthy", id="no route from the control plane"),
        pytest.param(SILENT, SILENT, "fail", "pod a gives no answer: nothing comes within 2 s", id="hangs"),
        pytest.param(SILENT, FORBIDDEN, "fail", "pod a gives no answer: nothing comes within 2 s", id="one way only"),
        pytest.param(WELL, SILENT, "pass", "pod a is healthy", id="slow"),
    ],
)
def test_a_silent_proxy_is_given_up_for_nothing_but_an_answer(
    proxied: Answer, forwarded: Answer, status: str, reason: str
) -> None:
    ways = Ways(proxied, forwarded, slowly=True)
    verdict = asked(ways, seconds=0.1)
    assert (verdict.status, verdict.reason, ways.forwards) == (status, reason, 1)


@pytest.mark.parametrize(
    ("forwarded", "status", "reason"),
    [
        (WELL, "pass", "pod a is healthy"),
        (SILENT, "fail", "pod a gives no answer: nothing comes within 2 s"),
        (REFUSED, "fail", "pod a refuses connections: connect: connection refused"),
        (FORBIDDEN, "unknown", "pod a cannot be asked: pods/proxy is forbidden; pods/proxy is forbidden"),
    ],
)
def test_where_the_proxy_is_forbidden_the_port_forward_tells(forwarded: Answer, status: str, reason: str) -> None:
    verdict = asked(Ways(FORBIDDEN, forwarded))
    assert (verdict.status, verdict.reason) == (status, reason)
    assert asked(Ways(FORBIDDEN, None), forward=False).status == "unknown"
