# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module of this file's name, as it runs in the controller; all files of this folder are the same."""

from __future__ import annotations

from ansible_collections.linkops.runbooks.plugins.plugin_utils.controller import action_of

ActionModule = action_of(__name__)
