#!/usr/bin/python
# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: database_restore
short_description: Put a backup in the place of a PostgreSQL database
version_added: 0.1.0
description:
  - Restores a backup into a new database, compares it with the dump's snapshot as M(linkops.runbooks.database_drill)
    does, gives it the settings, grants and limits of the backup, and only then swaps names. Nobody gets in meanwhile,
    all sessions are ended, and both renames are one transaction.
  - The database that was there is backed up first, and set aside as C(<database>_before_<time>); O(state=returned) puts
    it back.
  - A database that is used, that has rows or that cannot be looked into is replaced only with O(confirm).
  - Sessions that the role may not end, a disk without room for a second copy of the database, and a database that has
    the name C(<database>_restoring) and was not made by this module are refused before anything is done.
  - Restoring the backup that was restored last, or returning again, changes nothing.
author: linkops.runbooks contributors (@linkops)
extends_documentation_fragment:
  - linkops.runbooks.attributes
  - linkops.runbooks.database
  - linkops.runbooks.backup
  - linkops.runbooks.backup.making
  - linkops.runbooks.backup.reading
  - linkops.runbooks.disk
options:
  database:
    description: The database to replace.
    type: str
    required: true
  state:
    description: V(restored) puts the backup in place, V(returned) what the last restore set aside.
    type: str
    choices: [restored, returned]
    default: restored
  confirm:
    description: The name of the database, typed by whoever knows what is lost.
    type: str
  again:
    description: Restore the backup although it was the last that was restored.
    type: bool
    default: false
  create_roles:
    description:
      - Whether to make roles again that own something in the backup, or were granted something, and that the server
        lacks. They cannot log in, as a backup has no passwords, and get back no power over the server. Without it they
        are named, and nothing is done.
    type: bool
    default: false
  clients:
    description:
      - Values of C(application_name) of which there must be a session again. If not given, those of the services that
        had one before.
    type: list
    elements: str
  reconnect_seconds:
    description: How long to wait for them.
    type: float
    default: 30
  safety_backup:
    description:
      - Whether to back the database up before it is replaced; without it the database that is set aside has to do.
    type: bool
    default: true
  reserve_bytes:
    description:
      - So much must stay free on the server's disk, where O(free_bytes) tells of it, and on the disk of the safety
        backup.
    type: int
    default: 1073741824
  format:
    description: The format of this safety backup.
    type: str
    choices: [directory, custom]
    default: directory
"""

EXAMPLES = r"""
- name: Restore the newest backup
  linkops.runbooks.database_restore:
    login_host: db.example.com
    login_user: postgres
    login_password_file: /run/secrets/postgres
    database: servicelink
    directory: /var/backups/linkops
    confirm: servicelink
"""

RETURN = r"""
verdict:
  description: That what was restored is what was dumped; C(status), C(reason) and C(evidence).
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
lost_minutes:
  description: How long before now the backup's snapshot was taken; what was written since is not in it.
  returned: when a backup is restored
  type: float
sessions:
  description: How many sessions the database had before.
  returned: success
  type: int
clients:
  description: The services that were waited for, or would be.
  returned: success
  type: list
  elements: str
away:
  description: Those of them that had not come back.
  returned: success
  type: list
  elements: str
roles:
  description: The roles that were made.
  returned: when it was restored
  type: list
  elements: str
set_aside:
  description: The name that the former database has now.
  returned: success
  type: str
safety_backup:
  description: The name of the backup that was taken first.
  returned: success
  type: str
seconds:
  description: How long it took.
  returned: when it was restored
  type: float
"""

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.arguments import RUN
from ansible_collections.linkops.runbooks.plugins.module_utils.database.arguments import (
    BACKUP,
    DATABASE,
    DISK,
    MAKING,
    READING,
)
from ansible_collections.linkops.runbooks.plugins.module_utils.restore import restore
from ansible_collections.linkops.runbooks.plugins.module_utils.shell import Module

MODULE = Module(
    operation=restore,
    arguments={
        **DATABASE,
        **BACKUP,
        **MAKING,
        **READING,
        **DISK,
        **RUN,
        "database": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["restored", "returned"], "default": "restored"},
        "confirm": {"type": "str"},
        "again": {"type": "bool", "default": False},
        "create_roles": {"type": "bool", "default": False},
        "clients": {"type": "list", "elements": "str"},
        "reconnect_seconds": {"type": "float", "default": 30},
        "safety_backup": {"type": "bool", "default": True},
        "format": {"type": "str", "choices": ["directory", "custom"], "default": "directory"},
    },
    library="psycopg2",
)


def main() -> None:
    """Run the module."""
    MODULE.run()


if __name__ == "__main__":
    main()
