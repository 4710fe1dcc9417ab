#!/usr/bin/python
# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: workload_environment
short_description: Tell the names, sources and presence of a workload's environment variables
version_added: 0.1.0
description:
  - Lists the variables of each container with where they come from and whether they are set.
  - A value is returned only where its name is among O(shown_variables) and it comes from the template or a ConfigMap.
    Nothing of a Secret is returned but the names of its keys.
  - It tells what the template gives to the next pod; a running container has what stood there when it started.
author: linkops.runbooks contributors (@linkops)
extends_documentation_fragment:
  - linkops.runbooks.connection
  - linkops.runbooks.workload
  - linkops.runbooks.attributes
options:
  container:
    description: The container; without it, all of them.
    type: str
  shown_variables:
    description: Patterns of the names whose values are shown.
    type: list
    elements: str
    default: ['RATE_*', '*_RATE_*', CORS_ORIGIN, ALLOWED_ORIGINS]
attributes:
  idempotent:
    details: It never changes anything.
"""

EXAMPLES = r"""
- name: See which variables the API has
  linkops.runbooks.workload_environment:
    namespace: servicelink-production
    name: servicelink-api
  register: servicelink_environment
"""

RETURN = r"""
variables:
  description: All variables.
  returned: success
  type: list
  elements: dict
  contains:
    container:
      description: The container.
      type: str
    name:
      description: Its name; V(*) for all keys of an object that is not there or may not be read.
      type: str
    source:
      description: Where it comes from, such as C(Secret/servicelink-secrets key DATABASE_URL).
      type: str
    set:
      description: Whether it is set; none where its source may not be read.
      type: bool
    value:
      description: Its value, where it may be shown.
      type: str
lines:
  description: One line about all of them.
  returned: success
  type: list
  elements: dict
  contains:
    line:
      description: V(environment).
      type: str
    status:
      description: V(fail) where a variable that must be set is not; V(unknown) where that cannot be told.
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

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.arguments import (
    CONNECTION,
    RUN,
    VARIABLES,
    WORKLOAD,
)
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.environment import environment
from ansible_collections.linkops.runbooks.plugins.module_utils.shell import Module

MODULE = Module(
    operation=environment,
    arguments={**CONNECTION, **RUN, **WORKLOAD, **VARIABLES},
)


def main() -> None:
    """Run the module."""
    MODULE.run()


if __name__ == "__main__":
    main()
