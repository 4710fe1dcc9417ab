# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which values of the Secrets in use count as confidences."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster import evidence
from ansible_collections.linkops.runbooks.plugins.module_utils.errors import Fault, OperatorError

KEY = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nlevel: info\n-----END PRIVATE KEY-----"


class Vault:
    """Gives Secrets by name, and refuses others."""

    def __init__(self, **secrets: str) -> None:
        self._secrets = secrets

    def get(self, path: str) -> dict[str, Any]:
        name = path.rpartition("/")[2]
        if name not in self._secrets:
            raise OperatorError(Fault("forbidden", "no"))
        return {"data": {"value": base64.b64encode(self._secrets[name].encode()).decode()}}


def pod(*secrets: str, **shown: str) -> dict[str, Any]:
    """A pod that uses these Secrets, and shows other variables openly."""
    variables = [{"name": name, "value": value} for name, value in shown.items()]
    sources = [{"secretRef": {"name": name}} for name in secrets]
    container = {"name": "api", "envFrom": sources, "env": variables}
    return {"metadata": {"name": "api-1", "namespace": "prod"}, "spec": {"containers": [container]}}


def confidences(vault: Vault, *pods: dict[str, Any]) -> set[str]:
    client: Any = vault
    return set(evidence.confidences(client, *map(evidence.as_template, pods)))


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("hunter2hunter2", {"hunter2hunter2"}),
        ("short", set()),
        (
            "postgres://app:p%40ssw0rd%21@db/app",
            {"postgres://app:p%40ssw0rd%21@db/app", "p%40ssw0rd%21", "p@ssw0rd!"},
        ),
        (KEY, {KEY, "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC"}),
        ("http://[broken", {"http://[broken"}),
    ],
    ids=["plain", "short", "url", "key", "no-url"],
)
def test_what_a_secret_gives_away(value: str, found: set[str]) -> None:
    assert confidences(Vault(vault=value), pod("vault")) == found


def test_secrets_of_an_older_pod_count_as_well() -> None:
    vault = Vault(old="of the old one", new="of the new one")
    assert confidences(vault, pod("old"), pod("new")) == {"of the old one", "of the new one"}


def test_what_is_shown_openly_is_no_secret_and_what_is_forbidden_is_left_out() -> None:
    assert confidences(Vault(vault="eu-central-1"), pod("vault", "forbidden", REGION="eu-central-1")) == set()
