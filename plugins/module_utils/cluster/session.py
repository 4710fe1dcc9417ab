# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Opening and closing an operation's connection: all faults at once, locks given back when it is interrupted."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..call import Call
from ..deadline import Deadline
from ..errors import Fault, Interrupted, together
from .client import Cluster
from .connection import connected
from .leases import Held

#: How long a run that was told to stop tries to give its Leases back; they expire by themselves.
INTERRUPTED_SECONDS = 3.0


@dataclass(frozen=True)
class Session:
    """What an operation works with: its call, the cluster that the call names, the Leases of its run."""

    call: Call
    cluster: Cluster
    held: Held

    @property
    def params(self) -> Mapping[str, Any]:
        """The call's arguments."""
        return self.call.params

    @property
    def workload(self) -> tuple[str, str, str]:
        """Namespace, kind and name of the workload that the call names."""
        return self.params["namespace"], self.params["kind"], self.params["name"]

    @property
    def called(self) -> str:
        """The workload in a sentence."""
        return f"{self.params['kind']} {self.params['name']}"


@contextlib.contextmanager
def opened(call: Call, *input_faults: Fault | None) -> Iterator[Session]:
    """A session of a call.

    All faults of the input and of the connection are raised as one. An interruption releases the Leases, since neither
    a rescue nor an always of the play will run.
    """
    with contextlib.ExitStack() as until_the_end:
        with together(*input_faults):
            cluster = Cluster(*until_the_end.enter_context(connected(call.params, call.environment)))
        held = until_the_end.enter_context(leased(cluster, call.params.get("run") or {}))
        try:
            yield Session(call, cluster, held)
        except Interrupted as stop:
            call.journal.note("interrupted", signal=stop.signal_number)
            raise


@contextlib.contextmanager
def leased(cluster: Cluster, run: Mapping[str, Any]) -> Iterator[Held]:
    """The Leases of a run for the length of a block; an interruption gives them back."""
    held = Held(cluster, run)
    if run.get("leases"):  # what was begun is seen through, for as long as its lock counts
        cluster.persist(Deadline(run["lease_seconds"]))
    try:
        yield held
    except Interrupted:
        cluster.persist(Deadline(INTERRUPTED_SECONDS))
        held.release()
        raise
