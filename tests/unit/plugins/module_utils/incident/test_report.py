# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report: every field of the record is text in it, never markup."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

from ansible_collections.linkops.runbooks.plugins.module_utils.incident.report import render

SCRIPT = "<script>alert('x')</script>"
FACTS = ("button", "service", "system", "environment", "cluster", "namespace", "operator", "reason", "run", "started")


class Tags(HTMLParser):
    """Every tag of a page, and the attributes that make a browser load or run something."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.classes: list[str] = []
        self.active: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.classes += [value or "" for name, value in attrs if name == "class"]
        self.active += [name for name, _value in attrs if name in ("src", "href") or name.startswith("on")]


def entry(event: str, **data: Any) -> dict[str, Any]:
    """One line of a record."""
    return {"time": "2026-03-05T10:00:01.000+00:00", "run": "r1", "event": event, "data": data}


RUN = [
    entry("opened", button="rollback", service="servicelink-api", operator="ops@bastion"),
    entry("warning", message="It is OnDelete."),
    entry("plan", from_revision=8, to_revision=6, warnings=[]),
    entry("rollout", revision=6, state="done", timeline=[{"seconds": 0, "revisions": {"6": {"pods": 3, "ready": 3}}}]),
    entry("closed", status="pass", sentence="Revision 6 serves."),
]


def test_says_what_happened() -> None:
    page = render(RUN, "ab" * 32)
    for words in ("rollback of servicelink-api", "pass: Revision 6 serves.", "It is OnDelete.", "to_revision: 6", "ab"):
        assert words in page
    assert "Rollout of revision 6" in page
    assert Tags(page).tags.count("svg") == 1
    assert "timeline" not in page


def test_loads_nothing_from_elsewhere() -> None:
    assert Tags(render(RUN, "")).active == []


def test_a_run_that_was_not_closed_is_unknown() -> None:
    page = render(RUN[:2], "")
    assert "unknown: the run was not closed" in page
    assert "verdict unknown" in Tags(page).classes


def test_no_lines_at_all() -> None:
    assert "run of unknown" in render([], "")


def test_markup_in_any_field_stays_text() -> None:
    evil = {"button": SCRIPT, "service": SCRIPT, **dict.fromkeys(FACTS[2:], SCRIPT)}
    nested = {SCRIPT: [SCRIPT, {SCRIPT: SCRIPT}]}
    revisions = {f'"/>{SCRIPT}': {"pods": 1, "ready": 0}}
    lines = [
        entry("opened", **evil),
        entry("warning", message=SCRIPT),
        entry(SCRIPT, **nested),
        entry("rollout", revision=SCRIPT, timeline=[{"seconds": 0, "revisions": revisions}]),
        {**entry("evidence", file=SCRIPT), "time": SCRIPT},
        entry("closed", status=f'" onload="x {SCRIPT}', sentence=SCRIPT),
    ]
    page = render(lines, SCRIPT)
    seen = Tags(page)
    assert "script" not in seen.tags
    assert seen.active == []
    assert "<script" not in page.lower()
    assert page.count("&lt;script&gt;") >= len(FACTS) + 8
