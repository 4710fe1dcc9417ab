# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Feature flags: what the inventory says of one, and whether an answer shows the value that it shall have. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible.module_utils.parsing.convert_bool import BOOLEANS_FALSE, BOOLEANS_TRUE

from ..errors import Fault
from ..redaction import redact_text
from ..verdict import Verdict

#: What a flag of each store must say, and what it may say besides.
STORES: dict[str, tuple[set[str], set[str]]] = {
    "environment": (set(), {"variable", "container"}),
    "config_map": ({"config_map", "key"}, {"container"}),
    "http": ({"url", "field"}, {"method", "token_file", "token_environment", "timeout_seconds"}),
}
METHODS = ("PUT", "PATCH")
_PROOF = ({"path", "expect"}, {"port", "timeout_seconds"})
_WORDS = {True: BOOLEANS_TRUE | {"enabled"}, False: BOOLEANS_FALSE | {"disabled"}}


@dataclass(frozen=True)
class Flag:
    """One flag of the inventory: C(settings) of its C(store), C(proof) by which a pod shows its value."""

    name: str
    store: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    proof: Mapping[str, Any] = field(default_factory=dict)


def flag(name: str, value: str | None, known: Mapping[str, Any]) -> tuple[Flag, list[Fault]]:
    """The flag of that name, with all that is wrong with what the inventory says of it and with the value.

    No value stands for a flag that is not set, which only a variable can be.
    """
    entry = known.get(name)
    if not isinstance(entry, Mapping):
        listed = ", ".join(sorted(known)) or "none"
        fault = Fault(
            "flag_unknown",
            f"The inventory knows no feature flag {name}; it knows {listed}.",
            "Give flag=NAME with one of these, or describe the flag in feature_flags.",
        )
        return Flag(name, ""), [fault]
    settings = {key: each for key, each in entry.items() if key not in ("store", "proof", "values")}
    found = Flag(name, str(entry.get("store")), settings, entry.get("proof") or {})
    return found, [*_shape_faults(found), *_value_faults(found, value, entry.get("values"))]


def is_same(shown: Any, wanted: str) -> bool:
    """Whether a value, as JSON has it, is the wanted one; true and false are the usual words for on and off as well."""
    if isinstance(shown, bool):
        return wanted.lower() in _WORDS[shown]
    return shown is not None and str(shown) == wanted


def like(standing: Any, wanted: str) -> Any:
    """The wanted value in the type of the one that stands there. Raises C(ValueError) where it has no such value."""
    if isinstance(standing, bool):
        found = next((truth for truth, words in _WORDS.items() if wanted.lower() in words), None)
        if found is None:
            raise ValueError(wanted)
        return found
    return type(standing)(wanted) if isinstance(standing, (int, float)) else wanted


def at(document: Any, path: str) -> Any:
    """What stands at a dotted path of a JSON document, C(None) where nothing does."""
    for part in path.split("."):
        document = document.get(part) if isinstance(document, Mapping) else None
    return document


def judge(expect: str, wanted: str, who: str, status: int, body: str) -> Verdict:
    """Whether an answer proves that its pod has the wanted value at C(expect), a dotted path."""
    if not 200 <= status < 300:
        return Verdict("fail", f"{who} answers {status or 'nothing'} where it should show the flag")
    try:
        shown = at(json.loads(body), expect)
    except ValueError:
        return Verdict("unknown", f"{who} does not answer with JSON, so it shows no flag")
    if shown is None:
        return Verdict("unknown", f"{who} does not show {expect}, so the flag cannot be seen")
    words = redact_text(json.dumps(shown)[:80])
    return Verdict("pass" if is_same(shown, wanted) else "fail", f"{who} shows {words}")


def _shape_faults(found: Flag) -> list[Fault]:
    if found.store not in STORES:
        return [_fault(found, f"has the store {found.store}", f"Set store to one of {', '.join(STORES)}.")]
    faults = []
    for where, given, (needed, more) in (
        ("", found.settings, STORES[found.store]),
        ("proof.", found.proof, _PROOF),
    ):
        if lacking := sorted(needed - set(given)):
            named = ", ".join(f"{where}{each}" for each in lacking)
            faults.append(_fault(found, f"lacks {named}", "Without it the flag cannot be set, or not be proved."))
        if extra := sorted(set(given) - needed - more):
            named = ", ".join(f"{where}{each}" for each in extra)
            faults.append(_fault(found, f"has {named}", f"There are {', '.join(sorted(needed | more))}."))
    if found.settings.get("method", "PUT") not in METHODS:
        faults.append(_fault(found, f"has the method {found.settings['method']}", f"Use {' or '.join(METHODS)}."))
    return faults


def _value_faults(found: Flag, value: str | None, allowed: Any) -> list[Fault]:
    if value is None:
        told = f"The flag {found.name} cannot be absent, since it is no variable."
        return [] if found.store == "environment" else [Fault("flag_value", told, "Give it a value.")]
    if not value:
        return [Fault("flag_value", f"No value is given for the flag {found.name}.", "Give it, such as value=off.")]
    if not allowed or any(is_same(each, value) for each in allowed):
        return []
    # An inventory's on and off are booleans, as YAML has it.
    words = ", ".join(("on" if each else "off") if isinstance(each, bool) else str(each) for each in allowed)
    return [Fault("flag_value", f"The flag {found.name} has no value {value[:40]}.", f"It may be {words}.")]


def _fault(found: Flag, wrong: str, remedy: str) -> Fault:
    return Fault("flag_invalid", f"feature_flags.{found.name} of the inventory {wrong}.", remedy)
