# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Locks as Leases: one per thing that a button touches, taken all or none, renewed while work goes on.

Expiry is what the taker observes: a Lease unchanged for its whole duration on the taker's own monotonic clock, as
client-go's leader election counts it (kubernetes/client-go:tools/leaderelection/leaderelection.go), never a
comparison of wall clocks.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ..errors import Fault, OperatorError
from ..wording import duration
from . import paths
from .client import ApiFault, Cluster

ANNOTATION = "runbooks.linkops.io/"
POLL_SECONDS = 1.0


@dataclass(frozen=True)
class Claim:
    """Who wants the Leases: C(holder) is the run's id, the rest tells other operators about it.

    Runs of one C(fleet), which are services pressed together, do not refuse each other: each waits for its turn, at
    most C(turn_seconds).
    """

    holder: str
    button: str
    operator: str
    reason: str
    seconds: int
    fleet: str = ""
    turn_seconds: float = 0

    def against(self, lease: Mapping[str, Any]) -> bool:
        """Whether another run holds the Lease."""
        return (lease.get("spec") or {}).get("holderIdentity") not in (None, "", self.holder)

    def behind(self, lease: Mapping[str, Any]) -> bool:
        """Whether another run of the same fleet holds it."""
        fleet = (lease["metadata"].get("annotations") or {}).get(ANNOTATION + "fleet")
        return bool(self.fleet) and fleet == self.fleet and self.against(lease)

    @property
    def said(self) -> dict[str, str]:
        """What the Lease tells of its holder."""
        return {"button": self.button, "operator": self.operator, "reason": self.reason, "fleet": self.fleet}


def take(
    cluster: Cluster,
    namespace: str,
    names: Sequence[str],
    claim: Claim,
    break_lock: bool,
    say: Callable[[str], None],
) -> None:
    """Take all Leases in the order of their names, or none. Raises C(OperatorError) naming the holder in the way."""
    taken: list[str] = []
    run = {"id": claim.holder, "namespace": namespace, "leases": taken, "lease_seconds": claim.seconds}
    try:
        for name in sorted(names):
            _take_one(cluster, namespace, name, claim, break_lock, say, Held(cluster, run, time.monotonic).renew_if_due)
            taken.append(name)
    except BaseException:
        release(cluster, namespace, taken, claim.holder)
        raise


def release(cluster: Cluster, namespace: str, names: Sequence[str], holder: str, head: str = "") -> None:
    """Give back what this holder still holds, and leave the head of the service's record chain on it."""
    for name in names:
        patch: list[dict[str, Any]] = [
            {"op": "test", "path": "/spec/holderIdentity", "value": holder},
            {"op": "replace", "path": "/spec/holderIdentity", "value": ""},
            {"op": "replace", "path": "/spec/renewTime", "value": _now()},
        ]
        if head:
            patch.append({"op": "add", "path": f"/metadata/annotations/{_escaped('record-head')}", "value": head})
        try:
            cluster.patch(paths.path("Lease", namespace, name), patch)
        except ApiFault as fault:
            if fault.status not in (404, 409, 422):  # somebody broke it or took it over: no longer ours to release
                raise


class Held:
    """The Leases of a run, in the hands of one engine task; without any, every method is a no-op."""

    def __init__(
        self, cluster: Cluster, run: Mapping[str, Any] | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        run = run or {}
        self._cluster = cluster
        self._namespace = str(run.get("namespace") or "")
        self._names: list[str] = list(run.get("leases") or [])
        self._holder = str(run.get("id") or "")
        self._every = float(run.get("lease_seconds") or 30) / 3
        self._clock = clock
        self._renewed = float("-inf")

    def renew_if_due(self) -> None:
        """Renew after a third of the duration; called in every wait."""
        if self._names and self._clock() - self._renewed >= self._every:
            self.renew()

    def renew(self) -> None:
        """Renew now; called before every write. Raises C(lock_lost) when the Lease is somebody else's."""
        for name in self._names:
            try:
                self._cluster.patch(
                    paths.path("Lease", self._namespace, name),
                    [
                        {"op": "test", "path": "/spec/holderIdentity", "value": self._holder},
                        {"op": "replace", "path": "/spec/renewTime", "value": _now()},
                    ],
                )
            except ApiFault as fault:
                if fault.status in (404, 409, 422):
                    raise OperatorError(_lost(self._cluster, self._namespace, name)) from fault
                raise
        self._renewed = self._clock()

    def release(self) -> None:
        """Give everything back; used when the run is interrupted."""
        release(self._cluster, self._namespace, self._names, self._holder)


def describe(lease: Mapping[str, Any]) -> str:
    """Who holds a Lease, with which button, since when."""
    annotations, spec = lease["metadata"].get("annotations") or {}, lease.get("spec") or {}
    button = annotations.get(ANNOTATION + "button", "an unknown program")
    operator = annotations.get(ANNOTATION + "operator", "somebody")
    return (
        f"{button} by {operator} since {spec.get('acquireTime', 'an unknown time')} (run {spec.get('holderIdentity')})"
    )


def _take_one(
    cluster: Cluster,
    namespace: str,
    name: str,
    claim: Claim,
    break_lock: bool,
    say: Callable[[str], None],
    renew: Callable[[], None],
) -> None:
    while True:
        lease = _get(cluster, namespace, name)
        if lease is None:
            if _created(cluster, namespace, name, claim):
                return
            continue
        if claim.behind(lease):
            lease = _wait_for_turn(cluster, namespace, lease, claim, say, renew)
            if claim.against(lease) and not claim.behind(lease):
                continue
        elif claim.against(lease) and not break_lock:
            _wait_for_expiry(cluster, namespace, lease, say)
        if _take_over(cluster, namespace, lease, claim):
            return


def _created(cluster: Cluster, namespace: str, name: str, claim: Claim) -> bool:
    try:
        cluster.create(paths.path("Lease", namespace), _manifest(namespace, name, claim))
    except ApiFault as fault:
        if fault.status != 409:
            raise
        return False
    return True


def _wait_for_turn(
    cluster: Cluster,
    namespace: str,
    lease: dict[str, Any],
    claim: Claim,
    say: Callable[[str], None],
    renew: Callable[[], None],
) -> dict[str, Any]:
    """The Lease when no run of the fleet holds it any more, or one that shows no life. C(renew) keeps what is taken."""
    name, counts = lease["metadata"]["name"], _seconds(lease)
    say(f"lock {name} is held for another service of this press: {describe(lease)}; waiting for its turn")
    start = changed = time.monotonic()
    while claim.behind(lease) and time.monotonic() - changed < counts:
        if time.monotonic() - start >= claim.turn_seconds:
            raise OperatorError(_late(lease, claim))
        time.sleep(POLL_SECONDS)
        renew()
        now = _get(cluster, namespace, name)
        if now is None:
            break
        if now["metadata"]["resourceVersion"] != lease["metadata"]["resourceVersion"]:
            lease, changed = now, time.monotonic()
    return lease


def _wait_for_expiry(cluster: Cluster, namespace: str, lease: Mapping[str, Any], say: Callable[[str], None]) -> None:
    """Return when the Lease stayed unchanged for its duration; raise as soon as its holder shows life."""
    name, counts = lease["metadata"]["name"], _seconds(lease)
    say(f"lock {name} is held: {describe(lease)}; watching for up to {counts:.0f} s whether that run is alive")
    start = time.monotonic()
    while time.monotonic() - start < counts:
        time.sleep(min(POLL_SECONDS, counts))
        now = _get(cluster, namespace, name)
        if now is None or now["metadata"]["resourceVersion"] != lease["metadata"]["resourceVersion"]:
            raise OperatorError(_held(lease, now))


def _seconds(lease: Mapping[str, Any]) -> float:
    """How long it counts after its last sign of life."""
    return float(lease["spec"].get("leaseDurationSeconds") or 30)


def _take_over(cluster: Cluster, namespace: str, lease: Mapping[str, Any], claim: Claim) -> bool:
    """Whether it was taken; false if another run of the fleet was faster."""
    manifest = _manifest(namespace, lease["metadata"]["name"], claim)
    last = [ANNOTATION + key for key in claim.said]
    standing = {key: value for key, value in (lease["metadata"].get("annotations") or {}).items() if key not in last}
    patch = [
        {"op": "replace", "path": "/metadata/resourceVersion", "value": lease["metadata"]["resourceVersion"]},
        {"op": "add", "path": "/metadata/annotations", "value": {**standing, **manifest["metadata"]["annotations"]}},
        {
            "op": "add",
            "path": "/spec",
            "value": {**manifest["spec"], "leaseTransitions": int(lease["spec"].get("leaseTransitions") or 0) + 1},
        },
    ]
    try:
        cluster.patch(paths.path("Lease", namespace, lease["metadata"]["name"]), patch)
    except ApiFault as fault:
        if fault.status not in (404, 409):
            raise
        now = _get(cluster, namespace, lease["metadata"]["name"])
        if now is not None and (now.get("spec") or {}).get("holderIdentity") == claim.holder:
            return True  # by a try whose answer was lost
        if claim.fleet and (now is None or claim.behind(now)):
            return False
        raise OperatorError(_held(lease, now)) from fault
    return True


def _manifest(namespace: str, name: str, claim: Claim) -> dict[str, Any]:
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {"app.kubernetes.io/managed-by": "linkops.runbooks"},
            "annotations": {ANNOTATION + key: value for key, value in claim.said.items() if value},
        },
        "spec": {
            "holderIdentity": claim.holder,
            "leaseDurationSeconds": claim.seconds,
            "acquireTime": _now(),
            "renewTime": _now(),
            "leaseTransitions": 0,
        },
    }


def _get(cluster: Cluster, namespace: str, name: str) -> dict[str, Any] | None:
    try:
        return cluster.get(paths.path("Lease", namespace, name))
    except ApiFault as fault:
        if fault.status == 404:
            return None
        raise


def _held(lease: Mapping[str, Any], now: Mapping[str, Any] | None) -> Fault:
    name = lease["metadata"]["name"]
    if now is not None and (now.get("spec") or {}).get("holderIdentity") == lease["spec"].get("holderIdentity"):
        return Fault(
            "locked",
            f"{name} is locked: {describe(lease)}, and that run is alive.",
            "Wait for it, or, if you know better, press with -e break_lock=true and a reason.",
        )
    return Fault(
        "locked",
        f"{name} was locked: {describe(lease)}; that run ended, or another one took over, while this one waited.",
        "Look at its record before you press again: the state may be what you want already.",
    )


def _late(lease: Mapping[str, Any], claim: Claim) -> Fault:
    return Fault(
        "locked",
        f"{lease['metadata']['name']} is locked for another service of this press: {describe(lease)}, and its turn did"
        f" not end within {duration(claim.turn_seconds)}.",
        "Press for this service again when that one is done.",
    )


def _lost(cluster: Cluster, namespace: str, name: str) -> Fault:
    lease = _get(cluster, namespace, name)
    holder = describe(lease) if lease and lease["spec"].get("holderIdentity") else "nobody holds it now"
    return Fault(
        "lock_lost",
        f"This run lost its lock {name} ({holder}), so it stops before its next write.",
        "See what the other run does; press again when it has ended.",
    )


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _escaped(name: str) -> str:
    return (ANNOTATION + name).replace("/", "~1")
