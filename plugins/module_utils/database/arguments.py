# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Argument specs shared by the modules that talk to PostgreSQL; the fragment C(database) documents them.

None has a fallback in the spec: what an explicit O(login_url) says comes before the environment (see C(target)).
"""

from __future__ import annotations

from typing import Any

Arguments = dict[str, dict[str, Any]]

SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")

#: Names as in community.postgresql (community.postgresql:plugins/doc_fragments/postgres.py), without its defaults:
#: to ask another server than the one that was meant is worse than to ask none.
DATABASE: Arguments = {
    "login_host": {"type": "str", "aliases": ["host"]},
    "login_port": {"type": "int", "aliases": ["port"]},
    "login_unix_socket": {"type": "path", "aliases": ["unix_socket"]},
    "login_user": {"type": "str", "aliases": ["login"]},
    "login_db": {"type": "str", "aliases": ["db"]},
    "login_password": {"type": "str", "no_log": True},
    "login_password_file": {"type": "path", "no_log": False},
    "login_password_key": {"type": "str", "no_log": False},
    "login_url": {"type": "str", "no_log": True},
    "ssl_mode": {"type": "str", "choices": list(SSL_MODES)},
    "ca_cert": {"type": "path", "aliases": ["ssl_rootcert"]},
    "ssl_cert": {"type": "path"},
    "ssl_key": {"type": "path", "no_log": False},
    "connect_timeout_seconds": {"type": "float", "default": 3},
    "statement_timeout_seconds": {"type": "float", "default": 5},
    "lock_timeout_seconds": {"type": "float", "default": 2},
}

#: Those of them that bound the session and each of its questions.
TIMEOUTS = ("connect_timeout_seconds", "statement_timeout_seconds", "lock_timeout_seconds")

#: An image's migrations, as M(linkops.runbooks.prisma_migration_source) returns them.
SOURCE: Arguments = {
    "migrations": {"type": "list", "elements": "dict", "required": True},
    "target": {"type": "dict"},
}

#: Of the modules that make or read backups; the fragment C(backup) documents them.
BACKUP: Arguments = {
    "directory": {"type": "path", "required": True},
    "s3": {"type": "str"},
    "client_directory": {"type": "path"},
    "jobs": {"type": "int", "default": 2},
    "max_minutes": {"type": "float", "default": 60},
}
#: Of those that take one, and of those that make a database of one; parts of the same fragment.
MAKING: Arguments = {
    "compress": {"type": "str", "default": "gzip"},
    "reserve_bytes": {"type": "int", "default": 1 << 30},
}
READING: Arguments = {
    "backup": {"type": "str", "default": "newest"},
    "maintenance_db": {"type": "str", "default": "postgres"},
}

#: How full the server's disk is, which PostgreSQL does not tell.
DISK: Arguments = {
    "free_bytes": {"type": "float"},
    "free_bytes_unknown": {"type": "str"},
    "reserve_bytes": {"type": "int", "default": 1 << 30},
}

#: What M(linkops.runbooks.database_info) takes beside its connection.
INFO: Arguments = {
    "gather": {
        "type": "list",
        "elements": "str",
        "choices": ["connections", "activity", "blocking", "statements", "sizes", "cache", "settings"],
        "default": ["connections", "activity"],
    },
    "more_connections": {"type": "int", "default": 0},
    "refusal": {"type": "str", "default": ""},
    "remedy": {"type": "str", "default": ""},
    "service_user": {"type": "str"},
    "warning_ratio": {"type": "float", "default": 0.8},
    "critical_ratio": {"type": "float", "default": 0.95},
    "unreachable": {"type": "str", "choices": ["fail", "unknown"], "default": "fail"},
    "top": {"type": "int", "default": 10},
}


def _limit(default: float) -> dict[str, Any]:
    return {"type": "float", "default": default}


#: What M(linkops.runbooks.database_health) takes beside its connection.
HEALTH: Arguments = {
    "service_user": {"type": "str"},
    "unreachable": INFO["unreachable"],
    "top": {"type": "int", "default": 20},
    "check_corruption": {"type": "bool", "default": False},
    "max_minutes": {"type": "float", "default": 10},
    "rds_instance": {"type": "str"},
    "rds_region": {"type": "str"},
    "limits": {
        "type": "dict",
        "apply_defaults": True,
        "options": {
            "connections_warning": _limit(0),
            "connections_warning_ratio": _limit(0.8),
            "connections_critical_ratio": _limit(0.95),
            "idle_warning_seconds": _limit(60),
            "idle_critical_seconds": _limit(600),
            "transaction_warning_seconds": _limit(300),
            "transaction_critical_seconds": _limit(3600),
            "blocked_critical_seconds": _limit(30),
            "query_warning_milliseconds": _limit(100),
            "query_critical_milliseconds": _limit(1000),
            "cache_warning_ratio": _limit(0.95),
            "large_bytes": _limit(100 * 1024 * 1024),
            "bloat_warning_ratio": _limit(0.4),
            "bloat_critical_ratio": _limit(0.8),
            "lag_warning_seconds": _limit(30),
            "lag_critical_seconds": _limit(300),
            "slot_critical_bytes": _limit(10 * 1024 * 1024 * 1024),
        },
    },
}
