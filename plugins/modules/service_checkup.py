#!/usr/bin/python
# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: service_checkup
short_description: Look at a service and all that it depends on, side by side
version_added: 0.1.0
description:
  - Does what several modules of this collection do that only look, all at the same time, so that the timeouts of what
    is silent do not add up.
  - A check that cannot be made is one line with the verdict V(unknown) and the reason; the others stand.
author: linkops.runbooks contributors (@linkops)
extends_documentation_fragment:
  - linkops.runbooks.connection
  - linkops.runbooks.workload
  - linkops.runbooks.attributes
options:
  checks:
    description:
      - The options of each module by its name, one of M(linkops.runbooks.service_health),
        M(linkops.runbooks.service_path), M(linkops.runbooks.workload_vitals),
        M(linkops.runbooks.workload_environment), M(linkops.runbooks.database_info), M(linkops.runbooks.pod_probe),
        M(linkops.runbooks.cache_info) and M(linkops.runbooks.prometheus_info).
      - Connection to the cluster, run and workload are those of this task. Passwords are refused here; give files.
    type: dict
    required: true
attributes:
  idempotent:
    details: It never changes anything.
"""

EXAMPLES = r"""
- name: Look at the API and its database
  linkops.runbooks.service_checkup:
    namespace: servicelink-production
    name: servicelink-api
    checks:
      workload_vitals: {}
      database_info:
        login_host: db.example.com
        login_user: servicelink
        login_password_file: /run/secrets/servicelink
        unreachable: unknown
  register: servicelink_checkup
"""

RETURN = r"""
lines:
  description: The lines of all checks, from the users to the pods, and on to what these depend on.
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
checked:
  description: What else each module returned, by its name; a check that could not be made is not there.
  returned: success
  type: dict
"""

from ansible_collections.linkops.runbooks.plugins.module_utils.checking import checkup
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.arguments import CONNECTION, RUN, WORKLOAD
from ansible_collections.linkops.runbooks.plugins.module_utils.shell import Module

MODULE = Module(
    operation=checkup,
    arguments={**CONNECTION, **RUN, **WORKLOAD, "checks": {"type": "dict", "required": True}},
)


def main() -> None:
    """Run the module."""
    MODULE.run()


if __name__ == "__main__":
    main()
