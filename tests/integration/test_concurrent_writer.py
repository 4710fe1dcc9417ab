# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody else writes between plan and write: once is planned anew, twice is theirs and named; an own write is own."""

from __future__ import annotations

import itertools
from pathlib import Path

from tests.integration.harness.gateway import LOST_ANSWER, Fault, Gateway
from tests.integration.harness.ground import Ground
from tests.integration.harness.services import Service, container

#: A watch that is accepted and never tells anything.
SILENCE = Fault(503, seconds=90.0)
DEADLINE = 25  # seconds, in which the rollout itself is done many times over


def test_an_own_write_whose_answer_is_lost(ground: Ground, tmp_path: Path) -> None:
    """Each first PATCH is carried out and answered with 504, no watch tells of the rollout: it is done all the same."""
    gateway = Gateway(ground.cluster.lab, tmp_path)
    api = ground.service(
        ["v1.2.0", "v1.2.1"], revision=1, kubernetes_kubeconfig=str(gateway.kubeconfig),
        rollout_deadline_seconds=DEADLINE,
    )  # fmt: skip
    patched: set[str] = set()

    def lossy(request: str) -> Fault | None:
        if "watch=1" in request:
            return SILENCE
        if request.startswith("PATCH") and request not in patched:
            patched.add(request)
            return LOST_ANSWER
        return None

    gateway.policy = lossy
    pressed = ground.press("rollback", api)
    gateway.close()
    assert pressed.rc == 0, pressed.output
    assert any(request.endswith("/deployments/api") for request in patched)
    assert "pass: Rolled back from revision 2 to revision 1" in pressed.closing()
    done = pressed.results("workload_rollback")[-1]
    assert (done["changed"], done["from_revision"], done["active_revision"]) == (True, 2, 3)
    assert container(api.workload.live["spec"]["template"])["image"] == "servicelink/api:v1.2.0"


def test_a_concurrent_writer(ground: Ground, tmp_path: Path) -> None:
    gateway = Gateway(ground.cluster.lab, tmp_path)
    settings = {"kubernetes_kubeconfig": str(gateway.kubeconfig), "revision": 1}
    once = ground.service(["v1.2.0", "v1.2.1"], "once", **settings)
    always = ground.service(["v1.2.0", "v1.2.1"], "always", replicas=0, **settings)
    count = itertools.count()

    def meddle(service: Service) -> None:
        """Change the template, as somebody with kubectl would."""
        note = {"metadata": {"annotations": {"note": str(next(count))}}}
        service.workload.patch({"spec": {"template": note}}, "eve")

    meddled: list[str] = []

    def before_each_write(request: str) -> Fault | None:
        method, path = request.split(" ", 1)
        for service, times in ((once, 1), (always, 99)):
            if (
                method == "PATCH"
                and path.endswith(f"/deployments/{service.name}")
                and meddled.count(service.name) < times
            ):
                meddled.append(service.name)
                meddle(service)
        return None

    gateway.policy = before_each_write
    pressed = ground.press("rollback", once, always)
    gateway.close()

    assert "pass: Rolled back from revision 3 to revision 1" in pressed.closing("once")
    assert container(once.workload.live["spec"]["template"])["image"] == "servicelink/api:v1.2.0"
    assert pressed.rc == 2
    assert meddled.count("always") == 2
    told = pressed.closing("always")
    assert "fail: Deployment always was changed twice while this button planned; last by eve at" in told
    assert "Nothing was written" in told
    assert container(always.workload.live["spec"]["template"])["image"] == "servicelink/api:v1.2.1"
