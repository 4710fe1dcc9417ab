#!/usr/bin/python
# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: workload_rollback
short_description: Roll a workload back to a revision and watch it
version_added: 0.1.0
description:
  - Plans first. The target is O(revision), the newest revision that runs O(image), or without either the last known
    good.
  - Writes the target's template on exactly the state that was planned on, and watches until the rollout is done as
    C(kubectl rollout status) defines it, or until the first fatal reason.
  - A failed rollout leaves evidence and is returned to the revision that was left, if that one was serving.
  - In check mode everything is checked and planned, and nothing is written.
author: linkops.runbooks contributors (@linkops)
extends_documentation_fragment:
  - linkops.runbooks.connection
  - linkops.runbooks.workload
  - linkops.runbooks.attributes
  - linkops.runbooks.attributes.diff
options:
  revision:
    description:
      - The revision to go to. A number that a revision had before it was renumbered means that revision.
    type: str
  image:
    description:
      - The image, or its tag, of the revision to go to.
    type: str
  allow_schema_mismatch:
    description:
      - Go on although the revision that is left brought a newer database migration along.
    type: bool
    default: false
  container:
    description:
      - The container whose image holds the database's migrations, for RV(schema). Without it the default container,
        which C(kubectl.kubernetes.io/default-container) names, or the only one.
    type: str
  deadline_seconds:
    description:
      - How long the rollout may take, and after a failure the return again.
    type: int
    default: 300
  crash_restarts:
    description:
      - From this number of restarts on, a crashing container ends the rollout.
    type: int
    default: 2
  source_served:
    description:
      - Whether the version that is left was serving, as M(linkops.runbooks.service_health) found out. A failed rollout
        is returned only to a version that was. Without it, the readiness of its pods tells.
    type: bool
  service_passed:
    description:
      - Whether the whole service passed before, as M(linkops.runbooks.service_health) found out. It is kept with the
        change, so that a run which takes up the change of one that was killed knows it, see RV(returnable).
    type: bool
    default: false
  evidence_first:
    description:
      - Keep the evidence bundle before anything is written; for a return from a version that rolled out and fails.
    type: bool
    default: false
  prechecks:
    description:
      - Check the cluster's uid, the rights, and the drift of configuration first. A role that planned in check mode
        just before turns this off.
    type: bool
    default: true
attributes:
  idempotent:
    details: A template that is active already is not written again, whatever number it has by now; it is watched.
"""

EXAMPLES = r"""
- name: Plan a rollback to revision 5
  linkops.runbooks.workload_rollback:
    namespace: servicelink-production
    name: servicelink-api
    revision: 5
  check_mode: true
  register: plan

- name: Roll back to the last known good revision
  linkops.runbooks.workload_rollback:
    namespace: servicelink-production
    name: servicelink-api
"""

RETURN = r"""
plan:
  description: Where it goes from and to, and what to know about that.
  returned: when a plan was possible
  type: dict
  contains:
    from_revision:
      description: The active revision, none if the present template belongs to no revision.
      type: int
    from_images:
      description: Image by container.
      type: dict
    to_revision:
      description: The target's present number.
      type: int
    to_images:
      description: Image by container.
      type: dict
    change_cause:
      description: What the deployer of the target wrote.
      type: str
    warnings:
      description: Sentences.
      type: list
      elements: str
schema:
  description: What to ask about the database's schema before code goes back.
  returned: when a plan was possible
  type: dict
  contains:
    asked:
      description: Whether the image of any container changes, init containers aside.
      type: bool
    image:
      description: The target's image of O(container), empty where it is not clear which that is.
      type: str
    unknown:
      description: Why it is not clear, in one sentence.
      type: str
revisions:
  description: All revisions as M(linkops.runbooks.workload_info) lists them.
  returned: always, once the workload was read
  type: list
  elements: dict
from_revision:
  description: The revision that was left, by this run or by one with the same wish that was killed.
  returned: after a write or a watch
  type: int
to_revision:
  description: The revision that was gone to, by the number it had in the plan.
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
  returned: when a plan was possible
  type: str
from_pods:
  description: Names of the ready pods that run the revision that is left.
  returned: when a plan was possible
  type: list
  elements: str
from_pods_left:
  description: Pods that still run the revision that was left, as a partition or OnDelete has it.
  returned: after a watch
  type: int
fingerprints:
  description: HMAC of each ConfigMap and Secret that the target uses, as they are now.
  returned: with O(prechecks)
  type: dict
fingerprint_key:
  description: Whether the HMAC key is V(present), V(absent) or V(forbidden).
  returned: with O(prechecks)
  type: str
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
returnable:
  description:
    - Whether the service, should it be worse now, may be returned to RV(from_revision), since it passed with that one,
      by O(service_passed) of this run or of the one that was killed.
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
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.rollback import rollback
from ansible_collections.linkops.runbooks.plugins.module_utils.shell import Module

MODULE = Module(
    operation=rollback,
    arguments={
        **CONNECTION,
        **RUN,
        **WORKLOAD,
        "revision": {"type": "str"},
        "image": {"type": "str"},
        "allow_schema_mismatch": {"type": "bool", "default": False},
        "container": {"type": "str"},
        "deadline_seconds": {"type": "int", "default": 300},
        "crash_restarts": {"type": "int", "default": 2},
        "source_served": {"type": "bool"},
        "service_passed": {"type": "bool", "default": False},
        "evidence_first": {"type": "bool", "default": False},
        "prechecks": {"type": "bool", "default": True},
    },
)


def main() -> None:
    """Run the module."""
    MODULE.run()


if __name__ == "__main__":
    main()
