#!/usr/bin/python
# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: database_sessions
short_description: End sessions of a PostgreSQL that hold a transaction open and do nothing
version_added: 0.1.0
description:
  - Ends the sessions of one database that have been idle in their transaction for O(older_than), and prints each.
  - A session is named by its pid and the moment at which it began, so that a pid which has been given to another one is
    never hit. The server looks once more, in the statement that ends it, whether it is still idle in its transaction.
  - Spares superusers' sessions and those of linkops.runbooks. Sessions of other databases, replication and the server's
    own processes are never looked at.
  - Refuses, before it ends any, where the role may not end all of them.
author: linkops.runbooks contributors (@linkops)
extends_documentation_fragment:
  - linkops.runbooks.attributes
  - linkops.runbooks.database
options:
  end:
    description: Which sessions to end.
    type: str
    choices: [idle_in_transaction]
    required: true
  older_than:
    description: For how long they must have been so, such as V(90s), V(10m) or V(1h).
    type: str
    default: 10m
  only:
    description:
      - Sessions that somebody has looked at before, with C(pid) and C(started) as RV(sessions) has them, such as those
        of a run in check mode. No other one is ended. If not given, all that match are.
    type: list
    elements: dict
attributes:
  idempotent:
    details: A session that was ended is gone, so that a second run finds none.
"""

EXAMPLES = r"""
- name: See which sessions hold a transaction open
  linkops.runbooks.database_sessions:
    end: idle_in_transaction
    older_than: 10m
  check_mode: true
  register: servicelink_plan

- name: End these and no other
  linkops.runbooks.database_sessions:
    end: idle_in_transaction
    older_than: 10m
    only: "{{ servicelink_plan.sessions }}"
"""

RETURN = r"""
verdict:
  description:
    - V(pass) if all are gone, V(fail) if one did not end.
    - V(unknown) if there are sessions of other roles whose state this role may not see.
  returned: success
  type: dict
sessions:
  description: The sessions that match, the longest idle first.
  returned: success
  type: list
  elements: dict
  contains:
    pid:
      description: The process of the server.
      type: int
    started:
      description: When it began, in UTC.
      type: str
    user:
      description: The role.
      type: str
    application:
      description: Its application_name.
      type: str
    client:
      description: The address that it comes from.
      type: str
    state:
      description: What it does.
      type: str
    state_seconds:
      description: For how long.
      type: float
    transaction_seconds:
      description: How long its transaction has been open.
      type: float
    query:
      description: Its last statement without literals.
      type: str
    act:
      description: V(ended), V(gone) by itself, V(left) as it did not end, V(spared), or in check mode V(end).
      type: str
    sentence:
      description: What became of it.
      type: str
"""

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.arguments import RUN
from ansible_collections.linkops.runbooks.plugins.module_utils.database.arguments import DATABASE
from ansible_collections.linkops.runbooks.plugins.module_utils.sessions import sessions
from ansible_collections.linkops.runbooks.plugins.module_utils.shell import Module

MODULE = Module(
    operation=sessions,
    library="psycopg2",
    arguments={
        **DATABASE,
        **RUN,
        "end": {"type": "str", "choices": ["idle_in_transaction"], "required": True},
        "older_than": {"type": "str", "default": "10m"},
        "only": {"type": "list", "elements": "dict"},
    },
)


def main() -> None:
    """Run the module."""
    MODULE.run()


if __name__ == "__main__":
    main()
