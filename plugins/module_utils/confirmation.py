# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is dangerous asks for the exact name of the thing: nothing prompts, since AWX cannot answer. Pure."""

from __future__ import annotations

from .errors import Fault


def unconfirmed(given: str | None, name: str, act: str) -> Fault | None:
    """The fault unless C(name), the thing that C(act) (a sentence without its full stop) is done to, was typed."""
    if given and given == name:
        return None
    typed = f" confirm={given} is not its name." if given else ""
    return Fault("unconfirmed", f"{act}.{typed}", f"If that is what you want, press again with -e confirm={name}.")
