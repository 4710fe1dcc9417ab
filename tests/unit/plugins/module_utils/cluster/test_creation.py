# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a dry run says about a pod that is to be created."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster import creation
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.client import ApiFault
from ansible_collections.linkops.runbooks.plugins.module_utils.errors import Fault
from ansible_collections.linkops.runbooks.plugins.module_utils.verdict import Verdict
from ansible_collections.linkops.runbooks.tests.unit.plugins.fixtures.settled import settled

QUOTA = 'pods "api-x" is forbidden: exceeded quota: small, requested: pods=1,requests.cpu=20m, used: {}, limited: {}'


class Refusing:
    """A cluster that answers a creation with this fault."""

    def __init__(self, status: int, message: str) -> None:
        self.fault = ApiFault(status, message, Fault("refused", message))

    def create(self, _path: str, _body: Any, **query: str) -> None:
        assert query == {"dryRun": "All"}
        raise self.fault


@pytest.mark.parametrize(
    ("status", "message", "verdict"),
    [
        (403, 'pods is forbidden: User "ops" cannot create resource "pods"', "unknown"),
        (400, 'admission webhook "sidecar.example" does not support dry run', "unknown"),
        (403, 'pods "api" is forbidden: violates PodSecurity "restricted:latest"', "fail"),
        (422, "Pod is invalid", "fail"),
    ],
)
def test_what_is_said(status: int, message: str, verdict: str) -> None:
    at = settled("deployment")
    cluster: Any = Refusing(status, message)
    said = creation.ask(cluster, at.workload, at.workload["spec"]["template"])
    assert said.status == verdict
    assert (creation.refusal(said, "api") is None) == (verdict != "fail")


@pytest.mark.parametrize(
    ("used", "limited", "status"),
    [
        pytest.param("pods=2,requests.cpu=40m", "pods=2,requests.cpu=0.04", "unknown", id="full"),
        pytest.param("pods=3,requests.cpu=40m", "pods=2,requests.cpu=1", "fail", id="more than full"),
    ],
)
def test_a_full_quota_has_room_for_a_pod_whose_predecessor_goes_first(used: str, limited: str, status: str) -> None:
    assert creation.in_place(Verdict("fail", QUOTA.format(used, limited))).status == status


def test_no_other_refusal_passes_in_place() -> None:
    refused = Verdict("fail", "violates PodSecurity")
    assert creation.in_place(refused) is refused


def test_a_stateful_set_mounts_its_claims() -> None:
    at = settled("statefulset")
    at.workload["spec"]["volumeClaimTemplates"] = [{"metadata": {"name": "data"}}]
    template = at.workload["spec"]["template"]
    template["spec"]["volumes"] = [{"name": "tmp", "emptyDir": {}}]
    volumes = creation.pod(at.workload, template)["spec"]["volumes"]
    assert [volume["name"] for volume in volumes] == ["tmp", "data"]
    assert len(template["spec"]["volumes"]) == 1
