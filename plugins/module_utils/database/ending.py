# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which sessions are ended on request, and which are spared. Pure.

A pid is given to another session in time; only with the moment at which it began does it name one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import Fault
from ..wording import counted, duration, listed, typed_seconds
from . import activity
from .condition import IDLE, concealed, unseen_sessions, who
from .connections import CLIENT
from .names import shown
from .target import APPLICATION

Row = Mapping[str, Any]

#: Every session is idle in its transaction for moments, between two statements.
LEAST_SECONDS = 1


@dataclass(frozen=True)
class Plan:
    """The sessions that are to be ended, those that match and are spared, and how many cannot be seen."""

    due: list[Row]
    spared: list[tuple[Row, str]]
    hidden: int


def older_than(text: str) -> tuple[int, list[Fault]]:
    """The seconds that an operator typed, and what is wrong with them."""
    seconds = typed_seconds(text)
    if seconds is not None and seconds >= LEAST_SECONDS:
        return seconds, []
    fault = Fault("input_invalid", f"older_than={text} is no duration.", "Give 90s, 10m, 1h or 1d, at least 1s.")
    return 0, [fault]


def plan(sessions: Iterable[Row], database: str, seconds: int, only: Sequence[Row] | None = None) -> Plan:
    """What to do with the sessions (see C(queries.SESSIONS)) that have been idle in their transaction for so long.

    C(only) holds those that somebody has looked at before, by C(pid) and C(started); no other one is due then.
    """
    seen = {(each.get("pid"), each.get("started")) for each in only or ()}
    due: list[Row] = []
    spared: list[tuple[Row, str]] = []
    here = [row for row in sessions if row["database"] == database]
    for row in sorted(here, key=lambda row: -(row["state_seconds"] or 0.0)):
        if row["backend_type"] != CLIENT or row["state"] not in IDLE or (row["state_seconds"] or 0.0) < seconds:
            continue
        if only is not None and (row["pid"], row["started"]) not in seen:
            spared.append((row, "was not among those that were listed"))
        elif row["application"] == APPLICATION:
            spared.append((row, f"is one of {APPLICATION}"))
        elif row["superuser"]:
            spared.append((row, "is a superuser's"))
        else:
            due.append(row)
    hidden = sum(concealed(row) and not row["superuser"] for row in here)
    return Plan(due, spared, hidden)


def refused(planned: Plan, place: str, user: str) -> list[Fault]:
    """Why nothing is ended: this role may not end all of them."""
    mine = [row for row in planned.due if not row["endable"]]
    if not mine:
        return []
    of = sorted({str(row["user"]) for row in mine})
    told = listed([who(activity.described(row)) for row in mine])
    return [
        Fault(
            "privilege",
            f"The role {user} may not end {counted(len(mine), 'session')} of {', '.join(of)} in {place}: {told}.",
            f"GRANT pg_signal_backend TO {shown('', user)}, or press with -e as_administrator=true.",
        )
    ]


def sentence(row: Row) -> str:
    """A session as it is printed before it is ended."""
    described = activity.described(row)
    idle, began = described["state_seconds"] or 0.0, described["transaction_seconds"] or 0.0
    said = f"{who(described)} {described['state']} for {duration(idle)}, transaction open for {duration(began)}"
    return f"{said}, after {described['query'] or '?'}"


def as_result(row: Row, act: str, said: str) -> dict[str, Any]:
    """A session as the module returns it; C(act) is what became of it."""
    return {**activity.described(row), "started": row["started"], "act": act, "sentence": said}


def told(planned: Plan, ended: int, left: int, seconds: int, user: str, check_mode: bool) -> str:
    """All of it in one sentence without its full stop."""
    would = "would end" if check_mode else "ended"
    parts = []
    if planned.due or ended:
        parts.append(f"{would} {counted(len(planned.due) if check_mode else ended, 'session')} idle in transaction")
    else:
        parts.append(f"no session to end: none has been idle in its transaction for {duration(seconds)}")
    parts += [f"{counted(left, 'session')} did not end"] if left else []
    parts += [f"spared {who(activity.described(row))}, which {why}" for row, why in planned.spared]
    parts.append(unseen_sessions(planned.hidden, user))
    return "; ".join(filter(None, parts))
