# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation of the options that name a workload."""

from __future__ import annotations


class ModuleDocFragment:
    """Which workload a module works on."""

    DOCUMENTATION = r"""
options:
  namespace:
    description:
      - The namespace of the workload.
    type: str
    required: true
  kind:
    description:
      - The kind of the workload.
    type: str
    choices: [Deployment, StatefulSet, DaemonSet]
    default: Deployment
  name:
    description:
      - The name of the workload.
    type: str
    required: true
"""
