# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Argument specs shared by the modules that talk to Redis; the fragment C(cache) documents them."""

from __future__ import annotations

from typing import Any

Arguments = dict[str, dict[str, Any]]

#: Names as in community.general (community.general:plugins/doc_fragments/redis.py), without its default host.
CACHE: Arguments = {
    "login_host": {"type": "str", "aliases": ["host"]},
    "login_port": {"type": "int", "aliases": ["port"]},
    "login_user": {"type": "str"},
    "login_password": {"type": "str", "no_log": True},
    "login_password_file": {"type": "path", "no_log": False},
    "login_password_key": {"type": "str", "no_log": False},
    "login_db": {"type": "int"},
    "login_url": {"type": "str", "no_log": True},
    "tls": {"type": "bool"},
    "validate_certs": {"type": "bool", "default": True},
    "ca_certs": {"type": "path"},
    "client_cert_file": {"type": "path"},
    "client_key_file": {"type": "path", "no_log": False},
    "connect_timeout_seconds": {"type": "float", "default": 3},
    "answer_timeout_seconds": {"type": "float", "default": 3},
}

#: What M(linkops.runbooks.cache_info) takes beside its connection.
INFO: Arguments = {
    "more_connections": {"type": "int", "default": 0},
    "expected_policy": {"type": "str", "default": "noeviction"},
    "warning_ratio": {"type": "float", "default": 0.8},
    "critical_ratio": {"type": "float", "default": 0.95},
    "unreachable": {"type": "str", "choices": ["fail", "unknown"], "default": "fail"},
}
