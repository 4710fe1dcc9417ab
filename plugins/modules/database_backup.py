#!/usr/bin/python
# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: database_backup
short_description: Back a PostgreSQL database up
version_added: 0.1.0
description:
  - Dumps a database with C(pg_dump), counts the rows of every table in the dump's own snapshot, has C(pg_restore) read
    the archive's table of contents, and describes it all in a manifest with a checksum of every file.
  - The backup gets its name when all of it is on the disk. What is interrupted, killed or late leaves none.
  - The manifest has what C(pg_dump) leaves out, the database's properties, settings and grants, and the roles without
    their passwords.
  - A backup is not taken where nothing was written to the server since the newest one, or where that is younger than
    O(fresh_minutes); then nothing is changed.
author: linkops.runbooks contributors (@linkops)
extends_documentation_fragment:
  - linkops.runbooks.attributes
  - linkops.runbooks.database
  - linkops.runbooks.backup
  - linkops.runbooks.backup.making
options:
  format:
    description:
      - V(directory) dumps O(jobs) tables at the same time.
      - V(custom) is one file, written by one process.
      - V(stream) is the same file, and goes straight to O(s3) as it is written, past the disk, in constant memory.
        What fails leaves nothing there; what a killed run left is deleted by a later one, once it is a day old and
        older than O(max_minutes).
    type: str
    choices: [directory, custom, stream]
    default: directory
  fresh_minutes:
    description: A backup that is younger is enough.
    type: float
    default: 0
  keep:
    description:
      - So many of the newest whole backups of this database on this server are kept in any case. Those of other servers
        are never deleted.
    type: int
    default: 7
  keep_days:
    description: Older backups are kept for so long.
    type: float
    default: 14
attributes:
  idempotent:
    support: partial
    details: Unchanged where nothing was written since the newest whole one of this server, or within O(fresh_minutes).
"""

EXAMPLES = r"""
- name: Back the database up
  linkops.runbooks.database_backup:
    login_host: db.example.com
    login_user: servicelink
    login_db: servicelink
    login_password_file: /run/secrets/servicelink
    directory: /var/backups/linkops
  register: servicelink_backup
"""

RETURN = r"""
verdict:
  description: Whether there is a backup that is whole; C(status), C(reason) and C(evidence).
  returned: success
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
      description: V(directory), or V(custom) for the others.
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
    folder:
      description: Its folder, if it is there.
      type: str
    address:
      description: Its address in S3, if it is there.
      type: str
wanted:
  description: Whether there was something to do.
  returned: success
  type: bool
expired:
  description: Names of the backups that were deleted; in check mode, would be.
  returned: success
  type: list
  elements: str
"""

from ansible_collections.linkops.runbooks.plugins.module_utils.backup import backup
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.arguments import RUN
from ansible_collections.linkops.runbooks.plugins.module_utils.database.arguments import BACKUP, DATABASE, MAKING
from ansible_collections.linkops.runbooks.plugins.module_utils.shell import Module

MODULE = Module(
    operation=backup,
    arguments={
        **DATABASE,
        **BACKUP,
        **MAKING,
        **RUN,
        "format": {"type": "str", "choices": ["directory", "custom", "stream"], "default": "directory"},
        "fresh_minutes": {"type": "float", "default": 0},
        "keep": {"type": "int", "default": 7},
        "keep_days": {"type": "float", "default": 14},
    },
    library="psycopg2",
)


def main() -> None:
    """Run the module."""
    MODULE.run()


if __name__ == "__main__":
    main()
