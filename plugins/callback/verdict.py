# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Repeats the verdict after the recap, so that it is the last thing on the screen."""

from __future__ import annotations

DOCUMENTATION = r"""
name: verdict
type: aggregate
short_description: Repeat the verdict as the last line, or as one table of all services
version_added: 0.1.0
description:
  - After the recap, shows again the verdict line of a service and where its record is.
  - Where a button was pressed for several services, shows one table of them, made from the statistics
    C(linkops_services), which also hold what a screen has no room for.
  - It decorates. Nothing depends on it, and without it the same lines stand above the recap.
author: linkops.runbooks contributors (@linkops)
"""

import shutil
from collections.abc import Mapping
from typing import Any

from ansible.plugins.callback import CallbackBase

LEAST_SENTENCE = 40
WITHOUT_TERMINAL = (200, 24)  # columns, lines
TITLES = ("service", "verdict", "changed", "seconds", "sentence", "record")


class CallbackModule(CallbackBase):
    """Keeps the message of the task that closed a record."""

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
        """Show the closing line, or the table."""
        services = stats.custom.get("_run", {}).get("linkops_services")
        lines = (
            table(services, shutil.get_terminal_size(WITHOUT_TERMINAL).columns) if services else self._verdicts.values()
        )
        for line in lines:
            self._display.display(line)


def table(services: Mapping[str, Mapping[str, Any]], columns: int) -> list[str]:
    """One line for each service, in the order of their names, and the sentences cut to fit into so many columns."""
    rows = [TITLES, *(_row(name, services[name]) for name in sorted(services))]
    widths = [max(len(row[index]) for row in rows) for index in range(len(TITLES))]
    sentence = TITLES.index("sentence")
    others = sum(widths) - widths[sentence] + 2 * (len(TITLES) - 1)
    widths[sentence] = min(widths[sentence], max(LEAST_SENTENCE, columns - others))
    return ["  ".join(_fitting(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _row(name: str, told: Mapping[str, Any]) -> tuple[str, ...]:
    changed = {True: "yes", False: "no"}.get(told.get("changed"), "-")  # type: ignore[arg-type]
    seconds = f"{told['seconds']:.1f}" if "seconds" in told else "-"
    return name, str(told["verdict"]), changed, seconds, str(told.get("sentence", "")), str(told.get("record") or "-")


def _fitting(cell: str, width: int) -> str:
    return (cell if len(cell) <= width else f"{cell[: width - 3]}...").ljust(width)
