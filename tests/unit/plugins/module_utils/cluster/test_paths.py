# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Paths of the Kubernetes API."""

from __future__ import annotations

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster import paths


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        (("Pod", "ns"), "/api/v1/namespaces/ns/pods"),
        (("Pod", "ns", "api-1", "log"), "/api/v1/namespaces/ns/pods/api-1/log"),
        (("Deployment", "ns", "api"), "/apis/apps/v1/namespaces/ns/deployments/api"),
        (("ControllerRevision", "ns"), "/apis/apps/v1/namespaces/ns/controllerrevisions"),
        (("Lease", "ns", "linkops-api"), "/apis/coordination.k8s.io/v1/namespaces/ns/leases/linkops-api"),
        (("Secret", "a/../b", "x?y"), "/api/v1/namespaces/a%2F..%2Fb/secrets/x%3Fy"),
    ],
)
def test_paths(arguments: tuple[str, ...], path: str) -> None:
    assert paths.path(*arguments) == path


@pytest.mark.parametrize(
    ("port", "url", "path"),
    [
        (3001, "/health", "/api/v1/namespaces/ns/pods/api-1:3001/proxy/health"),
        ("http", "health", "/api/v1/namespaces/ns/pods/api-1:http/proxy/health"),
        (3001, "/", "/api/v1/namespaces/ns/pods/api-1:3001/proxy/"),
        (3001, "/health?at=a%3Ab", "/api/v1/namespaces/ns/pods/api-1:3001/proxy/health?at=a%3Ab"),
    ],
)
def test_the_proxy_to_a_port_of_a_pod(port: int | str, url: str, path: str) -> None:
    assert paths.pod_proxy("ns", "api-1", port, url) == path


@pytest.mark.parametrize(
    ("kind", "group", "plural"),
    [
        ("Pod", "", "pods"),
        ("StatefulSet", "apps", "statefulsets"),
        ("Lease", "coordination.k8s.io", "leases"),
    ],
)
def test_groups_and_plurals(kind: str, group: str, plural: str) -> None:
    assert (paths.group(kind), paths.plural(kind)) == (group, plural)
