# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What all that a service depends on have in common: a library to ask with, options, and an answer or none."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Container, Mapping
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


def library_missing(name: str) -> str | None:
    """Why a Python library cannot be imported here, None where it can."""
    try:
        importlib.import_module(name)
    except ImportError as missing:
        return str(missing)
    return None


def library(name: str) -> Any:
    """A Python library, imported at the first use, as most buttons do not need it. Raises C(OperatorError)."""
    if missing := library_missing(name):
        raise OperatorError(absent(name, missing))
    return importlib.import_module(name)


def absent(name: str, why: str) -> Fault:
    """A Python library that everything here rests on cannot be imported."""
    return Fault(
        "library_missing",
        f"The Python library {name} cannot be imported here ({why}).",
        "Install what the collection's requirements.txt names into this interpreter.",
    )


def above_zero(given: Mapping[str, Any], *names: str) -> list[Fault]:
    """Which of these options are not above 0."""
    return [
        Fault("input_invalid", f"{name} is {given[name]:g}, and must be above 0.", "Correct it.")
        for name in names
        if given[name] <= 0
    ]


def input_faults(call: Call, *positive: str) -> list[Fault]:
    """What is wrong with the options that all of them have, and with those that must be above 0."""
    params = call.params
    faults = above_zero(params, *positive)
    if params["more_connections"] < 0:
        faults.append(Fault("input_invalid", "more_connections is below 0.", "Give how many an act adds at most."))
    if not 0 < params["warning_ratio"] <= params["critical_ratio"] <= 1:
        rule = "warning_ratio and critical_ratio must be above 0, at most 1, and the first not above the second."
        faults.append(Fault("input_invalid", rule, "Correct them."))
    return faults
