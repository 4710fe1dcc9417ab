# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes every task's result and the statistics' custom part as JSON lines to the file that RESULTS_FILE names."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: results
type: aggregate
short_description: Results as JSON lines
description: For tests, which read results and not the screen.
"""


class CallbackModule(CallbackBase):
    """One line for each task and host, one with what set_stats handed on."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "results"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._file = Path(os.environ["RESULTS_FILE"])
        self._started: dict[tuple[str, str], float] = {}

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        self._started[host.get_name(), task._uuid] = time.time()

    def v2_runner_on_ok(self, result: Any) -> None:
        self._write(result, "ok")

    def v2_runner_on_failed(self, result: Any, **_options: Any) -> None:
        self._write(result, "failed")

    def v2_runner_on_skipped(self, result: Any) -> None:
        self._write(result, "skipped")

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._write(result, "unreachable")

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._append({"stats": stats.custom.get("_run", {})})

    def _write(self, result: Any, state: str) -> None:
        host, task = result.host.get_name(), result.task
        self._append(
            {
                "host": host,
                "name": task.get_name(),
                "action": task.action,
                "state": state,
                "started": self._started.get((host, task._uuid), 0.0),
                "ended": time.time(),
                "result": result.result,
            }
        )

    def _append(self, entry: dict[str, Any]) -> None:
        with self._file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(entry, default=str) + "\n")
