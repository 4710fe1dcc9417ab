# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation behind M(linkops.runbooks.record_check), where the records of a service and its Lease meet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .call import Call
from .cluster import leases, paths
from .cluster.session import opened
from .errors import OperatorError
from .incident import chain, record
from .verdict import Verdict


def record_check(call: Call) -> dict[str, Any]:
    """Verify the chain of a service's records, against the head on its Lease or one that the operator has."""
    params = call.params
    directory = Path(params["directory"]).expanduser() / params["environment_name"] / params["service"]
    entries = list(record.service_entries(directory)) if directory.is_dir() else []
    anchor = params["head"] or _anchor(call)
    verdict = judge(entries, anchor, str(directory))
    call.say(f"records: {verdict.status}: {verdict.reason}")
    return {
        "changed": False,
        "lines": len(entries),
        "runs": len({entry["run"] for entry in entries}),
        "anchor": anchor,
        "verdict": verdict.as_result(),
        "msg": f"{verdict.status}: {verdict.reason}",
    }


def judge(entries: list[dict[str, Any]], anchor: str, where: str) -> Verdict:
    """Consistent and anchored passes; without an anchor nothing shows that no line is missing at the end."""
    if not entries:
        return Verdict("unknown", f"there are no records in {where}")
    faults = chain.verify(entries, anchor)
    if faults:
        return Verdict("fail", "; ".join(faults))
    if not anchor:
        return Verdict("unknown", f"{len(entries)} lines are consistent, unanchored")
    return Verdict("pass", f"{len(entries)} lines are consistent, anchored by head {anchor[:12]}")


def _anchor(call: Call) -> str:
    """The head that the last button left on the service's Lease, empty where there is none or it cannot be read."""
    try:
        with opened(call) as session:
            lease = session.cluster.get(
                paths.path("Lease", call.params["namespace"], f"linkops-{call.params['service']}")
            )
    except OperatorError as fault:
        if fault.reason != "not_found":
            call.warn(f"The anchor on the Lease cannot be read: {fault}")
        return ""
    annotations = lease["metadata"].get("annotations") or {}
    return str(annotations.get(f"{leases.ANNOTATION}record-head") or "")
