# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The statements that take the most time, from pg_stat_statements. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .text import without_literals

#: A mean of fewer calls says little: a report, a backup, an index build.
CALLS = 10
HIDDEN = "<insufficient privilege>"


def time_columns(columns: Iterable[str]) -> tuple[str, str]:
    """The columns with a statement's total and mean time, in milliseconds under both names.

    They were renamed with version 1.8 of the extension, which PostgreSQL 13 brought; an upgraded server may still have
    the older extension, so its columns decide (PostgreSQL release notes 13, E.23.3.1).
    """
    return ("total_exec_time", "mean_exec_time") if "mean_exec_time" in set(columns) else ("total_time", "mean_time")


def described(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The statements as the module returns them: text without literals, times in milliseconds."""
    return [
        {
            "query": "" if row["query"] in (None, HIDDEN) else without_literals(row["query"]),
            "user": row["user"] or "",
            "calls": row["calls"],
            "total_milliseconds": round(row["total"], 3),
            "mean_milliseconds": round(row["mean"], 3),
            "rows_returned": row["rows"],
            "hit_ratio": None if row["hit_ratio"] is None else round(row["hit_ratio"], 4),
        }
        for row in rows
    ]
