#!/usr/bin/python
# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: workload_restart
short_description: Restart the pods of a workload, once for each key
version_added: 0.1.0
description:
  - By V(rollout) it gives the pod template a new C(kubectl.kubernetes.io/restartedAt), as C(kubectl rollout restart)
    does, with the key beside it, and watches until the rollout is done as C(kubectl rollout status) defines it, or
    until the first fatal reason. A failed rollout leaves evidence and is returned to the revision that was left, if
    that one was serving.
  - By V(evict) it evicts one pod after the other, each when its predecessor's replacement is ready, and honours
    PodDisruptionBudgets. Nothing surges. Key and start time stand on the workload, and pods created since are not due.
    It stops at the first pod that will not get ready.
  - Refuses a paused workload, one that another rollout changes, one with 0 replicas, one whose strategy would take all
    pods down without O(confirm), and one whose pods the API server would refuse, which a dry run asks.
  - In check mode everything is checked and planned, and nothing is written.
author: linkops.runbooks contributors (@linkops)
extends_documentation_fragment:
  - linkops.runbooks.connection
  - linkops.runbooks.workload
  - linkops.runbooks.attributes
  - linkops.runbooks.attributes.diff
options:
  key:
    description:
      - What this restart is called, such as an incident's number. It is kept on the pod template, and the same key
        restarts no second time while it stands there.
    type: str
    required: true
  method:
    description:
      - How. V(evict) is for workloads that must not surge, and for those whose strategy is C(OnDelete).
    type: str
    choices: [rollout, evict]
    default: rollout
  not_before:
    description:
      - Leave pods alone that were created since this moment, a time with its zone (V(2026-03-05T09:00:00Z)) or a
        duration before now (V(90s), V(30m), V(2h), V(1d)).
      - A rolling restart cannot leave out single pods, so it is left out when all of them are younger.
    type: str
  confirm:
    description:
      - The workload's name, where the restart takes all of its pods down at the same time.
    type: str
  deadline_seconds:
    description:
      - How long the rollout may take, and after a failure the return again. With O(method=evict), how long each pod may
        take, from the first attempt to evict it until its replacement is ready.
    type: int
    default: 300
  crash_restarts:
    description:
      - From this number of restarts on, a crashing container ends the rollout.
    type: int
    default: 2
  source_served:
    description:
      - Whether the pods that are left were serving, as M(linkops.runbooks.service_health) found out. A failed rollout
        is returned only then. Without it, their readiness tells.
    type: bool
  prechecks:
    description:
      - Check the cluster's uid, the rights, and whether the pods could be created. A role that planned in check mode
        just before turns this off.
    type: bool
    default: true
attributes:
  idempotent:
    details: A key that stands on the pod template, or on the workload without a pod that is due, changes nothing.
"""

EXAMPLES = r"""
- name: Restart the API once for this incident
  linkops.runbooks.workload_restart:
    namespace: servicelink-production
    name: servicelink-api
    key: INC-123
"""

RETURN = r"""
plan:
  description: What would be restarted.
  returned: when a plan was possible
  type: dict
  contains:
    from_revision:
      description: The active revision.
      type: int
    images:
      description: Image by container.
      type: dict
    due_pods:
      description: Names of the pods that are to be restarted.
      type: list
      elements: str
    surge_pods:
      description: How many pods there are more than now at the same time.
      type: int
    settled:
      description: Why nothing is to be written, empty where something is.
      type: str
    warnings:
      description: Sentences.
      type: list
      elements: str
surge_pods:
  description: How many pods there are more than now at the same time. Pods on their way out are not counted.
  returned: when a plan was possible
  type: int
from_revision:
  description: The revision that was left, by this run or by one with the same wish that was killed.
  returned: after a write or a watch
  type: int
to_revision:
  description: The revision that the restart made, or the active one where nothing was written.
  returned: after a write or a watch
  type: int
active_revision:
  description: The number that the target has now.
  returned: after a write or a watch
  type: int
from_name:
  description: ReplicaSet or ControllerRevision that was left.
  returned: when a plan was possible
  type: str
to_name:
  description: ReplicaSet or ControllerRevision of the target.
  returned: after a write or a watch
  type: str
from_pods:
  description: Names of the ready pods of the active revision, before.
  returned: when a plan was possible
  type: list
  elements: str
from_pods_left:
  description: Pods that still run the revision that was left, as a partition has it.
  returned: after a watch
  type: int
evicted_pods:
  description: Names of the pods that were evicted.
  returned: after a watch, with O(method=evict)
  type: list
  elements: str
ready_pods:
  description: Names of the pods that are ready.
  returned: when a plan was possible
  type: list
  elements: str
rollout:
  description: How the rollout ended.
  returned: after a watch
  type: dict
  contains:
    state:
      description: V(done), V(failed), V(timeout) or V(superseded).
      type: str
    reason:
      description: A stable reason of a failure, such as V(CrashLoopBackOff).
      type: str
    detail:
      description: One sentence.
      type: str
    seconds:
      description: How long it took.
      type: float
    timeline:
      description: Pods and ready pods by revision, at each change.
      type: list
      elements: dict
    freed_pods:
      description:
        - Pods of a StatefulSet that were deleted because it waited for them in vain. They ran what was left, and were
          not ready for 30 s, crashed or could not start; one at a time, while no other pod was away.
      type: int
    terminating:
      description: Pods still on their way out at the end.
      type: int
returned:
  description: Whether a failed rollout was returned to the revision that was left.
  returned: after a watch
  type: bool
evidence:
  description: Files of the evidence bundle in the run's record.
  returned: after a failed rollout
  type: list
  elements: str
verdict:
  description: V(pass), V(fail), or V(unknown) where the template is set and no ready pod runs it yet, with the reason.
  returned: after a watch
  type: dict
reason:
  description: Stable code of the first fault.
  returned: on refusal
  type: str
faults:
  description: All faults, each with C(reason), C(message) and C(remedy).
  returned: on refusal
  type: list
  elements: dict
"""

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.arguments import CONNECTION, RUN, WORKLOAD
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.restart import restart
from ansible_collections.linkops.runbooks.plugins.module_utils.shell import Module

MODULE = Module(
    operation=restart,
    arguments={
        **CONNECTION,
        **RUN,
        **WORKLOAD,
        "key": {"type": "str", "required": True, "no_log": False},
        "method": {"type": "str", "choices": ["rollout", "evict"], "default": "rollout"},
        "not_before": {"type": "str"},
        "confirm": {"type": "str"},
        "deadline_seconds": {"type": "int", "default": 300},
        "crash_restarts": {"type": "int", "default": 2},
        "source_served": {"type": "bool"},
        "prechecks": {"type": "bool", "default": True},
    },
)


def main() -> None:
    """Run the module."""
    MODULE.run()


if __name__ == "__main__":
    main()
