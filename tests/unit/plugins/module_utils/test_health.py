# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a look at a service sums itself up: the end of a button's last line."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.health import MOST_AT_ONCE, Checkup, look
from ansible_collections.linkops.runbooks.plugins.module_utils.verdict import Verdict

WELL = Verdict("pass", "is healthy")
SICK = Verdict("fail", "http://api answers 503")


def checkup(pods: int, **others: Verdict) -> Checkup:
    """A look at so many healthy pods and these other endpoints."""
    of_pods = {f"pod api-{number}": WELL for number in range(pods)}
    return Checkup({**of_pods, **others}, of_pods, [name.removeprefix("pod ") for name in of_pods])


@pytest.mark.parametrize(
    ("looked", "sentence"),
    [
        pytest.param(checkup(1), "1 pod is healthy", id="pod"),
        pytest.param(checkup(3), "all 3 pods are healthy", id="pods"),
        pytest.param(checkup(1, url=WELL), "1 pod and url are healthy", id="pod-and-address"),
        pytest.param(checkup(2, url=WELL, more=WELL), "all 2 pods and url and more are healthy", id="addresses"),
        pytest.param(checkup(2, url=SICK), SICK.reason, id="sick"),
    ],
)
def test_sentence_names_all_that_was_asked_or_what_is_wrong(looked: Checkup, sentence: str) -> None:
    assert looked.verdict.reason == sentence


def session(proxied: Any, seconds: float) -> Any:
    """A session in check mode whose pods answer so."""
    endpoint = {"port": 80, "path": "/health", "timeout_seconds": seconds, "url": "", "more": [], "expect": {}}
    params = {"endpoint": endpoint, "namespace": "ns"}
    cluster = SimpleNamespace(proxied=proxied)
    return SimpleNamespace(params=params, cluster=cluster, call=SimpleNamespace(check_mode=True))


def test_a_dozen_pods_are_asked_at_the_same_time() -> None:
    """None is answered before all are asked, so that pods which hang do not add up."""
    together = threading.Barrier(12)

    def proxied(_path: str, _seconds: float) -> tuple[int, str, str]:
        together.wait(30)
        return 0, "nothing comes", "nobody"

    looked = look(session(proxied, 30), [f"api-{number}" for number in range(12)])
    assert {each.status for each in looked.of_pods.values()} == {"fail"}
    assert looked.verdict.reason.count("gives no answer: nothing comes") == 12


def test_of_many_silent_pods_the_last_ones_are_left_out() -> None:
    seconds = 0.2

    def proxied(_path: str, _seconds: float) -> tuple[int, str, str]:
        time.sleep(2 * seconds)
        return 0, "nothing comes", "nobody"

    looked = look(session(proxied, seconds), [f"api-{number:03}" for number in range(MOST_AT_ONCE + 5)])
    statuses = [each.status for each in looked.of_pods.values()]
    assert statuses.count("fail") == MOST_AT_ONCE
    assert statuses.count("unknown") == 5
    assert looked.verdict.status == "fail"
    assert "pod api-036 was not asked" in looked.of_pods["pod api-036"].reason


def test_many_slow_pods_are_all_asked() -> None:
    seconds = 0.05

    def proxied(_path: str, _seconds: float) -> tuple[int, str, str]:
        time.sleep(2 * seconds)
        return 200, "{}", "service"

    pods = [f"api-{number:03}" for number in range(MOST_AT_ONCE + 5)]
    assert look(session(proxied, seconds), pods).serving_pods == pods
