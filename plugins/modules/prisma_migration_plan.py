#!/usr/bin/python
# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: prisma_migration_plan
short_description: Say what migrating would do, and what forbids it
version_added: 0.1.0
description:
  - Looks at Prisma's history, its lock, the pending scripts and the database's circumstances, and says what is to be
    done towards O(state). All that forbids it is raised at once, each with the next step.
  - Reads only.
author: linkops.runbooks contributors (@linkops)
extends_documentation_fragment:
  - linkops.runbooks.attributes
  - linkops.runbooks.database
  - linkops.runbooks.disk
options:
  migrations:
    description: The migrations, as RV(linkops.runbooks.prisma_migration_source#module:migrations) has them.
    type: list
    elements: dict
    required: true
  target:
    description: Where the image's URL leads, as RV(linkops.runbooks.prisma_migration_source#module:target) has it.
    type: dict
  state:
    description:
      - V(applied) means all migrations of the image.
      - V(rehearsed) means that they are tried on a copy. What forbids V(applied) is a warning then.
      - V(resolved) means that O(migration) is marked as O(resolution), where what is known of it allows that.
      - V(reverted) means that O(migration) is undone.
    type: str
    choices: [applied, rehearsed, resolved, reverted]
    default: applied
  migration:
    description: The migration that is to be resolved or reverted.
    type: str
  resolution:
    description: What it is to be marked as.
    type: str
    choices: [applied, rolled_back]
  confirm:
    description: The migration's name, where that is asked for.
    type: str
  job_runs:
    description: Whether a Job that migrates runs already, so that its lock and its row are expected.
    type: bool
    default: false
  require_lock_timeout:
    description:
      - Whether the role that migrates must have a lock_timeout, so that nobody waits behind it for long.
      - The options of the URL are asked for it first, then what the role and the database have, then the server.
    type: bool
    default: true
  long_transaction_seconds:
    description: Transactions that are older are named, with the tables that they hold and the scripts name.
    type: float
    default: 30
  replication_lag_seconds:
    description: A replica that is further behind forbids to migrate; one that the role may not see is warned of.
    type: float
    default: 60
  accept:
    description: The rules of squawk that may be broken, each with the reason.
    type: dict
  backup_directory:
    description: Folder of the backups, whose newest one is looked at. Without it none is.
    type: path
  backup_s3:
    description: The bucket that has backups as well, as in M(linkops.runbooks.database_backup).
    type: str
  backup_age_hours:
    description: An older one is warned of, or refused with O(require_backup).
    type: float
    default: 24
  require_backup:
    description: Whether a backup that is young enough must be there.
    type: bool
    default: false
  backup_first:
    description: Whether one is taken before anything is migrated, so that none has to be there yet.
    type: bool
    default: false
attributes:
  idempotent:
    details: It never changes anything.
"""

EXAMPLES = r"""
- name: Plan the migrations of the next version
  linkops.runbooks.prisma_migration_plan:
    login_host: db.example.com
    login_user: servicelink
    login_password_file: /run/secrets/servicelink
    migrations: "{{ source.migrations }}"
    target: "{{ source.target }}"
    accept:
      adding-required-field: the table is empty
  register: plan
"""

RETURN = r"""
act:
  description: V(none), V(deploy), V(rehearse), V(resolve) or V(revert).
  returned: success
  type: str
names:
  description: The migrations that this is done to, in their order.
  returned: success
  type: list
  elements: str
resolution:
  description: What they are marked as where RV(act=resolve).
  returned: success
  type: str
findings:
  description: What squawk found in the pending scripts.
  returned: success
  type: list
  elements: dict
migrations:
  description: Every migration, as RV(linkops.runbooks.prisma_migration_info#module:migrations) has it.
  returned: success
  type: list
  elements: dict
newest_backup:
  description:
    - The name of the newest backup that is whole, of this server and of exactly this database.
    - Empty where there is none or none was looked for.
  returned: success
  type: str
refused:
  description: What would forbid O(state=applied), where O(state=rehearsed).
  returned: success
  type: list
  elements: str
"""

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.arguments import RUN
from ansible_collections.linkops.runbooks.plugins.module_utils.database.arguments import DATABASE, DISK, SOURCE
from ansible_collections.linkops.runbooks.plugins.module_utils.migrating import plan
from ansible_collections.linkops.runbooks.plugins.module_utils.shell import Module

MODULE = Module(
    operation=plan,
    arguments={
        **DATABASE,
        **DISK,
        **RUN,
        **SOURCE,
        "state": {"type": "str", "choices": ["applied", "rehearsed", "resolved", "reverted"], "default": "applied"},
        "migration": {"type": "str"},
        "resolution": {"type": "str", "choices": ["applied", "rolled_back"]},
        "confirm": {"type": "str"},
        "job_runs": {"type": "bool", "default": False},
        "require_lock_timeout": {"type": "bool", "default": True},
        "long_transaction_seconds": {"type": "float", "default": 30},
        "replication_lag_seconds": {"type": "float", "default": 60},
        "accept": {"type": "dict"},
        "backup_directory": {"type": "path"},
        "backup_s3": {"type": "str"},
        "backup_age_hours": {"type": "float", "default": 24},
        "require_backup": {"type": "bool", "default": False},
        "backup_first": {"type": "bool", "default": False},
    },
    library="psycopg2",
)


def main() -> None:
    """Run the module."""
    MODULE.run()


if __name__ == "__main__":
    main()
