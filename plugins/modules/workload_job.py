#!/usr/bin/python
# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: workload_job
short_description: Run a command once, in a Job made from a workload
version_added: 0.1.0
description:
  - Makes a Job of one container of the workload's template, with its environment, secrets and volumes, and another
    image and command. No label of it is one that a Service selects; probes, ports and other containers are left out.
  - The Job has C(backoffLimit) 0 and C(restartPolicy) Never, and a name that is derived from what it does. Where a Job
    of the same purpose still runs, with the same image and command and all of O(identity), it is adopted; where it is
    another one, the module refuses.
  - Shows the log as it grows, and tells apart what failed, what did not start, what its deadline ended, and a Job that
    somebody deleted. Kubernetes may start a pod twice, so the command must bear that.
author: linkops.runbooks contributors (@linkops)
extends_documentation_fragment:
  - linkops.runbooks.connection
  - linkops.runbooks.workload
  - linkops.runbooks.attributes
options:
  image:
    description: The image. By default the one of the workload's template.
    type: str
  container:
    description: The container whose environment and volumes apply. Without it the default one, or the only one.
    type: str
  command:
    description: The program and its arguments. There is no shell; put no secret there.
    type: list
    elements: str
    required: true
  purpose:
    description: One word for what it is for, a part of the Job's name.
    type: str
    required: true
  identity:
    description: What else makes this work another one; it goes into the Job's name and stands in its annotations.
    type: list
    elements: str
    default: []
  deadline_seconds:
    description: After this time Kubernetes ends the Job.
    type: int
    default: 600
  adopt_only:
    description: Only see a Job through that runs already, and start none.
    type: bool
    default: false
attributes:
  idempotent:
    support: none
    details: A second run runs the command again, unless the first still runs.
"""

EXAMPLES = r"""
- name: Apply the migrations of the next version
  linkops.runbooks.workload_job:
    namespace: servicelink-production
    name: servicelink-api
    image: registry.example.com/servicelink/api:v1.3.0
    command: [npx, prisma, migrate, deploy]
    purpose: migrate
  register: migrated
"""

RETURN = r"""
verdict:
  description: V(pass) for exit code 0, V(fail) for another, V(unknown) where it is not known how it ended.
  returned: success
  type: dict
  contains:
    status:
      description: V(pass), V(fail) or V(unknown).
      type: str
    reason:
      description: One sentence.
      type: str
    evidence:
      description: What it rests on.
      type: dict
outcome:
  description: One of succeeded, failed, not_started, timeout, vanished, unfinished; empty where nothing ran.
  returned: success
  type: str
exit_code:
  description: The exit code; null where there is none.
  returned: not in check mode
  type: int
log:
  description: What its pods wrote, redacted.
  returned: success
  type: str
job:
  description: The Job's name.
  returned: success
  type: str
active:
  description: The Job that ran already when this began, empty where there was none.
  returned: success
  type: str
adopted:
  description: Whether it was adopted.
  returned: not in check mode
  type: bool
image:
  description: The image.
  returned: success
  type: str
"""

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.arguments import CONNECTION, RUN, WORKLOAD
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.job import job
from ansible_collections.linkops.runbooks.plugins.module_utils.shell import Module

MODULE = Module(
    operation=job,
    arguments={
        **CONNECTION,
        **RUN,
        **WORKLOAD,
        "image": {"type": "str"},
        "container": {"type": "str"},
        "command": {"type": "list", "elements": "str", "required": True},
        "purpose": {"type": "str", "required": True},
        "identity": {"type": "list", "elements": "str", "default": []},
        "deadline_seconds": {"type": "int", "default": 600},
        "adopt_only": {"type": "bool", "default": False},
    },
)


def main() -> None:
    """Run the module."""
    MODULE.run()


if __name__ == "__main__":
    main()
