#!/usr/bin/python
# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: service_lock
short_description: Lock what a button touches
version_added: 0.1.0
description:
  - Takes one Lease for each thing that a button touches, in the order of their names, all or none.
  - A Lease that another run holds is watched. It is taken over when it stays unchanged for its whole duration on this
    machine's own clock; as soon as its holder shows life, the refusal names holder, button and since when.
author: linkops.runbooks contributors (@linkops)
extends_documentation_fragment:
  - linkops.runbooks.connection
  - linkops.runbooks.attributes
options:
  state:
    description: Take the Leases or give them back.
    type: str
    choices: [held, released]
    default: held
  namespace:
    description: The namespace that holds the Leases.
    type: str
    required: true
  things:
    description: What to lock, such as the service, its database, its cache. Each becomes a Lease C(linkops-<thing>).
    type: list
    elements: str
    required: true
  seconds:
    description: How long a Lease counts after it was last renewed; engine tasks renew after a third of it.
    type: int
    default: 30
  break_lock:
    description: Take a Lease that a living run holds. That run stops before its next write.
    type: bool
    default: false
  fleet:
    description:
      - What the runs of one press for several services have in common. One that finds a Lease held by another of them
        waits for its turn instead of being refused; O(break_lock) is for others than these.
    type: str
  turn_seconds:
    description: How long to wait for that turn.
    type: float
    default: 3600
  run:
    description: The run that takes or gives back, as M(linkops.runbooks.run_record) returned it.
    type: dict
    required: true
  record_head:
    description: Head of the service's record chain, kept on the Lease as its anchor.
    type: str
attributes:
  idempotent:
    support: partial
    details: A run that holds a Lease already takes it again; each call renews it.
"""

EXAMPLES = r"""
- name: Lock the service
  linkops.runbooks.service_lock:
    namespace: servicelink-production
    things: [servicelink-api]
    run: "{{ opened.run }}"
  register: lock

- name: Give the lock back
  linkops.runbooks.service_lock:
    state: released
    namespace: servicelink-production
    things: [servicelink-api]
    run: "{{ lock.run }}"
"""

RETURN = r"""
run:
  description: The run with the Leases that it holds, for the option O(run) of later tasks.
  returned: success
  type: dict
"""

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.arguments import CONNECTION, NAMESPACE
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.locking import lock
from ansible_collections.linkops.runbooks.plugins.module_utils.shell import Module

MODULE = Module(
    operation=lock,
    arguments={
        **CONNECTION,
        **NAMESPACE,
        "run": {"type": "dict", "required": True},
        "state": {"type": "str", "choices": ["held", "released"], "default": "held"},
        "things": {"type": "list", "elements": "str", "required": True},
        "seconds": {"type": "int", "default": 30},
        "break_lock": {"type": "bool", "default": False},
        "fleet": {"type": "str"},
        "turn_seconds": {"type": "float", "default": 3600},
        "record_head": {"type": "str"},
    },
)


def main() -> None:
    """Run the module."""
    MODULE.run()


if __name__ == "__main__":
    main()
