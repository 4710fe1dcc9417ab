#!/usr/bin/python
# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: database_drill
short_description: Prove that a backup can be restored
version_added: 0.1.0
description:
  - Compares the checksums of a backup's files, restores it into a scratch database of the same server, compares rows,
    constraints, indexes, further objects and the newest migration with those of the dump's snapshot, measures how long
    it takes, and drops the scratch database.
  - The scratch database is named as the database with C(_drill) behind it. One that a killed drill left is dropped
    first, which its comment tells; any other database of this name is left alone, and the drill refused.
  - It needs as much room on the server's disk as the database had, and is refused where O(free_bytes) says that there
    is none.
  - What could not be verified fails as well.
author: linkops.runbooks contributors (@linkops)
extends_documentation_fragment:
  - linkops.runbooks.attributes
  - linkops.runbooks.database
  - linkops.runbooks.backup
  - linkops.runbooks.backup.reading
  - linkops.runbooks.disk
options:
  database:
    description: The database whose backup is tried.
    type: str
    required: true
attributes:
  idempotent:
    details: It leaves nothing changed.
"""

EXAMPLES = r"""
- name: Prove that the newest backup can be restored
  linkops.runbooks.database_drill:
    login_host: db.example.com
    login_user: postgres
    login_password_file: /run/secrets/postgres
    database: servicelink
    directory: /var/backups/linkops
"""

RETURN = r"""
verdict:
  description: Whether what was restored is what was dumped; C(status), C(reason) and C(evidence).
  returned: when it came to a verdict
  type: dict
backup:
  description: The backup.
  returned: when there is one
  type: dict
  contains:
    name:
      description: Its name, which is its folder's.
      type: str
    database:
      description: The database that was dumped.
      type: str
    server:
      description: Host and port of the server that was dumped.
      type: str
    environment:
      description: System and environment that it belongs to, if the backup was taken in a run.
      type: str
    format:
      description: V(directory) or V(custom).
      type: str
    server_version:
      description: The version of the server.
      type: str
    client_version:
      description: The version of pg_dump.
      type: str
    snapshot_at:
      description: When its snapshot was taken; what was committed later is not in it.
      type: str
    seconds:
      description: How long it took.
      type: float
    bytes:
      description: The size of its files.
      type: int
    tables:
      description: How many tables it holds.
      type: int
    rows:
      description: How many rows these had in the snapshot.
      type: int
    newest_migration:
      description: The newest migration of Prisma that was applied.
      type: str
seconds:
  description: How long check, restore and comparison took.
  returned: unless in check mode
  type: float
"""

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.arguments import RUN
from ansible_collections.linkops.runbooks.plugins.module_utils.database.arguments import BACKUP, DATABASE, DISK, READING
from ansible_collections.linkops.runbooks.plugins.module_utils.drill import drill
from ansible_collections.linkops.runbooks.plugins.module_utils.shell import Module

MODULE = Module(
    operation=drill,
    arguments={
        **DATABASE,
        **BACKUP,
        **READING,
        **DISK,
        **RUN,
        "database": {"type": "str", "required": True},
    },
    library="psycopg2",
)


def main() -> None:
    """Run the module."""
    MODULE.run()


if __name__ == "__main__":
    main()
