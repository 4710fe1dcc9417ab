#!/usr/bin/python
# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: database_vacuum
short_description: Vacuum and analyze the tables of a PostgreSQL that need it
version_added: 0.1.0
description:
  - Decides table by table by what the server measured. Dead and inserted rows and their ratio, size, age of the last
    vacuum and analysis, and the age of the oldest transaction against the limits of autovacuum.
  - Runs C(VACUUM (ANALYZE, SKIP_LOCKED, TRUNCATE FALSE)), or C(ANALYZE) where that is all a table needs, one table
    after the other, the most urgent first. Never C(VACUUM FULL). It neither waits for a lock nor ends an autovacuum.
  - A table whose cleanup an old snapshot makes vain is not vacuumed; its verdict is V(unknown), and whoever holds the
    snapshot is named.
  - Says for each table when the server would force a vacuum, and when it would stop writing, at the present rate.
author: linkops.runbooks contributors (@linkops)
extends_documentation_fragment:
  - linkops.runbooks.attributes
  - linkops.runbooks.database
options:
  tables:
    description:
      - The tables to look at, as C(NAME) or C(SCHEMA.NAME), upper case as it is in the database. Empty means all.
      - These obey need as well.
    type: list
    elements: str
    default: []
  force:
    description:
      - Vacuum these tables without need, and although an old snapshot makes it vain.
      - A table that somebody else vacuums or locks is left alone all the same.
    type: bool
    default: false
  minimum_rows:
    description: Fewer dead, inserted or changed rows than this are no need.
    type: int
    default: 1000
  dead_ratio:
    description: The part of a table's rows that is dead, from which on it needs a vacuum. A fifth of it from 1 GiB on.
    type: float
    default: 0.1
  changed_ratio:
    description: The part of a table's rows that changed since its last analysis, from which on it needs one.
    type: float
    default: 0.1
  stale_days:
    description: Days after which O(minimum_rows) changes alone are a need.
    type: float
    default: 7
  freeze_ratio:
    description: The part of C(autovacuum_freeze_max_age) that a table's age reaches, from which on it needs a vacuum.
    type: float
    default: 0.75
  old_snapshot_seconds:
    description: From which age on a transaction makes a vacuum vain.
    type: float
    default: 60
  cost_delay_milliseconds:
    description: How long VACUUM sleeps whenever it reached O(cost_limit); 0 is full speed.
    type: float
    default: 2
  cost_limit:
    description: How much VACUUM does between two sleeps; autovacuum's default is 200.
    type: int
    default: 2000
  max_minutes:
    description:
      - How long all of it may take. No table is begun afterwards; a vacuum that still runs is cancelled, which harms
        nothing.
    type: float
    default: 60
  window:
    description: Maintenance window such as V(sat,sun 01:00-05:00 Europe/London), outside of which nothing is begun.
    type: str
attributes:
  idempotent:
    details: A table whose figures are below the limits is not touched; after a vacuum they are.
"""

EXAMPLES = r"""
- name: Vacuum what needs it, for at most twenty minutes
  linkops.runbooks.database_vacuum:
    login_host: db.example.com
    login_user: servicelink
    login_db: servicelink
    login_password_file: /run/secrets/servicelink
    tables: [Job, Quote, Assignment]
    max_minutes: 20
  register: servicelink_vacuum
"""

RETURN = r"""
verdict:
  description:
    - V(pass) if every table has what it needs, or somebody else gives it that.
    - V(unknown) if an old snapshot, a lock or a missing right is in the way.
    - V(fail) if something failed or time was over.
  returned: success
  type: dict
tables:
  description: All tables that were looked at, the most urgent first.
  returned: success
  type: list
  elements: dict
  contains:
    table:
      description: Its name as SQL would have it.
      type: str
    schema:
      description: Its schema.
      type: str
    name:
      description: Its bare name.
      type: str
    act:
      description: V(vacuum), V(analyze), V(none), V(blocked), V(tended), V(busy) or V(denied).
      type: str
    needs:
      description: Each need with its C(kind) and C(reason).
      type: list
      elements: dict
    status:
      description: V(pass), V(fail) or V(unknown).
      type: str
    sentence:
      description: What became of it.
      type: str
    seconds:
      description: How long it took; none where nothing was done.
      type: float
    before:
      description: The figures that decided.
      type: dict
    after:
      description: The figures afterwards.
      type: dict
    forecast:
      description: >-
        Transactions that are left, and the dates of the forced autovacuum and of the server's stop; a date farther away
        than 20 years is none.
      type: dict
blockers:
  description: Who holds an old snapshot, with its age and what to do.
  returned: success
  type: list
  elements: dict
database:
  description: Name, age of the oldest transaction, and the rate that the forecasts rest on.
  returned: success
  type: dict
"""

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.arguments import RUN
from ansible_collections.linkops.runbooks.plugins.module_utils.database.arguments import DATABASE
from ansible_collections.linkops.runbooks.plugins.module_utils.shell import Module
from ansible_collections.linkops.runbooks.plugins.module_utils.vacuum import vacuum

MODULE = Module(
    operation=vacuum,
    arguments={
        **DATABASE,
        **RUN,
        "tables": {"type": "list", "elements": "str", "default": []},
        "force": {"type": "bool", "default": False},
        "minimum_rows": {"type": "int", "default": 1000},
        "dead_ratio": {"type": "float", "default": 0.1},
        "changed_ratio": {"type": "float", "default": 0.1},
        "stale_days": {"type": "float", "default": 7},
        "freeze_ratio": {"type": "float", "default": 0.75},
        "old_snapshot_seconds": {"type": "float", "default": 60},
        "cost_delay_milliseconds": {"type": "float", "default": 2},
        "cost_limit": {"type": "int", "default": 2000},
        "max_minutes": {"type": "float", "default": 60},
        "window": {"type": "str"},
    },
    library="psycopg2",
)


def main() -> None:
    """Run the module."""
    MODULE.run()


if __name__ == "__main__":
    main()
