# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A restart pod by pod whose watch tells nothing."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster import eviction
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.eviction import Refusals
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.leases import Held
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.turnover import Turnover
from ansible_collections.linkops.runbooks.plugins.module_utils.deadline import Deadline
from ansible_collections.linkops.runbooks.tests.unit.plugins.fixtures.settled import NOW, pod_of, settled
from ansible_collections.linkops.runbooks.tests.unit.plugins.fixtures.watched import Silence


@pytest.mark.parametrize(("state_of_last", "ended"), [("ready", "done"), ("probe not passed", "timeout")])
def test_before_time_is_up_it_looks_once_more(state_of_last: str, ended: str) -> None:
    at = settled("deployment", 2)
    at.workload["metadata"]["namespace"] = "production"
    new = "2026-03-05T12:00:00Z"
    pods = [
        pod_of("deployment", "one", created=new),
        pod_of("deployment", "other", state_of_last, created=new),
    ]
    server: Any = Silence(at.workload, pods)
    state = Turnover(at.workload, at.known[-1], {at.workload["metadata"]["uid"]}, NOW, 2)
    session: Any = SimpleNamespace(
        cluster=server,
        held=Held(server, None),
        call=SimpleNamespace(say=lambda _line: None),
        workload=("production", "Deployment", at.workload["metadata"]["name"]),
        params={"deadline_seconds": 0.05},
    )
    assert eviction._watched(session, state, Refusals(), Deadline(60)).state == ended
    assert len(state.alive) == 2
