#!/usr/bin/python
# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: service_path
short_description: Follow the path that users take to a service's pods, link by link
version_added: 0.1.0
description:
  - Looks at Ingress, Service, selector, ports and EndpointSlices, and at the target group of an Application Load
    Balancer where one is named; each link is one line with a verdict of its own.
  - Reads only, all of it side by side.
author: linkops.runbooks contributors (@linkops)
extends_documentation_fragment:
  - linkops.runbooks.connection
  - linkops.runbooks.workload
  - linkops.runbooks.attributes
options:
  service:
    description: The name of the Service; without it, every Service of the namespace that selects the pods.
    type: str
  url:
    description: The address as users have it; a rule of an Ingress must lead from its host to the Service.
    type: str
  target_group_arn:
    description:
      - The target group whose targets the pods or their nodes are. Credentials are those of the environment or those
        that boto3 finds; the region is the ARN's.
    type: str
attributes:
  idempotent:
    details: It never changes anything.
requirements:
  - boto3, for O(target_group_arn)
"""

EXAMPLES = r"""
- name: Follow the path of the users
  linkops.runbooks.service_path:
    namespace: servicelink-production
    name: servicelink-api
    service: servicelink-api
    url: https://api.servicelink.com/health
  register: servicelink_path
"""

RETURN = r"""
lines:
  description: One line for each link.
  returned: success
  type: list
  elements: dict
  contains:
    line:
      description: The link, such as V(endpoint slices).
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

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.arguments import (
    CONNECTION,
    RUN,
    USERS_PATH,
    WORKLOAD,
)
from ansible_collections.linkops.runbooks.plugins.module_utils.reach import reach
from ansible_collections.linkops.runbooks.plugins.module_utils.shell import Module

MODULE = Module(
    operation=reach,
    arguments={**CONNECTION, **RUN, **WORKLOAD, **USERS_PATH},
)


def main() -> None:
    """Run the module."""
    MODULE.run()


if __name__ == "__main__":
    main()
