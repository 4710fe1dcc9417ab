# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation behind M(linkops.runbooks.database_sessions), where the database meets the run's Leases.

Which sessions are ended is decided in C(database/ending); the server looks once more, in the statement that ends one.
"""

from __future__ import annotations

import time
from typing import Any

from .call import Call
from .database import activity, ending, ending_queries, queries
from .database.connection import Database
from .database.ending import Row
from .database.session import opened
from .deadline import Deadline
from .errors import OperatorError
from .holding import Hold, held
from .verdict import Status, Verdict

_TICK_SECONDS = 0.1
#: How long a session may take to roll back and go.
_GOING_SECONDS = 10.0


def sessions(call: Call) -> dict[str, Any]:
    """End the sessions that have been idle in their transaction for long."""
    params = call.params
    seconds, faults = ending.older_than(params["older_than"])
    with held(call) as hold, opened(call, *faults) as session:
        database, user = session.database, session.target.user
        with database.transaction(read_only=True) as ask:
            name = str(ask(ending_queries.HERE)[0]["database"])
            planned = ending.plan(ask(queries.SESSIONS), name, seconds, params["only"])
        faults = ending.refused(planned, session.target.name, user)
        if faults:
            raise OperatorError(faults)
        found = []
        for row in planned.due:
            act, said = _planned(row) if call.check_mode else _ended(call, database, hold, row, seconds)
            call.say(said)
            found.append(ending.as_result(row, act, said))
        for row, why in planned.spared:
            call.say(f"{ending.sentence(row)}: spared, it {why}")
            found.append(ending.as_result(row, "spared", f"it {why}"))
    ended, left = (sum(each["act"] == act for each in found) for act in ("ended", "left"))
    sentence = ending.told(planned, ended, left, seconds, user, call.check_mode)
    status: Status = "fail" if left else "unknown" if planned.hidden else "pass"
    return {
        "changed": bool(planned.due) if call.check_mode else ended > 0,
        "sessions": found,
        "verdict": Verdict(status, sentence).as_result(),
        "msg": f"{sentence[:1].upper()}{sentence[1:]}",
    }


def _planned(row: Row) -> tuple[str, str]:
    return "end", f"{ending.sentence(row)}: would be ended"


def _ended(call: Call, database: Database, hold: Hold, row: Row, seconds: int) -> tuple[str, str]:
    """End one session, and wait until it is gone. Returns what became of it."""
    which = {"pid": row["pid"], "started": row["started"], "seconds": seconds}
    hold.renew()
    call.journal.note("write", act="end session", session=activity.described(row), started=row["started"])
    # A standby takes it too, where a transaction that may write cannot begin.
    if not database.read(ending_queries.END, which):
        return "gone", f"{ending.sentence(row)}: it went on or ended by itself meanwhile"
    deadline = Deadline(_GOING_SECONDS)
    while database.read(ending_queries.THERE, which):
        if deadline.expired:
            return "left", f"{ending.sentence(row)}: it was told to end and has not within {deadline.seconds:g} s"
        hold.renew_if_due()
        time.sleep(_TICK_SECONDS)
    return "ended", f"{ending.sentence(row)}: ended"
