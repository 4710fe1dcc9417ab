#!/usr/bin/python
# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: prisma_migration_info
short_description: Compare Prisma's history in a database with the migrations of an image
version_added: 0.1.0
description:
  - Says of every migration that the image or the table C(_prisma_migrations) knows whether it is applied, pending,
    failed, running, partially applied, rolled back, edited after it was applied, or in the database and not in the
    image. Prisma's own status calls the last two up to date.
  - Says of one that failed what the logged error was, whether it left anything behind, and the next command. The
    parser of PostgreSQL itself reads the script for that (pglast), and the catalogue tells which objects are there.
  - Names the session that holds Prisma's advisory lock, which alone tells a running migration from a failed one.
  - Reads only, in a read-only transaction. A URL that leads through a pooler is refused.
author: linkops.runbooks contributors (@linkops)
extends_documentation_fragment:
  - linkops.runbooks.attributes
  - linkops.runbooks.database
options:
  migrations:
    description: The migrations, as RV(linkops.runbooks.prisma_migration_source#module:migrations) has them.
    type: list
    elements: dict
    required: true
  target:
    description:
      - Where the image's URL leads, as RV(linkops.runbooks.prisma_migration_source#module:target) has it. The database
        must be the one that is asked here; its schema is the one of the table, C(public) without it.
    type: dict
  tolerate:
    description: What is no fault. A migration that failed always is one.
    type: list
    elements: str
    choices: [pending, ahead, edited]
    default: [pending, ahead, edited]
attributes:
  idempotent:
    details: It never changes anything.
requirements:
  - pglast >= 7.20, without which nothing is known of what a failed migration left
"""

EXAMPLES = r"""
- name: Compare the database with the image
  linkops.runbooks.prisma_migration_info:
    login_host: db.example.com
    login_user: servicelink
    login_password_file: /run/secrets/servicelink
    migrations: "{{ source.migrations }}"
    target: "{{ source.target }}"
  register: migrations
"""

RETURN = r"""
verdict:
  description: V(fail) where something is to be mended, V(unknown) while a migration runs.
  returned: success
  type: dict
  contains:
    status:
      description: V(pass), V(fail) or V(unknown).
      type: str
    reason:
      description: One sentence.
      type: str
    evidence:
      description: What it rests on.
      type: dict
migrations:
  description: Every migration, in the order of the names.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      type: str
    state:
      description: One of applied, pending, failed, running, partial, rolled_back, edited, ahead.
      type: str
    started_at:
      description: When it was started last, empty where it never was.
      type: str
    finished_at:
      description: When it was finished, empty where it was not.
      type: str
    rolled_back_at:
      description: When it was marked as rolled back, empty where it was not.
      type: str
    error:
      description: The logged error in one line, without the details that quote values.
      type: str
    sqlstate:
      description: The error's SQLSTATE where the log has it.
      type: str
    left:
      description: What the schema has of it, where that is a question; C(remains) is nothing, some, all or unknown.
      type: dict
    next:
      description: What to do next about it.
      type: str
pending:
  description: What C(prisma migrate deploy) will apply, in its order.
  returned: success
  type: list
  elements: str
unresolved:
  description: What keeps it from applying anything (P3009).
  returned: success
  type: list
  elements: str
lock:
  description: Prisma's advisory lock, its C(holder) and who is C(waiting), each with age, state and client; ages
    are none where the role may not see them.
  returned: success
  type: dict
history:
  description: Whether the table is there.
  returned: success
  type: bool
database:
  description: The database.
  returned: success
  type: str
"""

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.arguments import RUN
from ansible_collections.linkops.runbooks.plugins.module_utils.database.arguments import DATABASE, SOURCE
from ansible_collections.linkops.runbooks.plugins.module_utils.database.migration_info import info
from ansible_collections.linkops.runbooks.plugins.module_utils.shell import Module

STATES = ["pending", "ahead", "edited"]

MODULE = Module(
    operation=info,
    arguments={
        **DATABASE,
        **RUN,
        **SOURCE,
        "tolerate": {"type": "list", "elements": "str", "choices": STATES, "default": STATES},
    },
    library="psycopg2",
)


def main() -> None:
    """Run the module."""
    MODULE.run()


if __name__ == "__main__":
    main()
