# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One service through an incident: pressed by number, pressed again, without a number, after foreign hands."""

from __future__ import annotations

import json
import subprocess

from lab.site import Lab
from lab.workloads import REVISION, Revision
from tests.integration.harness.ground import Ground
from tests.integration.harness.pressing import Pressed
from tests.integration.harness.services import Service, container

RESTART = Revision(restart=True, cause="restart: connections exhausted")
MARK = "mark.runbooks.linkops.io/"


def test_an_incident(lab: Lab, ground: Ground) -> None:
    api = ground.service(["v1.2.0", "v1.2.1", RESTART, "v1.3.4"], node_port=True)

    # By number, to a restart: its image, and its template.
    pressed = ground.press("rollback", api, revision=3)
    assert pressed.rc == 0, pressed.output
    assert "pass: Rolled back from revision 4 to revision 3 (servicelink/api:v1.2.1)" in pressed.closing()
    assert pressed.output.strip().splitlines()[-1] == pressed.closing()
    assert _running(api) == ("5", "servicelink/api:v1.2.1")
    assert "kubectl.kubernetes.io/restartedAt" in api.workload.live["spec"]["template"]["metadata"]["annotations"]
    assert api.workload.live["metadata"]["annotations"]["kubernetes.io/change-cause"] == RESTART.cause

    # Again, by the number that no longer exists: nothing changes, and all is verified.
    again = ground.press("rollback", api, revision=3)
    assert again.rc == 0, again.output
    assert [result["changed"] for result in again.results("workload_rollback")] == [False, False]
    assert "changed=0" in again.output.rpartition("PLAY RECAP")[2].partition("\n")[2].partition("\n")[0]
    assert "pass: Revision 5 was active already" in again.closing()
    assert [entry["data"]["moment"] for entry in again.entries("health")] == ["before", "after"]
    assert _running(api) == ("5", "servicelink/api:v1.2.1")

    # Out of a stuck rollout, itself restarted meanwhile: the last known good, not N-1. Its configuration has changed.
    _touch_configuration(ground, LOG_LEVEL="debug")
    api.deploy("servicelink/api:v1.3.0")
    api.workload.rollout(RESTART)
    freed = ground.press("rollback", api)
    assert freed.rc == 0, freed.output
    assert "Rolled back from revision 7 to revision 5 (servicelink/api:v1.2.1)" in freed.closing()
    warnings = " ".join(freed.warnings())
    assert "The rollout of revision 7 is still in progress" in warnings
    assert "this supersedes it" in warnings
    assert "ConfigMap/servicelink-config was changed since" in warnings
    assert "Secret/" not in warnings
    assert _running(api) == ("8", "servicelink/api:v1.2.1")

    # A foreign undo copies the good mark to the Deployment, and the next deploy carries it on to a bad version.
    _undo(lab, api, 2)
    _undo(lab, api, 8)
    assert any(name.startswith(MARK) for name in api.workload.live["metadata"]["annotations"])
    api.edit(lambda template: container(template).update(env=[{"name": "LAB_BEHAVIOUR", "value": "disconnected"}]))
    bad = _replica_sets(api)["11"]
    assert any(name.startswith(MARK) for name in bad["metadata"]["annotations"]), "the undo copied no mark"
    api.workload.wait_ready()

    # A number of revision-history means its ReplicaSet, active or not.
    planned = ground.press("rollback", api, options=["--check"], revision=5)
    assert planned.rc == 0, planned.output
    assert planned.results("workload_rollback")[0]["plan"]["to_revision"] == 10

    back = ground.press("rollback", api)
    assert back.rc == 0, back.output
    marks = {each["revision"]: each["mark"] for each in back.results("workload_rollback")[0]["revisions"]}
    assert marks == {1: "", 4: "bad", 6: "", 7: "bad", 9: "", 10: "good", 11: ""}
    assert "Rolled back from revision 11 to revision 10 (servicelink/api:v1.2.1)" in back.closing()
    assert _facts(back)["active_revision"] == 12
    assert not any(name.startswith(MARK) for name in api.workload.live["metadata"]["annotations"])
    certified = {name: set_["metadata"]["labels"]["pod-template-hash"] for name, set_ in _replica_sets(api).items()}
    sets = _replica_sets(api)
    assert json.loads(sets["12"]["metadata"]["annotations"][MARK + certified["12"]])["verdict"] == "good"
    assert json.loads(sets["11"]["metadata"]["annotations"][MARK + certified["11"]])["verdict"] == "bad"


def _facts(pressed: Pressed) -> dict[str, object]:
    facts: dict[str, object] = pressed.stats["linkops_facts"]
    return facts


def _running(api: Service) -> tuple[str, str]:
    """Revision number and image as the Deployment has them."""
    live = api.workload.live
    return live["metadata"]["annotations"][REVISION], container(live["spec"]["template"])["image"]


def _replica_sets(api: Service) -> dict[str, dict]:
    found = api.workload.cluster.list("ReplicaSet", api.namespace, f"app={api.name}")
    return {each["metadata"]["annotations"][REVISION]: each for each in found}


def _touch_configuration(ground: Ground, **data: str) -> None:
    ground.cluster.patch("ConfigMap", ground.namespace, "servicelink-config", {"data": data})


def _undo(lab: Lab, api: Service, revision: int) -> None:
    subprocess.run(
        [
            str(lab.kubectl), f"--kubeconfig={lab.kubeconfig}", "-n", api.namespace, "rollout", "undo",
            f"deployment/{api.name}", f"--to-revision={revision}",
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    api.workload.wait_recorded()
