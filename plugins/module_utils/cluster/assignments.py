# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an operator may wish for a container's environment, and what is wrong with the words themselves. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ..errors import Fault
from ..redaction import looks_secret

#: What a variable may be called everywhere; newer API servers take more, and containers' shells do not.
_NAME = re.compile(r"[A-Za-z_.-][A-Za-z0-9_.-]{0,252}", re.ASCII)
_ORIGINS = re.compile(r"(?:CORS|ALLOWED).*ORIGINS?$", re.IGNORECASE)
_EXPANSION = re.compile(r"(?<!\$)\$\(([A-Za-z_.-][A-Za-z0-9_.-]*)\)")
#: The kernel takes no longer NAME=VALUE (MAX_ARG_STRLEN, linux:include/uapi/linux/binfmts.h).
LONGEST_BYTES = 128 * 1024 - 1


@dataclass(frozen=True)
class Source:
    """One key of a ConfigMap or a Secret, from which a variable takes its value."""

    kind: str
    name: str
    key: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}, key {self.key}"

    def as_value_from(self) -> dict[str, dict[str, str]]:
        """As a container's C(env) refers to it."""
        return {
            "secretKeyRef" if self.kind == "Secret" else "configMapKeyRef": {"name": self.name, "key": self.key},
        }


def text(value: Any) -> str | None:
    """A value as the container will see it, C(None) where it has no text: a mapping, a list, nothing."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, (str, int, float)) else None


def name_faults(names: Iterable[str]) -> list[Fault]:
    """Names that a variable cannot have."""
    wrong = [name for name in names if not _NAME.fullmatch(name)]
    return [
        Fault(
            "variable_invalid",
            f"{', '.join(repr(name[:40]) for name in wrong)} cannot be the name of a variable.",
            "Use letters, digits and _, beginning with a letter, as in AUTH_LOGIN_RATE_LIMIT.",
        )
    ] * bool(wrong)


def value_faults(given: Mapping[str, Any]) -> list[Fault]:
    """What is wrong with plain values; no sentence shows one."""
    faults = []
    for name, value in given.items():
        plain = text(value)
        if plain is None:
            faults.append(
                Fault(
                    "value_invalid",
                    f"The value given for {name} is no text.",
                    "Give text or a number; to remove a variable, name it in environment_absent.",
                )
            )
        elif "\0" in plain or len(f"{name}={plain}".encode()) > LONGEST_BYTES:
            faults.append(
                Fault(
                    "value_invalid",
                    f"No process can take the value given for {name}: it is longer than 128 KiB, or has a NUL in it.",
                    "Put it into a file of a ConfigMap.",
                )
            )
        elif looks_secret(name, plain):
            faults.append(
                Fault(
                    "value_secret",
                    f"The value given for {name} looks like a secret, which a pod template would show to everybody.",
                    f"Put it into a Secret, and refer to it: environment_from {{{name}: {{secret: NAME, key: KEY}}}}.",
                )
            )
    return faults


def source(name: str, given: Any) -> Source | Fault:
    """The source that C({secret: NAME, key: KEY}) or C({config_map: NAME, key: KEY}) means."""
    kinds = {"secret": "Secret", "config_map": "ConfigMap"}
    if isinstance(given, Mapping) and all(isinstance(each, str) and each for each in given.values()):
        named = [key for key in kinds if key in given]
        if len(named) == 1 and set(given) == {named[0], "key"}:
            return Source(kinds[named[0]], given[named[0]], given["key"])
    return Fault(
        "reference_invalid",
        f"What {name} is to be taken from is not understood.",
        f"Give environment_from {{{name}: {{secret: NAME, key: KEY}}}} or {{config_map: NAME, key: KEY}}.",
    )


def origin_notes(name: str, value: str) -> list[str]:
    """What browsers will not match in a list of allowed origins: they compare scheme, host and port exactly
    (https://www.rfc-editor.org/rfc/rfc6454#section-5).
    """
    if not _ORIGINS.search(name):
        return []
    notes = []
    for each in value.split(","):
        note = _origin_note(each)
        if note:
            notes.append(f"{name}: {note}")
    return notes


def expansion_notes(name: str, value: str, defined: Iterable[str]) -> list[str]:
    """References C($(NAME)) in a value to variables that are not defined before it, which stay as they are written."""
    known = set(defined)
    missing = sorted({each for each in _EXPANSION.findall(value) if each not in known})
    return [f"{name} refers to $({each}), which is not defined before it, so it stays as written" for each in missing]


def referring(entries: Iterable[Mapping[str, Any]], name: str) -> list[str]:
    """The variables whose values contain C($(name))."""
    return [entry["name"] for entry in entries if name in _EXPANSION.findall(entry.get("value") or "")]


def _origin_note(origin: str) -> str:
    shown = origin.strip()
    if not shown:
        return "an origin is empty"
    if shown == "*":
        return "* allows every site on the Internet"
    if shown != origin:
        return f"there is a space beside {shown}; some services compare it with the space"
    parts = urlsplit(shown)
    if not parts.scheme or not parts.netloc:
        return f"{shown} has no scheme; a browser sends https://{shown}"
    if shown != f"{parts.scheme}://{parts.netloc}":
        return f"{shown} has something behind its host; a browser sends {parts.scheme}://{parts.netloc}"
    if shown != shown.lower():
        return f"{shown} has capital letters; a browser sends {shown.lower()}"
    if shown.endswith({"https": ":443", "http": ":80"}.get(parts.scheme, "\0")):
        return f"{shown} names the scheme's own port; a browser leaves it out"
    return ""
