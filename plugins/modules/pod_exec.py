#!/usr/bin/python
# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pod_exec
short_description: Run a command in one pod of a workload, or in all
version_added: 0.1.0
description:
  - Runs one command in a container of the pod that is named, of the oldest ready pod, or of every ready pod, side by
    side. Each answer bears the name of its pod.
  - There is no shell. The command is a list of arguments, and each reaches the program as it stands, with its blanks,
    quotes and dollar signs.
  - Time and output are bounded. A command that does not finish in time is V(unknown), and may still run in the
    container, since Kubernetes cannot end it.
  - Output is redacted, and the values of the Secrets that the workload uses are blotted out of it, as far as these
    credentials may read them. The API server's audit log shows the arguments to others, so put no secret there.
  - Check mode runs nothing, and opens no stream to a pod. It says where the command would run.
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
  pod:
    description: The name of the pod that runs the command, ready or not. Exactly one of this and O(pods).
    type: str
  pods:
    description: V(all) ready pods, or the V(one) that is ready and oldest.
    type: str
    choices: [all, one]
  container:
    description:
      - The container that runs the command.
      - Without it the one that the annotation C(kubectl.kubernetes.io/default-container) names, else the only one.
    type: str
  timeout_seconds:
    description: How long the command may take in one pod, the connection included.
    type: int
    default: 30
  output_bytes:
    description: How much is kept of the beginning of each stream of each pod.
    type: int
    default: 65536
  read_only:
    description: Your promise that the command only reads, so that the task is not reported as a change.
    type: bool
    default: false
attributes:
  idempotent:
    support: none
    details: A second run runs the command again. What that changes is up to the command.
"""

EXAMPLES = r"""
- name: Ask every pod for its version of Node
  linkops.runbooks.pod_exec:
    namespace: servicelink-production
    name: servicelink-api
    pods: all
    command: [node, --version]
    read_only: true
  register: node_versions

- name: Look up the state of the migrations in one pod
  linkops.runbooks.pod_exec:
    namespace: servicelink-production
    name: servicelink-api
    pods: one
    command: [prisma, migrate, status]
    timeout_seconds: 60
    read_only: true
  register: migrations
  failed_when: migrations.verdict.status == 'unknown'
"""

RETURN = r"""
verdict:
  description: V(pass) where the exit code is 0 everywhere, V(unknown) where a pod could not be asked, else V(fail).
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
where:
  description: The pods and containers in which the command runs, or in check mode would run.
  returned: success
  type: list
  elements: dict
command:
  description: The command, redacted.
  returned: success
  type: list
  elements: str
results:
  description: The answer of each pod; empty in check mode.
  returned: success
  type: list
  elements: dict
  contains:
    pod:
      description: The pod.
      type: str
    container:
      description: The container.
      type: str
    rc:
      description: The exit code; null where the command was not started, or did not finish.
      type: int
    stdout:
      description: The beginning of what it wrote, redacted.
      type: str
    stderr:
      description: The beginning of its messages, redacted.
      type: str
    truncated:
      description: Whether it wrote more than O(output_bytes) to one of the two.
      type: bool
    left_out_bytes:
      description: How many bytes that were.
      type: int
    seconds:
      description: How long it took.
      type: float
    status:
      description: V(pass), V(fail) or V(unknown).
      type: str
    reason:
      description: One sentence.
      type: str
"""

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.arguments import CONNECTION, RUN, WORKLOAD
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.exec import pod_exec
from ansible_collections.linkops.runbooks.plugins.module_utils.shell import Module

MODULE = Module(
    operation=pod_exec,
    arguments={
        **CONNECTION,
        **RUN,
        **WORKLOAD,
        "command": {"type": "list", "elements": "str", "required": True},
        "pod": {"type": "str"},
        "pods": {"type": "str", "choices": ["all", "one"]},
        "container": {"type": "str"},
        "timeout_seconds": {"type": "int", "default": 30},
        "output_bytes": {"type": "int", "default": 65536},
        "read_only": {"type": "bool", "default": False},
    },
    rules={"mutually_exclusive": [("pod", "pods")], "required_one_of": [("pod", "pods")]},
)


def main() -> None:
    """Run the module."""
    MODULE.run()


if __name__ == "__main__":
    main()
