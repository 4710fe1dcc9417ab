# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every module of this collection says about check mode, diff and second runs."""

from __future__ import annotations


class ModuleDocFragment:
    """The common attributes."""

    DOCUMENTATION = r"""
attributes:
  check_mode:
    description: Can run in check mode and predict what would change, without any write.
    support: full
  diff_mode:
    description: Shows what changes.
    support: none
  idempotent:
    description: A second run with the same input changes nothing.
    support: full
"""
    DIFF = r"""
attributes:
  diff_mode:
    description: Shows what changes.
    support: full
"""
