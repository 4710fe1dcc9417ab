# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation behind M(linkops.runbooks.run_record): a run's first and last words.

Record, cluster and S3 meet here.
"""

from __future__ import annotations

import getpass
import os
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .call import Call
from .cluster import leases, paths
from .cluster.client import MERGE_PATCH, ApiFault
from .cluster.session import opened
from .errors import Fault, OperatorError
from .incident import record, report, sink
from .redaction import redact, redact_text


def run_record(call: Call) -> dict[str, Any]:
    """Open or close the record of a run, see the module."""
    return _open(call) if call.params["state"] == "opened" else _close(call)


def _open(call: Call) -> dict[str, Any]:
    params = call.params
    unset = sorted(name for name, value in (params["mandatory"] or {}).items() if value in (None, ""))
    if unset:
        raise OperatorError(
            Fault(
                "inventory_incomplete",
                f"The inventory of {params['service']} does not set {', '.join(unset)}.",
                f"Set {'it' if len(unset) == 1 else 'them'} in the group_vars of this environment; nothing was done.",
            )
        )
    if params["record_sink"]:
        sink.parse(params["record_sink"])
    now = datetime.now(UTC)
    run = {
        "id": f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}",
        "button": params["button"],
        "service": params["service"],
        "system": params["system"],
        "environment": params["environment_name"],
        "cluster": params["cluster"],
        "namespace": params["namespace"],
        "operator": params["operator"] or _operator(call.environment),
        "reason": params["reason"] or "",
        "started": now.isoformat(timespec="milliseconds"),
        "record": "",
    }
    checking = " | check mode, nothing is written" if call.check_mode else ""
    call.say(f"{run['button']} of {run['service']} | {_place(run)}{checking}")
    if not call.check_mode:
        directory = Path(params["directory"]).expanduser() / run["environment"] / run["service"]
        kept = record.RunRecord(directory / f"{run['id']}-{run['button']}", run["id"])
        kept.create()
        kept.note(
            "opened",
            **{key: value for key, value in run.items() if key not in ("id", "record")},
            inputs=params["inputs"],
        )
        if kept.complaint:
            raise OperatorError(Fault("record_unwritable", kept.complaint, "Make room there; nothing was done."))
        run["record"] = str(kept.folder)
    return {"changed": False, "run": run}


def _close(call: Call) -> dict[str, Any]:
    params, run = call.params, call.params["run"]
    status = params["status"]
    seconds = (datetime.now(UTC) - datetime.fromisoformat(run["started"])).total_seconds()
    said = " ".join(params["sentence"].split()).rstrip(".")
    sentence = redact_text(f"{said}. It took {seconds:.1f} s.")
    result: dict[str, Any] = {
        "changed": False,
        "service": run["service"],
        "status": status,
        "seconds": round(seconds, 2),
        "record": "",
        "head": "",
    }
    if run.get("record"):
        kept = record.RunRecord(Path(run["record"]), run["id"])
        kept.note("closed", status=status, sentence=sentence, seconds=round(seconds, 2), **(params["facts"] or {}))
        if kept.complaint:
            call.warn(kept.complaint)
        result["head"] = kept.head()
        result["record"] = _publish(call, kept, result["head"])
    address = f" | record {result['record']} (head {result['head'][:12]})" if result["record"] else ""
    result["msg"] = f"{run['button']} of {run['service']} | {_place(run)} | {status}: {sentence}{address}"
    _give_back(call, result["head"])
    result["ansible_stats"] = _handed_on(call, result, sentence)
    call.say(result["msg"])
    return result


def _give_back(call: Call, head: str) -> None:
    """Release the Leases of the run. What cannot be released expires, and changes nothing about how the run ended."""
    run = call.params["run"]
    if call.check_mode or not run.get("leases"):
        return
    try:
        with opened(call) as session:
            # No line of the record follows: the head that is left on the Lease is the closing line's.
            leases.release(session.cluster, run["namespace"], run["leases"], run["id"], head)
    except OperatorError as fault:
        call.warn(f"The lock could not be given back and expires within {run['lease_seconds']} s: {fault}")


def _handed_on(call: Call, result: Mapping[str, Any], sentence: str) -> dict[str, Any]:
    """What the next node of a workflow gets, as C(set_stats) would hand it on; a plan is no verdict."""
    facts = redact(call.params["facts"] or {})
    data: dict[str, Any] = {}
    if call.params["services"] > 1:
        shown = {"sentence": sentence, "changed": facts.get("changed"), "facts": facts}
        told = {name: result[name] for name in ("seconds", "record")}
        data["linkops_services"] = {result["service"]: {"verdict": result["status"], **told, **shown}}
    elif not call.check_mode:
        data = {
            "linkops_verdict": result["status"],
            "linkops_sentence": redact_text(call.params["sentence"]),
            "linkops_record": result["record"],
            "linkops_facts": facts,
        }
    return {"data": data, "per_host": False, "aggregate": True}


def _publish(call: Call, kept: record.RunRecord, head: str) -> str:
    """Write the report beside the record, and carry both to the sink; returns where to look."""
    if report.JINJA_MISSING is None:
        page = report.render(record.entries(kept.folder), head)
        try:
            (kept.folder / "report.html").write_text(page, encoding="utf-8")
        except OSError as fault:
            call.warn(f"The report cannot be written beside the record: {fault.strerror}.")
    address = call.params["record_sink"]
    if not address:
        return str(kept.folder)
    files = {
        str(path.relative_to(kept.folder)): path.read_text(encoding="utf-8")
        for path in sorted(kept.folder.rglob("*"))
        if path.is_file()
    }
    try:
        return _deliver(call, sink.parse(address), kept.folder.name, files)
    except OperatorError as fault:
        call.warn(f"The record stays on this controller, its sink does not take it: {fault}")
        return str(kept.folder)


def _deliver(call: Call, where: sink.Sink, name: str, files: Mapping[str, str]) -> str:
    if where.kind == "s3":
        return sink.to_s3(where, name, files, call.environment)
    namespace = call.params["run"]["namespace"]
    config_map = sink.config_map(where, name)
    body = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": config_map,
            "labels": {"app.kubernetes.io/managed-by": "linkops.runbooks"},
        },
        "data": sink.fitting(files),
    }
    with opened(call) as session:
        try:
            session.cluster.create(paths.path("ConfigMap", namespace), body)
        except ApiFault as fault:
            if fault.status != 409:
                raise
            session.cluster.patch(paths.path("ConfigMap", namespace, config_map), body, MERGE_PATCH)
    return f"configmap:{namespace}/{config_map}"


def _place(run: Mapping[str, Any]) -> str:
    return f"environment {run['environment']}, cluster {run['cluster']}, namespace {run['namespace']}"


def _operator(environment: Mapping[str, str]) -> str:
    """Who pressed: AWX's user, else the account on this machine."""
    for name in ("AWX_USER_NAME", "TOWER_USER_NAME", "SUDO_USER"):
        if environment.get(name):
            return environment[name]
    try:
        return f"{getpass.getuser()}@{os.uname().nodename}"
    except (KeyError, OSError):
        return f"uid {os.getuid()}@{os.uname().nodename}"
