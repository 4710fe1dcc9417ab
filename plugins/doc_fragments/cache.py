# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation of the options in C(module_utils/cache/arguments.py)."""

from __future__ import annotations


class ModuleDocFragment:
    """How a module reaches Redis."""

    DOCUMENTATION = r"""
options:
  login_host:
    description:
      - Host that the Redis runs on. What an option says comes before O(login_url).
    type: str
    aliases: [host]
  login_port:
    description:
      - Port of the Redis, 6379 if nothing says another one.
    type: int
    aliases: [port]
  login_user:
    description:
      - The user of Redis' access control lists; without it, the default user.
    type: str
  login_password:
    description:
      - The password. If neither it nor O(login_url) says one, E(REDISCLI_AUTH) is read, as by redis-cli.
    type: str
  login_password_file:
    description:
      - File that holds the password; it comes before O(login_password).
    type: path
  login_password_key:
    description:
      - Key of the password in O(login_password_file), which is JSON then; without it the whole file is the password.
    type: str
  login_db:
    description:
      - The number of the database, 0 if nothing says another one.
    type: int
  login_url:
    description:
      - A connection URL as ioredis and redis-py have it, C(rediss://) for TLS.
    type: str
  tls:
    description:
      - Whether to talk TLS; without it, as O(login_url) says, else not.
    type: bool
  validate_certs:
    description:
      - Whether the server's certificate is verified.
    type: bool
    default: true
  ca_certs:
    description:
      - File with the authorities that the server's certificate must come from; without it, those of the system.
    type: path
  client_cert_file:
    description:
      - The client's certificate.
    type: path
  client_key_file:
    description:
      - The key of O(client_cert_file).
    type: path
  connect_timeout_seconds:
    description:
      - How long it may take to connect, name resolution included.
    type: float
    default: 3
  answer_timeout_seconds:
    description:
      - How long one answer may take.
    type: float
    default: 3
  run:
    description:
      - The run that this task belongs to, as RV(linkops.runbooks.run_record#module:run) or
        RV(linkops.runbooks.service_lock#module:run) returned it. Its record takes the task's events.
    type: dict
requirements:
  - python >= 3.11
  - redis >= 6.2
attributes:
  action_group:
    description: Shares the connection options with the other modules of the group linkops.runbooks.cache.
    support: full
    membership: [linkops.runbooks.cache]
"""
