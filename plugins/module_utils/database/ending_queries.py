# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a session is ended: the one that was listed, if it still does what it was listed for."""

from __future__ import annotations

HERE = "SELECT current_database() AS database"

END = """
SELECT pg_terminate_backend(a.pid) AS told FROM pg_stat_activity a
WHERE a.pid = %(pid)s AND to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') = %(started)s
  AND a.datname = current_database() AND a.backend_type = 'client backend'
  AND a.state IN ('idle in transaction', 'idle in transaction (aborted)')
  AND extract(epoch FROM clock_timestamp() - a.state_change) >= %(seconds)s
"""

THERE = """
SELECT a.pid FROM pg_stat_activity a
WHERE a.pid = %(pid)s AND to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') = %(started)s
"""
