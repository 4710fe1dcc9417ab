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
