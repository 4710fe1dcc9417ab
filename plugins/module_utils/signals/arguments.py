# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Argument specs of the modules that ask for signals."""

from __future__ import annotations

from typing import Any

Arguments = dict[str, dict[str, Any]]

#: What M(linkops.runbooks.prometheus_info) takes beside the workload.
PROMETHEUS: Arguments = {
    "url": {"type": "str", "required": True},
    "pods": {"type": "list", "elements": "str"},
    "timeout_seconds": {"type": "float", "default": 2},
    "window_minutes": {"type": "float", "default": 5},
    "requests_metric": {"type": "str", "default": "http_requests_total"},
    "status_label": {"type": "str", "default": "status"},
    "route_label": {"type": "str", "default": "route"},
    "ignored_routes": {"type": "list", "elements": "str", "default": ["/health", "/metrics"]},
    "minimum_requests": {"type": "float", "default": 50},
    "error_warning_ratio": {"type": "float", "default": 0.01},
    "error_critical_ratio": {"type": "float", "default": 0.05},
    "trend_minutes": {"type": "float", "default": 30},
    "memory_growth_bytes_per_hour": {"type": "float"},
}
