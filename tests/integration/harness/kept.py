# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups of former days, without waiting for them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from ansible_collections.linkops.runbooks.plugins.module_utils.database import archives


def copied(backup: Path, name: str) -> Path:
    """A whole backup again, beside itself, under the name of another day; its folder."""
    copy = shutil.copytree(backup, backup.parent / name)
    entries = json.loads((copy / archives.MANIFEST).read_text())
    del entries["digest"]
    (copy / archives.MANIFEST).write_text(archives.written({**entries, "name": name}))
    return copy
