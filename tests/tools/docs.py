# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Has antsibull-docs judge the modules' documentation, on a copy whose folders are named as a collection's are."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.tools.ansible_test import copy_parts


def main() -> int:
    """The exit code of antsibull-docs."""
    with tempfile.TemporaryDirectory(prefix="linkops-docs-") as scratch:
        collection = Path(scratch, "ansible_collections/linkops/runbooks")
        copy_parts(collection)
        command = ["antsibull-docs", "lint-collection-docs", "--plugin-docs", "--skip-rstcheck", str(collection)]
        return subprocess.run(command, cwd=scratch, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
