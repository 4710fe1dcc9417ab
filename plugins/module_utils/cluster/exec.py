# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation behind M(linkops.runbooks.pod_exec): a command in one pod or in all, each answer named."""

from __future__ import annotations

import shlex
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..call import Call
from ..deadline import Deadline
from ..errors import Fault, together
from ..redaction import redact, redact_text
from ..verdict import Verdict, worst
from . import endings, evidence, places, snapshot
from .asking import side_by_side
from .client import ApiFault
from .places import Place
from .rights import right
from .session import Session, opened

MOST_OUTPUT_BYTES = 16 << 20
MOST_COMMAND_BYTES = 64 << 10


@dataclass(frozen=True)
class Outcome:
    """What a command did in one container."""

    place: Place
    rc: int | None
    verdict: Verdict
    stdout: str = ""
    stderr: str = ""
    left_out_bytes: int = 0
    seconds: float = 0.0

    def as_result(self) -> dict[str, Any]:
        """The outcome as the module returns it."""
        return {
            "pod": self.place.pod,
            "container": self.place.container,
            "rc": self.rc,
            "stdout": self.stdout,
            "stderr": self.stderr,
            "truncated": self.left_out_bytes > 0,
            "left_out_bytes": self.left_out_bytes,
            "seconds": round(self.seconds, 2),
            "status": self.verdict.status,
            "reason": self.verdict.reason,
        }


def pod_exec(call: Call) -> dict[str, Any]:
    """Run the command where C(call.params) say; in check mode only say where."""
    params = call.params
    with opened(call, *_input_faults(call)) as session:
        found, chosen = _survey(session)
        command = redact_text(shlex.join(params["command"]))
        where = [{"pod": place.pod, "container": place.container} for place in chosen]
        result = {"changed": not params["read_only"], "command": redact(params["command"]), "where": where}
        if call.check_mode:
            verdict = Verdict("unknown", f"{command} would run in {', '.join(map(str, chosen))}")
            return {**result, "results": [], "verdict": verdict.as_result(), "msg": f"{verdict.reason}; nothing ran"}
        session.held.renew()
        call.say(f"exec: {command} in {', '.join(map(str, chosen))}")
        call.journal.note("exec", command=command, where=where)
        secrets = evidence.confidences(session.cluster, found.workload, *map(evidence.as_template, found.pods))
        outcomes = _run(session, chosen, secrets)
    verdict = judge(command, outcomes)
    call.say(f"exec: {verdict.status}: {verdict.reason}")
    kept = ("pod", "container", "rc", "status", "reason", "left_out_bytes", "seconds")
    answers = [outcome.as_result() for outcome in outcomes]
    call.journal.note(
        "exec_ended", verdict=verdict.status, results=[{key: each[key] for key in kept} for each in answers]
    )
    return {
        **result,
        "results": answers,
        "verdict": verdict.as_result(),
        "msg": f"{verdict.status}: {verdict.reason}",
    }


def judge(command: str, outcomes: Sequence[Outcome]) -> Verdict:
    """The worst of all pods, in a sentence that names each that is as bad."""
    verdict = worst(Verdict(each.verdict.status, f"pod {each.place.pod}: {each.verdict.reason}") for each in outcomes)
    left_out = sum(each.left_out_bytes for each in outcomes)
    more = f"; {left_out} bytes of output are left out" if left_out else ""
    if verdict.passed:
        names = ", ".join(each.place.pod for each in outcomes)
        return Verdict("pass", f"{command} ended with exit code 0 in {names}{more}")
    return Verdict(verdict.status, f"{command}: {verdict.reason}{more}")


def _input_faults(call: Call) -> list[Fault]:
    command, seconds, most = (call.params[name] for name in ("command", "timeout_seconds", "output_bytes"))
    faults = []
    if not command or not command[0]:
        faults.append(Fault("command_empty", "The command names no program.", "Give command as a list of arguments."))
    if "\0" in "".join(command) or sum(len(each.encode()) for each in command) > MOST_COMMAND_BYTES:
        faults.append(
            Fault(
                "command_invalid",
                f"The command has a NUL character, or more than {MOST_COMMAND_BYTES} bytes.",
                "Put what it is to read into a ConfigMap or the image.",
            )
        )
    if seconds < 1:
        faults.append(Fault("timeout_invalid", f"timeout_seconds is {seconds}.", "Give at least 1."))
    if not 1 <= most <= MOST_OUTPUT_BYTES:
        faults.append(Fault("bound_invalid", f"output_bytes is {most}.", f"Give 1 to {MOST_OUTPUT_BYTES}."))
    return faults


def _survey(session: Session) -> tuple[snapshot.Snapshot, list[Place]]:
    """The workload and where the command is to run; what stands against it is raised in one go."""
    cluster, params = session.cluster, session.params
    # The stream is opened with a GET; from 1.35 on the API server asks for create as well, as it does for a POST.
    needed = [right("get", "Pod", "exec"), right("create", "Pod", "exec")]
    with together(*snapshot.unfit(cluster, params, needed)):
        found = snapshot.read(cluster, *session.workload)
        chosen = places.to_run_in(
            found.pods, session.called, params["pod"] or "", params["pods"] or "", params["container"] or ""
        )
    return found, chosen


def _run(session: Session, chosen: Sequence[Place], secrets: tuple[str, ...]) -> list[Outcome]:
    params = session.params

    def ask(place: Place, stopped: threading.Event) -> Outcome:
        deadline = Deadline(params["timeout_seconds"])
        try:
            ending = session.cluster.executed(
                params["namespace"], place.pod, place.container, params["command"],
                deadline, params["output_bytes"], stopped,
            )  # fmt: skip
        except ApiFault as fault:
            verdict = endings.refused(fault.status, fault.message, place.container)
            return Outcome(place, None, verdict, seconds=deadline.elapsed)
        stdout, stderr = ending.stdout.text(secrets), ending.stderr.text(secrets)
        rc, verdict = endings.judge(ending.status, ending.lost, stderr)
        left_out = ending.stdout.left_out + ending.stderr.left_out
        reason = redact_text(verdict.reason, secrets)
        return Outcome(place, rc, Verdict(verdict.status, reason), stdout, stderr, left_out, deadline.elapsed)

    return sorted(side_by_side(session.held, ask, chosen), key=lambda outcome: outcome.place)
