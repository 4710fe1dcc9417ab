# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The services that use a database, known by their application_name: who was there, and who is back. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]

#: What people and this collection come with, who do not come back by themselves.
_TOOLS = re.compile(r"linkops\.runbooks|psql|pg_\w+|pgcli|pgAdmin|DBeaver|DataGrip|TablePlus|prisma-(?:migrate|studio)")


def named(sessions: Iterable[Row], database: str) -> list[str]:
    """The services that have sessions with this database; one that does not say its name is not known."""
    names = {str(each["application"] or "") for each in sessions if each["database"] == database}
    return sorted(name for name in names if name and not _TOOLS.match(name))


def absent(wanted: Sequence[str], sessions: Iterable[Row], database: str) -> list[str]:
    """Those of them that have no session with it now."""
    there = {str(each["application"]) for each in sessions if each["database"] == database}
    return [name for name in wanted if name not in there]
