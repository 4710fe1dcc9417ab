# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rolling restart: once for each key, served all the time, and returned where its pods do not get ready."""

from __future__ import annotations

from tests.integration.harness.ground import Ground
from tests.integration.harness.services import Service

KEY = "runbooks.linkops.io/restart-key"
RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"


def test_once_for_each_key(ground: Ground) -> None:
    api = ground.service(["v1.2.0"], replicas=2, node_port=True)
    before = _uids(api)

    # The plan says what would be done, and writes nothing at all.
    with ground.audit.reading() as seen:
        planned = ground.press("restart", api, options=["--check", "--diff"], key="INC-1")
    assert planned.rc == 0, planned.output
    assert seen.writes == []
    assert "Would restart 2 pods, 1 more at the same time, key INC-1" in planned.closing()
    assert "runbooks.linkops.io/restart-key: INC-1" in planned.output
    assert _uids(api) == before

    pressed = ground.press("restart", api, key="INC-1")
    assert pressed.rc == 0, pressed.output
    assert "pass: Restarted 2 pods (key INC-1, revision 2)" in pressed.closing()
    restarted = _uids(api)
    assert len(restarted) == 2
    assert not restarted & before
    template = api.workload.live["spec"]["template"]["metadata"]["annotations"]
    assert template[KEY] == "INC-1"
    assert template[RESTARTED_AT].endswith("Z")

    # The same key again: nothing changes, and all is verified.
    again = ground.press("restart", api, key="INC-1")
    assert again.rc == 0, again.output
    assert "Nothing was restarted: key INC-1 was restarted already" in again.closing()
    assert "changed=0" in again.output.rpartition("PLAY RECAP")[2]
    assert _uids(api) == restarted

    # A run without a key has its own.
    other = ground.press("restart", api)
    assert other.rc == 0, other.output
    assert not _uids(api) & restarted


def _uids(service: Service) -> set[str]:
    return {pod["metadata"]["uid"] for pod in service.workload.pods}
