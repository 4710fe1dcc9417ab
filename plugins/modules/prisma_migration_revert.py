#!/usr/bin/python
# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: prisma_migration_revert
short_description: Undo an applied Prisma migration with its down script
version_added: 0.1.0
description:
  - Runs the migration's C(down.sql) and marks its row in the history as rolled back, in one transaction and under
    Prisma's advisory lock. So schema and history cannot come apart, and a C(deploy) that starts meanwhile waits.
  - Refuses without a down script, without O(confirm), where a later migration was applied, and where the script holds
    transaction control or a statement that runs in no transaction, as PostgreSQL's own parser reads it.
author: linkops.runbooks contributors (@linkops)
extends_documentation_fragment:
  - linkops.runbooks.attributes
  - linkops.runbooks.attributes.diff
  - linkops.runbooks.database
options:
  migrations:
    description: The migrations, as RV(linkops.runbooks.prisma_migration_source#module:migrations) has them.
    type: list
    elements: dict
    required: true
  target:
    description: Where the image's URL leads, as RV(linkops.runbooks.prisma_migration_source#module:target) has it.
    type: dict
  migration:
    description: The migration that is to be undone.
    type: str
    required: true
  confirm:
    description: Its name once more.
    type: str
  backup:
    description: Which backup holds what the down script may lose; it is kept in the record.
    type: str
attributes:
  idempotent:
    details: A migration that is not applied needs nothing.
"""

EXAMPLES = r"""
- name: Undo the newest migration
  linkops.runbooks.prisma_migration_revert:
    login_host: db.example.com
    login_user: servicelink
    login_password_file: /run/secrets/servicelink
    migrations: "{{ source.migrations }}"
    target: "{{ source.target }}"
    migration: 20251001120000_quote_expiry
    confirm: 20251001120000_quote_expiry
"""

RETURN = r"""
database:
  description: The database.
  returned: success
  type: str
"""

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.arguments import RUN
from ansible_collections.linkops.runbooks.plugins.module_utils.database.arguments import DATABASE, SOURCE
from ansible_collections.linkops.runbooks.plugins.module_utils.migrating import revert
from ansible_collections.linkops.runbooks.plugins.module_utils.shell import Module

MODULE = Module(
    operation=revert,
    arguments={
        **DATABASE,
        **RUN,
        **SOURCE,
        "migration": {"type": "str", "required": True},
        "confirm": {"type": "str"},
        "backup": {"type": "str"},
    },
    library="psycopg2",
)


def main() -> None:
    """Run the module."""
    MODULE.run()


if __name__ == "__main__":
    main()
