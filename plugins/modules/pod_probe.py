#!/usr/bin/python
# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pod_probe
short_description: Ask from inside a pod how something is that the service depends on
version_added: 0.1.0
description:
  - Runs a short program in the oldest ready pod, which uses the connection that the service itself uses, and reads its
    answer. The answer is one line with a verdict.
  - The program prints one line of JSON. C(ok) is V(true), V(false) with a C(code), or V(null) where it could not ask;
    C(milliseconds) says how long it took; C(sessions) may list C(application), C(state) and C(count).
  - It is run as M(linkops.runbooks.pod_exec) runs a command, without a shell and within bounds; the values of the
    Secrets that the workload uses are blotted out of its answer. It must only read.
  - Check mode runs nothing; the verdict is V(unknown) then.
author: linkops.runbooks contributors (@linkops)
extends_documentation_fragment:
  - linkops.runbooks.connection
  - linkops.runbooks.workload
  - linkops.runbooks.attributes
options:
  command:
    description: The program and its arguments.
    type: list
    elements: str
    required: true
  line:
    description: What the line is called.
    type: str
    default: database from a pod
  container:
    description: The container that runs it, as for M(linkops.runbooks.pod_exec).
    type: str
  timeout_seconds:
    description: How long it may take.
    type: int
    default: 3
attributes:
  idempotent:
    details: It changes nothing, if the program keeps its promise.
"""

EXAMPLES = r"""
- name: Ask whether a pod reaches its database
  linkops.runbooks.pod_probe:
    namespace: credlink-production
    name: credlink-api
    command: [node, /app/probe.mjs]
  register: credlink_probe
"""

RETURN = r"""
lines:
  description: One line.
  returned: success
  type: list
  elements: dict
  contains:
    line:
      description: The option.
      type: str
    status:
      description: V(pass), V(fail) or V(unknown).
      type: str
    reason:
      description: One sentence.
      type: str
    evidence:
      description: What it rests on.
      type: dict
verdict:
  description: The verdict of that line.
  returned: success
  type: dict
"""

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.arguments import CONNECTION, PROBE, RUN, WORKLOAD
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.probing import probe
from ansible_collections.linkops.runbooks.plugins.module_utils.shell import Module

MODULE = Module(
    operation=probe,
    arguments={**CONNECTION, **RUN, **WORKLOAD, **PROBE},
)


def main() -> None:
    """Run the module."""
    MODULE.run()


if __name__ == "__main__":
    main()
