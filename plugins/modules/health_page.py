#!/usr/bin/python
# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: health_page
short_description: Put lines of health into one table, JSON and HTML
version_added: 0.1.0
description:
  - Shows the lines that other modules returned as one table, and judges all of them together.
  - Keeps them in the record of the run as C(evidence/health.json) for machines and C(evidence/health.html) for people.
author: linkops.runbooks contributors (@linkops)
extends_documentation_fragment:
  - linkops.runbooks.connection
  - linkops.runbooks.attributes
options:
  namespace:
    description: Taken from the group's defaults, and not needed.
    type: str
  lines:
    description: The lines, as RV(linkops.runbooks.workload_vitals#module:lines) has them.
    type: list
    elements: dict
    required: true
  fail_on:
    description: What RV(reached) counts, lines that fail alone, or also those that are unknown.
    type: str
    choices: [fail, unknown]
    default: fail
attributes:
  idempotent:
    details: It changes nothing but the record, which gets new files of the same names.
"""

EXAMPLES = r"""
- name: Show how the service is
  linkops.runbooks.health_page:
    lines: "{{ servicelink_vitals.lines + servicelink_path.lines }}"
  register: servicelink_page
"""

RETURN = r"""
verdict:
  description: The worst of all lines, with a sentence that names each that is as bad.
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
      description: Empty.
      type: dict
reached:
  description: Names of the lines that reach O(fail_on).
  returned: success
  type: list
  elements: str
lines:
  description: The lines without anything that looks like a secret.
  returned: success
  type: list
  elements: dict
table:
  description: The table, line by line.
  returned: success
  type: list
  elements: str
"""

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.arguments import CONNECTION, RUN
from ansible_collections.linkops.runbooks.plugins.module_utils.paging import page
from ansible_collections.linkops.runbooks.plugins.module_utils.shell import Module

MODULE = Module(
    operation=page,
    arguments={
        **CONNECTION,
        **RUN,
        "namespace": {"type": "str"},
        "lines": {"type": "list", "elements": "dict", "required": True},
        "fail_on": {"type": "str", "choices": ["fail", "unknown"], "default": "fail"},
    },
)


def main() -> None:
    """Run the module."""
    MODULE.run()


if __name__ == "__main__":
    main()
