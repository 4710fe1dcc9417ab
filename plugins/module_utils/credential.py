# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A password that stays in a file, for every room that logs in somewhere."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .errors import Fault


def password(params: Mapping[str, Any]) -> tuple[str | None, list[Fault]]:
    """The password that the options name, and what is wrong with them; no fault quotes what a file holds.

    C(login_password_file) comes before C(login_password); with C(login_password_key) it is JSON, else all of it is the
    password.
    """
    path, key = params.get("login_password_file"), params.get("login_password_key")
    if not path:
        fault = Fault(
            "input_invalid", "login_password_key names a key of no file.", "Give login_password_file with it."
        )
        return params.get("login_password"), [fault] if key else []
    found = _read(Path(path), key)
    return (None, [found]) if isinstance(found, Fault) else (found, [])


def _read(path: Path, key: str | None) -> str | Fault:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        said = fault.strerror if isinstance(fault, OSError) else "it is not text"
        return _fault(f"The password file {path} cannot be read: {said}.", "Correct login_password_file.")
    if not key:
        return text.rstrip("\r\n") or _fault(f"The password file {path} is empty.", "Fill it.")
    try:
        content = json.loads(text)
    except ValueError:
        return _fault(
            f"The password file {path} is not JSON, so it has no key {key}.",
            "Correct it, or leave login_password_key out where the whole file is the password.",
        )
    names = ", ".join(sorted(content)) if isinstance(content, dict) else ""
    found = content.get(key) if isinstance(content, dict) else None
    if isinstance(found, str) and found:
        return found
    return _fault(
        f"The password file {path} has no text under the key {key}; it has {names or 'no keys'}.",
        "Correct login_password_key.",
    )


def _fault(message: str, remedy: str) -> Fault:
    return Fault("password_file", message, remedy)
