# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Seeing a Job through to its end: adopted where it runs already, its log shown as it grows, its ending told apart."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ..deadline import Deadline
from ..errors import Fault, OperatorError
from ..redaction import redact_text
from ..verdict import Verdict
from . import diagnosis, jobs, paths
from .client import ApiFault, Cluster
from .leases import Held

Outcome = Literal["succeeded", "failed", "not_started", "timeout", "vanished", "unfinished"]

POLL_SECONDS = 0.5
MOST_LOG_BYTES = 4 << 20
#: How much longer than the Job's own time this waits for the controller to end it, which waits for its pod.
GRACE_SECONDS = jobs.ENDING_SECONDS + 20.0


@dataclass(frozen=True)
class Ending:
    """How a Job ended, and what its pods wrote; C(log) is as it came, so redact it before it is shown."""

    outcome: Outcome
    verdict: Verdict
    adopted: bool = False
    exit_code: int | None = None
    log: str = ""
    pods: tuple[str, ...] = ()


@dataclass
class _Reading:
    """How far each pod's log was shown."""

    shown: dict[str, int] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)


def find(cluster: Cluster, namespace: str, name: str) -> dict[str, Any] | None:
    """The Job, or none."""
    try:
        return cluster.get(paths.path("Job", namespace, name))
    except ApiFault as fault:
        if fault.status == 404:
            return None
        raise


def active(job: Mapping[str, Any] | None) -> bool:
    """Whether it is there and goes on."""
    return job is not None and not jobs.condition(job)[0] and not job["metadata"].get("deletionTimestamp")


def run(
    cluster: Cluster,
    held: Held,
    manifest: jobs.Manifest,
    say: Callable[[str], None],
    secrets: Sequence[str] = (),
) -> Ending:
    """Start the Job, or adopt the one of its name that still goes on, and see it through.

    One of its name that has ended is removed first. Raises C(OperatorError) where it cannot be made.
    """
    namespace, name = manifest["metadata"]["namespace"], manifest["metadata"]["name"]
    deadline = Deadline(float(manifest["spec"]["activeDeadlineSeconds"]) + GRACE_SECONDS)
    standing = find(cluster, namespace, name)
    adopted = active(standing)
    if adopted and standing is not None:
        say(f"job {name} runs already; it is adopted")
        uid = standing["metadata"]["uid"]
    else:
        if standing is not None:
            remove(cluster, held, standing, deadline)
        held.renew()
        cluster.persist(deadline)
        uid = _created(cluster, namespace, manifest)
    ending = _through(cluster, held, namespace, name, uid, deadline, say, secrets)
    return Ending(ending.outcome, ending.verdict, adopted, ending.exit_code, ending.log, ending.pods)


def remove(cluster: Cluster, held: Held, job: Mapping[str, Any], deadline: Deadline) -> None:
    """Delete a Job with its pods and wait until its name is free."""
    namespace, name = job["metadata"]["namespace"], job["metadata"]["name"]
    held.renew()
    try:
        cluster.delete(paths.path("Job", namespace, name), job["metadata"]["uid"], propagationPolicy="Background")
    except ApiFault as fault:
        if fault.status not in (404, 409):
            raise
    while (found := find(cluster, namespace, name)) and found["metadata"]["uid"] == job["metadata"]["uid"]:
        if deadline.expired:
            said = f"Job {name} of namespace {namespace} does not go away."
            raise OperatorError(Fault("job_stays", said, "Look at its finalizers."))
        held.renew_if_due()
        time.sleep(POLL_SECONDS)


def _created(cluster: Cluster, namespace: str, manifest: jobs.Manifest) -> str:
    try:
        return str(cluster.create(paths.path("Job", namespace), manifest)["metadata"]["uid"])
    except ApiFault as fault:
        if fault.status == 409:  # our own request, answered twice, or another run's: the name says that it is the same
            found = find(cluster, namespace, manifest["metadata"]["name"])
            if found:
                return str(found["metadata"]["uid"])
        raise


def _through(
    cluster: Cluster,
    held: Held,
    namespace: str,
    name: str,
    uid: str,
    deadline: Deadline,
    say: Callable[[str], None],
    secrets: Sequence[str],
) -> Ending:
    reading, told = _Reading(), ""
    while True:
        job = find(cluster, namespace, name)
        if job is None or job["metadata"]["uid"] != uid:
            verdict = Verdict("unknown", f"Job {name} is gone before it ended; somebody deleted it")
            return _ended("vanished", verdict, reading)
        ended, reason = jobs.condition(job)
        pods = cluster.items(paths.path("Pod", namespace), labelSelector=f"batch.kubernetes.io/job-name={name}")
        pods = [pod for pod in pods if any(ref["uid"] == uid for ref in pod["metadata"].get("ownerReferences") or [])]
        _read(cluster, namespace, pods, reading, say, secrets)
        if ended:
            return _judged(name, ended, reason, pods, reading)
        findings = [finding for pod in pods if not _terminated(pod) for finding in diagnosis.diagnose(pod, 1)]
        fatal = diagnosis.first_fatal(findings)
        if fatal and not reading.texts:
            remove(cluster, held, job, deadline)
            return _ended("not_started", Verdict("fail", f"Job {name} did not start: {fatal}"), reading)
        waiting = "; ".join(map(str, findings))
        if waiting and waiting != told:
            told = waiting
            say(f"job {name}: {redact_text(waiting, secrets)}")
        if deadline.expired:
            why = f" ({waiting})" if waiting else ""
            verdict = Verdict("unknown", f"Job {name} has not ended within {deadline.seconds:.0f} s{why}")
            return _ended("unfinished", verdict, reading)
        held.renew_if_due()
        time.sleep(POLL_SECONDS)


def _judged(name: str, ended: str, reason: str, pods: Sequence[Mapping[str, Any]], reading: _Reading) -> Ending:
    stops = [(pod, _terminated(pod)) for pod in pods]
    if ended == "Complete":
        return _ended("succeeded", Verdict("pass", f"Job {name} ended with exit code 0"), reading, 0)
    if reason == "DeadlineExceeded":
        return _ended("timeout", Verdict("unknown", f"Job {name} was ended by its deadline"), reading)
    for pod, stop in stops:
        if stop:
            cause = f" ({stop['reason']})" if stop.get("reason") not in (None, "Error", "Completed") else ""
            said = f"Job {name} failed: pod {pod['metadata']['name']} ended with exit code {stop['exitCode']}{cause}"
            return _ended("failed", Verdict("fail", said), reading, int(stop["exitCode"]))
    if pods:
        status = pods[0].get("status") or {}
        why = ": ".join(filter(None, (status.get("reason"), status.get("message")))) or "without an exit code"
        said = f"Job {name} failed: pod {pods[0]['metadata']['name']} ended, {why.strip(' .')}"
        return _ended("failed", Verdict("unknown", said), reading)
    return _ended("failed", Verdict("unknown", f"Job {name} failed ({reason}) and its pod is gone"), reading)


def _ended(outcome: Outcome, verdict: Verdict, reading: _Reading, exit_code: int | None = None) -> Ending:
    texts = "\n".join(reading.texts.values())
    return Ending(outcome, verdict, exit_code=exit_code, log=texts, pods=tuple(reading.texts))


def _terminated(pod: Mapping[str, Any]) -> Mapping[str, Any]:
    statuses = (pod.get("status") or {}).get("containerStatuses") or []
    return next((each["state"]["terminated"] for each in statuses if "terminated" in (each.get("state") or {})), {})


def _read(
    cluster: Cluster,
    namespace: str,
    pods: Sequence[Mapping[str, Any]],
    reading: _Reading,
    say: Callable[[str], None],
    secrets: Sequence[str],
) -> None:
    """Show what is new of each pod's log."""
    for pod in pods:
        name = pod["metadata"]["name"]
        statuses = (pod.get("status") or {}).get("containerStatuses") or []
        if not any({"running", "terminated"} & set(each.get("state") or {}) for each in statuses):
            continue
        try:
            text = cluster.text(
                paths.path("Pod", namespace, name, "log"), container=jobs.CONTAINER, limitBytes=str(MOST_LOG_BYTES)
            )
        except ApiFault as fault:
            if fault.status in (400, 404, 500):  # not there yet, or not any more
                continue
            raise
        reading.texts[name] = text
        whole = text.split("\n")[:-1] if not _terminated(pod) else text.splitlines()
        for line in whole[reading.shown.get(name, 0) :]:
            if line.strip():
                say(f"{name}: {redact_text(line, secrets)}"[:400])
        reading.shown[name] = max(reading.shown.get(name, 0), len(whole))
