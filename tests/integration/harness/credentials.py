# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials as operators have them, good and bad: kubeconfigs, service accounts, tokens that are over."""

from __future__ import annotations

import base64
import json
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from lab.cluster import Cluster
from lab.site import Lab

RBAC = "/apis/rbac.authorization.k8s.io/v1/namespaces"


def kubeconfig(lab: Lab, path: Path, *, server: str = "", token: str = "", ca: Path | None = None) -> Path:
    """The lab's kubeconfig with another server, token or authority."""
    content = yaml.safe_load(lab.kubeconfig.read_text())
    cluster, user = content["clusters"][0]["cluster"], content["users"][0]["user"]
    if server:
        cluster["server"] = server
    if ca:
        cluster["certificate-authority-data"] = base64.b64encode(ca.read_bytes()).decode()
    if token:
        user.clear()
        user["token"] = token
    path.write_text(yaml.safe_dump(content))
    return path


def service_account(cluster: Cluster, namespace: str, name: str, rules: Mapping[str, list[str]]) -> str:
    """A token for a new service account that may do this and no more: verbs by GROUP:RESOURCE."""
    cluster.request("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": name}})
    granted = [
        {"apiGroups": [group], "resources": [resource], "verbs": verbs}
        for (group, _, resource), verbs in ((key.partition(":"), verbs) for key, verbs in rules.items())
    ]
    cluster.request("POST", f"{RBAC}/{namespace}/roles", {"metadata": {"name": name}, "rules": granted})
    binding: dict[str, Any] = {
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
    }
    cluster.request("POST", f"{RBAC}/{namespace}/rolebindings", binding)
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
    answer = cluster.request("POST", path, {"spec": {"expirationSeconds": 3600}})
    return str(answer["status"]["token"])


def expired_token(lab: Lab, namespace: str, name: str = "default") -> str:
    """A token that the API server's own key signed, an hour too old."""
    now = int(time.time())
    claims = {
        "iss": "https://kubernetes.default.svc",
        "aud": ["https://kubernetes.default.svc"],
        "sub": f"system:serviceaccount:{namespace}:{name}",
        "iat": now - 7200,
        "exp": now - 3600,
        "kubernetes.io": {"namespace": namespace, "serviceaccount": {"name": name, "uid": "gone"}},
    }
    signed = ".".join(_encoded(json.dumps(part).encode()) for part in ({"alg": "RS256", "typ": "JWT"}, claims))
    signature = subprocess.run(
        ["openssl", "dgst", "-sha256", "-sign", str(lab.service_account_key)],
        input=signed.encode(), capture_output=True, check=True,
    ).stdout  # fmt: skip
    return f"{signed}.{_encoded(signature)}"


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")
