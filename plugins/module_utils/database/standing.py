# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A database as it stands before it is replaced, and those that were set aside: what to say and do about it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..confirmation import unconfirmed
from ..errors import Fault
from ..wording import counted, duration
from . import marks
from .marks import Mark

#: Settings that are lists of names, of which each is quoted for itself (postgres:src/bin/pg_dump/dumputils.c,
#: variable_is_guc_list_quote).
_LISTS = (
    "local_preload_libraries", "search_path", "session_preload_libraries", "shared_preload_libraries",
    "temp_tablespaces", "unix_socket_directories",
)  # fmt: skip
_ASIDE = "_before_%Y%m%dT%H%M%SZ"
_NAMED_ASIDE = re.compile(r"_before_\d{8}T\d{6}Z\Z")


@dataclass(frozen=True)
class Aside:
    """A database that was set aside: by a restore or by a return, which its mark tells."""

    name: str
    mark: Mark


@dataclass(frozen=True)
class Standing:
    """The database that is to be replaced, as a role sees it who is a C(superuser) or not, and to whom it is C(mine).

    C(unseen) says why nobody could look for rows; C(interrupted) that a swap of this collection has closed it.
    """

    name: str
    exists: bool = True
    open: bool = True
    mine: bool = True
    superuser: bool = True
    sessions: Sequence[Mapping[str, Any]] = ()
    rows_in: str | None = None
    unseen: str = ""
    slots: Sequence[str] = ()
    prepared: Sequence[str] = ()
    asides: Sequence[Aside] = ()
    interrupted: bool = False

    @property
    def stands(self) -> bool:
        """Whether it is there for its users."""
        return self.exists and self.open

    @property
    def last(self) -> Aside | None:
        """What was set aside last."""
        return self.asides[0] if self.asides else None


def asides(database: str, comments: Mapping[str, str | None]) -> list[Aside]:
    """What was set aside of the database, the last first, among all databases of the server with their comments."""
    found = [
        (name, mark)
        for name, comment in comments.items()
        if _NAMED_ASIDE.search(name) and (mark := marks.read(comment)) and mark.database == database
    ]
    kept = [Aside(name, mark) for name, mark in found if mark.kind in ("restored", "returned")]
    return sorted(kept, key=lambda each: each.name[-len("YYYYmmddTHHMMSSZ") :], reverse=True)


def aside_suffix(now: datetime) -> str:
    """What is put behind the name of a database that is set aside."""
    return now.strftime(_ASIDE)


def of_roles(sessions: Sequence[Mapping[str, Any]], database: str) -> list[Mapping[str, Any]]:
    """The sessions in a database that are somebody's: autovacuum has no role, and makes way by itself.

    Renaming or dropping a database ends its workers (postgres:src/backend/storage/ipc/procarray.c,
    CountOtherDBBackends); only a superuser may do so by pg_terminate_backend.
    """
    return [each for each in sessions if each["database"] == database and each["user"] is not None]


def users(sessions: Sequence[Mapping[str, Any]]) -> str:
    """Who is connected, in words."""
    names = [f"{each['application'] or 'no application name'} as {each['user'] or 'somebody'}" for each in sessions]
    counts = {name: names.count(name) for name in dict.fromkeys(names)}
    return ", ".join(f"{number} x {name}" for name, number in list(counts.items())[:5])


def loss(standing: Standing, taken: datetime, now: datetime) -> str:
    """What a restore costs, in one sentence without its full stop."""
    minutes = max(0.0, (now - taken).total_seconds() / 60)
    place = f"The database {standing.name}"
    if not standing.exists:
        return f"{place} does not exist; what was written in the {minutes:.0f} min after the backup is lost"
    return (
        f"{place} is replaced: what was written in the last {minutes:.0f} min"
        f" ({duration(minutes * 60)}), since the backup, is lost to the service and stays in the database that is set"
        " aside"
    )


def closed(standing: Standing) -> Fault | None:
    """The fault where somebody else has closed the database."""
    if not standing.exists or standing.open or standing.interrupted:
        return None
    return Fault(
        "database_closed",
        f"The database {standing.name} accepts no connections (datallowconn), and no restore closed it.",
        "Ask who did, and why; ALTER DATABASE ... ALLOW_CONNECTIONS true opens it.",
    )


def refused(standing: Standing, act: str, confirm: str | None) -> list[Fault]:
    """Why the database is not replaced: nobody typed its name although it is used or holds data, or it is closed."""
    faults = list(filter(None, [closed(standing)]))
    if not standing.mine:
        faults.append(
            Fault(
                "privilege",
                f"This role may not rename the database {standing.name}: it is not its owner.",
                "Press as its owner or a superuser (database_admin_user in the inventory).",
            )
        )
    stay = [each for each in standing.sessions if not _endable(each, standing.superuser)]
    if stay:
        faults.append(
            Fault(
                "privilege",
                f"This role may not end {counted(len(stay), 'session')} of {standing.name}: {users(stay)}.",
                "Stop what they belong to, or press as one that may end them (database_admin_user in the inventory): "
                "with pg_signal_backend; a superuser's sessions, as a superuser.",
            )
        )
    if standing.prepared:
        faults.append(
            Fault(
                "transactions_prepared",
                f"{standing.name} has {counted(len(standing.prepared), 'prepared transaction')}, with which nobody may "
                f"rename it: {', '.join(standing.prepared[:5])}.",
                "Ask whose they are; COMMIT PREPARED or ROLLBACK PREPARED ends them.",
            )
        )
    why = []
    if standing.sessions:
        why.append(f"has {counted(len(standing.sessions), 'session')} ({users(standing.sessions)})")
    if standing.rows_in:
        why.append(f"holds data ({standing.rows_in} has rows)")
    if standing.unseen:
        why.append(f"cannot be looked into ({standing.unseen}), so it counts as holding data")
    if why:
        fault = unconfirmed(confirm, standing.name, f"{act}. It {' and '.join(why)}")
        faults += [fault] if fault else []
    return faults


def _endable(session: Mapping[str, Any], superuser: bool) -> bool:
    """Whether the role may end the session (see C(queries.SESSIONS)); only a superuser ends a superuser's."""
    return superuser or bool(session["endable"] and not session["superuser"])


def setting(text: str) -> tuple[str, list[str]]:
    """Name and values of a setting as pg_db_role_setting has it; lists of names are taken apart."""
    name, value = text.partition("=")[::2]
    if name.lower() not in _LISTS:
        return name, [value]
    values: list[str] = []
    word, quoted, position = "", False, 0
    while position < len(value):
        sign = value[position]
        if sign == '"' and quoted and value[position + 1 : position + 2] == '"':
            word, position = word + '"', position + 1
        elif sign == '"':
            quoted = not quoted
        elif sign == "," and not quoted:
            values, word = [*values, word], ""
        elif quoted or not sign.isspace():
            word += sign
        position += 1
    return name, [*values, word]
