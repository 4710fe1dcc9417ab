# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Targets of a load balancer: each state, and pods that are no targets."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.stub import Stubber

from ansible_collections.linkops.runbooks.plugins.module_utils import aws
from ansible_collections.linkops.runbooks.plugins.module_utils.errors import OperatorError
from ansible_collections.linkops.runbooks.plugins.module_utils.traffic import target_groups

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "lab", "AWS_SECRET_ACCESS_KEY": "lab"}


def target(state: str, address: str = "10.0.0.1", reason: str = "") -> dict[str, Any]:
    """One target as the API describes it; a healthy one has no reason."""
    health = {"State": state, **({"Reason": reason, "Description": "said so"} if reason else {})}
    return {"Target": {"Id": address, "Port": 3001}, "TargetHealth": health}


@pytest.mark.parametrize(
    ("targets", "pods", "status", "told"),
    [
        pytest.param([], [], "fail", "no target is registered", id="none"),
        pytest.param([target("healthy")], ["10.0.0.1"], "pass", "1 healthy of 1 target", id="healthy"),
        pytest.param(
            [target("healthy"), target("draining", "10.0.0.9")], [], "pass", "1 draining, 1 healthy", id="draining"
        ),
        pytest.param(
            [target("initial", reason="Elb.InitialHealthChecking")], [], "fail", "no target is healthy", id="initial"
        ),
        pytest.param(
            [target("healthy"), target("unhealthy", "10.0.0.2", "Target.Timeout")],
            [],
            "fail",
            "10.0.0.2 is unhealthy (Target.Timeout: said so)",
            id="one unhealthy",
        ),
        pytest.param([target("unused", reason="Target.NotInUse")], [], "fail", "Target.NotInUse", id="not attached"),
        pytest.param(
            [target("healthy")],
            ["10.0.0.1", "10.0.0.2"],
            "fail",
            "pods without a target: 10.0.0.2",
            id="a pod is missing",
        ),
        pytest.param([target("healthy", "i-0123")], ["10.0.0.1"], "pass", "1 healthy", id="targets are nodes"),
    ],
)
def test_targets(targets: list[dict[str, Any]], pods: list[str], status: str, told: str) -> None:
    verdict = target_groups.verdict(targets, pods)
    assert (verdict.status, told in verdict.reason) == (status, True), verdict.reason


def test_targets_that_fail_or_leave_are_read_as_aws_tells_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client's answer is stubbed, and checked against botocore's model: moto calls every target healthy."""
    arn = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/blue/0123456789abcdef"
    service = aws.service("elbv2", CREDENTIALS, "eu-central-1", seconds=1, attempts=1)
    described = [
        target("draining", "10.0.0.9", "Target.DeregistrationInProgress"),
        target("healthy"),
        target("unhealthy", "10.0.0.2", "Target.ResponseCodeMismatch"),
    ]
    monkeypatch.setattr(target_groups.aws, "service", lambda *_args, **_more: service)
    with Stubber(service.client) as stub:
        stub.add_response("describe_target_health", {"TargetHealthDescriptions": described}, {"TargetGroupArn": arn})
        verdict = target_groups.verdict(target_groups.read(arn, CREDENTIALS))
        stub.add_client_error("describe_target_health", "AccessDenied")
        with pytest.raises(OperatorError, match=r"target group blue cannot be asked: .*AccessDenied"):
            target_groups.read(arn, CREDENTIALS)
    assert verdict.status == "fail"
    assert verdict.reason.startswith("1 draining, 1 healthy, 1 unhealthy; 10.0.0.2 is unhealthy (Target.ResponseCode")
    assert [each["state"] for each in verdict.evidence["targets"]] == ["draining", "healthy", "unhealthy"]


def test_what_is_no_arn_is_a_sentence() -> None:
    with pytest.raises(OperatorError, match="is no ARN of a target group"):
        target_groups.read("servicelink-blue", {})
