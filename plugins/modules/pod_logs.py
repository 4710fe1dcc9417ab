#!/usr/bin/python
# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pod_logs
short_description: Read the logs of all pods of a workload, merged by time
version_added: 0.1.0
description:
  - Reads the logs of every container of every pod, ready or not, and merges them by time. Each line bears the name of
    its pod.
  - It never follows, so it ends. Lines, bytes and seconds are bounded, and what the bounds leave out is said; the
    newest lines are those that stay.
  - Lines are redacted, and the values of the Secrets that the workload uses are blotted out, as far as these
    credentials may read them.
  - It only reads, in check mode as well.
author: linkops.runbooks contributors (@linkops)
extends_documentation_fragment:
  - linkops.runbooks.connection
  - linkops.runbooks.workload
  - linkops.runbooks.attributes
options:
  pod:
    description: The one pod to read; without it all pods of the workload.
    type: str
  container:
    description: The one container to read; without it all, those that ran at the start included.
    type: str
  since_seconds:
    description: Only lines that are not older than this.
    type: int
  since_time:
    description: Only lines from this time on, such as V(2026-11-22T03:10:00Z).
    type: str
  pattern:
    description: A Python regular expression that each line must contain. It sees the line as it is shown, redacted.
    type: str
  previous:
    description: Also the logs that containers wrote before their last restart.
    type: bool
    default: false
  lines:
    description: How many lines are read from the end of each container's log; O(pattern) chooses among these.
    type: int
    default: 5000
  total_bytes:
    description: How much the merged lines may hold, each counted as 64 bytes more than its text.
    type: int
    default: 262144
  timeout_seconds:
    description: How long all of it may take.
    type: int
    default: 30
  show_lines:
    description: How many of the last lines are shown while the task runs, where it runs in the controller.
    type: int
    default: 0
  evidence:
    description: Under this file name the merged log is kept in the record of the O(run); without it, it is not kept.
    type: str
attributes:
  idempotent:
    details: It never changes anything.
"""

EXAMPLES = r"""
- name: Read the errors of the last ten minutes, those before a crash included
  linkops.runbooks.pod_logs:
    namespace: servicelink-production
    name: servicelink-api
    since_seconds: 600
    pattern: ERROR
    previous: true
  register: errors
"""

RETURN = r"""
lines:
  description: The lines, the oldest first.
  returned: success
  type: list
  elements: dict
  contains:
    time:
      description: When the container wrote it, in UTC with nanoseconds; empty where nothing tells.
      type: str
    pod:
      description: The pod.
      type: str
    container:
      description: The container.
      type: str
    previous:
      description: Whether it is of the time before the container's last restart.
      type: bool
    text:
      description: The line, redacted; of one longer than 16 KiB the beginning.
      type: str
truncated:
  description: Whether a bound left lines out.
  returned: success
  type: bool
left_out:
  description: What was left out, in sentences.
  returned: success
  type: list
  elements: str
pods:
  description: The pods whose logs were asked for.
  returned: success
  type: list
  elements: str
unread:
  description: What could not be read.
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
    previous:
      description: Whether its log before the last restart is meant.
      type: bool
    reason:
      description: Why, in one sentence.
      type: str
    waiting:
      description: Whether it only has no log yet, which is no fault.
      type: bool
verdict:
  description: V(pass), or V(unknown) where a log could not be read.
  returned: success
  type: dict
  contains:
    status:
      description: V(pass) or V(unknown).
      type: str
    reason:
      description: One sentence.
      type: str
    evidence:
      description: What it rests on.
      type: dict
"""

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.arguments import CONNECTION, RUN, WORKLOAD
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.logs import pod_logs
from ansible_collections.linkops.runbooks.plugins.module_utils.shell import Module

MODULE = Module(
    operation=pod_logs,
    arguments={
        **CONNECTION,
        **RUN,
        **WORKLOAD,
        "pod": {"type": "str"},
        "container": {"type": "str"},
        "since_seconds": {"type": "int"},
        "since_time": {"type": "str"},
        "pattern": {"type": "str"},
        "previous": {"type": "bool", "default": False},
        "lines": {"type": "int", "default": 5000},
        "total_bytes": {"type": "int", "default": 262144},
        "timeout_seconds": {"type": "int", "default": 30},
        "show_lines": {"type": "int", "default": 0},
        "evidence": {"type": "str"},
    },
    rules={"mutually_exclusive": [("since_seconds", "since_time")]},
)


def main() -> None:
    """Run the module."""
    MODULE.run()


if __name__ == "__main__":
    main()
