# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report of a run for people: one HTML file without any reference outside, made from its record."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from .page import HEAD
from .picture import rollout_svg

try:
    from jinja2 import Environment
    from markupsafe import Markup

    JINJA_MISSING: str | None = None
except ImportError as missing:
    JINJA_MISSING = str(missing)

_PAGE = (
    HEAD
    + """\
{% for picture in pictures %}<h2>{{ picture.title }}</h2>
<figure>{{ picture.svg }}<figcaption>Pods by revision: full colour is ready, pale is not.</figcaption></figure>
{% endfor %}
{% if warnings %}<h2>Warnings</h2><ul>{% for warning in warnings %}<li>{{ warning }}</li>{% endfor %}</ul>{% endif %}
<h2>What happened</h2>
<table><tr><th>time (UTC)</th><th>event</th><th>details</th></tr>
{% for entry in entries %}<tr><td><time datetime="{{ entry.time }}">{{ entry.clock }}</time></td>
<td>{{ entry.event }}</td><td><pre>{{ entry.details }}</pre></td></tr>
{% endfor %}</table>
<p>Head of the record chain: <code>{{ head }}</code></p>
</body></html>
"""
)
_FACTS = ("button", "service", "system", "environment", "cluster", "namespace", "operator", "reason", "run", "started")


def render(entries: Iterable[Mapping[str, Any]], head: str) -> str:
    """The page for the lines of one run; every value in it is escaped."""
    listed = list(entries)
    opened: dict[str, Any] = next((entry["data"] for entry in listed if entry["event"] == "opened"), {})
    closed: dict[str, Any] = next((entry["data"] for entry in reversed(listed) if entry["event"] == "closed"), {})
    environment = Environment(autoescape=True)
    return environment.from_string(_PAGE).render(
        title=f"{opened.get('button', 'run')} of {opened.get('service', 'unknown')}",
        status=closed.get("status", "unknown"),
        sentence=closed.get("sentence", "the run was not closed"),
        facts=[(name, opened[name]) for name in _FACTS if opened.get(name)],
        pictures=[
            # The picture is markup of our own making, its only foreign text is escaped there.
            {"title": f"Rollout of revision {entry['data'].get('revision')}", "svg": Markup(svg)}  # noqa: S704
            for entry in listed
            if entry["event"] == "rollout" and (svg := rollout_svg(entry["data"].get("timeline") or []))
        ],
        warnings=[entry["data"].get("message") for entry in listed if entry["event"] == "warning"],
        entries=[
            {
                "time": entry["time"],
                "clock": _clock(entry["time"]),
                "event": entry["event"],
                "details": _details(entry["data"]),
            }
            for entry in listed
            if entry["event"] != "warning"
        ],
        head=head,
    )


def _clock(time: str) -> str:
    """The time of day, UTC to the millisecond, of a line; the page names the day once, where it names the start."""
    return time.partition("T")[2].partition("+")[0]


def _details(data: Mapping[str, Any]) -> str:
    return "\n".join(
        f"{key}: {value if isinstance(value, str) else json.dumps(value)}"
        for key, value in data.items()
        if key != "timeline"
    )
