#!/usr/bin/python
# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: prisma_migration_rehearsal
short_description: Apply an image's migrations to a copy of the database, and measure
version_added: 0.1.0
description:
  - Restores a backup into a scratch database of the same server, applies the image's migrations to it with the image's
    own Prisma, in a Job as the real migration is one, and drops the scratch database, however it ends.
  - Says how long each migration took, by Prisma's own history, and which locks on tables it held. Locks are sampled
    every 0.05 s among the sessions in the scratch database, so shorter ones are not seen, and each is told as the
    longest that it can have been.
  - The Job has the environment of the workload's pods. The name of the database in it is changed within the pod, and
    Prisma is asked where it goes before it migrates, so the real database is not touched.
  - The scratch database is named as the database with C(_rehearsal) behind it. One that a killed run left is dropped
    first, with its Job; a database of this name that this module did not make is left alone, and the rehearsal refused.
author: linkops.runbooks contributors (@linkops)
extends_documentation_fragment:
  - linkops.runbooks.connection
  - linkops.runbooks.workload
  - linkops.runbooks.attributes
options:
  migrations:
    description: The migrations, as RV(linkops.runbooks.prisma_migration_source#module:migrations) has them.
    type: list
    elements: dict
    required: true
  target:
    description: Where the image's URL leads, as RV(linkops.runbooks.prisma_migration_source#module:target) has it.
    type: dict
  image:
    description: The image that migrates. By default the one of the workload's template.
    type: str
  container:
    description: The container whose environment and volumes apply. Without it the default one, or the only one.
    type: str
  command:
    description: Prisma's CLI as the image has it.
    type: list
    elements: str
    default: [npx, prisma]
  deadline_seconds:
    description: How long the Job may take.
    type: int
    default: 600
  backup:
    description: The backup's name, or V(newest), as in M(linkops.runbooks.database_drill).
    type: str
    default: newest
  database:
    description:
      - The options of M(linkops.runbooks.database_drill) about the connection, the folder of the backups and the
        server's disk. The role must be one that may create databases. Passwords are refused here; they belong into a
        file or the environment.
    type: dict
    required: true
attributes:
  idempotent:
    details: It leaves nothing changed, and does the same again.
"""

EXAMPLES = r"""
- name: Try the migrations of the next version
  linkops.runbooks.prisma_migration_rehearsal:
    namespace: servicelink-production
    name: servicelink-api
    image: registry.example.com/servicelink/api:v1.3.0
    migrations: "{{ source.migrations }}"
    target: "{{ source.target }}"
    database:
      login_host: db.example.com
      login_user: postgres
      login_password_file: /run/secrets/postgres
      directory: /var/backups/linkops
"""

RETURN = r"""
verdict:
  description: Whether all of them were applied; C(status), C(reason) and C(evidence).
  returned: success
  type: dict
migrations:
  description: The migrations that the backup did not have.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      type: str
    state:
      description: How it stands after it, as M(linkops.runbooks.prisma_migration_info) says it.
      type: str
    seconds:
      description: How long it took; null where it did not end.
      type: float
    locks:
      description: The locks on tables that it took; C(relation), C(mode), C(seconds_at_most), C(keeps_out).
      type: list
    said:
      description: Who is kept out for how long, in words.
      type: str
    error:
      description: The error that Prisma logged.
      type: str
locks:
  description: All locks that were seen.
  returned: success
  type: list
  elements: dict
backup:
  description: The backup, as RV(linkops.runbooks.database_drill#module:backup) has it.
  returned: success
  type: dict
database:
  description: The name of the scratch database.
  returned: success
  type: str
outcome:
  description: How the Job ended, as RV(linkops.runbooks.workload_job#module:outcome) has it; empty where none ran.
  returned: success
  type: str
"""

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.arguments import CONNECTION, RUN, WORKLOAD
from ansible_collections.linkops.runbooks.plugins.module_utils.database.arguments import SOURCE
from ansible_collections.linkops.runbooks.plugins.module_utils.rehearsal import rehearse
from ansible_collections.linkops.runbooks.plugins.module_utils.shell import Module

MODULE = Module(
    operation=rehearse,
    arguments={
        **CONNECTION,
        **RUN,
        **WORKLOAD,
        **SOURCE,
        "image": {"type": "str"},
        "container": {"type": "str"},
        "command": {"type": "list", "elements": "str", "default": ["npx", "prisma"]},
        "deadline_seconds": {"type": "int", "default": 600},
        "backup": {"type": "str", "default": "newest"},
        "database": {"type": "dict", "required": True},
    },
)


def main() -> None:
    """Run the module."""
    MODULE.run()


if __name__ == "__main__":
    main()
