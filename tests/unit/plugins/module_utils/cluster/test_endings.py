# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a command ended, from what API server, kubelet, containerd and runc say; and output within its bound."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster import endings
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.bounding import MARGIN_BYTES, Head
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.exec import Outcome, judge
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.places import Place
from ansible_collections.linkops.runbooks.plugins.module_utils.verdict import Status, Verdict

RUNC = (
    "Internal error occurred: error executing command in container: failed to exec in container: failed to start exec "
    '"527b": OCI runtime exec failed: exec failed: unable to start container process: '
)


def failure(message: str = "", code: str | None = None) -> bytes:
    """A Status as it comes on the channel of errors."""
    status: dict[str, object] = {"metadata": {}, "status": "Failure", "message": message}
    if code is not None:
        status |= {"reason": "NonZeroExitCode", "details": {"causes": [{"reason": "ExitCode", "message": code}]}}
    return json.dumps(status).encode()


@pytest.mark.parametrize(
    ("status", "stderr", "code", "verdict", "words"),
    [
        (b'{"metadata":{},"status":"Success"}', "noise", 0, "pass", "exit code 0"),
        (failure("terminated", "7"), "", 7, "fail", "exit code 7"),
        (failure("terminated", "1"), "one\nno such table\n \n", 1, "fail", "exit code 1: no such table"),
        (failure("terminated", "x"), "", None, "unknown", "terminated"),
        (
            failure(RUNC + 'exec: "nope": executable file not found in $PATH: unknown'), "", None, "fail",
            'the command cannot be started: exec: "nope": executable file not found in $PATH',
        ),
        (
            failure(RUNC + 'exec: "/etc/hosts": permission denied'), "", None, "fail",
            'the command cannot be started: exec: "/etc/hosts": permission denied',
        ),
        (failure("Internal error occurred: no route to host."), "", None, "unknown", "no route to host"),
        (b"", "", None, "unknown", "lost"),
        (b"torn{", "", None, "unknown", "lost"),
        (b"[]", "", None, "unknown", "lost"),
    ],
)  # fmt: skip
def test_how_it_ended(status: bytes, stderr: str, code: int | None, verdict: str, words: str) -> None:
    found, judged = endings.judge(status, "lost", stderr)
    assert (found, judged.status) == (code, verdict)
    assert words in judged.reason


@pytest.mark.parametrize(
    ("code", "message", "words"),
    [
        (404, 'pods "api-1" not found', "the pod is gone"),
        (403, 'pods "api-1" is forbidden.', "may not run a command in it"),
        (500, 'unable to upgrade connection: container not found ("api")', "container api is not running"),
        (503, "apiserver is shutting down.", "answered 503: apiserver is shutting down"),
    ],
)
def test_why_it_was_not_started(code: int, message: str, words: str) -> None:
    verdict = endings.refused(code, message, "api")
    assert verdict.status == "unknown"
    assert words in verdict.reason


def outcome(pod: str, status: Status, reason: str, left_out: int = 0) -> Outcome:
    """What a pod answered."""
    return Outcome(Place(pod, "api"), None, Verdict(status, reason), left_out_bytes=left_out)


def test_all_pods_that_pass_are_named() -> None:
    verdict = judge("node -v", [outcome("a", "pass", "exit code 0"), outcome("b", "pass", "exit code 0", 5)])
    assert verdict == Verdict("pass", "node -v ended with exit code 0 in a, b; 5 bytes of output are left out")


def test_the_pods_that_fail_are_named() -> None:
    verdict = judge(
        "x", [outcome("a", "pass", ""), outcome("b", "unknown", "gone"), outcome("c", "fail", "exit code 1")]
    )
    assert verdict == Verdict("fail", "x: pod c: exit code 1")


@given(st.lists(st.binary(max_size=50)), st.integers(1, 100))
def test_output_within_the_bound_is_whole_and_beyond_it_counted(chunks: list[bytes], most: int) -> None:
    head = Head(most)
    for chunk in chunks:
        head.add(chunk)
    whole = b"".join(chunks)
    assert head.total == len(whole)
    assert head.left_out == max(0, len(whole) - most)
    assert head.raw == whole[: most + MARGIN_BYTES]


def test_a_flood_is_not_kept() -> None:
    head = Head(10)
    for _each in range(1000):
        head.add(b"x" * 1000)
    assert (head.total, len(head.raw), head.text()) == (1_000_000, 10 + MARGIN_BYTES, "x" * 10)


def test_a_secret_that_the_bound_cuts_is_hidden_whole() -> None:
    for most in range(1, 60):
        head = Head(most)
        head.add(b"url postgres://app:hunter2hunter2@db/app and more")
        assert "hunter" not in head.text()
        assert "unt" not in head.text(["hunter2hunter2"])
