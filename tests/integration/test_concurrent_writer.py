# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody else writes between plan and write: once is planned anew, twice is theirs and named."""

from __future__ import annotations

import itertools
from pathlib import Path

from tests.integration.harness.gateway import Fault, Gateway
from tests.integration.harness.ground import Ground
from tests.integration.harness.services import Service, container


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
