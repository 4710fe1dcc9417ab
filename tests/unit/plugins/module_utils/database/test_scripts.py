# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a script does, read by PostgreSQL's own parser."""

from __future__ import annotations

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.database import scripts
from ansible_collections.linkops.runbooks.plugins.module_utils.database.effects import Thing
from ansible_collections.linkops.runbooks.plugins.module_utils.database.scripts import read, standing

QUOTE = Thing("relation", "", "Quote")


@pytest.mark.parametrize(
    ("text", "effects"),
    [
        ('CREATE TABLE "Quote" (id int)', {QUOTE: True}),
        ('CREATE TABLE quote (id int)', {Thing("relation", "", "quote"): True}),
        ('CREATE TABLE "app"."Quote" (id int)', {Thing("relation", "app", "Quote"): True}),
        ('DROP TABLE "Quote", "Bid"', {QUOTE: False, Thing("relation", "", "Bid"): False}),
        ('ALTER TABLE "Quote" ADD COLUMN "until" date', {Thing("column", "", "Quote", "until"): True}),
        ('ALTER TABLE "Quote" DROP COLUMN "until"', {Thing("column", "", "Quote", "until"): False}),
        ('ALTER TABLE "Quote" ADD CONSTRAINT k CHECK (id > 0)', {Thing("constraint", "", "Quote", "k"): True}),
        ('CREATE INDEX "i" ON "app"."Quote"("id")', {Thing("relation", "app", "i"): True}),
        ('DROP INDEX "app"."i"', {Thing("relation", "app", "i"): False}),
        ("CREATE TYPE \"Role\" AS ENUM ('A')", {Thing("type", "", "Role"): True}),
        ("ALTER TYPE \"Role\" ADD VALUE 'B'", {Thing("value", "", "Role", "B"): True}),
        ("DROP TYPE \"Role\"", {Thing("type", "", "Role"): False}),
        ("CREATE EXTENSION vector", {Thing("extension", "", "vector"): True}),
        ("CREATE SCHEMA app", {Thing("schema", "", "app"): True}),
        ('ALTER TABLE "Quote" RENAME TO "Offer"', {QUOTE: False, Thing("relation", "", "Offer"): True}),
        (
            'ALTER TABLE "Quote" RENAME COLUMN "a" TO "b"',
            {Thing("column", "", "Quote", "a"): False, Thing("column", "", "Quote", "b"): True},
        ),
    ],
)  # fmt: skip
def test_effects(text: str, effects: dict[Thing, bool]) -> None:
    found = read(text)
    assert found.effects == effects
    assert found.atomic
    assert not found.unseen


ENUM_SWAP = """
    CREATE TYPE r_new AS ENUM ('A');
    ALTER TABLE t ALTER COLUMN r TYPE r_new USING (r::text::r_new);
    ALTER TYPE r RENAME TO r_old;
    ALTER TYPE r_new RENAME TO r;
    DROP TYPE r_old;
"""
COLUMN, FOREIGN, INDEX = (
    Thing("column", "", "Job", "x"),
    Thing("constraint", "", "Job", "f"),
    Thing("relation", "", "i"),
)


@pytest.mark.parametrize(
    ("text", "effects"),
    [
        ('ALTER TABLE "Job" DROP COLUMN x, ADD COLUMN x INTEGER', {}),
        ('ALTER TABLE "Job" DROP COLUMN x, ADD COLUMN y INTEGER', {COLUMN: False, COLUMN._replace(part="y"): True}),
        ('ALTER TABLE t DROP CONSTRAINT f; ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (x) REFERENCES u', {}),
        ('DROP INDEX i; CREATE UNIQUE INDEX i ON "Job"(x)', {}),
        ('DROP INDEX public.i; CREATE UNIQUE INDEX i ON "Job"(x)', {}),
        (ENUM_SWAP, {}),
        ('DROP VIEW i; CREATE OR REPLACE VIEW i AS SELECT 1', {}),
        ('CREATE TABLE "Job" (x int); ALTER TABLE "Job" ADD COLUMN x int; DROP TABLE "Job"', {}),
        # what goes unnamed with something else
        ('ALTER TABLE "Job" DROP COLUMN x, ADD COLUMN x int; CREATE INDEX i ON "Job"(x)', {}),
        ('ALTER TABLE "Job" DROP CONSTRAINT i; CREATE UNIQUE INDEX i ON "Job"(x)', {FOREIGN._replace(part="i"): False}),
        ('DROP TABLE "Job"; CREATE TABLE "Job" (); ALTER TABLE "Job" ADD COLUMN x int; CREATE INDEX i ON "Job"(x)', {}),
        ('DROP TABLE a CASCADE; ALTER TABLE "Job" ADD CONSTRAINT f CHECK (x > 0)', {Thing("relation", "", "a"): False}),
        ('DO $$ BEGIN PERFORM 1; END $$; CREATE INDEX i ON "Job"(x)', {}),
        # what may have stood before, or is gone with its session
        ('ALTER TABLE "Job" ADD COLUMN IF NOT EXISTS x int', {}),
        ('ALTER TABLE "Job" DROP COLUMN IF EXISTS x', {}),
        ('ALTER TABLE "Job" DROP CONSTRAINT IF EXISTS f', {}),
        ('ALTER TABLE IF EXISTS "Job" RENAME TO "Offer"', {}),
        ('CREATE TABLE IF NOT EXISTS "Job" (x int); CREATE INDEX IF NOT EXISTS i ON "Job"(x)', {}),
        ("CREATE EXTENSION IF NOT EXISTS vector; CREATE SCHEMA IF NOT EXISTS app", {}),
        ("ALTER TYPE r ADD VALUE IF NOT EXISTS 'B'; CREATE SEQUENCE IF NOT EXISTS s", {}),
        ('DROP TABLE IF EXISTS "Job"; DROP TYPE IF EXISTS r', {}),
        ("CREATE TEMP TABLE t (x int)", {}),
    ],
)  # fmt: skip
def test_what_may_look_the_same_before_and_after_tells_nothing(text: str, effects: dict[Thing, bool]) -> None:
    found = read(text)
    assert found.effects == effects


def test_an_index_that_stayed_invalid_tells_even_where_its_name_does_not() -> None:
    script = read('CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON "Job"(x)')
    there = INDEX._replace(schema="public")
    assert standing(script, {there: True}, "public") == ([], [])
    assert standing(script, {there: False}, "public") == ([INDEX], [INDEX])


@pytest.mark.parametrize(
    ("text", "tables"),
    [
        ('ALTER TABLE "Job" ALTER COLUMN x TYPE bigint', {("", "Job")}),
        ('ALTER TABLE app."Job" ALTER COLUMN x SET NOT NULL', {("app", "Job")}),
        ('CREATE INDEX i ON app."Job"(x)', {("app", "Job")}),
        ('UPDATE "Job" SET x = 1 FROM app."User" u WHERE u.id = "Job".id', {("", "Job"), ("app", "User")}),
        ('DELETE FROM "Job"; TRUNCATE "User"; INSERT INTO "Bid" SELECT * FROM "Old"',
         {("", "Job"), ("", "User"), ("", "Bid"), ("", "Old")}),
        ('ALTER TABLE "Job" ADD CONSTRAINT f FOREIGN KEY (x) REFERENCES "User"', {("", "Job"), ("", "User")}),
        ('DROP TABLE "Job"; DROP INDEX app.i', {("", "Job"), ("app", "i")}),
    ],
)  # fmt: skip
def test_the_tables_that_a_script_names(text: str, tables: set[tuple[str, str]]) -> None:
    assert {(each.schema, each.name) for each in read(text).tables} == tables


@pytest.mark.parametrize(
    ("text", "alone"),
    [
        ("CREATE INDEX CONCURRENTLY i ON t(a)", "CREATE INDEX CONCURRENTLY"),
        ("DROP INDEX CONCURRENTLY i", "DROP CONCURRENTLY"),
        ("REINDEX INDEX CONCURRENTLY i", "REINDEX CONCURRENTLY"),
        ("VACUUM t", "VACUUM"),
        ("ALTER TABLE a DETACH PARTITION b CONCURRENTLY", "DETACH PARTITION CONCURRENTLY"),
        ("ALTER SYSTEM SET work_mem = '1MB'", "ALTER SYSTEM"),
        ("CREATE DATABASE x", "CREATEDB"),
        ("CALL p()", "CALL"),
        ("DO $$ BEGIN COMMIT; END $$", "DO with COMMIT"),
    ],
)
def test_what_runs_in_no_transaction(text: str, alone: str) -> None:
    found = read(text)
    assert found.alone == (alone,)
    assert not found.atomic


@pytest.mark.parametrize(
    "text", ["ANALYZE t", "DO $$ BEGIN PERFORM 1; END $$", "REINDEX INDEX i", "CREATE INDEX i ON t(a)"]
)
def test_what_runs_in_a_transaction(text: str) -> None:
    assert read(text).atomic


def test_transaction_control() -> None:
    found = read("BEGIN; CREATE TABLE t (); COMMIT; SAVEPOINT a; ROLLBACK")
    assert found.control == ("BEGIN", "COMMIT", "SAVEPOINT", "ROLLBACK")
    assert not found.atomic


def test_a_commit_in_a_comment_or_a_text_is_none() -> None:
    assert read("-- COMMIT;\nSELECT 'COMMIT;'").atomic


def test_data_is_not_seen() -> None:
    assert read("INSERT INTO t VALUES (1); UPDATE t SET a = 1").unseen == "INSERT, UPDATE cannot be seen"


def test_what_is_no_sql_is_not_read() -> None:
    found = read("\\set ON_ERROR_STOP 1")
    assert "no SQL" in found.unread
    assert not found.atomic


def test_without_the_parser_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(scripts.importlib, "import_module", missing)
    assert "pglast" in read("SELECT 1").unread


def test_an_invalid_index_is_left_behind_and_not_done() -> None:
    index = Thing("relation", "", "i")
    script = read("CREATE INDEX CONCURRENTLY i ON t(a)")
    there = index._replace(schema="public")
    assert standing(script, {}, "public") == ([], [index])
    assert standing(script, {there: True}, "public") == ([index], [])
    assert standing(script, {there: False}, "public") == ([index], [index])


def test_names_without_a_schema_are_looked_up_in_the_schema_of_the_url() -> None:
    script = read('CREATE TABLE "Quote" (id int); CREATE EXTENSION vector')
    there = {Thing("relation", "app", "Quote"): True, Thing("extension", "", "vector"): True}
    assert standing(script, there, "app")[1] == []
    assert standing(script, there, "public")[1] == [QUOTE]
