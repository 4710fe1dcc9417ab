# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Environment variables: names, sources, presence; values of allowed names, and never of a Secret."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.fingerprint import Reference
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.variables import Source, variables, verdict

ALLOWED = ("RATE_*", "*_RATE_*", "CORS_ORIGIN")
CONFIG: Reference = ("ConfigMap", "config")
SECRET: Reference = ("Secret", "secrets")
SOURCES = {
    CONFIG: Source("there", {"AUTH_RATE_LIMIT": "10", "LOG_LEVEL": "info", "CORS_ORIGIN": "https://a.example"}),
    SECRET: Source("there", {"DATABASE_URL": "", "RATE_KEY": ""}),
}


def template(env: list[dict[str, Any]] | None = None, env_from: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """A pod template with one container."""
    return {"spec": {"containers": [{"name": "api", "env": env or [], "envFrom": env_from or []}]}}


def ref(kind: str, name: str, key: str, **more: Any) -> dict[str, Any]:
    """A variable with a reference to a key."""
    return {
        "name": name,
        "valueFrom": {
            f"{kind}KeyRef": {"name": f"{'config' if kind == 'configMap' else 'secrets'}", "key": key, **more}
        },
    }


WHOLE = [{"configMapRef": {"name": "config"}}, {"secretRef": {"name": "secrets"}, "prefix": "S_"}]


def test_names_sources_and_only_allowed_values() -> None:
    env = [
        {"name": "RATE_LIMIT", "value": "5"},
        {"name": "PORT", "value": "3001"},
        ref("secret", "RATE_SECRET", "RATE_KEY"),
    ]
    found = {each.name: each for each in variables(template(env, WHOLE), SOURCES, ALLOWED)}
    assert {name: each.value for name, each in found.items() if each.value} == {
        "AUTH_RATE_LIMIT": "10", "CORS_ORIGIN": "https://a.example", "RATE_LIMIT": "5",
    }  # fmt: skip
    assert found["S_RATE_KEY"].value is None
    assert found["RATE_SECRET"].source == "Secret/secrets key RATE_KEY"
    assert found["PORT"].source == "the template"
    assert all(each.is_set for each in found.values())
    assert verdict(list(found.values())).passed


def test_a_name_that_merely_contains_an_allowed_one_is_not_shown() -> None:
    env = [
        {"name": "MIGRATE_URL", "value": "postgresql://u:p@h/d"},
        {"name": "RATE_API_TOKEN", "value": "hunter2hunter2"},
    ]
    assert [each.value for each in variables(template(env), {}, ALLOWED)] == [None, None]


def test_a_password_in_an_allowed_value_is_hidden() -> None:
    env = [{"name": "CORS_ORIGIN", "value": "https://user:hunter2hunter2@a.example"}]
    assert "hunter2" not in str([each.as_result() for each in variables(template(env), {}, ALLOWED)])


def test_the_later_declaration_counts() -> None:
    env = [{"name": "LOG_LEVEL", "value": "debug"}]
    found = {each.name: each.source for each in variables(template(env, WHOLE), SOURCES, ALLOWED)}
    assert found["LOG_LEVEL"] == "the template"


@pytest.mark.parametrize(
    ("env", "sources", "status", "told"),
    [
        pytest.param([ref("secret", "A", "MISSING")], SOURCES, "fail", "A (Secret/secrets key MISSING)", id="key"),
        pytest.param([ref("secret", "A", "MISSING", optional=True)], SOURCES, "pass", "0 variables set", id="optional"),
        pytest.param([ref("configMap", "A", "X")], {CONFIG: Source("missing", {})}, "fail", "not set: A", id="object"),
        pytest.param(
            [ref("secret", "A", "X")],
            {SECRET: Source("unreadable", {})},
            "unknown",
            "Secret/secrets key X may not",
            id="right",
        ),
        pytest.param([{"name": "A", "value": ""}], {}, "pass", "warning: empty: A", id="empty"),
        pytest.param(
            [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
            {},
            "pass",
            "1 variable set",
            id="field",
        ),
    ],
)
def test_presence(env: list[dict[str, Any]], sources: dict[Reference, Source], status: str, told: str) -> None:
    judged = verdict(variables(template(env), sources, ALLOWED))
    assert (judged.status, told in judged.reason) == (status, True), judged.reason


def test_containers_that_prepare_the_pod_or_run_beside_it_count() -> None:
    given = template([{"name": "RATE_LIMIT", "value": "5"}])
    prepares = {"name": "migrate", "env": [ref("secret", "A", "MISSING"), {"name": "RATE_LIMIT", "value": "5"}]}
    given["spec"]["initContainers"] = [prepares, {"name": "proxy", "restartPolicy": "Always", "env": prepares["env"]}]
    found = variables(given, SOURCES, ALLOWED)
    assert [each.container for each in found] == ["migrate", "migrate", "proxy", "proxy", "api"]
    assert verdict(found).reason == "not set: A (Secret/secrets key MISSING)"
    assert verdict([each for each in found if each.is_set]).reason == "3 variables set; RATE_LIMIT=5"
    assert {each.container for each in variables(given, SOURCES, ALLOWED, container="proxy")} == {"proxy"}


def test_an_object_that_is_not_there_stands_for_all_its_variables() -> None:
    found = variables(template(env_from=WHOLE[1:]), {SECRET: Source("missing", {})}, ALLOWED)
    assert [(each.name, each.is_set) for each in found] == [("S_*", False)]
    assert variables(template(env_from=WHOLE), SOURCES, ALLOWED, container="other") == []
