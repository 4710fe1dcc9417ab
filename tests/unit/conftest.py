# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unit tests: no server, no network.

On a busy machine a slow example is no error; CI tries the same examples each time.
"""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("runbooks", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("runbooks")
