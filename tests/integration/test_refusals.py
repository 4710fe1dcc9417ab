# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused, with the reason and with what there is instead; nothing is written for it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.integration.harness.ground import Ground, Refused
from tests.integration.harness.services import Service, container

pytestmark = pytest.mark.matrix

MIGRATION = "runbooks.linkops.io/newest-migration"


@pytest.fixture(scope="module")
def refused(shared: Ground) -> Refused:
    """Press for all of them at once; none needs a pod."""
    cases: list[Callable[[Ground], Service]] = [_unmarked, _collected, _paused, _forgetful, _migrated]
    return shared.refused("rollback", cases)


def _unmarked(ground: Ground) -> Service:
    return ground.service(["v1.2.0", "v1.2.1"], "unmarked", replicas=0)


def _collected(ground: Ground) -> Service:
    service = ground.service(
        ["v1.0.0", "v1.1.0", "v1.2.0", "v1.2.1"], "collected", replicas=0, revision=1,
        change=lambda manifest: manifest["spec"].update(revisionHistoryLimit=2),
    )  # fmt: skip
    _await_history(service, 3)
    return service


def _paused(ground: Ground) -> Service:
    service = ground.service(["v1.2.0", "v1.2.1"], "paused", replicas=0, revision=99)
    service.workload.patch({"spec": {"paused": True}})
    return service


def _forgetful(ground: Ground) -> Service:
    service = ground.service(
        ["v1.2.0", "v1.2.1"], "forgetful", replicas=0, revision=1,
        change=lambda manifest: manifest["spec"].update(revisionHistoryLimit=0),
    )  # fmt: skip
    _await_history(service, 1)
    return service


def _migrated(ground: Ground) -> Service:
    service = ground.service(["v1.2.0"], "migrated", replicas=0, revision=1)
    service.edit(
        lambda template: container(template).update(image="servicelink/api:v1.2.1"),
        annotations={MIGRATION: "20251001120000_quote_expiry"},
    )
    return service


def _await_history(service: Service, kept: int) -> None:
    """Wait until the controller has collected the garbage."""
    cluster = service.workload.cluster
    cluster.until(
        lambda: len(cluster.list("ReplicaSet", service.namespace, f"app={service.name}")) == kept,
        lambda: f"{service.name} still has more than {kept} ReplicaSets.",
    )


@pytest.mark.parametrize(
    ("service", "reasons", "words"),
    [
        (
            "unmarked",
            ["none_known_good"],
            ["No revision of Deployment unmarked is marked good", "servicelink/api:v1.2.0", "-e revision=NUMBER"],
        ),
        (
            "collected",
            ["revision_unknown"],
            ["has no revision 1", "collected as garbage", "2 (servicelink/api:v1.1.0)", "v1.2.1; active"],
        ),
        (
            "paused",
            ["paused", "revision_unknown"],
            ["Deployment paused is paused", "kubectl rollout resume deployment/paused -n", "has no revision 99"],
        ),
        ("forgetful", ["revision_unknown"], ["has no revision 1", "There are: 2 (servicelink/api:v1.2.1; active)"]),
        (
            "migrated",
            ["schema_mismatch"],
            ["20251001120000_quote_expiry", "no migration on record", "allow_schema_mismatch=true"],
        ),
    ],
)
def test_is_refused_with_the_reason(refused: Refused, service: str, reasons: list[str], words: list[str]) -> None:
    (result,) = refused.pressed.results("workload_rollback", service)
    assert [fault["reason"] for fault in result["faults"]] == reasons
    told = refused.pressed.closing(service)
    assert " | fail: " in told
    for each in words:
        assert each in told
    assert result["revisions"], "the revisions that exist are listed"


def test_nothing_was_written(refused: Refused) -> None:
    assert refused.pressed.rc == 2
    assert "Traceback" not in refused.pressed.output
    assert refused.seen.requests
    assert refused.seen.writes == []
