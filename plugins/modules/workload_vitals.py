#!/usr/bin/python
# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: workload_vitals
short_description: Tell how a workload is, line by line
version_added: 0.1.0
description:
  - Looks at rollout, pods, restarts and out-of-memory kills, use of resources against limits, events, autoscaling and
    its temporary overrides, and the nodes its pods run on; each is one line with a verdict of its own.
  - Reads only, all of it side by side. The requests are bounded by the workload; of events, the namespace's warnings
    are read up to 2000.
  - What may not be read is V(unknown) with the reason, and the other lines stand.
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
  recent_minutes:
    description: A restart or an out-of-memory kill as young as this fails; an older one is told.
    type: float
    default: 60
  memory_warning_ratio:
    description: From this share of its memory limit on, a container's working set is a warning.
    type: float
    default: 0.8
  memory_critical_ratio:
    description: From this share of its memory limit on, a container's working set fails.
    type: float
    default: 0.95
  cpu_warning_ratio:
    description: From this share of its CPU limit on, a container's use is a warning.
    type: float
    default: 0.7
  cpu_critical_ratio:
    description: From this share of its CPU limit on, a container's use fails.
    type: float
    default: 0.9
  trend_minutes:
    description:
      - For how long samples of memory are taken from the metrics API; the task lasts that long. V(0) takes none.
      - Where there is a Prometheus, M(linkops.runbooks.prometheus_info) knows the trend without waiting.
    type: float
    default: 0
  memory_growth_bytes_per_hour:
    description: Growth beyond this fails; without it, growth is told and not judged.
    type: float
attributes:
  idempotent:
    details: It never changes anything.
"""

EXAMPLES = r"""
- name: Look at the workload
  linkops.runbooks.workload_vitals:
    namespace: servicelink-production
    name: servicelink-api
  register: servicelink_vitals
"""

RETURN = r"""
lines:
  description: What was looked at, one line each.
  returned: success
  type: list
  elements: dict
  contains:
    line:
      description: What the line is about, such as V(pods).
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
  description: The worst of all lines.
  returned: success
  type: dict
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
pods:
  description: Names of its pods.
  returned: success
  type: list
  elements: str
ready_pods:
  description: Names of those that are ready.
  returned: success
  type: list
  elements: str
"""

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.arguments import (
    CONNECTION,
    RUN,
    VITALS,
    WORKLOAD,
)
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.examination import examine
from ansible_collections.linkops.runbooks.plugins.module_utils.shell import Module

MODULE = Module(
    operation=examine,
    arguments={**CONNECTION, **RUN, **WORKLOAD, **VITALS},
)


def main() -> None:
    """Run the module."""
    MODULE.run()


if __name__ == "__main__":
    main()
