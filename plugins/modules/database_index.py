#!/usr/bin/python
# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: database_index
short_description: Bring the indexes of a PostgreSQL to what is declared
version_added: 0.1.0
description:
  - Creates declared indexes with C(CREATE INDEX CONCURRENTLY), which lets readers and writers pass, tells how far it is
    and whom it waits for, and drops what it leaves if it fails or O(max_minutes) are over.
  - Finds invalid indexes that interrupted builds left, C(_ccnew) and C(_ccold) included, and rebuilds or drops them.
  - Estimates how large they get by the tables' statistics, and refuses what O(free_bytes) leaves no room for.
  - Compares definitions by what they mean, in the spelling of the server's planner; that writes nothing.
  - Drops indexes concurrently, or gives advice about missing, unused, duplicate and bloated ones.
author: linkops.runbooks contributors (@linkops)
extends_documentation_fragment:
  - linkops.runbooks.attributes
  - linkops.runbooks.database
  - linkops.runbooks.disk
options:
  state:
    description:
      - With V(present) the O(indexes) are there and no broken index is left.
      - With V(absent) the O(names) are gone.
      - With V(advice) nothing is changed, whatever is found.
    type: str
    choices: [present, absent, advice]
    default: present
  indexes:
    description: The declared indexes.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The index's name.
        type: str
        required: true
      table:
        description: Its table, as C(NAME) or C(SCHEMA.NAME), upper case as it is in the database.
        type: str
        required: true
      columns:
        description:
          - Its key columns in their order, each a name or a dictionary with C(column) or C(expression), and C(opclass),
            C(collation), C(order) (V(asc) or V(desc)), C(nulls) (V(first) or V(last)).
        type: list
        elements: raw
        required: true
      method:
        description: The access method, such as V(btree), V(gin), V(hnsw) or V(ivfflat).
        type: str
        default: btree
      unique:
        description: Whether its keys are unique.
        type: bool
        default: false
      include:
        description: Columns that it carries along.
        type: list
        elements: str
        default: []
      where:
        description: The predicate of a partial index, in SQL; names with upper case need double quotes.
        type: str
      settings:
        description: Storage parameters, such as C(lists), C(m) or C(fillfactor).
        type: dict
        default: {}
  names:
    description: The indexes to drop with O(state=absent).
    type: list
    elements: str
    default: []
  confirm:
    description: The O(names) once more, separated by commas, where something is dropped.
    type: str
  repair:
    description: Whether invalid indexes that are not declared are rebuilt or dropped as well.
    type: bool
    default: true
  max_minutes:
    description: How long all of it may take; a build that still runs is cancelled, and what it left is dropped.
    type: float
    default: 60
  maintenance_work_mem:
    description: Memory for a build, such as V(1GB). An HNSW build is slow once its graph does not fit.
    type: str
  large_bytes:
    description: Advice leaves out tables and indexes that are smaller.
    type: int
    default: 10485760
attributes:
  idempotent:
    details: An index that means what is declared is not touched, whatever it is called.
"""

EXAMPLES = r"""
- name: Have the indexes that the service needs
  linkops.runbooks.database_index:
    login_host: db.example.com
    login_user: servicelink
    login_db: servicelink
    login_password_file: /run/secrets/servicelink
    indexes:
      - name: idx_quotes_job_provider
        table: Quote
        columns: [jobId, providerId, status]
      - name: idx_assignments_status_scheduled
        table: Assignment
        columns: [status, scheduledStart]
        where: status IN ('scheduled', 'in_progress')
"""

RETURN = r"""
verdict:
  description: V(pass), V(fail), or V(unknown) where another session builds an index.
  returned: success
  type: dict
indexes:
  description: Each index that was declared, named or found broken.
  returned: success
  type: list
  elements: dict
  contains:
    index:
      description: Its name as SQL would have it.
      type: str
    name:
      description: Its bare name.
      type: str
    table:
      description: Its table.
      type: str
    act:
      description: V(none), V(create), V(rebuild), V(reindex), V(drop), V(building) or V(keep).
      type: str
    reason:
      description: Why.
      type: str
    status:
      description: V(pass), V(fail) or V(unknown).
      type: str
    sentence:
      description: What became of it.
      type: str
    seconds:
      description: How long it took; none where nothing was done.
      type: float
advice:
  description: Pieces of advice, each with C(kind), C(subject) and C(sentence).
  returned: success
  type: list
  elements: dict
"""

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.arguments import RUN
from ansible_collections.linkops.runbooks.plugins.module_utils.database.arguments import DATABASE, DISK
from ansible_collections.linkops.runbooks.plugins.module_utils.index import index
from ansible_collections.linkops.runbooks.plugins.module_utils.shell import Module

MODULE = Module(
    operation=index,
    arguments={
        **DATABASE,
        **DISK,
        **RUN,
        "state": {"type": "str", "choices": ["present", "absent", "advice"], "default": "present"},
        "indexes": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {
                "name": {"type": "str", "required": True},
                "table": {"type": "str", "required": True},
                "columns": {"type": "list", "elements": "raw", "required": True},
                "method": {"type": "str", "default": "btree"},
                "unique": {"type": "bool", "default": False},
                "include": {"type": "list", "elements": "str", "default": []},
                "where": {"type": "str"},
                "settings": {"type": "dict", "default": {}},
            },
        },
        "names": {"type": "list", "elements": "str", "default": []},
        "confirm": {"type": "str"},
        "repair": {"type": "bool", "default": True},
        "max_minutes": {"type": "float", "default": 60},
        "maintenance_work_mem": {"type": "str"},
        "large_bytes": {"type": "int", "default": 10485760},
    },
    rules={"required_if": [("state", "absent", ["names"])]},
    library="psycopg2",
)


def main() -> None:
    """Run the module."""
    MODULE.run()


if __name__ == "__main__":
    main()
