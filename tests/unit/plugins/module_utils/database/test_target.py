# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From options, URL and environment to what libpq is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.database import url
from ansible_collections.linkops.runbooks.plugins.module_utils.database.target import resolve
from ansible_collections.linkops.runbooks.plugins.module_utils.errors import OperatorError

SECRET = "p@ss:w/ord"
URL = "postgresql://app:p%40ss%3Aw%2Ford@db.example:6432/shop"


@pytest.mark.parametrize(
    ("text", "keywords"),
    [
        (URL, {"host": "db.example", "port": "6432", "user": "app", "password": SECRET, "dbname": "shop"}),
        ("postgres://app@db", {"host": "db", "user": "app"}),
        ("postgresql://app:a@b@db/x", {"host": "db", "user": "app", "password": "a@b", "dbname": "x"}),
        ("postgresql://u@[2001:db8::1]:5433/x", {"host": "2001:db8::1", "port": "5433", "user": "u", "dbname": "x"}),
        ("postgresql://u@a:1,b:2/x", {"host": "a,b", "port": "1,2", "user": "u", "dbname": "x"}),
        ("postgresql:///x?host=/run/postgresql&user=u", {"host": "/run/postgresql", "user": "u", "dbname": "x"}),
        ("postgresql://u@db/x?sslmode=verify-full&sslrootcert=/ca", {"sslmode": "verify-full", "sslrootcert": "/ca"}),
        ("postgresql://u@db/x?sslmode=no-verify", {"sslmode": "require"}),
        ("postgresql://u@db/x?ssl=true", {"sslmode": "require"}),
        ("postgresql://u@db/x?sslaccept=strict&sslmode=require&sslcert=ca.pem", {"sslmode": "verify-full"}),
    ],
)
def test_urls_of_libpq_prisma_and_node_postgres(text: str, keywords: dict[str, str]) -> None:
    found = dict(url.parse(text).keywords)
    assert found | keywords == found
    assert "sslcert" not in found


def test_what_prisma_alone_knows_is_kept_apart() -> None:
    found = url.parse(f"{URL}?schema=audit&pgbouncer=true&connection_limit=5&pool_timeout=10")
    assert (found.schema, found.pooled) == ("audit", True)
    assert set(found.keywords) == {"host", "port", "user", "password", "dbname"}


@pytest.mark.parametrize(
    "text", [f"mysql://u:{SECRET}@db/x", f"u:{SECRET}@db", f"postgresql://u:a@db:{SECRET}/x", f"{URL}?sslmode=maybe"]
)
def test_a_url_that_is_none_is_named_without_its_text(text: str) -> None:
    with pytest.raises(OperatorError) as fault:
        resolve({"login_url": text}, {})
    assert fault.value.reason == "url_invalid"
    assert len(fault.value.faults) == 1
    assert "ord" not in str(fault.value).replace("ordinary", "").replace("PASSWORD", "")


def test_an_option_comes_before_the_url_and_that_before_the_environment() -> None:
    environment = {"PGHOST": "environment", "PGUSER": "environment", "PGSSLMODE": "require", "PGPASSFILE": "/pass"}
    found = resolve({"login_url": URL, "login_host": "option"}, environment)
    assert found.keywords["host"] == "option"
    assert found.keywords["user"] == "app"
    assert found.keywords["sslmode"] == "require"
    assert found.keywords["passfile"] == "/pass"
    assert found.name == "the database shop at option:6432"
    assert found.secrets == (SECRET,)


def test_all_that_is_missing_is_named_at_once(tmp_path: Path) -> None:
    params = {"login_password_file": tmp_path / "none", "ca_cert": "/no/ca.pem", "ssl_key": "/no/key"}
    with pytest.raises(OperatorError) as fault:
        resolve(params, {})
    reasons = [each.reason for each in fault.value.faults]
    assert reasons == ["password_file", "no_host", "no_user", "file_missing", "file_missing"]


@pytest.mark.parametrize(
    ("content", "key", "found"),
    [
        ("hunter22\n", None, "hunter22"),
        (json.dumps({"a": "hunter22"}), "a", "hunter22"),
        ("two words ", None, "two words "),
    ],
)
def test_the_password_of_a_file(tmp_path: Path, content: str, key: str | None, found: str) -> None:
    path = tmp_path / "password"
    path.write_text(content)
    params: dict[str, Any] = {"login_host": "db", "login_user": "app", "login_password": "other"}
    target = resolve({**params, "login_password_file": str(path), "login_password_key": key}, {})
    assert target.keywords["password"] == found
    assert target.database == "app"


@pytest.mark.parametrize(
    ("content", "key", "told"),
    [
        ("", None, "is empty"),
        ("hunter22", "a", "is not JSON"),
        ('{"b": "hunter22"}', "a", "it has b"),
        ('{"a": 5}', "a", "no text under the key a"),
        ('["hunter22"]', "a", "no keys"),
    ],
)
def test_a_password_file_without_one_says_so_and_shows_no_value(
    tmp_path: Path, content: str, key: str | None, told: str
) -> None:
    path = tmp_path / "password"
    path.write_text(content)
    with pytest.raises(OperatorError) as fault:
        resolve({"login_host": "db", "login_user": "u", "login_password_file": path, "login_password_key": key}, {})
    assert told in str(fault.value)
    assert "hunter22" not in str(fault.value)


def test_a_key_without_a_file_is_a_fault() -> None:
    with pytest.raises(OperatorError, match="key of no file"):
        resolve({"login_host": "db", "login_user": "u", "login_password_key": "a"}, {})


def test_several_hosts_and_a_socket_have_a_name() -> None:
    assert resolve({"login_url": "postgresql://u@a,b/x"}, {}).address == "a:5432, b:5432"
    assert resolve({"login_url": "postgresql://u@a:1,b:2/x"}, {}).address == "a:1, b:2"
    assert resolve({"login_unix_socket": "/run/pg", "login_user": "u"}, {}).address == "/run/pg"
