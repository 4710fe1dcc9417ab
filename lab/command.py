# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs of this machine: where they are, and what they answer."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

from lab.site import LabError

if TYPE_CHECKING:
    from collections.abc import Mapping

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def ask(
    *argv: str, stdin: str = "", env: Mapping[str, str] | None = None, timeout: float | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, from the root folder, and return its exit code and what it said.

    Raises OSError where there is no such program, subprocess.TimeoutExpired after ``timeout`` seconds.
    """
    return subprocess.run(
        argv, check=False, input=stdin, capture_output=True, text=True, env=env, timeout=timeout, cwd="/"
    )


def which(program: str) -> str:
    """The path of an installed program. Raises LabError when it is missing."""
    found = shutil.which(program, path=PATH)
    if not found:
        raise LabError(f"{program} is not installed: run `python -m lab up`, which installs it.")
    return found
