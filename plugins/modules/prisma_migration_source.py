#!/usr/bin/python
# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: prisma_migration_source
short_description: Read the Prisma migrations that an image holds
version_added: 0.1.0
description:
  - Reads the migrations, each with its script and the C(down.sql) beside it, where they will run and not from a
    checkout. In a ready pod of the workload that runs the image, else in a Job of the image that ends in seconds and is
    removed again.
  - Tells where the URL in the environment of such a pod leads, without its password, and whether a pooler seems to
    stand in between.
  - Changes nothing in the database and nothing of the service. Check mode starts no Job; where no pod runs the image
    the verdict is V(unknown) then.
author: linkops.runbooks contributors (@linkops)
extends_documentation_fragment:
  - linkops.runbooks.connection
  - linkops.runbooks.workload
  - linkops.runbooks.attributes
options:
  image:
    description: The image to read from. By default the one of the workload's template.
    type: str
  container:
    description: The container whose environment and volumes apply. Without it the default one, or the only one.
    type: str
  directory:
    description: The folder of the migrations, from the container's working directory.
    type: str
    default: prisma/migrations
  url_variable:
    description: The environment variable that holds the URL which the migrations use.
    type: str
    default: DATABASE_URL
  read_seconds:
    description: How long reading may take.
    type: int
    default: 60
attributes:
  idempotent:
    details: It never changes anything.
"""

EXAMPLES = r"""
- name: Read the migrations of the next version
  linkops.runbooks.prisma_migration_source:
    namespace: servicelink-production
    name: servicelink-api
    image: registry.example.com/servicelink/api:v1.3.0
  register: source
"""

RETURN = r"""
verdict:
  description: V(pass), or V(unknown) where check mode keeps from reading.
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
  description: The migrations in the order of their names.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The name of its folder.
      type: str
    script:
      description: Its C(migration.sql).
      type: str
    down:
      description: Its C(down.sql); null where there is none.
      type: str
target:
  description: Where the URL leads; host, port, database, user, schema, why it seems pooled, whether locking is off.
  returned: success
  type: dict
image:
  description: The image.
  returned: success
  type: str
where:
  description: The pod or Job that it was read in.
  returned: success
  type: str
"""

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.arguments import CONNECTION, RUN, WORKLOAD
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.migration_source import source
from ansible_collections.linkops.runbooks.plugins.module_utils.shell import Module

MODULE = Module(
    operation=source,
    arguments={
        **CONNECTION,
        **RUN,
        **WORKLOAD,
        "image": {"type": "str"},
        "container": {"type": "str"},
        "directory": {"type": "str", "default": "prisma/migrations"},
        "url_variable": {"type": "str", "default": "DATABASE_URL"},
        "read_seconds": {"type": "int", "default": 60},
    },
)


def main() -> None:
    """Run the module."""
    MODULE.run()


if __name__ == "__main__":
    main()
