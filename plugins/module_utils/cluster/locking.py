# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation behind M(linkops.runbooks.service_lock)."""

from __future__ import annotations

from typing import Any

from ..call import Call
from ..errors import Fault
from . import leases
from .arguments import CONNECTION
from .leases import Claim
from .session import opened

#: Kept out of the run, which is shown and registered; who needs them finds them in the environment (C(holding)).
_SECRET = ("api_key", "proxy")


def lock(call: Call) -> dict[str, Any]:
    """Take or give back the Leases of a run; returns the run with what it holds. A lock is no change of the service."""
    params = call.params
    run = dict(params["run"])
    names = sorted(f"linkops-{thing}" for thing in params["things"])
    with opened(call, _unsaid(params["break_lock"], run.get("reason"))) as session:
        cluster = session.cluster
        if params["state"] == "released":
            if not call.check_mode:
                # No line of the record follows: the head that is left on the Lease is the closing line's.
                leases.release(cluster, params["namespace"], names, run["id"], params["record_head"] or "")
            return {"changed": False, "run": {**run, "leases": []}}
        claim = Claim(
            holder=run["id"],
            button=run["button"],
            operator=run["operator"],
            reason=run.get("reason") or "",
            seconds=params["seconds"],
            fleet=params["fleet"] or "",
            turn_seconds=params["turn_seconds"],
        )
        if not call.check_mode:
            leases.take(cluster, params["namespace"], names, claim, params["break_lock"], call.say)
            call.journal.note("lock", leases=names, broken=params["break_lock"])
        held = {"leases": names, "lease_seconds": params["seconds"], "namespace": params["namespace"]}
        held["connection"] = {
            name: params[name] for name in CONNECTION if name not in _SECRET and params[name] is not None
        }
        return {"changed": False, "run": {**run, **held}}


def _unsaid(break_lock: bool, reason: str | None) -> Fault | None:
    """The fault of one who breaks a lock without saying why."""
    if not break_lock or reason:
        return None
    return Fault(
        "reason_missing",
        "break_lock was given without a reason.",
        "Add -e reason=WHY; the other run's operator reads it.",
    )
