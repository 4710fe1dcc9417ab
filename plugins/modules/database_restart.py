#!/usr/bin/python
# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: database_restart
short_description: Restart the server of a PostgreSQL database
version_added: 0.1.0
description:
  - Sees who is connected, what is running and who follows the server, restarts it, and proves that it answers, that it
    was started anew, and that the services that were connected are back.
  - Refuses to interrupt a backup, a restore, a migration or maintenance without O(interrupt), and anything without
    O(confirm). A server that cannot be asked may be restarted all the same, as that is what it may need.
  - A server that was started within O(fresh_minutes) is not restarted again.
author: linkops.runbooks contributors (@linkops)
extends_documentation_fragment:
  - linkops.runbooks.attributes
  - linkops.runbooks.database
options:
  state:
    description: V(restarted) restarts it, V(proved) waits for a server that something else restarted.
    type: str
    choices: [restarted, proved]
    default: restarted
  method:
    description:
      - What the server runs on. V(rds) reboots an instance, V(container) restarts a container of Docker or Podman.
      - V(elsewhere) checks only, since something else restarts it, such as M(linkops.runbooks.workload_restart).
    type: str
    choices: [rds, container, elsewhere]
    required: true
  rds_instance:
    description: The identifier of the instance. Credentials are those of the environment, else those that boto3 finds.
    type: str
  rds_region:
    description: Its region.
    type: str
  failover:
    description: Fail over to the second zone while the instance reboots.
    type: bool
    default: false
  container:
    description: The name of the container.
    type: str
  container_socket:
    description: The address of the engine. If not given, E(DOCKER_HOST) is read, else it is Docker's socket.
    type: str
  container_stop_seconds:
    description: How long it has to shut down before it is killed.
    type: int
    default: 60
  confirm:
    description: The name of the database, typed by whoever knows what is interrupted.
    type: str
  interrupt:
    description: Restart it although a backup, a restore, a migration or maintenance is running.
    type: bool
    default: false
  fresh_minutes:
    description: A server that was started less than so long ago is not restarted; V(0) always restarts.
    type: float
    default: 10
  clients:
    description:
      - Values of C(application_name) of which there must be a session again. If not given, those of the services that
        had one before.
    type: list
    elements: str
  deadline_seconds:
    description: How long it may take until the server and its clients are back.
    type: int
    default: 600
  started:
    description: With O(state=proved), RV(started) of the server before.
    type: float
"""

EXAMPLES = r"""
- name: Reboot the instance
  linkops.runbooks.database_restart:
    login_host: db.example.com
    login_user: servicelink
    login_db: servicelink
    login_password_file: /run/secrets/servicelink
    method: rds
    rds_instance: servicelink-production
    rds_region: us-east-1
    confirm: servicelink
"""

RETURN = r"""
verdict:
  description: Whether the server is back; C(status), C(reason) and C(evidence).
  returned: success
  type: dict
wanted:
  description: Whether there was something to restart.
  returned: success
  type: bool
started:
  description: When the server was started, in seconds since the epoch, by its own clock; none where it did not answer.
  returned: success
  type: float
clients:
  description: The services that must be back.
  returned: success
  type: list
  elements: str
sessions:
  description: How many client sessions there are.
  returned: success
  type: int
seconds:
  description: How long it took until it was back.
  returned: when it was restarted
  type: float
"""

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.arguments import RUN
from ansible_collections.linkops.runbooks.plugins.module_utils.database.arguments import DATABASE
from ansible_collections.linkops.runbooks.plugins.module_utils.restart_database import restart
from ansible_collections.linkops.runbooks.plugins.module_utils.shell import Module

MODULE = Module(
    operation=restart,
    arguments={
        **DATABASE,
        **RUN,
        "state": {"type": "str", "choices": ["restarted", "proved"], "default": "restarted"},
        "method": {"type": "str", "choices": ["rds", "container", "elsewhere"], "required": True},
        "rds_instance": {"type": "str"},
        "rds_region": {"type": "str"},
        "failover": {"type": "bool", "default": False},
        "container": {"type": "str"},
        "container_socket": {"type": "str"},
        "container_stop_seconds": {"type": "int", "default": 60},
        "confirm": {"type": "str"},
        "interrupt": {"type": "bool", "default": False},
        "fresh_minutes": {"type": "float", "default": 10},
        "clients": {"type": "list", "elements": "str"},
        "deadline_seconds": {"type": "int", "default": 600},
        "started": {"type": "float"},
    },
    library="psycopg2",
)


def main() -> None:
    """Run the module."""
    MODULE.run()


if __name__ == "__main__":
    main()
