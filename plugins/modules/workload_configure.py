#!/usr/bin/python
# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: workload_configure
short_description: Set a container's resources and environment and watch the rollout
version_added: 0.1.0
description:
  - Plans the edited pod template, has the API server and its admission judge it by dry runs, writes it on exactly the
    state that was planned on, and watches until the rollout is done or until the first fatal reason.
  - A failed rollout leaves evidence and is returned to the revision that was left, if that one was serving.
  - What is not named stays as it is, the position of variables included. Values from Secrets are referred to; a plain
    value that looks like a secret is refused.
  - In check mode everything is checked and planned, and nothing is written.
author: linkops.runbooks contributors (@linkops)
extends_documentation_fragment:
  - linkops.runbooks.connection
  - linkops.runbooks.workload
  - linkops.runbooks.attributes
  - linkops.runbooks.attributes.diff
options:
  container:
    description:
      - The container to configure. Without it, the only one that the workload has.
    type: str
  memory_limit:
    description:
      - A quantity of Kubernetes, such as V(2Gi); V(none) removes it. One that is the same amount as now, in other
        words, changes nothing.
      - One below what the container uses now, by the metrics API, is refused, see O(force).
    type: str
  memory_request:
    description:
      - A quantity such as V(1Gi); V(none) removes it.
    type: str
  cpu_limit:
    description:
      - Cores, such as V(2) or V(500m); V(none) removes it.
    type: str
  cpu_request:
    description:
      - Cores, such as V(0.5) or V(250m); V(none) removes it.
    type: str
  environment:
    description:
      - Variables with their plain values. A secret is no plain value, see O(environment_from); nor can a variable that
        comes from a Secret now become one.
    type: dict
  environment_from:
    description:
      - Variables that take their value from a Secret or a ConfigMap, each with C(secret) or C(config_map), its name,
        and C(key). Both must be there.
    type: dict
  environment_absent:
    description:
      - Variables to remove.
    type: list
    elements: str
  force:
    description:
      - Set O(memory_limit) although the container uses more than that now.
    type: bool
    default: false
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
  prechecks:
    description:
      - Check the cluster's uid, the rights, sources, admission and present use first. A role that planned in check mode
        just before turns this off.
    type: bool
    default: true
attributes:
  idempotent:
    details: What is configured already, quantities compared as amounts, is not written again; it is watched.
"""

EXAMPLES = r"""
- name: Give it more memory
  linkops.runbooks.workload_configure:
    namespace: credlink-production
    name: credlink-api
    memory_limit: 2Gi
    memory_request: 1Gi

- name: Plan another limit of logins, and a key from a Secret
  linkops.runbooks.workload_configure:
    namespace: servicelink-production
    name: servicelink-api
    container: api
    environment:
      AUTH_LOGIN_RATE_LIMIT: 20
    environment_from:
      STRIPE_SECRET_KEY:
        secret: stripe-2026
        key: secret_key
  check_mode: true
"""

RETURN = r"""
plan:
  description: What changes, and what to know about that.
  returned: when a plan was possible
  type: dict
  contains:
    container:
      description: The container that is configured.
      type: str
    changes:
      description: Each setting that changes, as C(limits.memory) or C(env.NAME), with its value before and after.
      type: list
      elements: dict
    summary:
      description: The changes in one phrase, empty where there are none.
      type: str
    from_revision:
      description: The active revision, none if the present template belongs to no revision.
      type: int
    warnings:
      description: Sentences.
      type: list
      elements: str
from_revision:
  description: The revision that was left, by this run or by one with the same wish that was killed.
  returned: after a write or a watch
  type: int
to_revision:
  description: The revision that was made, or gone back to where an earlier one was configured so.
  returned: after a write or a watch
  type: int
active_revision:
  description: The number that it has now.
  returned: after a write or a watch
  type: int
from_name:
  description: ReplicaSet or ControllerRevision that was left.
  returned: after a write or a watch
  type: str
to_name:
  description: ReplicaSet or ControllerRevision of the configured template.
  returned: after a write or a watch
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
ready_pods:
  description: Names of the pods that are ready.
  returned: when a plan was possible
  type: list
  elements: str
rollout:
  description: How the rollout ended, as M(linkops.runbooks.workload_rollback) returns it.
  returned: after a watch
  type: dict
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
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.configure import configure
from ansible_collections.linkops.runbooks.plugins.module_utils.shell import Module

MODULE = Module(
    operation=configure,
    arguments={
        **CONNECTION,
        **RUN,
        **WORKLOAD,
        "container": {"type": "str"},
        "memory_limit": {"type": "str"},
        "memory_request": {"type": "str"},
        "cpu_limit": {"type": "str"},
        "cpu_request": {"type": "str"},
        "environment": {"type": "dict"},
        "environment_from": {"type": "dict"},
        "environment_absent": {"type": "list", "elements": "str"},
        "force": {"type": "bool", "default": False},
        "deadline_seconds": {"type": "int", "default": 300},
        "crash_restarts": {"type": "int", "default": 2},
        "source_served": {"type": "bool"},
        "service_passed": {"type": "bool", "default": False},
        "prechecks": {"type": "bool", "default": True},
    },
)


def main() -> None:
    """Run the module."""
    MODULE.run()


if __name__ == "__main__":
    main()
