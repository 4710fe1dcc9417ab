# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The health page: the table is aligned, the HTML is escaped, the files have all lines."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.call import Call
from ansible_collections.linkops.runbooks.plugins.module_utils.errors import OperatorError
from ansible_collections.linkops.runbooks.plugins.module_utils.incident import health_page
from ansible_collections.linkops.runbooks.plugins.module_utils.paging import page

SCRIPT = "<script>alert(1)</script>"
RUN = {"id": "r1", "service": "api", "environment": "lab", "cluster": "c", "namespace": "n", "reason": SCRIPT}


def row(line: str, status: str = "pass", reason: str = "well", **evidence: Any) -> dict[str, Any]:
    """One line of a module."""
    return {"line": line, "status": status, "reason": reason, "evidence": evidence}


def test_the_table_is_aligned_and_wrapped() -> None:
    shown = health_page.table([row("pods"), row("memory trend", "unknown", "word " * 60)])
    assert shown[0] == "verdict  what          why"
    assert shown[1] == "pass     pods          well"
    assert shown[2].startswith("unknown  memory trend  word word")
    assert all(text.startswith(" " * 23 + "word") for text in shown[3:])
    assert len(shown) > 4
    assert all(len(text) <= health_page.WIDTH for text in shown)
    assert health_page.table([]) == []


def test_html_is_escaped() -> None:
    html = health_page.html(RUN, {"status": "fail", "reason": SCRIPT}, [row("pods", "fail", SCRIPT, said=SCRIPT)])
    assert "<script>" not in html
    assert html.count("&lt;script&gt;") == 4
    assert '<td class="verdict fail">fail</td><th>pods</th>' in html


class Kept:
    """A journal that remembers its evidence."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {}

    def note(self, event: str, **data: Any) -> None:
        """Nothing."""

    def attach(self, name: str, content: str) -> None:
        """Keep it."""
        self.files[name] = content


def paged(rows: list[dict[str, Any]], fail_on: str = "fail") -> tuple[dict[str, Any], dict[str, str]]:
    """The result of the operation and the files that it keeps."""
    journal = Kept()
    result = page(Call({"lines": rows, "fail_on": fail_on, "run": RUN}, journal=journal))
    return result, journal.files


def test_the_worst_line_is_the_verdict_and_fail_on_says_what_counts() -> None:
    rows = [row("pods"), row("nodes", "unknown", "may not be read"), row("database", "fail", "none is left")]
    result, files = paged(rows)
    assert result["verdict"]["status"] == "fail"
    assert result["verdict"]["reason"] == "database: none is left"
    assert result["reached"] == ["database"]
    assert paged(rows, "unknown")[0]["reached"] == ["nodes", "database"]
    assert paged(rows[:2])[0]["reached"] == []
    assert set(files) == {"health.json", "health.html"}
    assert all("none is left" in content for content in files.values())


def test_what_looks_like_a_secret_goes_nowhere() -> None:
    rows = [row("path", reason="postgresql://u:hunter2hunter2@h/d", password="hunter2hunter2")]
    result, files = paged(rows)
    assert "hunter2" not in str(result)
    assert all("hunter2" not in content for content in files.values())


@pytest.mark.parametrize(
    "wrong", [{"line": "", "status": "pass"}, {"line": "pods", "status": "fine"}, {"status": "pass"}]
)
def test_a_line_without_name_or_verdict_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(OperatorError, match="lacks its name or its status"):
        paged([wrong])
