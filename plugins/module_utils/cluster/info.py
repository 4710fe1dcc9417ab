# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation behind M(linkops.runbooks.workload_info)."""

from __future__ import annotations

from typing import Any

from ..call import Call
from . import diagnosis, rolling, rollout, snapshot
from .session import opened


def info(call: Call) -> dict[str, Any]:
    """What a workload is and how it does: revisions, rollout, pods and why they are not ready."""
    params = call.params
    with opened(call) as session:
        cluster = session.cluster
        if fault := snapshot.check_cluster(cluster, params["cluster_uid"]):
            call.warn(str(fault))
        found = snapshot.read(cluster, *session.workload)
        kept = rolling.keep_evidence(session, found)[0] if params["evidence"] else []
    state = rollout.judge(found.workload)
    telling = [pod for pod in found.pods if not diagnosis.of_the_node(pod)]
    findings = [str(each) for pod in telling for each in diagnosis.diagnose(pod, params["crash_restarts"])]
    return {
        "changed": False,
        "revisions": [revision.as_result() for revision in found.revisions],
        "rollout": {"state": state.state, "detail": state.detail, "reason": state.reason},
        "paused": bool(found.workload["spec"].get("paused")),
        "replicas": rollout.desired_replicas(found.workload),
        "findings": findings,
        "evidence": kept,
        "msg": f"{params['kind']} {params['name']}: {state.detail}" + (f"; {findings[0]}" if findings else ""),
    }
