#!/usr/bin/python
# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cache_info
short_description: Ask a Redis how it is, and whether more connections fit
version_added: 0.1.0
description:
  - Sends PING and INFO, nothing that looks at keys, and judges memory, clients, replication and persistence.
  - Asks one server; of a cluster, the node that is named.
author: linkops.runbooks contributors (@linkops)
extends_documentation_fragment:
  - linkops.runbooks.attributes
  - linkops.runbooks.cache
options:
  more_connections:
    description: How many clients the next act adds at the same time; the verdict says whether they fit.
    type: int
    default: 0
  expected_policy:
    description:
      - The C(maxmemory-policy) that the service needs; with another one the module warns. BullMQ is correct with
        V(noeviction) alone. Empty takes any.
    type: str
    default: noeviction
  warning_ratio:
    description: The part of C(maxmemory) and of C(maxclients) from which on the module warns.
    type: float
    default: 0.8
  critical_ratio:
    description:
      - The part from which on the verdict is V(fail); for memory only where nothing is evicted, since a Redis that
        evicts may be full. The policies V(volatile-*) evict nothing while no key expires; where few do, the module
        warns.
    type: float
    default: 0.95
  unreachable:
    description:
      - Whether a Redis that cannot be asked fails the task (V(fail)), or is a verdict (V(unknown)).
      - One that takes no more clients, or is loading, is a verdict V(fail) then, since this is an answer.
    type: str
    choices: [fail, unknown]
    default: fail
attributes:
  idempotent:
    details: It never changes anything.
"""

EXAMPLES = r"""
- name: Ask the cache
  linkops.runbooks.cache_info:
    login_host: redis.example.com
    login_password_file: /run/secrets/redis
    unreachable: unknown
  register: servicelink_cache
"""

RETURN = r"""
verdict:
  description: How the Redis is; V(unknown) where it cannot be asked.
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
reachable:
  description: Whether the Redis answered.
  returned: success
  type: bool
remedy:
  description: What to do next.
  returned: when the Redis could not be asked
  type: str
ping_milliseconds:
  description: How long connecting and the first answer took.
  returned: when the Redis answered
  type: float
facts:
  description:
    - Version, role and link to the primary, memory and its limit and policy, keys and how many of them expire, clients
      and their limit without the module's own, whether more fit, commands in all and per second, evicted and expired
      keys, hits and misses, and how its data is saved. Counters begin with the server's start.
  returned: when the Redis answered
  type: dict
"""

from ansible_collections.linkops.runbooks.plugins.module_utils.cache.arguments import CACHE, INFO
from ansible_collections.linkops.runbooks.plugins.module_utils.cache.info import info
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.arguments import RUN
from ansible_collections.linkops.runbooks.plugins.module_utils.shell import Module

MODULE = Module(
    operation=info,
    arguments={**CACHE, **RUN, **INFO},
    library="redis",
)


def main() -> None:
    """Run the module."""
    MODULE.run()


if __name__ == "__main__":
    main()
