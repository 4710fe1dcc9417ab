#!/usr/bin/python
# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: run_record
short_description: Open and close the record of a run
version_added: 0.1.0
description:
  - Opening says which environment, cluster and namespace the run is for, refuses an inventory whose mandatory values
    are unset, and makes a folder with the record's first line.
  - Closing writes the verdict, makes the report for people, carries both to O(record_sink), gives back the Leases that
    O(run) holds, and says in one sentence how it ended and where the record is.
  - The lines of all runs of one service form one hash chain.
author: linkops.runbooks contributors (@linkops)
extends_documentation_fragment:
  - linkops.runbooks.connection
  - linkops.runbooks.attributes
options:
  state:
    description: Open or close.
    type: str
    choices: [opened, closed]
    default: opened
  button:
    description: The button that was pressed.
    type: str
  service:
    description: The service it acts on.
    type: str
  system:
    description: The system that the service belongs to.
    type: str
  environment_name:
    description: The environment, such as V(production).
    type: str
  cluster:
    description: The cluster as operators call it, its context or address.
    type: str
  namespace:
    description: The namespace of the service.
    type: str
  operator:
    description: Who pressed; without it AWX's user or the account of this machine.
    type: str
  reason:
    description: Why, for the record.
    type: str
  inputs:
    description: What the operator gave, for the record.
    type: dict
  mandatory:
    description: Values that the inventory must set, by name. All that are empty are named at once.
    type: dict
  directory:
    description: Where records are kept.
    type: path
    default: ~/.local/state/linkops/records
  record_sink:
    description: Where the record goes at the end, C(configmap:NAME) or C(s3://BUCKET/PREFIX).
    type: str
  status:
    description: The verdict of the run.
    type: str
    choices: [pass, fail, unknown]
    default: unknown
  sentence:
    description: The result in one sentence.
    type: str
    default: The run ended without a result
  facts:
    description: What else the closing line holds.
    type: dict
  services:
    description: How many services the button was pressed for. From two on, statistics name the service.
    type: int
    default: 1
attributes:
  idempotent:
    support: none
    details: Each call writes a line.
"""

EXAMPLES = r"""
- name: Open the record
  linkops.runbooks.run_record:
    button: rollback
    service: servicelink-api
    system: servicelink
    environment_name: production
    cluster: prod-eks
    namespace: servicelink-production
  register: opened

- name: Close the record
  linkops.runbooks.run_record:
    state: closed
    run: "{{ opened.run }}"
    status: pass
    sentence: Revision 5 serves
"""

RETURN = r"""
run:
  description: The run, for the option O(run) of later tasks.
  returned: when opened
  type: dict
status:
  description: The verdict.
  returned: when closed
  type: str
service:
  description: The service.
  returned: when closed
  type: str
ansible_stats:
  description: The verdict for the next node of a workflow, as M(ansible.builtin.set_stats) would hand it on.
  returned: when closed
  type: dict
seconds:
  description: How long the run took.
  returned: when closed
  type: float
record:
  description: The record's folder or address.
  returned: when closed
  type: str
head:
  description: Head of the service's record chain.
  returned: when closed
  type: str
"""

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.arguments import CONNECTION, RUN
from ansible_collections.linkops.runbooks.plugins.module_utils.recording import run_record
from ansible_collections.linkops.runbooks.plugins.module_utils.shell import Module

MODULE = Module(
    operation=run_record,
    arguments={
        **CONNECTION,
        **RUN,
        "state": {"type": "str", "choices": ["opened", "closed"], "default": "opened"},
        "button": {"type": "str"},
        "service": {"type": "str"},
        "system": {"type": "str"},
        "environment_name": {"type": "str"},
        "cluster": {"type": "str"},
        "namespace": {"type": "str"},
        "operator": {"type": "str"},
        "reason": {"type": "str"},
        "inputs": {"type": "dict"},
        "mandatory": {"type": "dict"},
        "directory": {"type": "path", "default": "~/.local/state/linkops/records"},
        "record_sink": {"type": "str"},
        "status": {"type": "str", "choices": ["pass", "fail", "unknown"], "default": "unknown"},
        "sentence": {"type": "str", "default": "The run ended without a result"},
        "facts": {"type": "dict"},
        "services": {"type": "int", "default": 1},
    },
    rules={
        "required_if": [
            ("state", "opened", ("button", "service", "system", "environment_name", "cluster", "namespace")),
            ("state", "closed", ("run",)),
        ]
    },
)


def main() -> None:
    """Run the module."""
    MODULE.run()


if __name__ == "__main__":
    main()
