# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The health page: a table for the terminal, JSON for machines, HTML for people, all of the same lines. Pure."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from .page import HEAD

try:
    from jinja2 import Environment

    JINJA_MISSING: str | None = None
except ImportError as missing:
    JINJA_MISSING = str(missing)

Row = Mapping[str, Any]

WIDTH = 132
_FACTS = ("service", "system", "environment", "cluster", "namespace", "operator", "reason", "started")
_PAGE = (
    HEAD
    + """\
<h2>Lines</h2>
<table><tr><th>verdict</th><th>what</th><th>why</th></tr>
{% for row in rows %}<tr><td class="verdict {{ row.status }}">{{ row.status }}</td><th>{{ row.line }}</th>
<td>{{ row.reason }}{% if row.evidence %}<details><summary>evidence</summary><pre>{{ row.evidence }}</pre></details>
{% endif %}</td></tr>
{% endfor %}</table>
</body></html>
"""
)


def table(rows: Sequence[Row]) -> list[str]:
    """Aligned lines of text: verdict, what, and why, which is wrapped."""
    if not rows:
        return []
    first = max(len("verdict"), *(len(row["status"]) for row in rows)) + 2
    second = max(len("what"), *(len(row["line"]) for row in rows)) + 2
    shown = [f"{'verdict':<{first}}{'what':<{second}}why"]
    for row in rows:
        start = f"{row['status']:<{first}}{row['line']:<{second}}"
        reason = " ".join(str(row["reason"]).split())
        shown += textwrap.wrap(
            reason, WIDTH, initial_indent=start, subsequent_indent=" " * len(start), break_on_hyphens=False
        ) or [start.rstrip()]
    return shown


def document(run: Mapping[str, Any], verdict: Mapping[str, Any], rows: Sequence[Row], time: str) -> dict[str, Any]:
    """All of it as plain data."""
    return {
        **{name: run.get(name, "") for name in ("service", "system", "environment", "cluster", "namespace")},
        "run": run.get("id", ""),
        "time": time,
        "verdict": verdict["status"],
        "sentence": verdict["reason"],
        "lines": list(rows),
    }


def html(run: Mapping[str, Any], verdict: Mapping[str, Any], rows: Sequence[Row]) -> str:
    """One HTML file without any reference outside; every value in it is escaped."""
    return (
        Environment(autoescape=True)
        .from_string(_PAGE)
        .render(
            title=f"{run.get('button', 'health').replace('_', ' ')} of {run.get('service', 'a service')}",
            status=verdict["status"],
            sentence=verdict["reason"],
            facts=[(name, run[name]) for name in _FACTS if run.get(name)],
            rows=[{**row, "evidence": _evidence(row)} for row in rows],
        )
    )


def _evidence(row: Row) -> str:
    return json.dumps(row["evidence"], indent=1, sort_keys=True) if row.get("evidence") else ""
