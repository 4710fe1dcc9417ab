#!/usr/bin/python
# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: database_info
short_description: Ask a PostgreSQL how it is, and whether more connections fit
version_added: 0.1.0
description:
  - Counts the client sessions by state and application against C(max_connections) minus what is reserved, and against
    the limits of the database and of the role. Background processes and the module's own session are not counted.
  - Lists what the sessions do and who blocks whom, and on request statistics, sizes and settings. Texts of queries
    are shown without literals; in doubt, their command alone.
  - Reads only, in read-only transactions.
author: linkops.runbooks contributors (@linkops)
extends_documentation_fragment:
  - linkops.runbooks.attributes
  - linkops.runbooks.database
options:
  gather:
    description:
      - What the result has beside the verdict.
      - V(connections) and V(activity) say who is connected, and what those do that are not idle.
      - V(blocking) says who waits for whose lock.
      - V(statements) needs the extension pg_stat_statements in the database.
    type: list
    elements: str
    choices: [connections, activity, blocking, statements, sizes, cache, settings]
    default: [connections, activity]
  more_connections:
    description: How many connections the next act adds at the same time; the verdict says whether they fit.
    type: int
    default: 0
  refusal:
    description:
      - How the sentence begins that refuses O(more_connections) which do not fit. The module then fails with it, and
        names who has the connections.
      - Without it the verdict says that they do not fit.
    type: str
    default: ''
  remedy:
    description: How this sentence ends, what else the operator can do.
    type: str
    default: ''
  service_user:
    description: The role that these connections log in with, where it is not O(login_user).
    type: str
  warning_ratio:
    description: The part of the connections from which on the module warns.
    type: float
    default: 0.8
  critical_ratio:
    description: The part of the connections, O(more_connections) included, from which on the verdict is V(fail).
    type: float
    default: 0.95
  unreachable:
    description:
      - Whether a database that cannot be asked fails the task (V(fail)), or is a verdict (V(unknown)).
      - A server that has no connection left is a verdict V(fail) then, since this is an answer.
    type: str
    choices: [fail, unknown]
    default: fail
  top:
    description: How many statements and tables are listed.
    type: int
    default: 10
attributes:
  idempotent:
    details: It never changes anything.
"""

EXAMPLES = r"""
- name: Ask whether ten more connections fit
  linkops.runbooks.database_info:
    login_host: db.example.com
    login_user: servicelink
    login_password_file: /run/secrets/servicelink
    more_connections: 10
    unreachable: unknown
  register: servicelink_database
"""

RETURN = r"""
verdict:
  description: Whether the connections fit; V(unknown) where the database cannot be asked, or hides what decides.
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
  description: Whether the database answered.
  returned: success
  type: bool
remedy:
  description: What to do next.
  returned: when the database could not be asked
  type: str
server:
  description: Version, address, database, user, whether it is a standby, for how long it is up.
  returned: when the database answered
  type: dict
connections:
  description: The client sessions against their limits.
  returned: when gathered
  type: dict
  contains:
    client_backends:
      description: Client sessions, without the module's own.
      type: int
    hidden_sessions:
      description: Sessions of which this role may not even see whether they are a client's.
      type: int
    max_connections:
      description: The server's setting.
      type: int
    reserved_connections:
      description: What of it is reserved for superusers and for roles with reserved connections.
      type: int
    limit:
      description: What is left of it for ordinary roles.
      type: int
    free:
      description: What is not taken of the limit.
      type: int
    ratio:
      description: The part of the limit that is taken.
      type: float
    more_connections:
      description: The option.
      type: int
    fits:
      description: Whether these fit into every limit, regardless of the ratios; none where that is hidden.
      type: bool
    narrower_limits:
      description: Limits of the role and the database, where they have one.
      type: list
      elements: dict
    by_state:
      description: Number of sessions by state.
      type: dict
    by_application:
      description: Number of sessions, and of each state, by application, user and database.
      type: list
      elements: dict
activity:
  description: The client sessions that are not idle, the longest transaction first, at most 100.
  returned: when gathered
  type: list
  elements: dict
blocking:
  description:
    - Trees of sessions. Each has those that wait for it as C(waiters), and the number of all below it as C(waiting).
  returned: when gathered
  type: list
  elements: dict
statements:
  description: The statements that took the most time, from pg_stat_statements.
  returned: when gathered
  type: list
  elements: dict
sizes:
  description: Size of the database and of its largest tables, in bytes.
  returned: when gathered
  type: dict
cache:
  description: Hits in shared buffers, deadlocks and temporary files since the statistics began.
  returned: when gathered
  type: dict
settings:
  description: The settings that matter in an incident.
  returned: when gathered
  type: list
  elements: dict
unavailable:
  description: What could not be read, each with the reason.
  returned: when the database answered
  type: dict
"""

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.arguments import RUN
from ansible_collections.linkops.runbooks.plugins.module_utils.database.arguments import DATABASE, INFO
from ansible_collections.linkops.runbooks.plugins.module_utils.database.info import info
from ansible_collections.linkops.runbooks.plugins.module_utils.shell import Module

MODULE = Module(
    operation=info,
    arguments={**DATABASE, **RUN, **INFO},
    library="psycopg2",
)


def main() -> None:
    """Run the module."""
    MODULE.run()


if __name__ == "__main__":
    main()
