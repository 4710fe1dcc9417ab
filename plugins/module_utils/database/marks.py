# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What this collection writes into the comment of a database that it made, closed or set aside. Pure.

A name alone proves nothing: it may be somebody else's, and the server cuts long ones off.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

_BY = "linkops.runbooks"

#: C(made): a backup is restored into it; C(closed): a swap has closed it; C(restored), C(returned): what set it aside.
Kind = Literal["made", "closed", "restored", "returned"]

#: The connection limit with which a database is created, closed: so nobody has ever been in one that a run made and
#: was killed before it could write a comment.
NEWBORN = 1_802_661_751


@dataclass(frozen=True)
class Mark:
    """Why a database is as it is: on behalf of which C(database), for which backup; and the comment that it had."""

    kind: Kind
    database: str
    backup: str = ""
    comment: str | None = None

    @property
    def text(self) -> str:
        """The mark as the database's comment."""
        return json.dumps({"by": _BY, **vars(self)}, ensure_ascii=False)


def read(comment: str | None) -> Mark | None:
    """The mark that a comment is; none where somebody else wrote it."""
    try:
        entries = json.loads(comment or "")
        if entries["by"] == _BY and entries["kind"] in get_args(Kind):
            return Mark(entries["kind"], str(entries["database"]), str(entries["backup"]), entries["comment"])
    except (ValueError, KeyError, TypeError):
        pass
    return None


def own(comment: str | None) -> str | None:
    """The comment that a database has of its own, also while a swap has it closed."""
    mark = read(comment)
    return mark.comment if mark and mark.kind == "closed" else comment


def made_for(row: Mapping[str, Any], database: str) -> bool:
    """Whether this collection made the database of the row (C(comment), C(open), C(connection_limit)) for this one."""
    mark = read(row["comment"])
    if mark is None:
        return not row["open"] and row["connection_limit"] == NEWBORN
    return mark.kind == "made" and mark.database == database
