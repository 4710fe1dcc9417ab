#!/usr/bin/python
# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: workload_info
short_description: Tell what a workload is and how it does
version_added: 0.1.0
description:
  - Lists the revisions of a Deployment, StatefulSet or DaemonSet, the state of its rollout, and why pods are not ready.
  - Reads only; the requests are bounded by the workload's label selector.
author: linkops.runbooks contributors (@linkops)
extends_documentation_fragment:
  - linkops.runbooks.connection
  - linkops.runbooks.workload
  - linkops.runbooks.attributes
options:
  crash_restarts:
    description: From this number of restarts on, a crashing container is called fatal.
    type: int
    default: 2
  evidence:
    description: Keep manifests, pods, events and logs in the run's record.
    type: bool
    default: false
attributes:
  idempotent:
    details: It never changes anything.
"""

EXAMPLES = r"""
- name: See which revisions there are
  linkops.runbooks.workload_info:
    namespace: servicelink-production
    name: servicelink-api
  register: servicelink_api
"""

RETURN = r"""
revisions:
  description: All revisions, oldest first.
  returned: success
  type: list
  elements: dict
  contains:
    revision:
      description: The present number of the revision.
      type: int
    earlier_revisions:
      description: Numbers it had before it was rolled back to.
      type: list
      elements: int
    name:
      description: Its ReplicaSet or ControllerRevision.
      type: str
    images:
      description: Image by container, init containers included.
      type: dict
    created:
      description: When it was first rolled out, RFC 3339.
      type: str
    change_cause:
      description: What the deployer wrote in kubernetes.io/change-cause, or when it was restarted.
      type: str
    replicas:
      description: Pods that run it.
      type: int
    ready:
      description: Pods of it that are ready.
      type: int
    active:
      description: Whether the workload's template is this revision's.
      type: bool
    mark:
      description: V(good), V(bad), or empty where nothing verified it.
      type: str
    marked_since:
      description: When it was marked, RFC 3339.
      type: str
    fingerprint:
      description: HMAC of each ConfigMap and Secret that it used when it was marked.
      type: dict
    migration:
      description: The newest database migration recorded for it.
      type: str
rollout:
  description: The rollout as C(kubectl rollout status) judges it.
  returned: success
  type: dict
  contains:
    state:
      description: V(done), V(waiting) or V(failed).
      type: str
    detail:
      description: What it waits for, or why it failed.
      type: str
    reason:
      description: A stable reason for a failure.
      type: str
paused:
  description: Whether the workload is paused.
  returned: success
  type: bool
replicas:
  description: How many pods there shall be.
  returned: success
  type: int
findings:
  description: Why pods are not ready, one sentence each.
  returned: success
  type: list
  elements: str
evidence:
  description: Files of the evidence bundle in the run's record, with O(evidence).
  returned: success
  type: list
  elements: str
"""

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.arguments import CONNECTION, RUN, WORKLOAD
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.info import info
from ansible_collections.linkops.runbooks.plugins.module_utils.shell import Module

MODULE = Module(
    operation=info,
    arguments={
        **CONNECTION,
        **RUN,
        **WORKLOAD,
        "crash_restarts": {"type": "int", "default": 2},
        "evidence": {"type": "bool", "default": False},
    },
)


def main() -> None:
    """Run the module."""
    MODULE.run()


if __name__ == "__main__":
    main()
