# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the nodes of a workload's pods are asked for: each by itself."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster import examination
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.client import ApiFault
from ansible_collections.linkops.runbooks.plugins.module_utils.errors import Fault, OperatorError
from ansible_collections.linkops.runbooks.plugins.module_utils.verdict import Verdict


def node(ready: str) -> dict[str, Any]:
    """A node."""
    conditions = [{"type": "Ready", "status": ready, "message": "kubelet stopped posting"}]
    return {"spec": {}, "status": {"conditions": conditions, "allocatable": {"cpu": "2", "memory": "1Gi"}}}


def judged(answers: dict[str, Any]) -> Verdict:
    """The verdict on these nodes; a number is the status of a refusal. The metrics API knows the node a alone."""

    def get(path: str) -> Any:
        name = path.rpartition("/")[2]
        measured = {"usage": {"cpu": "1", "memory": "512Mi"}} if name == "a" else 404
        answer = measured if "metrics" in path else answers[name]
        if isinstance(answer, int):
            raise ApiFault(answer, "no", Fault("refused", f"answered {answer} to {path}."))
        return answer

    pods = [{"spec": {"nodeName": name}} for name in answers]
    cluster: Any = SimpleNamespace(get=get)
    return examination._nodes(cluster, SimpleNamespace(pods=pods))  # type: ignore[arg-type]


def test_a_node_that_is_gone_is_a_failure_beside_those_of_others() -> None:
    verdict = judged({"a": node("Unknown"), "b": 404, "c": node("True")})
    assert verdict.status == "fail"
    assert "node b is gone" in verdict.reason
    assert "node a is not ready: kubelet stopped posting" in verdict.reason


def test_a_node_without_a_sample_does_not_take_the_figures_of_others() -> None:
    verdict = judged({"a": node("True"), "b": node("True")})
    assert verdict.reason == "2 nodes ready without pressure, used at most: cpu 50 %, memory 50 % of allocatable"


def test_what_cannot_be_asked_is_unknown_unless_another_fails() -> None:
    assert judged({"a": node("True"), "b": 503}).status == "unknown"
    assert judged({"a": node("False"), "b": 503}).status == "fail"
    with pytest.raises(OperatorError, match="answered 403"):
        judged({"a": 403, "b": 403})
