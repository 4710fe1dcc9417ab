# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Health of the targets of an Application Load Balancer's target group.

States and reasons are those of the API (botocore:botocore/data/elbv2/2015-12-01/service-2.json, TargetHealth).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from .. import aws
from ..errors import Fault, OperatorError
from ..verdict import Verdict
from ..wording import counted

ARN = re.compile(r"arn:[a-z-]+:elasticloadbalancing:(?P<region>[a-z0-9-]+):\d{12}:targetgroup/(?P<name>[^/]+)/.+")
SECONDS = 2


def read(arn: str, environment: Mapping[str, str]) -> list[dict[str, Any]]:
    """What the load balancer says of each target; credentials are those of the environment, else those boto3 finds."""
    named = ARN.fullmatch(arn)
    if named is None:
        raise OperatorError(
            Fault("input_invalid", f"{arn} is no ARN of a target group.", "Correct target_group_arn in the inventory.")
        )
    service = aws.service("elbv2", environment, named["region"], seconds=SECONDS, attempts=1)
    try:
        found = service.client.describe_target_health(TargetGroupArn=arn)
    except service.errors as fault:
        raise OperatorError(
            Fault(
                "target_group_unread",
                f"The target group {named['name']} cannot be asked: {fault}.",
                "Check the AWS credentials and their right elasticloadbalancing:DescribeTargetHealth.",
            )
        ) from fault
    described: list[dict[str, Any]] = found["TargetHealthDescriptions"]
    return described


def verdict(targets: Iterable[Mapping[str, Any]], pod_addresses: Iterable[str] = ()) -> Verdict:
    """Every target shall be healthy; targets that come or go are told.

    Where targets are pods, each pod shall be one. An all-unhealthy group gets traffic all the same: the load balancer
    fails open.
    """
    listed = [
        (str(each["Target"]["Id"]), each["TargetHealth"].get("State", ""), each["TargetHealth"]) for each in targets
    ]
    states = Counter(state for _target, state, _health in listed)
    evidence = {
        "targets": [
            {"target": target, "state": state, "reason": health.get("Reason"), "description": health.get("Description")}
            for target, state, health in listed
        ]
    }
    if not listed:
        return Verdict("fail", "no target is registered", evidence)
    counts = ", ".join(f"{number} {state}" for state, number in sorted(states.items()))
    sick = [
        f"{target} is {state} ({health.get('Reason')}: {health.get('Description')})"
        for target, state, health in listed
        if state.startswith("unhealthy") or state == "unused"
    ]
    if not states["healthy"]:
        return Verdict("fail", f"no target is healthy ({counts}); {'; '.join(sick[:2])}".rstrip("; "), evidence)
    if sick:
        return Verdict("fail", f"{counts}; {'; '.join(sick[:2])}", evidence)
    addresses, registered = set(pod_addresses), {target for target, _state, _health in listed}
    if addresses & registered and addresses - registered:
        absent = ", ".join(sorted(addresses - registered))
        return Verdict("fail", f"{counts}; pods without a target: {absent}", evidence)
    return Verdict("pass", f"{counts} of {counted(len(listed), 'target')}", evidence)
