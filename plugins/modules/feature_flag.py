#!/usr/bin/python
# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: feature_flag
short_description: Set a feature flag and prove it in every pod
version_added: 0.1.0
description:
  - Sets a flag where it is kept, a variable of the container, a key of a ConfigMap or an HTTP service; rolls the
    workload where its pods read the flag only when they start; then asks every ready pod for the value it goes by.
  - A flag that a pod does not show is returned to the value it had, and the task fails. Where pods cannot be asked the
    verdict is V(unknown), and the new value stays.
  - In check mode everything is checked and planned, pods are asked what they show, and nothing is written.
author: linkops.runbooks contributors (@linkops)
extends_documentation_fragment:
  - linkops.runbooks.connection
  - linkops.runbooks.workload
  - linkops.runbooks.attributes
  - linkops.runbooks.attributes.diff
options:
  flag:
    description:
      - The name of the flag, a key of O(flags).
    type: str
    required: true
  value:
    description:
      - The value to set. Where the store or the pods have true or false, V(on) and V(off) are the same.
    type: str
  state:
    description:
      - With V(absent) the variable of the flag is removed; other stores have none that is absent.
      - With V(proved) nothing is set, and what the flag was before O(value) is forgotten, since the service was
        verified with that; see O(service_passed).
    type: str
    choices: [present, absent, proved]
    default: present
  flags:
    description:
      - The flags of the service by name. Each has C(store), what that store needs, and C(proof).
      - C(store=environment) takes C(variable), by default the flag's name, and C(container).
      - C(store=config_map) takes C(config_map), its name, and C(key).
      - C(store=http) takes C(url) of a JSON object, C(field), the dotted path of the value in it, C(method), which is
        C(PUT) of the whole object or C(PATCH) of the field, C(token_file) or C(token_environment) of a bearer token,
        and C(timeout_seconds).
      - C(proof) has C(path) of an endpoint in each pod and C(expect), the dotted path in its JSON where the value
        stands; C(port), by default O(port), and C(timeout_seconds).
      - C(values), where given, lists the values that the flag may have.
    type: dict
    default: {}
  container:
    description:
      - The container that has the variable. Without it, the only one that the workload has.
    type: str
  port:
    description:
      - The port at which pods are asked.
    type: int
    required: true
  settle_seconds:
    description:
      - How long pods may take to show the value once it is written. Without it 15 seconds, and 150 where they read a
        mounted file, which the kubelet renews once a minute or so.
    type: float
  deadline_seconds:
    description:
      - How long a rollout may take, and after a failure the return again.
    type: int
    default: 300
  crash_restarts:
    description:
      - From this number of restarts on, a crashing container ends the rollout.
    type: int
    default: 2
  source_served:
    description:
      - Whether the pods before were serving, as M(linkops.runbooks.service_health) found out. A rollout is returned
        only to a version that was. Without it, the readiness of its pods tells.
    type: bool
  service_passed:
    description:
      - Whether the whole service passed before, as M(linkops.runbooks.service_health) found out, by a caller who
        verifies it again. It is kept with the value before, until O(state=proved), so that a run which takes up the
        change of one that was killed knows both, see RV(returnable).
      - Without it the value before is forgotten as soon as every ready pod shows the new one.
    type: bool
  prechecks:
    description:
      - Check the cluster's uid and the rights first. A role that planned in check mode just before turns this off.
    type: bool
    default: true
attributes:
  idempotent:
    details: A flag that its store has already and that every pod shows is not written again.
"""

EXAMPLES = r"""
- name: Turn the new search off
  linkops.runbooks.feature_flag:
    namespace: servicelink-production
    name: servicelink-api
    port: 3001
    flag: new_search
    value: "off"
    flags:
      new_search:
        store: config_map
        config_map: servicelink-config
        key: FEATURE_NEW_SEARCH
        values: ["on", "off"]
        proof:
          path: /flags
          expect: search.new
"""

RETURN = r"""
plan:
  description: What setting the flag takes.
  returned: when a plan was possible
  type: dict
  contains:
    flag:
      description: The flag's name.
      type: str
    store:
      description: Where it is kept.
      type: str
    before:
      description: The value that its store had, none where it was not set.
      type: str
    after:
      description: The value to set.
      type: str
    changes:
      description: What changes in the pod template.
      type: list
      elements: dict
    rollout:
      description: Whether pods are replaced.
      type: bool
previous:
  description: The value that the flag had before it was set, by this run or by one that was killed.
  returned: when a plan was possible
  type: str
returnable:
  description:
    - Whether the service, should it be worse now, may be returned to RV(previous), since it passed with that one, by
      O(service_passed) of this run or of the one that was killed.
  returned: when a plan was possible
  type: bool
proof:
  description: What each pod shows, by C(pod), C(status) and C(reason).
  returned: when a plan was possible
  type: list
  elements: dict
verdict:
  description: V(pass) if every ready pod shows the value, V(fail), or V(unknown) where one cannot be asked.
  returned: when a plan was possible
  type: dict
returned:
  description: Whether the flag was returned to the value it had.
  returned: when a plan was possible
  type: bool
from_pods:
  description: Names of the ready pods that run the revision that is left.
  returned: when a plan was possible
  type: list
  elements: str
ready_pods:
  description: Names of the pods that are ready.
  returned: when a plan was possible
  type: list
  elements: str
from_revision:
  description: The revision that was left.
  returned: after a rollout
  type: int
to_revision:
  description: The revision whose pods have the value.
  returned: after a rollout
  type: int
to_name:
  description: ReplicaSet or ControllerRevision of that revision.
  returned: after a rollout
  type: str
rollout:
  description: How the rollout ended, as M(linkops.runbooks.workload_rollback) returns it.
  returned: after a rollout
  type: dict
evidence:
  description: Files of the evidence bundle in the run's record.
  returned: after a failed rollout
  type: list
  elements: str
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
from ansible_collections.linkops.runbooks.plugins.module_utils.flagging import feature_flag
from ansible_collections.linkops.runbooks.plugins.module_utils.shell import Module

MODULE = Module(
    operation=feature_flag,
    arguments={
        **CONNECTION,
        **RUN,
        **WORKLOAD,
        "flag": {"type": "str", "required": True},
        "value": {"type": "str"},
        "state": {"type": "str", "choices": ["present", "absent", "proved"], "default": "present"},
        "flags": {"type": "dict", "default": {}},
        "container": {"type": "str"},
        "port": {"type": "int", "required": True},
        "settle_seconds": {"type": "float"},
        "deadline_seconds": {"type": "int", "default": 300},
        "crash_restarts": {"type": "int", "default": 2},
        "source_served": {"type": "bool"},
        "service_passed": {"type": "bool"},
        "prechecks": {"type": "bool", "default": True},
    },
)


def main() -> None:
    """Run the module."""
    MODULE.run()


if __name__ == "__main__":
    main()
