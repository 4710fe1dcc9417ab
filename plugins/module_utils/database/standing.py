# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A database as it stands before it is replaced, and those that were set aside: what to say and do about it. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from ..confirmation import unconfirmed
from ..errors import Fault
from ..wording import counted, duration

#: Settings that are lists of names, of which each is quoted for itself (postgres:src/bin/pg_dump/dumputils.c,
#: variable_is_guc_list_quote).
_LISTS = (
    "local_preload_libraries", "search_path", "session_preload_libraries", "shared_preload_libraries",
    "temp_tablespaces", "unix_socket_directories",
)  # fmt: skip
_ASIDE = "_before_%Y%m%dT%H%M%SZ"
_MARK = "linkops.runbooks"
Kind = Literal["restored", "returned"]


@dataclass(frozen=True)
class Aside:
    """A database that was set aside: by a restore of C(backup), or by a return, and the comment that it had."""

    name: str
    kind: Kind
    backup: str
    comment: str | None

    @property
    def note(self) -> str:
        """What the server keeps of it, as the database's comment."""
        entries = {"by": _MARK, "kind": self.kind, "backup": self.backup, "comment": self.comment}
        return json.dumps(entries, ensure_ascii=False)


@dataclass(frozen=True)
class Standing:
    """The database that is to be replaced."""

    name: str
    exists: bool = True
    open: bool = True
    mine: bool = True
    sessions: Sequence[Mapping[str, Any]] = ()
    rows_in: str | None = None
    slots: Sequence[str] = ()
    asides: Sequence[Aside] = ()
    interrupted: bool = False

    @property
    def last(self) -> Aside | None:
        """What was set aside last."""
        return self.asides[0] if self.asides else None


def aside(name: str, comment: str | None) -> Aside | None:
    """The database as one that was set aside, if its comment says so."""
    try:
        entries = json.loads(comment or "")
        if entries["by"] == _MARK and entries["kind"] in ("restored", "returned"):
            return Aside(name, entries["kind"], str(entries["backup"]), entries["comment"])
    except (ValueError, KeyError, TypeError):
        pass
    return None


def aside_suffix(now: datetime) -> str:
    """What is put behind the name of a database that is set aside."""
    return now.strftime(_ASIDE)


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


def refused(standing: Standing, act: str, confirm: str | None) -> list[Fault]:
    """Why the database is not replaced: nobody typed its name although it is used or holds data, or it is closed."""
    faults = []
    if standing.exists and not standing.open and not standing.interrupted:
        faults.append(
            Fault(
                "database_closed",
                f"The database {standing.name} accepts no connections (datallowconn), and no restore closed it.",
                "Ask who did, and why; ALTER DATABASE ... ALLOW_CONNECTIONS true opens it.",
            )
        )
    if not standing.mine:
        faults.append(
            Fault(
                "privilege",
                f"This role may not rename the database {standing.name}: it is not its owner.",
                "Press as its owner or a superuser (database_admin_user in the inventory).",
            )
        )
    why = []
    if standing.sessions:
        why.append(f"has {counted(len(standing.sessions), 'session')} ({users(standing.sessions)})")
    if standing.rows_in:
        why.append(f"holds data ({standing.rows_in} has rows)")
    if why:
        fault = unconfirmed(confirm, standing.name, f"{act}. It {' and '.join(why)}")
        faults += [fault] if fault else []
    return faults


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
