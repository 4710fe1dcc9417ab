# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables as operators wish for them: names, values, secrets, origins, references."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster import assignments
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.assignments import Source
from ansible_collections.linkops.runbooks.plugins.module_utils.errors import Fault


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("JWT_SECRET", "abcdef0123456789"),
        ("DB_PASSWORD", "hunter2"),
        ("SLACK_TOKEN", "abcd"),
        ("STRIPE_KEY", "abcd"),
        ("KEY", "abcd"),
        ("API_KEYS", "ck_1,ck_2"),
        ("DATABASE_URL", "postgresql://app:hunter2@db:5432/app"),
        ("UPSTREAM", "redis://:hunter2@cache:6379/0"),
        ("SETTING", "sk_live_0123456789abcdef"),
        ("HEADER", "Authorization: Bearer 0123456789abcdef"),
        ("NOTE", "password=hunter2hunter2"),
    ],
)
def test_what_looks_secret_is_refused_unseen(name: str, value: str) -> None:
    (fault,) = assignments.value_faults({name: value})
    assert fault.reason == "value_secret"
    assert name in fault.message
    assert value not in str(fault)
    assert "environment_from" in fault.remedy


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CORS_ORIGIN", "https://servicelink.com,https://www.servicelink.com"),
        ("AUTH_LOGIN_RATE_LIMIT", 20),
        ("FEATURE_PASSWORD_RESET", "off"),
        ("TOKEN_LIMIT", "20"),
        ("SECRETS_ENABLED", True),
        ("PUBLIC_KEY", "MIIB"),
        ("CACHE_KEY", "jobs"),
        ("MONKEY", "chimp"),
        ("JWT_SECRET_FILE", "/run/secrets/jwt"),
        ("DATABASE_HOST", "db.internal:5432"),
        ("EMPTY", ""),
    ],
)
def test_what_is_plain_passes(name: str, value: Any) -> None:
    assert assignments.value_faults({name: value}) == []


@pytest.mark.parametrize("value", [None, {"a": 1}, ["a"], "with\0nul", "x" * 131072])
def test_values_that_no_process_takes(value: Any) -> None:
    (fault,) = assignments.value_faults({"SETTING": value})
    assert fault.reason == "value_invalid"
    assert len(str(fault)) < 300


@pytest.mark.parametrize(
    ("value", "text"), [(True, "true"), (False, "false"), (20, "20"), (1.5, "1.5"), ("on", "on"), (None, None)]
)
def test_values_become_text_as_containers_see_it(value: Any, text: str | None) -> None:
    assert assignments.text(value) == text


def test_names() -> None:
    assert assignments.name_faults(["A", "_a.b-c", "AUTH_LOGIN_RATE_LIMIT"]) == []
    (fault,) = assignments.name_faults(["1ST", "", "A=B", "Ä", "A B"])
    assert "'1ST', '', 'A=B', 'Ä', 'A B' cannot be the name of a variable." in fault.message


@pytest.mark.parametrize(
    "given",
    [None, "vault", {}, {"secret": "a"}, {"key": "a"}, {"secret": "a", "config_map": "b", "key": "c"},
     {"secret": "", "key": "c"}, {"secret": "a", "key": 1}, {"secret": "a", "key": "b", "optional": "true"}],
)  # fmt: skip
def test_sources_that_are_not_understood(given: Any) -> None:
    found = assignments.source("STRIPE", given)
    assert isinstance(found, Fault)
    assert "environment_from {STRIPE: {secret: NAME, key: KEY}}" in found.remedy


def test_sources() -> None:
    secret = assignments.source("STRIPE", {"secret": "vault", "key": "stripe"})
    assert secret == Source("Secret", "vault", "stripe")
    assert secret.as_value_from() == {"secretKeyRef": {"name": "vault", "key": "stripe"}}
    config = assignments.source("LIMIT", {"config_map": "settings", "key": "limit"})
    assert isinstance(config, Source)
    assert config.as_value_from() == {"configMapKeyRef": {"name": "settings", "key": "limit"}}


@pytest.mark.parametrize(
    ("origins", "words"),
    [
        ("https://a.example,https://b.example:8443,http://localhost:3000", []),
        ("https://a.example/", ["a browser sends https://a.example"]),
        ("https://a.example, https://b.example", ["a space beside https://b.example"]),
        ("a.example", ["no scheme; a browser sends https://a.example"]),
        ("*", ["every site on the Internet"]),
        ("https://a.example,", ["an origin is empty"]),
        ("https://A.example", ["a browser sends https://a.example"]),
        ("https://a.example:443", ["a browser leaves it out"]),
        ("https://a.example/app,*", ["something behind its host", "every site"]),
    ],
)
@pytest.mark.parametrize("name", ["CORS_ORIGIN", "ALLOWED_ORIGINS"])
def test_origins_are_compared_exactly_by_browsers(name: str, origins: str, words: list[str]) -> None:
    notes = assignments.origin_notes(name, origins)
    assert len(notes) == len(words)
    for note, expected in zip(notes, words, strict=True):
        assert expected in note
    assert assignments.origin_notes("UNRELATED", origins) == []


def test_references_to_variables_that_are_not_defined_before() -> None:
    assert assignments.expansion_notes("URL", "http://$(HOST):$(PORT)/$$(HOST)", ["HOST"]) == [
        "URL refers to $(PORT), which is not defined before it, so it stays as written"
    ]
