#!/usr/bin/python
# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: record_check
short_description: Verify the hash chain of a service's run records
version_added: 0.1.0
description:
  - Reads the records of all runs of a service and verifies that no line was changed, left out or added between.
  - The head that stands on the service's Lease, or O(head), also shows that none is missing at the end. Without either
    the answer is C(consistent, unanchored), which is V(unknown) and no success.
author: linkops.runbooks contributors (@linkops)
extends_documentation_fragment:
  - linkops.runbooks.connection
  - linkops.runbooks.attributes
options:
  service:
    description: The service whose records are meant.
    type: str
    required: true
  environment_name:
    description: The environment, such as V(production).
    type: str
    required: true
  namespace:
    description: The namespace that holds the service's Lease.
    type: str
    required: true
  directory:
    description: Where records are kept.
    type: path
    default: ~/.local/state/linkops/records
  head:
    description: A head from elsewhere, such as from a verdict line, whole.
    type: str
attributes:
  idempotent:
    details: It never changes anything.
"""

EXAMPLES = r"""
- name: Verify the records
  linkops.runbooks.record_check:
    service: servicelink-api
    environment_name: production
    namespace: servicelink-production
"""

RETURN = r"""
verdict:
  description: V(pass), V(fail) or V(unknown), with the reason.
  returned: success
  type: dict
lines:
  description: How many lines there are.
  returned: success
  type: int
runs:
  description: Of how many runs.
  returned: success
  type: int
anchor:
  description: The head they were verified against, empty without one.
  returned: success
  type: str
"""

from ansible_collections.linkops.runbooks.plugins.module_utils.auditing import record_check
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.arguments import CONNECTION, NAMESPACE, RUN
from ansible_collections.linkops.runbooks.plugins.module_utils.shell import Module

MODULE = Module(
    operation=record_check,
    arguments={
        **CONNECTION,
        **RUN,
        **NAMESPACE,
        "service": {"type": "str", "required": True},
        "environment_name": {"type": "str", "required": True},
        "directory": {"type": "path", "default": "~/.local/state/linkops/records"},
        "head": {"type": "str"},
    },
)


def main() -> None:
    """Run the module."""
    MODULE.run()


if __name__ == "__main__":
    main()
