# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation behind M(linkops.runbooks.workload_job): one command in a Job of a workload's image, seen through."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from ..call import Call
from ..errors import Fault, OperatorError, together
from ..redaction import redact_text
from ..verdict import Verdict
from . import evidence, jobs, paths, snapshot, working
from .client import Cluster
from .rights import right
from .session import Session, opened

NEEDED = [
    *(right(verb, "Job") for verb in ("get", "list", "create", "delete")),
    right("list", "Pod"),
    right("get", "Pod", "log"),
]


def job(call: Call) -> dict[str, Any]:
    """Run the command once; in check mode say what would run, and whether it runs already."""
    params = call.params
    with opened(call, *_input_faults(params)) as session:
        found = survey(session)
        container = jobs.chosen(found.workload["spec"]["template"], params["container"] or "", session.called)
        image, command = params["image"] or container["image"], params["command"]
        shown = redact_text(shlex.join(command))
        marks = jobs.marks(image, shown, params["identity"])
        name = jobs.name_of(params["name"], params["purpose"], image, shown, *params["identity"])
        standing = _standing(session.cluster, params)
        if standing is not None:
            name = _same(standing, marks, params, call.check_mode)
        told = {"job": name, "image": image, "active": name if standing else ""}
        if call.check_mode:
            said = f"Job {name} runs already" if standing else f"{shown} would run in a Job of {image}"
            looked = Verdict("unknown", said).as_result()
            return {"changed": standing is None, "verdict": looked, "msg": said, "outcome": "", "log": "", **told}
        if params["adopt_only"] and standing is None:
            said = "no such Job runs"
            nothing = {"outcome": "", "log": "", "exit_code": None, "adopted": False}
            return {"changed": False, "verdict": Verdict("pass", said).as_result(), "msg": said, **nothing, **told}
        secrets = evidence.confidences(session.cluster, found.workload)
        manifest = jobs.manifest(
            found.workload, container, image, command, name, params["purpose"], params["deadline_seconds"], marks
        )
        call.say(f"job {name}: {shown} in {image}")
        call.journal.note("job", name=name, image=image, command=shown)
        done = working.run(session.cluster, session.held, manifest, call.say, secrets)
        log = redact_text(done.log, secrets)
    verdict = Verdict(done.verdict.status, redact_text(done.verdict.reason, secrets))
    call.say(f"job {name}: {verdict.status}: {verdict.reason}")
    call.journal.note("job_ended", name=name, outcome=done.outcome, reason=verdict.reason)
    if log:
        call.journal.attach(f"jobs/{name}.log", log)
    return {
        "changed": True,
        "verdict": verdict.as_result(),
        "msg": f"{verdict.status}: {verdict.reason}",
        "outcome": done.outcome,
        "adopted": done.adopted,
        "exit_code": done.exit_code,
        "log": log,
        **told,
    }


def _input_faults(params: Mapping[str, Any]) -> list[Fault]:
    faults = []
    if not params["command"] or not params["command"][0]:
        faults.append(Fault("command_empty", "The command names no program.", "Give command as a list of arguments."))
    if params["deadline_seconds"] < 1:
        said = f"deadline_seconds is {params['deadline_seconds']}."
        faults.append(Fault("deadline_invalid", said, "Give at least 1."))
    return faults


def survey(session: Session) -> snapshot.Snapshot:
    """The workload, once it is certain that Jobs may be made of it. Raises C(OperatorError)."""
    with together(*snapshot.unfit(session.cluster, session.params, NEEDED)):
        return snapshot.read(session.cluster, *session.workload, with_pods=False)


def _standing(cluster: Cluster, params: Mapping[str, Any]) -> dict[str, Any] | None:
    """A Job of this purpose and workload that goes on."""
    selector = ",".join(f"{key}={value}" for key, value in jobs.labels(params["name"], params["purpose"]).items())
    listed = cluster.items(paths.path("Job", params["namespace"]), labelSelector=selector)
    return next((each for each in listed if working.active(each)), None)


def _same(standing: Mapping[str, Any], asked: Mapping[str, str], params: Mapping[str, Any], looking: bool) -> str:
    """The name of the Job that goes on, if it is what is asked for."""
    name = str(standing["metadata"]["name"])
    marks = standing["metadata"].get("annotations") or {}
    if looking or not (other := jobs.other(marks, asked)):
        return name
    raise OperatorError(
        Fault(
            "another_job",
            f"Job {name} still runs {other}.",
            f"Wait for it, or look at it: kubectl -n {params['namespace']} describe job {name}.",
        )
    )
