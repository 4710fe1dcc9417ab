# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Opening and closing an operation's connection: all faults at once, locks given back when it is interrupted."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ..call import Call
from ..deadline import Deadline
from ..errors import Fault, Interrupted, OperatorError
from .client import Cluster
from .connection import connect
from .leases import Held

#: How long a run that was told to stop tries to give its Leases back; they expire by themselves.
INTERRUPTED_SECONDS = 3.0


@contextlib.contextmanager
def opened(call: Call, *input_faults: Fault | None) -> Iterator[tuple[Cluster, Held]]:
    """The cluster that C(call) names and the Leases of its run.

    All faults of the input and of the connection are raised as one. An interruption releases the Leases, since neither
    a rescue nor an always of the play will run.
    """
    faults = [fault for fault in input_faults if fault]
    try:
        cluster = Cluster(*connect(call.params, call.environment))
    except OperatorError as fault:
        raise OperatorError([*faults, *fault.faults]) from fault
    if faults:
        raise OperatorError(faults)
    run = call.params.get("run") or {}
    held = Held(cluster, run)
    if run.get("leases"):  # what was begun is seen through, for as long as its lock counts
        cluster.persist(Deadline(run["lease_seconds"]))
    try:
        yield cluster, held
    except Interrupted as stop:
        call.journal.note("interrupted", signal=stop.signal_number)
        cluster.persist(Deadline(INTERRUPTED_SECONDS))
        held.release()
        raise
