# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Redaction: no canary comes through, whatever it is wrapped in, and plain words do."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.linkops.runbooks.plugins.module_utils.redaction import (
    HIDDEN,
    redact,
    redact_manifest,
    redact_text,
)

CANARY = "c4n4ryB1rd"
TEXTS = {
    "url": f"connect to postgresql://app:{CANARY}@db.internal:5432/app failed",
    "url without user": f"redis://:{CANARY}@cache:6379/0",
    "url, password with an @": f"postgresql://app:p@{CANARY}@db/app",
    "url, password with a slash": f"postgresql://app:p/{CANARY}@db/app",
    "two urls": f"postgresql://app:x1@db/app,postgresql://app:{CANARY}@db2/app",
    "token as user of a url": f"https://{CANARY}{CANARY}@git.example/repository.git",
    "bearer": f"Authorization: Bearer {CANARY}",
    "bearer of plain letters in a header": "authorization: bearer canarybirdcanary",
    "bearer elsewhere": f"the server said: bearer {CANARY} is expired",
    "basic": f"-H 'Authorization: Basic {CANARY}=='",
    "basic of plain letters in a header": '"Authorization": "Basic canarybirdcanary"',
    "stripe secret key": f"No such customer, key sk_live_{CANARY}",
    "stripe test key in a name": f"STRIPE_sk_test_{CANARY}",
    "stripe webhook secret": f"whsec_{CANARY}",
    "slack": f"xoxb-1234-{CANARY}",
    "github": f"ghp_{CANARY}{CANARY}",
    "openai": f"Incorrect API key provided: sk-proj-{CANARY}{CANARY}",
    "aws access key": "AKIAC4N4RYB1RDC4N4RY",
    "json web token": f"eyJhbGciOiJI.{CANARY}.{CANARY}",
    "private key": f"-----BEGIN RSA PRIVATE KEY-----\n{CANARY}\n-----END RSA PRIVATE KEY-----\n",
    "private key, cut off": f"-----BEGIN PRIVATE KEY-----\n{CANARY}\n",
    "variable": f"PGPASSWORD={CANARY}",
    "variable with spaces": f"password = {CANARY}",
    "connection string": f"host=db user=app password={CANARY} dbname=app",
    "yaml": f"  api_key: {CANARY}\n",
    "json": f'{{"client_secret":"{CANARY}","user":"app"}}',
    "json with spaces": f'"password": "correct horse {CANARY}"',
    "json with a quote": f'"password": "a\\"b {CANARY}"',
    "json in json": json.dumps({"value": json.dumps({"password": f"x {CANARY}"})}),
    "quoted": f"TOKEN='{CANARY} and more {CANARY}'",
    "query parameter": f"GET /hook?access_token={CANARY}&page=2",
    "option": f"node server.js --api-key {CANARY}",
    "header": f"X-API-Key: {CANARY}",
    "amazon secret": f"aws_secret_access_key={CANARY}",
}
PLAIN = [
    "Basic authentication failed.",
    "basic authorization, bearer authentication",
    "Bearer authentication: unsupported",
    "pull access denied, repository does not exist or may require authorization: server message: denied",
    'MountVolume.SetUp failed for volume "db-secret" : secret "servicelink-db" not found',
    "couldn't find key STRIPE_SECRET in Secret servicelink-production/servicelink-api",
    'secrets "servicelink-db" is forbidden: User "ops" cannot get resource "secrets" in API group ""',
    '"automountServiceAccountToken": false, "secretName": "servicelink-db"',
    '"tokenExpirationSeconds": 3607',
    "http://servicelink.example:3001/users/@me",
    "docker-pullable://registry.example:5000/app@sha256:0a1b",
    "index pk_users_email_key, node sk-bratislava-worker-1, pod task_live",
    'password authentication failed for user "app" (using password: YES)',
    "token_path=/var/run/secrets/token",
    "revision 5 is active, container api of pod servicelink-api-5b7c8d9f66-x2x4z: CrashLoopBackOff",
    "runbooks.linkops.io/mark: good",
    "2026-03-05T10:00:01Z deploy v1.5.0",
]


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_no_canary_in_text(text: str) -> None:
    shown = redact_text(text)
    assert HIDDEN in shown
    assert CANARY not in shown
    assert "canary" not in shown.lower().replace("c4n4ry", "canary")


@pytest.mark.parametrize("text", PLAIN)
def test_plain_words_stay(text: str) -> None:
    assert redact_text(text) == text


@pytest.mark.parametrize("text", [*TEXTS.values(), *PLAIN])
def test_redacting_twice_changes_nothing_more(text: str) -> None:
    assert redact_text(redact_text(text)) == redact_text(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://app:hunter22@db:5432/app", "postgresql://app:[hidden]@db:5432/app"),
        ('{"password": "hunter22", "user": "app"}', '{"password": "[hidden]", "user": "app"}'),
        ("PASSWORD=hunter22 USER=app", "PASSWORD=[hidden] USER=app"),
        ("Authorization: Bearer abcdefgh12 rejected", "Authorization: Bearer [hidden] rejected"),
    ],
    ids=["url", "json", "variable", "header"],
)
def test_what_surrounds_a_secret_stays(text: str, shown: str) -> None:
    assert redact_text(text) == shown


def test_known_secrets_go_wherever_they_stand_the_longest_first() -> None:
    assert redact_text("x-hunter22-y hunter", ["hunter", "hunter22", "x"]) == "x-[hidden]-y [hidden]"


@given(st.text(), st.text(alphabet="0123456789abcdefXYZ", min_size=4, max_size=12), st.text())
def test_a_known_secret_never_comes_through(before: str, secret: str, after: str) -> None:
    assert secret not in redact_text(f"{before}{secret}{after}", [secret]).replace(HIDDEN, "")


@pytest.mark.parametrize("unit", ["a", "a-", "a.b=", "token", "eyJ", "https:"], ids=str)
def test_a_long_line_is_no_trap(unit: str) -> None:
    """An expression that backtracks over 100 KB would not come back within a test run."""
    assert redact_text(unit * (100_000 // len(unit)))


TREES: list[tuple[str, Any]] = [
    ("key that names a secret", {"password": CANARY}),
    ("key with a path before the name", {"example.com/api-token": CANARY}),
    ("secret in a key", {f"sk_live_{CANARY}": 1}),
    ("deep in lists", [{"a": [(f"PASSWORD={CANARY}",)]}]),
    ("variable", {"env": [{"name": "DATABASE_PASSWORD", "value": CANARY}]}),
    ("variable with a connection string", {"env": [{"name": "DATABASE_URL", "value": f"host=db {CANARY}"}]}),
    ("variable with an innocent name", {"env": [{"name": "DB", "value": f"postgresql://a:{CANARY}@db/a"}]}),
    ("variable called a key", {"env": [{"name": "STRIPE_KEY", "value": CANARY}]}),
    ("wished variable called a key", {"inputs": {"variables": {"STRIPE_KEY": CANARY}}}),
    ("number of a variable", {"environment": {"API_TOKEN": 123456789, "KEY": f"{CANARY}"}}),
    ("header", {"httpHeaders": [{"name": "Authorization", "value": CANARY}]}),
    ("secret", {"kind": "Secret", "data": {"key": CANARY}, "stringData": {"key": CANARY}}),
    ("list of secrets", {"kind": "List", "items": [{"kind": "Secret", "data": {"key": CANARY}}]}),
]


@pytest.mark.parametrize("tree", [tree for _name, tree in TREES], ids=[name for name, _tree in TREES])
def test_no_canary_in_data(tree: Any) -> None:
    shown = json.dumps(redact(tree))
    assert CANARY not in shown
    assert "123456789" not in shown
    assert HIDDEN in shown


@pytest.mark.parametrize(
    "tree",
    [
        {"volumes": [{"name": "tls", "secret": {"secretName": "servicelink-tls", "items": [{"key": "token"}]}}]},
        {"env": [{"name": "STRIPE_SECRET_KEY", "valueFrom": {"secretKeyRef": {"name": "stripe", "key": "secret"}}}]},
        {"env": [{"name": "TOKEN_FILE", "value": "/run/token"}, {"name": "LOG_LEVEL", "value": "info"}]},
        {"env": [{"name": "SIGNING", "valueFrom": {"secretKeyRef": {"name": "vault", "key": "signing"}}}]},
        {"variables": {"PUBLIC_KEY": "MIIB", "KEYS": 3, "SECRETS_ENABLED": True}, "key": "signing", "SORT_KEY": "id"},
        {"automountServiceAccountToken": True, "tokenExpirationSeconds": 3607, "password": None, "token": ""},
        {"database_secret_name": "servicelink-db", "Secret/servicelink-db": "hmac:0a"},
        {"kind": "ConfigMap", "data": {"LOG_LEVEL": "info"}},
    ],
    ids=["volume", "reference", "path", "reference to a key", "harmless", "no text", "names", "config map"],
)
def test_data_about_secrets_stays(tree: Any) -> None:
    assert redact(tree) == tree


def test_a_manifest_for_the_record() -> None:
    manifest = {
        "kind": "Deployment",
        "metadata": {
            "name": "api",
            "managedFields": [{"manager": "kubectl"}],
            "annotations": {
                "kubectl.kubernetes.io/last-applied-configuration": f'{{"env":"{CANARY}"}}',
                "example.com/team": "search",
            },
        },
        "spec": {"containers": [{"args": [f"--password={CANARY}"], "env": [{"name": "TOKEN", "value": CANARY}]}]},
    }
    shown = redact_manifest(manifest)
    assert CANARY not in json.dumps(shown)
    assert shown["metadata"] == {
        "name": "api",
        "annotations": {
            "kubectl.kubernetes.io/last-applied-configuration": HIDDEN,
            "example.com/team": "search",
        },
    }
    assert manifest["metadata"]["managedFields"], "the manifest itself is left as it was"


def test_the_manifest_of_a_secret_shows_its_keys_alone() -> None:
    shown = redact_manifest(
        {"kind": "Secret", "metadata": {"name": "db"}, "data": {"password": CANARY, "host": CANARY}}
    )
    assert shown["data"] == {"password": HIDDEN, "host": HIDDEN}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_plain_data_stays_plain_and_settles(tree: Any) -> None:
    shown = redact(tree)
    json.dumps(shown)
    assert redact(shown) == shown
