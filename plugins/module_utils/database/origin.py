# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which database a backup is of, where several servers have one of this name and share a folder or a bucket. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Origin:
    """A database, host and port of its server, and what else tells that from others, as far as it is known.

    C(identifier) is what initdb gave the server: a standby has it too and keeps it when it takes over, at whatever
    address; so does a copy of its disk, which only C(environment), its C(SYSTEM/ENVIRONMENT) in the inventory, tells
    from it.
    """

    database: str
    address: str = ""
    identifier: str | None = None
    environment: str | None = None

    def __str__(self) -> str:
        return (self.address or "an unknown server") + (f" ({self.environment})" if self.environment else "")

    def same(self, other: Origin) -> bool:
        """Whether both are one database. The address decides where a server does not tell its identifier."""
        if self.database != other.database:
            return False
        if self.environment and other.environment and self.environment != other.environment:
            return False
        if self.identifier and other.identifier:
            return self.identifier == other.identifier
        return bool(self.address) and self.address == other.address

    def as_entries(self) -> dict[str, str | None]:
        """What a manifest says of it."""
        return asdict(self)


def read(entries: Mapping[str, Any]) -> Origin:
    """The origin in a manifest. One of before has the identifier only at the beginning of its state."""
    state = entries.get("state") or ""
    identifier = entries.get("identifier") or state.partition(" ")[0] or None
    return Origin(entries["database"], entries.get("address") or "", identifier, entries.get("environment"))
