# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Repeats the verdict after the recap, so that it is the last thing on the screen."""

from __future__ import annotations

DOCUMENTATION = r"""
name: verdict
type: aggregate
short_description: Repeat each service's verdict as the last line
version_added: 0.1.0
description:
  - After the recap, shows again the verdict line of each service and where its record is.
  - It decorates. Nothing depends on it, and without it the same line stands above the recap.
author: linkops.runbooks contributors (@linkops)
"""

from typing import Any

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    """Keeps the message of every task that closed a record."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "linkops.runbooks.verdict"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._verdicts: dict[str, str] = {}

    def v2_runner_on_ok(self, result: Any) -> None:
        """Remember a closing line."""
        content = result.result
        if result.task.action == "linkops.runbooks.run_record" and "head" in content:
            self._verdicts[result.host.get_name()] = content["msg"]

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Show the closing lines."""
        for verdict in self._verdicts.values():
            self._display.display(verdict)
