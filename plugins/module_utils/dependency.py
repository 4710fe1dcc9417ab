# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What all that a service depends on have in common when they are asked how they are."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Any

from .call import Call
from .errors import Fault, OperatorError
from .verdict import Status, Verdict


def asked(call: Call, name: str, look: Callable[[Call], dict[str, Any]], answers: Container[str]) -> dict[str, Any]:
    """The result of a look, which has a C(verdict).

    What cannot be asked raises C(OperatorError), or with C(unreachable=unknown) is a verdict: unknown, or fail where
    the reason is one of C(answers), since such a refusal says how the thing is. A fault of the input always raises.
    """
    try:
        result = look(call)
    except OperatorError as fault:
        if call.params["unreachable"] == "fail" or fault.reason == "input_invalid":
            raise
        status: Status = "fail" if fault.reason in answers else "unknown"
        reason = " ".join(each.message.rstrip(".") for each in fault.faults)
        result = {
            "reachable": False,
            "remedy": " ".join(each.remedy for each in fault.faults if each.remedy),
            "verdict": Verdict(status, reason, {"reason": fault.reason}).as_result(),
        }
    judged = result["verdict"]
    sentence = f"{judged['status']}: {judged['reason']}"
    call.say(f"{name}: {sentence}")
    call.journal.note(name, verdict=judged["status"], reason=judged["reason"], evidence=judged["evidence"])
    return {"changed": False, **result, "msg": sentence}


def input_faults(call: Call, *above_zero: str) -> list[Fault]:
    """What is wrong with the options that all of them have, and with those that must be above 0."""
    params = call.params
    faults = [
        Fault("input_invalid", f"{name} is {params[name]:g}, and must be above 0.", "Correct it.")
        for name in above_zero
        if params[name] <= 0
    ]
    if params["more_connections"] < 0:
        faults.append(Fault("input_invalid", "more_connections is below 0.", "Give how many an act adds at most."))
    if not 0 < params["warning_ratio"] <= params["critical_ratio"] <= 1:
        rule = "warning_ratio and critical_ratio must be above 0, at most 1, and the first not above the second."
        faults.append(Fault("input_invalid", rule, "Correct them."))
    return faults
