# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action plugin of the modules that talk to Redis.

It is the one of M(linkops.runbooks.workload_info) under a second name: Ansible takes a routed module for the one whose
action plugin it is routed to, and gives it that module's group defaults (ansible-core: Task.resolved_action).
"""

from __future__ import annotations

from ansible_collections.linkops.runbooks.plugins.action import workload_info
from ansible_collections.linkops.runbooks.plugins.module_utils.cache.connection import library_missing


class ActionModule(workload_info.ActionModule):
    """Run the module that the task names, here or there."""

    library, missing = "redis", library_missing()  # imported once, in the process that the workers fork from
