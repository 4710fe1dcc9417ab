#!/usr/bin/python
# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: workload_mark
short_description: Mark revisions good or bad
version_added: 0.1.0
description:
  - Keeps on a ReplicaSet or ControllerRevision what verification found out, so that every operator knows the last known
    good revision. The mark counts on that object alone, wherever its annotation is copied.
  - Bad wins. A revision marked bad stays bad until its mark is lifted by O(absent).
author: linkops.runbooks contributors (@linkops)
extends_documentation_fragment:
  - linkops.runbooks.connection
  - linkops.runbooks.workload
  - linkops.runbooks.attributes
options:
  good:
    description: Name of the revision to mark good, or V(active).
    type: str
  bad:
    description: Name of the revision to mark bad, or V(active).
    type: str
  absent:
    description: Name of the revision to take the mark from, or V(active).
    type: str
  reason:
    description: Why, one sentence.
    type: str
  migration:
    description: The newest database migration that the good revision runs on.
    type: str
  fingerprints:
    description: Fingerprints of the good revision's configuration that were read just before.
    type: dict
  fingerprint_key:
    description:
      - Whether those who read O(fingerprints) found the HMAC key, V(present), V(absent) or V(forbidden).
      - With V(absent) the key is made; left out, all is read here.
    type: str
attributes:
  idempotent:
    details: A mark that says the same already is left as it is.
"""

EXAMPLES = r"""
- name: Mark the running revision good
  linkops.runbooks.workload_mark:
    namespace: servicelink-production
    name: servicelink-api
    good: active
    reason: passed health checks
"""

RETURN = r"""
marks:
  description: The marks that were set or lifted.
  returned: success
  type: list
  elements: dict
  contains:
    revision:
      description: Its number.
      type: str
    name:
      description: Its ReplicaSet or ControllerRevision.
      type: str
    mark:
      description: V(good), V(bad) or V(absent).
      type: str
"""

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.arguments import CONNECTION, RUN, WORKLOAD
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.marking import mark
from ansible_collections.linkops.runbooks.plugins.module_utils.shell import Module

MODULE = Module(
    operation=mark,
    arguments={
        **CONNECTION,
        **RUN,
        **WORKLOAD,
        "good": {"type": "str"},
        "bad": {"type": "str"},
        "absent": {"type": "str"},
        "reason": {"type": "str"},
        "migration": {"type": "str"},
        "fingerprints": {"type": "dict"},
        "fingerprint_key": {"type": "str", "no_log": False},
    },
    rules={"required_one_of": [("good", "bad", "absent")]},
)


def main() -> None:
    """Run the module."""
    MODULE.run()


if __name__ == "__main__":
    main()
