# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Opening and closing an operation's connection to the database: all faults at once, nothing left behind."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..call import Call
from ..errors import Fault, Interrupted, together
from .connection import Database
from .target import Target, resolve


@dataclass(frozen=True)
class DatabaseSession:
    """What an operation on the database works with: its call, and the connection that the call names."""

    call: Call
    database: Database

    @property
    def params(self) -> Mapping[str, Any]:
        """The call's arguments."""
        return self.call.params

    @property
    def target(self) -> Target:
        """What is connected to."""
        return self.database.target

    @contextlib.contextmanager
    def another(self, name: str = "") -> Iterator[Database]:
        """A second connection, to the same database or the named one of the same server.

        It is for a long statement that this session's own connection looks at meanwhile.
        """
        database = Database(self.target.to(name) if name else self.target, *_timeouts(self.call))
        try:
            yield database
        finally:
            database.close()


@contextlib.contextmanager
def opened(call: Call, *input_faults: Fault | None, database_name: str = "") -> Iterator[DatabaseSession]:
    """A session of a call, with the database that its options name, or the one named C(database_name) instead.

    All faults of the input and of the connection's options are raised as one. However it ends, also by a signal, the
    connection is closed, and with it what still runs in the database.
    """
    with together(*input_faults):
        target = resolve(call.params, call.environment)
    database = Database(target.to(database_name) if database_name else target, *_timeouts(call))
    try:
        yield DatabaseSession(call, database)
    except Interrupted as stop:
        call.journal.note("interrupted", signal=stop.signal_number)
        raise
    finally:
        database.close()


def _timeouts(call: Call) -> Iterator[float]:
    return (call.params[f"{each}_timeout_seconds"] for each in ("connect", "statement", "lock"))
