#!/usr/bin/python
# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: prometheus_value
short_description: Ask Prometheus for one number
version_added: 0.1.0
description:
  - Carries out an instant query and returns the least of the values that it finds.
  - No value, and a Prometheus that does not answer, are V(unknown), with the reason.
author: linkops.runbooks contributors (@linkops)
extends_documentation_fragment:
  - linkops.runbooks.connection
  - linkops.runbooks.attributes
options:
  url:
    description:
      - Address of Prometheus, as M(linkops.runbooks.prometheus_info) takes it.
    type: str
    required: true
  query:
    description: The query in Prometheus's language.
    type: str
    required: true
  namespace:
    description: The namespace of the service.
    type: str
    required: true
  timeout_seconds:
    description: How long the answer may take.
    type: float
    default: 2
attributes:
  idempotent:
    details: It never changes anything.
"""

EXAMPLES = r"""
- name: Ask how much space the database's server has
  linkops.runbooks.prometheus_value:
    url: http://prometheus.example.com:9090
    query: aws_rds_free_storage_space_average{dbinstance_identifier="servicelink"}
    namespace: servicelink-production
  register: free
"""

RETURN = r"""
value:
  description: The number; null where it is unknown.
  returned: success
  type: float
verdict:
  description: V(pass), or V(unknown) with the reason.
  returned: success
  type: dict
"""

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.arguments import CONNECTION, NAMESPACE, RUN
from ansible_collections.linkops.runbooks.plugins.module_utils.observing import value
from ansible_collections.linkops.runbooks.plugins.module_utils.shell import Module

MODULE = Module(
    operation=value,
    arguments={
        **CONNECTION,
        **RUN,
        **NAMESPACE,
        "url": {"type": "str", "required": True},
        "query": {"type": "str", "required": True},
        "timeout_seconds": {"type": "float", "default": 2},
    },
)


def main() -> None:
    """Run the module."""
    MODULE.run()


if __name__ == "__main__":
    main()
