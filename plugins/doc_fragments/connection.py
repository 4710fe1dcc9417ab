# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation of the options in C(module_utils/cluster/arguments.py)."""

from __future__ import annotations


class ModuleDocFragment:
    """How a module reaches Kubernetes, and which run it belongs to."""

    DOCUMENTATION = r"""
options:
  kubeconfig:
    description:
      - Path of a kubeconfig. Without it, O(host), the default kubeconfig, or the pod's own service account is used.
      - If not given, E(K8S_AUTH_KUBECONFIG) is read.
    type: path
  context:
    description:
      - The context of the kubeconfig.
      - If not given, E(K8S_AUTH_CONTEXT) is read.
    type: str
  host:
    description:
      - Address of the API server; with it no kubeconfig is read. AWX's Kubernetes credential sets E(K8S_AUTH_HOST).
    type: str
  api_key:
    description:
      - Bearer token for O(host). If not given, E(K8S_AUTH_API_KEY) is read.
    type: str
  ca_cert:
    description:
      - CA certificate file of the API server. If not given, E(K8S_AUTH_SSL_CA_CERT) is read.
    type: path
    aliases: [ssl_ca_cert]
  client_cert:
    description:
      - Client certificate file. If not given, E(K8S_AUTH_CERT_FILE) is read.
    type: path
  client_key:
    description:
      - Client key file. If not given, E(K8S_AUTH_KEY_FILE) is read.
    type: path
  validate_certs:
    description:
      - Whether the API server's certificate is verified. If not given, E(K8S_AUTH_VERIFY_SSL) is read, else it is.
    type: bool
    aliases: [verify_ssl]
  proxy:
    description:
      - URL of an HTTP proxy. If not given, E(K8S_AUTH_PROXY) is read.
    type: str
  cluster_uid:
    description:
      - The uid of the namespace kube-system of the cluster that is meant; any other cluster is refused.
    type: str
  run:
    description:
      - The run that this task belongs to, as RV(linkops.runbooks.run_record#module:run) or
        RV(linkops.runbooks.service_lock#module:run) returned it. Its record takes the task's events, its Leases are
        renewed before each write and while the task waits.
    type: dict
requirements:
  - python >= 3.11
  - kubernetes >= 37.0.0, < 37.0.2
attributes:
  action_group:
    description: Shares the connection options with the other modules of the group linkops.runbooks.cluster.
    support: full
    membership: [linkops.runbooks.cluster]
"""
