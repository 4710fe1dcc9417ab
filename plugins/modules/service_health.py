#!/usr/bin/python
# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: service_health
short_description: Ask every ready pod and the service how they are
version_added: 0.1.0
description:
  - Asks each ready pod through the API server's pod proxy, and the service at the address that its users have.
  - Judges status, body and each dependency that the body reports. A 200 that says C("database":"disconnected") fails.
  - What cannot be asked is V(unknown), never success.
author: linkops.runbooks contributors (@linkops)
extends_documentation_fragment:
  - linkops.runbooks.connection
  - linkops.runbooks.workload
  - linkops.runbooks.attributes
options:
  pods:
    description: Names of the pods to ask; without it, the workload's ready pods.
    type: list
    elements: str
  endpoint:
    description: The health endpoint, in each pod and as users reach it.
    type: dict
    required: true
    suboptions:
      port:
        description: Its port in the pod; V(0) for a service without HTTP, whose ready pods are taken for well.
        type: int
        required: true
      path:
        description: Its path.
        type: str
        default: /health
      expect:
        description: Values by dotted path that a healthy body has.
        type: dict
        default: {}
      url:
        description: Its address as users reach it; empty leaves it out.
        type: str
      timeout_seconds:
        description: How long one answer may take.
        type: float
        default: 3
      more:
        description:
          - Further endpoints, each judged by itself. They are asked at the users' address; where there is none, one pod
            is asked.
        type: list
        elements: dict
        default: []
        suboptions:
          path:
            description: Its path.
            type: str
          url:
            description: Its whole address, where that is not the users' address with O(endpoint.more[].path).
            type: str
          expect:
            description: Values by dotted path that a healthy body has.
            type: dict
            default: {}
          statuses:
            description: Statuses that are healthy, such as V(401) of an endpoint that wants a key; without it, any 2xx.
            type: list
            elements: int
            default: []
  settle_seconds:
    description: How long to ask again while something does not pass.
    type: float
    default: 0
  moment:
    description: What the record calls this look, such as V(before) and V(after).
    type: str
    default: now
  evidence:
    description: Whether logs, events and what the pods say go into the run's record where the service does not pass.
    type: bool
    default: false
attributes:
  idempotent:
    details: It never changes anything.
"""

EXAMPLES = r"""
- name: Ask whether the API is healthy
  linkops.runbooks.service_health:
    namespace: servicelink-production
    name: servicelink-api
    endpoint:
      port: 3001
      url: https://api.servicelink.com/health
      expect:
        status: ok
        database: connected
        redis: connected
  register: servicelink_health
"""

RETURN = r"""
evidence:
  description: Files of the evidence bundle in the run's record, with O(evidence).
  returned: success
  type: list
  elements: str
verdict:
  description: The worst of all endpoints.
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
endpoints:
  description: The verdict on each endpoint.
  returned: success
  type: list
  elements: dict
  contains:
    endpoint:
      description: The pod or the address.
      type: str
    status:
      description: V(pass), V(fail) or V(unknown).
      type: str
    reason:
      description: One sentence.
      type: str
    milliseconds:
      description: How long it took to ask.
      type: int
lines:
  description: One line for each address of the users and each further endpoint, and one for all pods.
  returned: success
  type: list
  elements: dict
serving_pods:
  description: Names of the pods that answered well.
  returned: success
  type: list
  elements: str
"""

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.arguments import (
    CONNECTION,
    ENDPOINTS,
    RUN,
    WORKLOAD,
)
from ansible_collections.linkops.runbooks.plugins.module_utils.health import health
from ansible_collections.linkops.runbooks.plugins.module_utils.shell import Module

MODULE = Module(
    operation=health,
    arguments={**CONNECTION, **RUN, **WORKLOAD, **ENDPOINTS},
)


def main() -> None:
    """Run the module."""
    MODULE.run()


if __name__ == "__main__":
    main()
