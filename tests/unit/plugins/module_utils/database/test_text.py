# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL without literals: nothing that a user wrote is left, and what is in doubt goes altogether."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.linkops.runbooks.plugins.module_utils.database.text import LONGEST, command, without_literals

CANARY = "canary@example.com"


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("SELECT 1", "SELECT ?"),
        ("""SELECT * FROM "User" WHERE "email" = 'a@b.c'""", 'SELECT * FROM "User" WHERE "email" = ?'),
        ("SELECT 'it''s' , 5.5e-3, .5, 0xFF, 1_000 FROM t2", "SELECT ?, ... FROM t2"),
        ("SELECT E'it\\'s' FROM t", "SELECT ? FROM t"),
        ("SELECT B'101', X'ff', N'n', U&'x' FROM t", "SELECT ?, ... FROM t"),
        ("SELECT $1, $2::text, $$secret$$, $a$se$$cret$a$", "SELECT $1, $2::text, ?, ..."),
        ("SELECT a /* secret /* nested */ more */ , b -- secret\nFROM t", "SELECT a , b FROM t"),
        ("SELECT a -- 'quote\nFROM t WHERE x = 'y'", "SELECT a FROM t WHERE x = ?"),
        ("SELECT '--' , a FROM t", "SELECT ? , a FROM t"),
        ("UPDATE t SET a = 'cut off in the mid", "UPDATE t SET a = ?"),
        ("SELECT $x$cut off", "SELECT ?"),
        ("SELECT a /* cut off", "SELECT a"),
        ('SELECT "cut off', 'SELECT "?"'),
        ('SELECT "a@b.example" FROM t', 'SELECT "?" FROM t'),
        ("SELECT a FROM t WHERE id IN (1, 2, 3)", "SELECT a FROM t WHERE id IN (?, ...)"),
        ("select pg_sleep(5)", "select pg_sleep(?)"),
        ("VACUUM (ANALYZE) \"Quote\"", 'VACUUM (ANALYZE) "Quote"'),
        ("CREATE INDEX CONCURRENTLY i ON t (a)", "CREATE INDEX CONCURRENTLY i ON t (a)"),
        ("a1 = $1b", "a1 = $1b"),
        ("", ""),
    ],
)  # fmt: skip
def test_literals_and_comments_go(query: str, shown: str) -> None:
    assert without_literals(query) == shown


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        (r"SELECT * FROM t WHERE a = 'it\'s hunter22' OR b = 'x'", "SELECT ..."),
        ("SET app.token = hunter22", "SET ..."),
        ("  set local hunter22 to x", "SET ..."),
        ("SELECT 1; SET app.user = hunter22", "SELECT ..."),
        ("ALTER ROLE app PASSWORD 'hunter22'", "ALTER ROLE ..."),
        ("CREATE USER hunter22", "CREATE USER ..."),
        ("DO LANGUAGE plpgsql 'hunter22'", "DO ..."),
        ("SELECT x FROM t WHERE hunter22@example.com = y", "SELECT ..."),
        ("-- hunter22\n SET x = y", "SET ..."),
        ("/* hunter22 */ SET x = y", "..."),
    ],
)
def test_in_doubt_the_command_alone_is_shown(query: str, shown: str) -> None:
    assert without_literals(query) == shown


def test_a_long_text_is_cut() -> None:
    assert len(without_literals("SELECT " + ", ".join(f"column_{n}" for n in range(200)))) == LONGEST


@pytest.mark.parametrize(("query", "shown"), [("LOCK TABLE t", "LOCK TABLE ..."), ("", "..."), ("(1)", "...")])
def test_commands(query: str, shown: str) -> None:
    assert command(query) == shown


QUOTED = st.sampled_from(
    [
        f"'{CANARY}'",
        f"E'\\'{CANARY}'",
        f"$${CANARY}$$",
        f"$a${CANARY}$a$",
        f"/*{CANARY}*/",
        f"--{CANARY}\n",
        f'"{CANARY}"',
    ]
)
AROUND = st.text(alphabet="aS1 ,'\"$-/*\\\n;.=(", max_size=12)


@given(st.lists(st.tuples(AROUND, QUOTED), min_size=1, max_size=4), AROUND)
def test_a_name_never_comes_out(pieces: list[tuple[str, str]], end: str) -> None:
    shown = without_literals("SELECT " + "".join(before + quoted for before, quoted in pieces) + end)
    assert CANARY not in shown
    assert len(shown) <= LONGEST
