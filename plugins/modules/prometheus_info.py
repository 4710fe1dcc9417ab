#!/usr/bin/python
# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: prometheus_info
short_description: Ask Prometheus for a service's targets, error ratio and memory trend
version_added: 0.1.0
description:
  - Says whether each pod is scraped, which share of the requests ended in a 5xx, and how fast memory grows; each is one
    line with a verdict of its own.
  - Too few requests, no series and a pod that is too young are V(unknown), never fine.
author: linkops.runbooks contributors (@linkops)
extends_documentation_fragment:
  - linkops.runbooks.connection
  - linkops.runbooks.workload
  - linkops.runbooks.attributes
options:
  url:
    description:
      - Address of Prometheus, C(http://HOST:PORT). With C(service://NAMESPACE/SERVICE:PORT) it is asked through the API
        server's proxy, which needs the right to get services/proxy there.
    type: str
    required: true
  pods:
    description:
      - Names of the pods; without it, the workload's.
      - The series must bear the labels C(namespace) and C(pod).
    type: list
    elements: str
  timeout_seconds:
    description: How long one answer may take.
    type: float
    default: 2
  window_minutes:
    description: Over which time errors are counted.
    type: float
    default: 5
  requests_metric:
    description: The counter of requests.
    type: str
    default: http_requests_total
  status_label:
    description: Its label with the HTTP status.
    type: str
    default: status
  route_label:
    description: Its label with the route.
    type: str
    default: route
  ignored_routes:
    description: Routes that do not count, since probes and scrapes are not users.
    type: list
    elements: str
    default: [/health, /metrics]
  minimum_requests:
    description: With fewer requests than this, the ratio is not judged.
    type: float
    default: 50
  error_warning_ratio:
    description: From this share of errors on, the line warns.
    type: float
    default: 0.01
  error_critical_ratio:
    description: From this share of errors on, the line fails.
    type: float
    default: 0.05
  trend_minutes:
    description: Over which time the growth of memory is measured; a pod must be at least half as old.
    type: float
    default: 30
  memory_growth_bytes_per_hour:
    description: Growth beyond this fails; without it, growth is told and not judged.
    type: float
attributes:
  idempotent:
    details: It never changes anything.
"""

EXAMPLES = r"""
- name: Ask Prometheus about the API
  linkops.runbooks.prometheus_info:
    url: service://monitoring/prometheus:9090
    namespace: servicelink-production
    name: servicelink-api
    memory_growth_bytes_per_hour: 100000000
  register: servicelink_prometheus
"""

RETURN = r"""
lines:
  description: The lines C(scrape targets), C(error ratio) and C(memory trend).
  returned: success
  type: list
  elements: dict
  contains:
    line:
      description: What the line is about.
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
"""

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.arguments import CONNECTION, RUN, WORKLOAD
from ansible_collections.linkops.runbooks.plugins.module_utils.observing import observe
from ansible_collections.linkops.runbooks.plugins.module_utils.shell import Module
from ansible_collections.linkops.runbooks.plugins.module_utils.signals.arguments import PROMETHEUS

MODULE = Module(
    operation=observe,
    arguments={**CONNECTION, **RUN, **WORKLOAD, **PROMETHEUS},
)


def main() -> None:
    """Run the module."""
    MODULE.run()


if __name__ == "__main__":
    main()
