# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Redis is meant, and what its refusals are called."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.cache.refusals import explain
from ansible_collections.linkops.runbooks.plugins.module_utils.cache.target import CacheTarget, parse, resolve
from ansible_collections.linkops.runbooks.plugins.module_utils.errors import OperatorError


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("redis://cache", {"host": "cache", "port": 0, "db": 0, "tls": False, "password": "", "user": ""}),
        ("rediss://app:p%40ss@cache:6380/2", {"port": 6380, "db": 2, "tls": True, "password": "p@ss", "user": "app"}),
        ("redis://:a@b@cache/1?family=6", {"host": "cache", "password": "a@b", "db": 1}),
        ("redis://[2001:db8::1]:7000", {"host": "2001:db8::1", "port": 7000}),
    ],
)
def test_urls(url: str, parts: dict[str, Any]) -> None:
    found = parse(url)
    assert found | parts == found


@pytest.mark.parametrize(
    "url", ["http://cache", "hunter22", "redis://cache:hunter22", "redis://:hunter22@cache/hunter22"]
)
def test_a_url_that_is_none_is_named_without_its_text(url: str) -> None:
    with pytest.raises(OperatorError) as fault:
        resolve({"login_url": url}, {})
    assert [each.reason for each in fault.value.faults] == ["url_invalid"]
    assert "hunter22" not in str(fault.value)


def test_an_option_comes_before_the_url() -> None:
    params = {"login_url": "rediss://:one@cache:7000/2", "login_password": "two", "login_db": 0, "tls": False}
    found = resolve(params, {"REDISCLI_AUTH": "three"})
    assert (found.host, found.port, found.password, found.db, found.tls) == ("cache", 7000, "two", 0, False)
    assert resolve({"login_host": "cache"}, {"REDISCLI_AUTH": "three"}).password == "three"


def test_all_that_is_missing_is_named_at_once() -> None:
    with pytest.raises(OperatorError) as fault:
        resolve({"login_password_key": "a", "ca_certs": "/no/ca.pem"}, {})
    assert [each.reason for each in fault.value.faults] == ["input_invalid", "no_host", "file_missing"]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("ConnectionError: max number of clients reached", "clients_exhausted"),
        ("BusyLoadingError: Redis is loading the dataset in memory", "loading"),
        ("AuthenticationError: invalid username-password pair or user is disabled.", "password_wrong"),
        ("AuthenticationError: WRONGPASS invalid username-password pair", "password_wrong"),
        ("AuthenticationError: Authentication required.", "password_missing"),
        (
            "AuthenticationError: AUTH <password> called without any password configured for the default",
            "password_unwanted",
        ),
        ("NoPermissionError: this user has no permissions to run the 'info' command", "privilege"),
        ("ResponseError: MISCONF Redis is configured to save RDB snapshots", "writes_refused"),
        ("ResponseError: DB index is out of range", "no_such_db"),
        ("ConnectionError: Error 111 connecting to cache:6379. Connection refused.", "refused"),
        ("ConnectionError: Error 1 connecting to cache:6379. [SSL: WRONG_VERSION_NUMBER] wrong version", "tls"),
        ("ConnectionError: Connection closed by server.", "connection_lost"),
        ("InvalidResponse: Protocol Error: b'HTTP/1.1 400'", "not_redis"),
        ("ResponseError: something new", "cache_refused"),
    ],
)
def test_refusals(said: str, reason: str) -> None:
    refusal = explain(said, CacheTarget("cache", password="hunter22"))
    assert refusal.reason == reason
    assert "{" not in str(refusal)


def test_what_is_quoted_has_no_secret() -> None:
    assert "hunter22" not in str(explain("ResponseError: odd hunter22", CacheTarget("cache", password="hunter22")))
