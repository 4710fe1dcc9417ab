# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation of the options in C(module_utils/database/arguments.py)."""

from __future__ import annotations


class ModuleDocFragment:
    """How a module reaches PostgreSQL."""

    DOCUMENTATION = r"""
options:
  login_host:
    description:
      - Host that the database runs on; several are separated by commas.
      - What an option says comes before O(login_url), and that before the environment, here E(PGHOST).
    type: str
    aliases: [host]
  login_port:
    description:
      - Port of the database. If not given, E(PGPORT) is read, else it is 5432.
    type: int
    aliases: [port]
  login_unix_socket:
    description:
      - Folder of a Unix-domain socket, instead of O(login_host).
    type: path
    aliases: [unix_socket]
  login_user:
    description:
      - The role that logs in. If not given, E(PGUSER) is read. There is no default.
    type: str
    aliases: [login]
  login_db:
    description:
      - The database. If not given, E(PGDATABASE) is read, else it is named as its user.
    type: str
    aliases: [db]
  login_password:
    description:
      - The role's password. If not given, E(PGPASSWORD) is read, then the file that E(PGPASSFILE) names.
    type: str
  login_password_file:
    description:
      - File that holds the password; it comes before O(login_password).
    type: path
  login_password_key:
    description:
      - Key of the password in O(login_password_file), which is JSON then; without it the whole file is the password.
    type: str
  login_url:
    description:
      - A connection URL as libpq, Prisma and node-postgres have it. Of Prisma's parameters C(schema), C(pgbouncer) and
        C(sslaccept) count, those for its own pool do not.
    type: str
  ssl_mode:
    description:
      - How TLS is asked for, as libpq has it. If not given, E(PGSSLMODE) is read, else it is V(prefer).
    type: str
    choices: [disable, allow, prefer, require, verify-ca, verify-full]
  ca_cert:
    description:
      - File with the authorities that the server's certificate must come from, or V(system).
        If not given, E(PGSSLROOTCERT) is read.
    type: path
    aliases: [ssl_rootcert]
  ssl_cert:
    description:
      - The client's certificate. If not given, E(PGSSLCERT) is read.
    type: path
  ssl_key:
    description:
      - The key of O(ssl_cert). If not given, E(PGSSLKEY) is read.
    type: path
  connect_timeout_seconds:
    description:
      - How long it may take to connect, name resolution included.
    type: float
    default: 3
  statement_timeout_seconds:
    description:
      - How long one statement may take in the server.
    type: float
    default: 5
  lock_timeout_seconds:
    description:
      - How long a statement may wait for a lock.
    type: float
    default: 2
  run:
    description:
      - The run that this task belongs to, as RV(linkops.runbooks.run_record#module:run) or
        RV(linkops.runbooks.service_lock#module:run) returned it. Its record takes the task's events.
    type: dict
requirements:
  - python >= 3.11
  - psycopg2 >= 2.9.10
attributes:
  action_group:
    description: Shares the connection options with the other modules of the group linkops.runbooks.database.
    support: full
    membership: [linkops.runbooks.database]
"""
