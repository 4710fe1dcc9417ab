# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a refusal is called; the words are PostgreSQL's, libpq's and PgBouncer's own."""

from __future__ import annotations

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.database.refusals import explain, silent
from ansible_collections.linkops.runbooks.plugins.module_utils.database.target import Target

TARGET = Target({"host": "db", "user": "app", "dbname": "shop", "password": "hunter22"})
RESERVED = "remaining connection slots are reserved"
AT = 'connection to server at "db" (10.0.0.1), port 5432 failed: '


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("FATAL:  sorry, too many clients already", "connections_exhausted"),
        (f"FATAL:  {RESERVED} for roles with the SUPERUSER attribute", "connections_exhausted"),
        (f'FATAL:  {RESERVED} for roles with privileges of the "pg_use_reserved"', "connections_exhausted"),
        (f"FATAL:  {RESERVED} for non-replication superuser connections", "connections_exhausted"),
        ("FATAL:  no more connections allowed (max_client_conn)", "connections_exhausted"),
        ('FATAL:  too many connections for role "app"', "role_limit"),
        ('FATAL:  too many connections for database "shop"', "database_limit"),
        ('FATAL:  password authentication failed for user "app"', "password_wrong"),
        ("FATAL:  SASL authentication failed", "password_wrong"),
        ("fe_sendauth: no password supplied", "password_missing"),
        ('FATAL:  no pg_hba.conf entry for host "10.0.0.9", user "app", database "shop"', "login_refused"),
        ('FATAL:  role "app" is not permitted to log in', "login_refused"),
        ('FATAL:  database "shop" does not exist', "no_such_database"),
        ('FATAL:  permission denied for database "shop"\nDETAIL:  User lacks it.', "no_connect_privilege"),
        ("FATAL:  the database system is starting up", "not_ready"),
        ("FATAL:  the database system is not yet accepting connections\nDETAIL:  Recovery", "not_ready"),
        ("server does not support SSL, but SSL was required", "tls"),
        ("SSL error: certificate verify failed", "tls"),
        ("Connection refused\n\tIs the server running on that host and accepting TCP/IP connections?", "refused"),
        ("No route to host", "unroutable"),
        ("received invalid response to SSL negotiation: H", "not_postgresql"),
        ("server closed the connection unexpectedly\n\tThis probably means", "connection_lost"),
        ("FATAL:  terminating connection due to administrator command", "connection_lost"),
        ("FATAL:  something of a later version", "database_refused"),
    ],
)  # fmt: skip
def test_a_refused_connection(said: str, reason: str) -> None:
    refusal = explain(AT + said, TARGET)
    assert refusal.reason == reason
    assert "{" not in str(refusal)
    assert str(refusal)[0].isupper()
    assert str(refusal).endswith((".", "?"))


@pytest.mark.parametrize(
    ("sqlstate", "reason"),
    [("57014", "statement_timeout"), ("55P03", "lock_timeout"), ("42501", "privilege"), ("25006", "read_only")],
)
def test_a_refused_statement(sqlstate: str, reason: str) -> None:
    refusal = explain("permission denied for table Quote", TARGET, sqlstate)
    assert (refusal.reason, refusal.sqlstate) == (reason, sqlstate)


def test_what_is_quoted_has_no_secret_and_no_detail() -> None:
    said = "FATAL:  odd hunter22 and password=hunter23 \nDETAIL:  Key (email)=(a@b.example)\nHINT:  none"
    sentence = str(explain(AT + said, TARGET))
    assert "hunter" not in sentence
    assert "a@b.example" not in sentence
    assert "odd" in sentence


def test_silence_says_when() -> None:
    assert "does not answer: nothing came within 3 s" in str(silent(TARGET, 3))
    assert "any more" in str(silent(TARGET, 7, connected=True))
