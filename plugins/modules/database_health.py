#!/usr/bin/python
# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: database_health
short_description: Look at all that tells how a PostgreSQL does
version_added: 0.1.0
description:
  - Returns lines, each with a verdict. Connections, sessions that are not idle, those idle in a transaction, long
    transactions, who blocks whom, slow queries, sizes, cache, dead rows and bloat, invalid indexes, wraparound,
    replication and its slots; of an instance of Amazon RDS its status, pending maintenance and the last hour's events.
  - It only reads. Texts of queries come without literals.
  - What the role or the server does not have is a line V(unknown) that says what to do about it.
author: linkops.runbooks contributors (@linkops)
extends_documentation_fragment:
  - linkops.runbooks.attributes
  - linkops.runbooks.database
options:
  service_user:
    description: The role whose connection limit counts. If not given, it is the role that logs in.
    type: str
  unreachable:
    description: Whether a database that cannot be asked fails the task, or is a line V(unknown).
    type: str
    choices: [fail, unknown]
    default: fail
  top:
    description: How many statements, tables and indexes are in the evidence.
    type: int
    default: 20
  check_corruption:
    description:
      - Check tables and B-trees with the extension amcheck, which reads all of them.
    type: bool
    default: false
  max_minutes:
    description: How long O(check_corruption) may take.
    type: float
    default: 10
  rds_instance:
    description: The identifier of the instance, where the server is one of Amazon RDS.
    type: str
  rds_region:
    description: Its region.
    type: str
  limits:
    description: From where on lines warn and fail.
    type: dict
    suboptions:
      connections_warning:
        description: So many connections are worth a warning, whatever the server allows; 0 is none.
        type: float
        default: 0
      connections_warning_ratio:
        description: The part of the connections an ordinary role may have.
        type: float
        default: 0.8
      connections_critical_ratio:
        description: The same.
        type: float
        default: 0.95
      idle_warning_seconds:
        description: How long a session is idle in its transaction.
        type: float
        default: 60
      idle_critical_seconds:
        description: The same.
        type: float
        default: 600
      transaction_warning_seconds:
        description: How long a transaction is open, be it prepared.
        type: float
        default: 300
      transaction_critical_seconds:
        description: The same.
        type: float
        default: 3600
      blocked_critical_seconds:
        description: How long the statement of somebody who waits for a lock has been running. Any wait is a warning.
        type: float
        default: 30
      query_warning_milliseconds:
        description: How long a statement takes on average, over at least 10 calls.
        type: float
        default: 100
      query_critical_milliseconds:
        description: The same.
        type: float
        default: 1000
      cache_warning_ratio:
        description: The part of the blocks that is found in memory.
        type: float
        default: 0.95
      large_bytes:
        description: Smaller tables are not looked at for bloat.
        type: float
        default: 104857600
      bloat_warning_ratio:
        description: The part of a table that is neither rows nor the room that its fillfactor wants.
        type: float
        default: 0.4
      bloat_critical_ratio:
        description: The same.
        type: float
        default: 0.8
      lag_warning_seconds:
        description: How far a standby is behind.
        type: float
        default: 30
      lag_critical_seconds:
        description: The same.
        type: float
        default: 300
      slot_critical_bytes:
        description: How much of the log a replication slot keeps. An inactive slot is a warning.
        type: float
        default: 10737418240
attributes:
  idempotent:
    details: It reads only.
"""

EXAMPLES = r"""
- name: See how the database does
  linkops.runbooks.database_health:
    login_host: db.example.com
    login_user: servicelink
    login_db: servicelink
    login_password_file: /run/secrets/servicelink
    limits:
      connections_warning: 80
  register: servicelink_database
"""

RETURN = r"""
lines:
  description: What was looked at, in the order in which one looks in an incident.
  returned: success
  type: list
  elements: dict
  contains:
    line:
      description: What it is about.
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

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.arguments import RUN
from ansible_collections.linkops.runbooks.plugins.module_utils.database.arguments import DATABASE, HEALTH
from ansible_collections.linkops.runbooks.plugins.module_utils.database_health import database_health
from ansible_collections.linkops.runbooks.plugins.module_utils.shell import Module

MODULE = Module(operation=database_health, library="psycopg2", arguments={**DATABASE, **RUN, **HEALTH})


def main() -> None:
    """Run the module."""
    MODULE.run()


if __name__ == "__main__":
    main()
