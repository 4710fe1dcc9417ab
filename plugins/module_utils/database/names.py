# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of tables and indexes as operators type them, against those that there are. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..errors import Fault

Row = Mapping[str, Any]

_PART = r'(?:"(?:[^"]|"")+"|[^".\s]+)'
_NAME = re.compile(rf"\s*({_PART})(?:\.({_PART}))?\s*\Z")


def parsed(name: str) -> tuple[str, str] | None:
    """Schema (empty where none is named) and name, or none where this is not a name.

    Quotes may stand around a part, and change nothing: what is typed is meant as it is typed, upper case included.
    """
    found = _NAME.match(name)
    if not found:
        return None
    parts = [part[1:-1].replace('""', '"') if part.startswith('"') else part for part in found.groups() if part]
    return (parts[0], parts[1]) if len(parts) == 2 else ("", parts[0])


def shown(schema: str, name: str) -> str:
    """The name as SQL would have it, the schema left out where it is public."""
    quoted = [
        part if re.fullmatch(r"[a-z_][a-z0-9_]*", part) else f'"{part}"'
        for part in ([name] if schema in ("", "public") else [schema, name])
    ]
    return ".".join(quoted)


def found(
    typed: Sequence[str], there: Iterable[Row], kind: str, place: str, schema: str = ""
) -> tuple[list[Row], list[Fault]]:
    """The rows (with C(schema) and C(name)) that the typed names mean, and a fault for each that means none or two.

    C(kind) is what they are called, C(place) where they were looked for; C(schema) comes first where none is typed.
    """
    rows, chosen, faults = list(there), [], []
    for name in dict.fromkeys(typed):
        parts = parsed(name)
        if parts is None:
            faults.append(
                Fault("name_invalid", f"{name!r} is no name of {_article(kind)}.", "Give NAME or SCHEMA.NAME.")
            )
            continue
        matches = [row for row in rows if row["name"] == parts[1] and parts[0] in ("", row["schema"])]
        preferred = [row for row in matches if row["schema"] == schema] if not parts[0] else []
        matches = preferred or matches
        if len(matches) == 1:
            chosen.append(matches[0])
        elif matches:
            several = ", ".join(sorted(f"{row['schema']}.{row['name']}" for row in matches))
            faults.append(
                Fault("name_ambiguous", f"{place} has several {kind}s {name}: {several}.", "Name the schema too.")
            )
        else:
            faults.append(_unknown(name, parts[1], rows, kind, place))
    return list({row["oid"]: row for row in chosen}.values()), faults


def similar(name: str, others: Iterable[str]) -> list[str]:
    """The names that may be meant: those that differ in case alone, else those that are close."""
    names = sorted(set(others))
    alike = [each for each in names if each.lower() == name.lower()]
    if alike:
        return alike
    lower = {each.lower(): each for each in names}
    return [lower[each] for each in difflib.get_close_matches(name.lower(), lower, n=3)]


def _unknown(typed: str, name: str, rows: Sequence[Row], kind: str, place: str) -> Fault:
    near = set(similar(name, (row["name"] for row in rows)))
    meant = sorted({shown(row["schema"], row["name"]) for row in rows if row["name"] in near})
    if meant:
        remedy = f"There is {', '.join(meant)}: names are taken as they are typed, upper case included."
    else:
        some = sorted({shown(row["schema"], row["name"]) for row in rows})
        remedy = f"There are {', '.join(some[:12])}{' ...' if len(some) > 12 else ''}." if some else "It has none."
    return Fault(f"no_such_{kind}", f"{place} has no {kind} {typed}.", remedy)


def _article(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"
