# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Argument specs shared by the modules that talk to Kubernetes; each matches a fragment in C(doc_fragments)."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import env_fallback

Arguments = dict[str, dict[str, Any]]

#: As in kubernetes.core, names and environment fallbacks alike (kubernetes.core:plugins/module_utils/args_common.py).
CONNECTION: Arguments = {
    "kubeconfig": {"type": "path", "fallback": (env_fallback, ["K8S_AUTH_KUBECONFIG"])},
    "context": {"type": "str", "fallback": (env_fallback, ["K8S_AUTH_CONTEXT"])},
    "host": {"type": "str", "fallback": (env_fallback, ["K8S_AUTH_HOST"])},
    "api_key": {"type": "str", "no_log": True, "fallback": (env_fallback, ["K8S_AUTH_API_KEY"])},
    "ca_cert": {"type": "path", "aliases": ["ssl_ca_cert"], "fallback": (env_fallback, ["K8S_AUTH_SSL_CA_CERT"])},
    "client_cert": {"type": "path", "fallback": (env_fallback, ["K8S_AUTH_CERT_FILE"])},
    "client_key": {"type": "path", "no_log": False, "fallback": (env_fallback, ["K8S_AUTH_KEY_FILE"])},
    "validate_certs": {"type": "bool", "aliases": ["verify_ssl"], "fallback": (env_fallback, ["K8S_AUTH_VERIFY_SSL"])},
    "proxy": {"type": "str", "fallback": (env_fallback, ["K8S_AUTH_PROXY"])},
    "cluster_uid": {"type": "str"},
}

#: The run that a task belongs to, as M(linkops.runbooks.run_record) and M(linkops.runbooks.service_lock) return it.
RUN: Arguments = {"run": {"type": "dict"}}

NAMESPACE: Arguments = {"namespace": {"type": "str", "required": True}}

WORKLOAD: Arguments = {
    **NAMESPACE,
    "kind": {"type": "str", "default": "Deployment", "choices": ["Deployment", "StatefulSet", "DaemonSet"]},
    "name": {"type": "str", "required": True},
}

#: What M(linkops.runbooks.workload_vitals) takes beside the workload.
VITALS: Arguments = {
    "crash_restarts": {"type": "int", "default": 2},
    "recent_minutes": {"type": "float", "default": 60},
    "memory_warning_ratio": {"type": "float", "default": 0.8},
    "memory_critical_ratio": {"type": "float", "default": 0.95},
    "cpu_warning_ratio": {"type": "float", "default": 0.7},
    "cpu_critical_ratio": {"type": "float", "default": 0.9},
    "trend_minutes": {"type": "float", "default": 0},
    "memory_growth_bytes_per_hour": {"type": "float"},
}

#: What M(linkops.runbooks.service_health) takes beside the workload.
ENDPOINTS: Arguments = {
    "pods": {"type": "list", "elements": "str"},
    "endpoint": {
        "type": "dict",
        "required": True,
        "options": {
            "port": {"type": "int", "required": True},
            "path": {"type": "str", "default": "/health"},
            "expect": {"type": "dict", "default": {}},
            "url": {"type": "str"},
            "timeout_seconds": {"type": "float", "default": 3},
            "more": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "path": {"type": "str"},
                    "url": {"type": "str"},
                    "expect": {"type": "dict", "default": {}},
                    "statuses": {"type": "list", "elements": "int", "default": []},
                },
                "required_one_of": [("path", "url")],
            },
        },
    },
    "settle_seconds": {"type": "float", "default": 0},
    "moment": {"type": "str", "default": "now"},
    "evidence": {"type": "bool", "default": False},
}

#: What M(linkops.runbooks.service_path) takes beside the workload.
USERS_PATH: Arguments = {
    "service": {"type": "str"},
    "url": {"type": "str"},
    "target_group_arn": {"type": "str"},
}

#: What M(linkops.runbooks.workload_environment) takes beside the workload.
VARIABLES: Arguments = {
    "container": {"type": "str"},
    "shown_variables": {
        "type": "list",
        "elements": "str",
        "default": ["RATE_*", "*_RATE_*", "CORS_ORIGIN", "ALLOWED_ORIGINS"],
    },
}

#: What M(linkops.runbooks.pod_probe) takes beside the workload.
PROBE: Arguments = {
    "command": {"type": "list", "elements": "str", "required": True},
    "line": {"type": "str", "default": "database from a pod"},
    "container": {"type": "str"},
    "timeout_seconds": {"type": "int", "default": 3},
}
