#!/usr/bin/python
# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: workload_scale
short_description: Set how many pods a workload has, and watch it get them
version_added: 0.1.0
description:
  - Without an autoscaler the workload's replicas are set. With a HorizontalPodAutoscaler its floor is (minReplicas, and
    maxReplicas only with O(raise_max)), with KEDA that of the ScaledObject; the pods are asked for at once as well.
  - What stood before is kept in an annotation of the same object, in the same patch. It comes back with
    O(state=returned), or once O(for_minutes) are over with O(state=expired).
  - Before more pods are asked for, admission and quotas are. Fewer pods than the CPU in use needs are refused; with an
    autoscaler that is its own business, and what stood before comes back all the same, with a warning.
  - Waits until the pods are ready, or until the first fatal reason. Where pods got ready they stay; where not one more
    did, what stood before is put back.
  - In check mode everything is checked and planned, and nothing is written.
author: linkops.runbooks contributors (@linkops)
extends_documentation_fragment:
  - linkops.runbooks.connection
  - linkops.runbooks.workload
  - linkops.runbooks.attributes
  - linkops.runbooks.attributes.diff
options:
  state:
    description:
      - V(present) gives it O(replicas); V(returned) ends its overrides, V(expired) those that are due. A DaemonSet has
        none, and passes.
    type: str
    choices: [present, returned, expired]
    default: present
  replicas:
    description:
      - How many pods, or with an autoscaler how many at least; a whole number from 0 to 1000.
      - Text, so that a fault in it is told together with all others.
    type: str
  for_minutes:
    description:
      - When this is due, O(state=expired) brings the old values back; a whole number from 0 (never) to 10080.
      - The same number again while it stands does not move the expiry. Without it an expiry that stands is kept.
    type: str
  raise_max:
    description:
      - Raise the autoscaler's maximum where it is less than O(replicas), too.
    type: bool
    default: false
  force:
    description:
      - Go down though the load needs more pods, or though that cannot be known.
    type: bool
    default: false
  confirm:
    description:
      - The workload's name, for O(replicas=0).
    type: str
  deadline_seconds:
    description:
      - How long it may take until the pods are ready.
    type: int
    default: 300
  crash_restarts:
    description:
      - From this number of restarts on, a crashing container ends the wait.
    type: int
    default: 2
  prechecks:
    description:
      - Check the cluster's uid, the rights, room and load first. A role that planned in check mode just before turns
        this off.
    type: bool
    default: true
attributes:
  idempotent:
    details: A number that stands already is not written again; the pods are watched all the same.
"""

EXAMPLES = r"""
- name: Carry the evening's load, for an hour
  linkops.runbooks.workload_scale:
    namespace: credlink-production
    name: credlink-api
    replicas: 10
    for_minutes: 60

- name: Bring back what stood before, where its hour is over
  linkops.runbooks.workload_scale:
    namespace: credlink-production
    name: credlink-api
    state: expired
"""

RETURN = r"""
plan:
  description: What is written, and what comes of it.
  returned: when a plan was possible
  type: dict
  contains:
    steps:
      description: One sentence for each object that changes.
      type: list
      elements: str
    goal:
      description: How many pods are waited for, none where there is nothing to wait for.
      type: int
    forecast:
      description: What happens next without anybody's doing.
      type: str
    warnings:
      description: Sentences.
      type: list
      elements: str
added_pods:
  description: How many pods more there will be than there are.
  returned: when a plan was possible
  type: int
autoscaler:
  description: What scales the workload, with its bounds, metrics, conditions and problems; none where nothing does.
  returned: when a plan was possible
  type: dict
overrides:
  description: The overrides that stood before, each with old and new values, since when, until when, and whether due.
  returned: when a plan was possible
  type: list
  elements: dict
ready_pods:
  description: Names of the pods that are ready.
  returned: when a plan was possible
  type: list
  elements: str
scaled:
  description: How the wait ended, none where there was nothing to wait for.
  returned: unless in check mode
  type: dict
  contains:
    state:
      description: V(done), V(failed), V(timeout) or V(superseded).
      type: str
    reason:
      description: A stable reason of a failure, such as V(FailedCreate).
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
    terminating:
      description: Pods still on their way out at the end.
      type: int
returned:
  description: Whether what stood before was put back, since not one more pod got ready.
  returned: unless in check mode
  type: bool
evidence:
  description: Files of the evidence bundle in the run's record.
  returned: after a failure
  type: list
  elements: str
verdict:
  description: V(pass), V(fail), or V(unknown) where somebody else changed the workload meanwhile, with the reason.
  returned: unless in check mode
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
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.scale import scale
from ansible_collections.linkops.runbooks.plugins.module_utils.shell import Module

MODULE = Module(
    operation=scale,
    arguments={
        **CONNECTION,
        **RUN,
        **WORKLOAD,
        "state": {"type": "str", "choices": ["present", "returned", "expired"], "default": "present"},
        "replicas": {"type": "str"},
        "for_minutes": {"type": "str"},
        "raise_max": {"type": "bool", "default": False},
        "force": {"type": "bool", "default": False},
        "confirm": {"type": "str"},
        "deadline_seconds": {"type": "int", "default": 300},
        "crash_restarts": {"type": "int", "default": 2},
        "prechecks": {"type": "bool", "default": True},
    },
)


def main() -> None:
    """Run the module."""
    MODULE.run()


if __name__ == "__main__":
    main()
