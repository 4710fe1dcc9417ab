# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ValidatingAdmissionPolicies for a test's namespace, evaluated in the API server itself."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from kubernetes.client.exceptions import ApiException

from lab.cluster import PATHS, Cluster, Manifest

ADMISSION = "/apis/admissionregistration.k8s.io/v1"
GROUPS = {"Pod": "", "Deployment": "apps"}


@contextlib.contextmanager
def refusing(cluster: Cluster, namespace: str, kind: str, message: str, probe: Manifest) -> Iterator[None]:
    """Have every new object and every change of a kind refused with this message; begins once ``probe`` is."""
    name = f"{namespace}-{kind.lower()}"
    rule = {
        "apiGroups": [GROUPS[kind]], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"],
        "resources": [f"{kind.lower()}s"],
    }  # fmt: skip
    policy = {
        "matchConstraints": {"resourceRules": [rule]},
        "validations": [{"expression": "false", "message": message}],
    }
    here = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}
    binding = {"policyName": name, "validationActions": ["Deny"], "matchResources": here}
    specs = {"validatingadmissionpolicies": policy, "validatingadmissionpolicybindings": binding}
    for plural, spec in specs.items():
        cluster.request("POST", f"{ADMISSION}/{plural}", {"metadata": {"name": name}, "spec": spec})
    try:
        cluster.until(
            lambda: _refused(cluster, namespace, kind, message, probe),
            lambda: f"{kind}s are not refused in {namespace}.",
        )
        yield
    finally:
        for plural in specs:
            cluster.request("DELETE", f"{ADMISSION}/{plural}/{name}")


def _refused(cluster: Cluster, namespace: str, kind: str, message: str, probe: Manifest) -> bool:
    try:
        cluster.request("POST", PATHS[kind].format(namespace), probe, {"dryRun": "All"})
    except ApiException as refusal:
        return message in str(refusal.body)
    return False
