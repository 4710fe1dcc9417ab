# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The evidence of a failed rollout, on whose reads the way back waits."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster import rolling
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.client import ApiFault
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.diagnosis import Finding
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.snapshot import Snapshot
from ansible_collections.linkops.runbooks.plugins.module_utils.errors import Fault, OperatorError
from ansible_collections.linkops.runbooks.tests.unit.plugins.fixtures.settled import pod_of, settled

LOST = OperatorError(Fault("lock_lost", "This run lost its lock."))


class DeadNode:
    """An API server whose pods run on a node that is gone: their logs are answered with 500."""

    def __init__(self) -> None:
        self.budgets: list[float] = []
        self.logs: list[str] = []

    def hurried(self, seconds: float, meanwhile: Callable[[], None]) -> Any:
        self.budgets.append(seconds)

        def text(path: str, **_query: str) -> str:
            meanwhile()
            self.logs.append(path.split("/")[-2])
            raise ApiFault(500, "no route to host", Fault("api_unavailable", "no route to host"))

        return SimpleNamespace(text=text, items=lambda *_path, **_query: [])


def test_a_log_that_is_not_answered_holds_nothing_up_and_the_lock_is_kept_meanwhile() -> None:
    at = settled("deployment", 1)
    leaving = pod_of("deployment", "leaving", deletionTimestamp="2026-03-05T12:00:30Z")
    broken = pod_of("deployment", "broken", "probe not passed")
    found = Snapshot(at.workload, at.history, [leaving, *at.pods, broken], at.known)
    server, renewals, files = DeadNode(), [], {}

    def renew() -> None:
        renewals.append(len(server.logs))
        raise LOST

    session: Any = SimpleNamespace(
        cluster=server,
        held=SimpleNamespace(renew_if_due=renew),
        params={"namespace": "production"},
        call=SimpleNamespace(journal=SimpleNamespace(attach=files.__setitem__)),
    )
    names, words = rolling.keep_evidence(session, found, Finding("broken", "api", "NotReady", "", fatal=True))
    assert server.budgets == [rolling.EVIDENCE_SECONDS]
    assert server.logs == ["broken", "broken", "servicelink-api-0", "leaving"], "those that fail are read first"
    assert renewals == [0, 1, 2, 3]
    assert words == ""
    assert names == sorted(files)
    assert "no log: no route to host" in files["logs/broken-api.log"]
