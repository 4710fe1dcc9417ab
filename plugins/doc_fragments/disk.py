# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation of the options DISK in C(module_utils/database/arguments.py)."""

from __future__ import annotations


class ModuleDocFragment:
    """How full the disk of a database's server is."""

    DOCUMENTATION = r"""
options:
  free_bytes:
    description: How much space the server's disk has, where that is known; PostgreSQL itself does not tell.
    type: float
  free_bytes_unknown:
    description: Why it is not known, to be warned of.
    type: str
  reserve_bytes:
    description: So much must stay free on the server's disk.
    type: int
    default: 1073741824
"""
