# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation behind M(linkops.runbooks.pod_logs): the logs of all pods of a workload, merged by time, once."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from ..call import Call
from ..deadline import Deadline
from ..errors import Fault, OperatorError, together
from ..verdict import Status, Verdict
from ..wording import counted
from . import evidence, loglines, paths, places, snapshot
from .asking import side_by_side
from .client import ApiFault, Cluster
from .loglines import Merged, Reader
from .places import Place
from .rights import right
from .session import Session, opened

MOST_LINES = 100_000
MOST_TOTAL_BYTES = 64 << 20
#: Of one container's log, whatever its lines; kubelet begins a new file at 10 MiB unless it is told otherwise.
LIMIT_BYTES = 32 << 20
SHOWN_CHARACTERS = 400

# kubelet's words for a container that has not begun, and for a log that it cannot find, which it sends as the log.
_NOT_YET = ("is waiting to start", "does not have a host assigned")
_NO_LOG = b"unable to retrieve container logs"


@dataclass(frozen=True)
class Reading:
    """What was read of one container's log, and why not all of it: C(waiting) for one that has none yet."""

    reader: Reader
    fault: str = ""
    waiting: bool = False
    cut: bool = False


def pod_logs(call: Call) -> dict[str, Any]:
    """Read the logs that C(call.params) ask for; check mode reads as well."""
    params = call.params
    with opened(call, *_input_faults(params)) as session:
        if fault := snapshot.check_cluster(session.cluster, params["cluster_uid"]):
            call.warn(str(fault))
        found, chosen = _survey(session)
        secrets = evidence.confidences(session.cluster, found.workload, *map(evidence.as_template, found.pods))
        merged, readings = _read_all(session, chosen)
    lines = merged.as_result(params["pattern"] or "", secrets)
    left_out = _left_out(params, merged, readings)
    failed = [each for each in readings if each.fault]
    verdict = judge(lines, chosen, failed)
    said = verdict.reason + (f"; left out: {'; '.join(left_out)}" if left_out else "")
    written = [loglines.written(line) for line in lines]
    if params["evidence"]:
        call.journal.attach(params["evidence"], "".join(f"{line}\n" for line in written))
    for line in written[-params["show_lines"] :] if params["show_lines"] > 0 else ():
        call.say(line[:SHOWN_CHARACTERS])
    call.say(f"logs: {verdict.status}: {said}")
    return {
        "changed": False,
        "lines": lines,
        "truncated": bool(left_out),
        "left_out": left_out,
        "pods": sorted({place.pod for place in chosen}),
        "unread": [_unread(each) for each in failed],
        "verdict": verdict.as_result(),
        "msg": f"{verdict.status}: {said}",
    }


def judge(lines: Sequence[Any], chosen: Sequence[Place], failed: Sequence[Reading]) -> Verdict:
    """Unknown where a log could not be read; one that has not begun is no fault."""
    reason = f"{counted(len(lines), 'line')} of {counted(len({place.pod for place in chosen}), 'pod')}"
    unread = "; ".join(f"{each.reader.place}: {each.fault}" for each in failed)
    status: Status = "unknown" if any(not each.waiting for each in failed) else "pass"
    return Verdict(status, f"{reason}; not read: {unread}" if unread else reason)


def _input_faults(params: Mapping[str, Any]) -> list[Fault]:
    bounds = {
        "lines": MOST_LINES,
        "total_bytes": MOST_TOTAL_BYTES,
        "since_seconds": None,
        "timeout_seconds": None,
    }
    faults = [loglines.pattern_fault(params["pattern"] or ""), loglines.since_fault(params["since_time"] or "")]
    if not {"/", ".."}.isdisjoint(PurePath(params["evidence"] or "").parts):
        faults.append(Fault("evidence_invalid", f"evidence is {params['evidence']}.", "Give a name within the record."))
    for name, most in bounds.items():
        value = params[name]
        if value is not None and (value < 1 or (most and value > most)):
            faults.append(
                Fault("bound_invalid", f"{name} is {value}.", f"Give 1 to {most}." if most else "Give at least 1.")
            )
    return [fault for fault in faults if fault]


def _survey(session: Session) -> tuple[snapshot.Snapshot, list[Place]]:
    cluster, params = session.cluster, session.params
    lacking = snapshot.check_rights(cluster, params["namespace"], [right("get", "Pod", "log")])
    with together(lacking):
        found = snapshot.read(cluster, *session.workload)
        chosen = places.to_read_from(
            found.pods, session.called, params["pod"] or "", params["container"] or "", params["previous"]
        )
    return found, chosen


def _read_all(session: Session, chosen: Sequence[Place]) -> tuple[Merged, list[Reading]]:
    params, deadline = session.params, Deadline(session.params["timeout_seconds"])
    query = {"timestamps": "true", "tailLines": str(params["lines"]), "limitBytes": str(LIMIT_BYTES)}
    for option, name in (("since_seconds", "sinceSeconds"), ("since_time", "sinceTime")):
        if params[option]:
            query[name] = str(params[option])

    def ask(place: Place, stopped: threading.Event) -> Reading:
        reader = Reader(place, params["pattern"] or "", params["total_bytes"])
        return _read(session.cluster, params["namespace"], reader, query, deadline, stopped)

    merged, readings = Merged(), []
    with contextlib.closing(side_by_side(session.held, ask, chosen)) as answers:
        for reading in answers:
            merged = merged.joined(reading.reader, params["total_bytes"])
            reading.reader.lines.clear()
            readings.append(reading)
    return merged, sorted(readings, key=lambda reading: reading.reader.place)


def _read(
    cluster: Cluster,
    namespace: str,
    reader: Reader,
    query: Mapping[str, str],
    deadline: Deadline,
    stopped: threading.Event,
) -> Reading:
    place = reader.place
    path, asked = paths.path("Pod", namespace, place.pod, "log"), {**query, "container": place.container}
    if place.previous:
        asked["previous"] = "true"
    late = f"it was not read to its end within {deadline.seconds:g} s"
    if deadline.expired:
        return Reading(reader, late)
    try:
        with contextlib.closing(cluster.chunks(path, **asked)) as chunks:
            for chunk in chunks:
                if reader.total_bytes == 0 and chunk.startswith(_NO_LOG):
                    return Reading(reader, "kubelet has no log of it")
                reader.feed(chunk)
                if deadline.expired or stopped.is_set():
                    reader.close(complete=False)
                    return Reading(reader, late)
    except ApiFault as fault:
        if fault.status == 404:
            return Reading(reader, "the pod is gone")
        waiting = any(words in fault.message for words in _NOT_YET)
        return Reading(reader, fault.message.strip(" ."), waiting)
    except OperatorError as fault:
        reader.close(complete=False)
        return Reading(reader, fault.faults[0].message.strip(" ."))
    cut = reader.total_bytes >= LIMIT_BYTES
    reader.close(complete=not cut)
    return Reading(reader, cut=cut)


def _left_out(params: Mapping[str, Any], merged: Merged, readings: Sequence[Reading]) -> list[str]:
    """What the bounds kept away, one sentence each."""
    said = []
    if merged.dropped:
        said.append(f"{merged.dropped} older lines, beyond total_bytes={params['total_bytes']}")
    since = params["since_seconds"] or params["since_time"]
    full = [str(each.reader.place) for each in readings if since and each.reader.read >= params["lines"]]
    if full:
        said.append(f"lines of that time before the last {params['lines']} of {', '.join(full)}")
    if cut := [str(each.reader.place) for each in readings if each.cut]:
        said.append(f"all behind the first {LIMIT_BYTES >> 20} MiB of {', '.join(cut)}")
    return said


def _unread(reading: Reading) -> dict[str, Any]:
    place = reading.reader.place
    return {
        "pod": place.pod,
        "container": place.container,
        "previous": place.previous,
        "reason": reading.fault,
        "waiting": reading.waiting,
    }
