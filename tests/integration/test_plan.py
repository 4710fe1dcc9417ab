# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan: what it warns of, its diff, and that making it writes nothing at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from lab.cluster import Manifest
from tests.integration.harness.audit import Seen
from tests.integration.harness.ground import Ground
from tests.integration.harness.pressing import Pressed
from tests.integration.harness.services import Service

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def _annotated(annotations: dict[str, str]) -> Callable[[Manifest], None]:
    return lambda manifest: manifest["metadata"].setdefault("annotations", {}).update(annotations)


def _updated(strategy: dict[str, object]) -> Callable[[Manifest], None]:
    return lambda manifest: manifest["spec"].update(updateStrategy=strategy)


APPLIED = {"spec": {"template": {"spec": {"containers": [{"name": "api", "image": "servicelink/api:v1.2.1"}]}}}}

# Each service: its kind, what its manifest has, and what the plan must say of that, commands included.
CASES: dict[str, tuple[str, Callable[[Manifest], None], tuple[str, ...]]] = {
    "argo": (
        "Deployment", _annotated({"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:shop/argo"}),
        ("Argo CD application shop owns it", "argocd app set shop --sync-policy none"),
    ),
    "flux": (
        "Deployment", _annotated({}),
        ("Flux kustomization shop owns it", "flux suspend kustomization shop -n infra"),
    ),
    "helm": (
        "Deployment", _annotated({"meta.helm.sh/release-name": "shop", "meta.helm.sh/release-namespace": "shops"}),
        ("Helm release shop owns it", "helm rollback shop -n shops"),
    ),
    "applied": (
        "Deployment", _annotated({LAST_APPLIED: json.dumps(APPLIED)}),
        ("last-applied-configuration holds servicelink/api:v1.2.1", "kubectl diff -f MANIFEST"),
    ),
    "partition": (
        "StatefulSet", _updated({"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}),
        ("Its partition is 1: pods with an ordinal below 1 keep their version",),
    ),
    "on-delete": ("StatefulSet", _updated({"type": "OnDelete"}), ("Its update strategy is OnDelete",)),
}  # fmt: skip


@dataclass(frozen=True)
class Planned:
    """One run in check mode for all of them, and what it asked the API server."""

    pressed: Pressed
    seen: Seen
    ground: Ground


@pytest.fixture(scope="module")
def planned(shared: Ground) -> Planned:
    def made(name: str) -> Service:
        kind, change, _words = CASES[name]
        service = shared.service(["v1.2.0", "v1.2.1"], name, kind=kind, replicas=0, change=change)
        if name == "flux":
            prefix = "kustomize.toolkit.fluxcd.io"
            labels = {f"{prefix}/name": "shop", f"{prefix}/namespace": "infra"}
            service.workload.patch({"metadata": {"labels": labels}})
        return service

    with ThreadPoolExecutor() as pool:
        services = list(pool.map(made, CASES))
    with shared.audit.reading() as seen:
        pressed = shared.press("rollback", *services, options=["--check", "--diff"], revision=1)
    return Planned(pressed, seen, shared)


@pytest.mark.parametrize("name", CASES)
def test_the_plan_warns_and_names_the_command(planned: Planned, name: str) -> None:
    told = " ".join(planned.pressed.warnings(name))
    for words in CASES[name][2]:
        assert words in told
        assert words in " ".join(planned.pressed.output.split()), "the operator sees it"


def test_check_mode_succeeds_and_says_what_it_would_do(planned: Planned) -> None:
    assert planned.pressed.rc == 0, planned.pressed.output
    for name in CASES:
        assert "pass: Would roll back from revision 2 to revision 1" in planned.pressed.closing(name)
    assert planned.pressed.stats.keys() == {"linkops_services"}, "the table's rows; a plan is no verdict to hand on"


def test_the_diff_of_the_template_is_shown(planned: Planned) -> None:
    lines = [line.strip() for line in planned.pressed.output.splitlines()]
    assert any(line.startswith("-") and "servicelink/api:v1.2.1" in line for line in lines)
    assert any(line.startswith("+") and "servicelink/api:v1.2.0" in line for line in lines)


def test_check_mode_writes_nothing_at_all(planned: Planned) -> None:
    assert planned.seen.requests
    assert planned.seen.writes == []
    assert planned.ground.cluster.list("Lease", planned.ground.namespace) == []
    assert not planned.ground.press.records.exists(), "not even a record"
