# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation behind M(linkops.runbooks.health_page): all lines in one table, and in files of the run's record."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from .call import Call
from .errors import Fault, OperatorError
from .incident import health_page
from .lines import Line, summary
from .redaction import redact
from .verdict import Verdict

_REACHES = {"fail": ("fail",), "unknown": ("fail", "unknown")}


def page(call: Call) -> dict[str, Any]:
    """Show the lines as a table, keep them as C(health.json) and C(health.html), and judge all of them together."""
    params = call.params
    # Evidence bears values by names of its own choosing; what looks like a secret goes nowhere.
    rows = [redact(_row(each)) for each in params["lines"]]
    verdict = summary(Line(row["line"], Verdict(row["status"], row["reason"])) for row in rows).as_result()
    table = health_page.table(rows)
    for line in table:
        call.say(line)
    run: Mapping[str, Any] = params["run"] or {}
    time = datetime.now(UTC).isoformat(timespec="seconds")
    call.journal.attach("health.json", json.dumps(health_page.document(run, verdict, rows, time), indent=1))
    if health_page.JINJA_MISSING is None:
        call.journal.attach("health.html", health_page.html(run, verdict, rows))
    return {
        "changed": False,
        "verdict": verdict,
        "reached": [row["line"] for row in rows if row["status"] in _REACHES[params["fail_on"]]],
        "lines": rows,
        "table": table,
        "msg": f"{verdict['status']}: {verdict['reason']}",
    }


def _row(given: Mapping[str, Any]) -> dict[str, Any]:
    """One line as it was given, whole."""
    if not given.get("line") or given.get("status") not in ("pass", "fail", "unknown"):
        raise OperatorError(
            Fault(
                "input_invalid",
                "A line of the health page lacks its name or its status.",
                "Give lines as the modules return them: line, status, reason, evidence.",
            )
        )
    return {
        "line": str(given["line"]),
        "status": given["status"],
        "reason": str(given.get("reason") or ""),
        "evidence": given.get("evidence") or {},
    }
