# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation behind M(linkops.runbooks.service_checkup): the modules that only look, side by side.

In an incident several dependencies may be silent at once; one after the other their timeouts would add up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from . import health, lines, observing, reach
from .cache import arguments as cache_arguments
from .cache import info as cache_info
from .call import Call, Operation
from .cluster import arguments as cluster_arguments
from .cluster import environment, examination, probing
from .cluster.arguments import CONNECTION, RUN, WORKLOAD
from .database import arguments as database_arguments
from .database import info as database_info
from .database.connections import by_name
from .errors import Fault, OperatorError, defect
from .lines import Line, unasked
from .nested import validated
from .signals import arguments as signal_arguments
from .verdict import Verdict

Arguments = dict[str, dict[str, Any]]

#: Faults of a cluster that the inventory names rightly: what does not need it is looked at all the same.
_MAY_PASS = frozenset({"api_unavailable", "defect", "forbidden", "unauthorized", "unreachable"})

_OF_WORKLOAD = {**CONNECTION, **RUN, **WORKLOAD}


@dataclass(frozen=True)
class Check:
    """A module as it is called here; C(line) is the name of its line where it returns a verdict alone."""

    operation: Operation
    arguments: Arguments
    line: str = ""
    facts: tuple[str, ...] = ()
    more: Callable[[Mapping[str, Any]], str] = field(default=lambda _result: "")


def _applications(result: Mapping[str, Any]) -> str:
    """Who has the database's connections."""
    return ", ".join(by_name((result.get("connections") or {}).get("by_application") or [])[:5])


def _redis(result: Mapping[str, Any]) -> str:
    """What is asked of a Redis beside its memory."""
    if not (facts := result.get("facts")):
        return ""
    ping, policy = result["ping_milliseconds"], facts["maxmemory_policy"]
    return f"PING after {ping:.1f} ms, {policy}, {facts['commands_processed']} commands processed"


#: In the order of a request: from the users to the pods, and on to what these depend on.
CHECKS: dict[str, Check] = {
    "service_health": Check(health.health, {**_OF_WORKLOAD, **cluster_arguments.ENDPOINTS}),
    "service_path": Check(reach.reach, {**_OF_WORKLOAD, **cluster_arguments.USERS_PATH}),
    "workload_vitals": Check(examination.examine, {**_OF_WORKLOAD, **cluster_arguments.VITALS}),
    "workload_environment": Check(environment.environment, {**_OF_WORKLOAD, **cluster_arguments.VARIABLES}),
    "database_info": Check(
        database_info.info,
        {**database_arguments.DATABASE, **RUN, **database_arguments.INFO},
        "database",
        ("connections", "activity", "unavailable"),
        _applications,
    ),
    "pod_probe": Check(probing.probe, {**_OF_WORKLOAD, **cluster_arguments.PROBE}),
    "cache_info": Check(
        cache_info.info,
        {**cache_arguments.CACHE, **RUN, **cache_arguments.INFO},
        "redis",
        ("facts", "ping_milliseconds"),
        _redis,
    ),
    "prometheus_info": Check(observing.observe, {**_OF_WORKLOAD, **signal_arguments.PROMETHEUS}),
}


def checkup(call: Call) -> dict[str, Any]:
    """Run the checks that C(checks) name with their arguments, and return their lines in the order of a request."""
    given: Mapping[str, Mapping[str, Any]] = call.params["checks"]
    faults = [
        Fault("input_invalid", f"There is no check {name}.", f"Use some of {', '.join(CHECKS)}.")
        for name in given
        if name not in CHECKS
    ]
    calls: dict[str, Call] = {}
    for name in (each for each in CHECKS if each in given):
        try:
            calls[name] = _call(call, CHECKS[name].arguments, name, given[name] or {})
        except OperatorError as fault:
            faults += fault.faults
    if faults:
        raise OperatorError(faults)
    with ThreadPoolExecutor(max(1, len(calls))) as pool:
        running = {name: pool.submit(_asked, CHECKS[name].operation, each) for name, each in calls.items()}
        results = {name: each.result() for name, each in running.items()}
    vitals = results.get("workload_vitals")
    if isinstance(vitals, OperatorError) and vitals.reason not in _MAY_PASS:
        raise vitals  # the inventory or the credentials are wrong: one sentence, not one for each check
    listed = [line for name, result in results.items() for line in _lines(name, result)]
    told = lines.told(listed)
    kept = {
        name: {key: value for key, value in result.items() if key not in ("lines", "msg", "changed")}
        for name, result in results.items()
        if isinstance(result, dict)
    }
    # Not "results", which Ansible keeps for loops.
    return {**told, "checked": kept}


def _call(call: Call, spec: Arguments, name: str, given: Mapping[str, Any]) -> Call:
    """The call of one check: validated as its module would, with connection, run and workload of this one."""
    common = {
        option: call.params[option]
        for option in (_OF_WORKLOAD if "kubeconfig" in spec else RUN)
        if call.params.get(option) is not None
    }
    # Without its progress: the lines say it all.
    return Call(validated(name, spec, given, common), call.check_mode, call.environment, call.journal, call.warnings)


def _asked(operation: Operation, call: Call) -> dict[str, Any] | OperatorError:
    try:
        return operation(call)
    except OperatorError as fault:
        return fault
    except Exception as found:  # noqa: BLE001  # pylint: disable=broad-except
        return defect(found, lines.DEFECT_REMEDY)


def _lines(name: str, result: dict[str, Any] | OperatorError) -> list[Line]:
    check = CHECKS[name]
    if isinstance(result, OperatorError):
        return [Line(check.line or name.replace("_", " "), unasked(result))]
    if "lines" in result:
        return [
            Line(each["line"], Verdict(each["status"], each["reason"], each["evidence"])) for each in result["lines"]
        ]
    judged = result["verdict"]
    facts = {fact: result[fact] for fact in check.facts if result.get(fact)}
    reason = "; ".join(part for part in (judged["reason"], check.more(result)) if part)
    return [Line(check.line, Verdict(judged["status"], reason, {**judged["evidence"], **facts}))]
