# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every state a migration can be in, from rows, scripts, the lock and the catalogue."""

from __future__ import annotations

import dataclasses
import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.database import migrations, scripts, undoing
from ansible_collections.linkops.runbooks.plugins.module_utils.database.effects import Thing
from ansible_collections.linkops.runbooks.plugins.module_utils.database.migrations import (
    Holder,
    Migration,
    Row,
    Source,
)

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
NAME = "20261122_quote"
PLAIN = 'CREATE TABLE "Quote" (id int);\nCREATE INDEX "i" ON "Quote"(id);\n'
SPLIT = 'BEGIN;\nCREATE TABLE "Quote" (id int);\nCOMMIT;\nCREATE INDEX "i" ON "Quote"(id);\n'
TABLE, INDEX = Thing("relation", "public", "Quote"), Thing("relation", "public", "i")


def row(script: str = PLAIN, **changed: Any) -> Row:
    values = {"finished_at": None, "rolled_back_at": None, "logs": "", "steps": 0, "started_at": NOW, **changed}
    return Row(name=NAME, checksum=hashlib.sha256(script.encode()).hexdigest(), **values)


def holder(since: datetime = NOW, granted: bool = True) -> Holder:
    return Holder(7, granted, "app", "prisma-migrate", "10.0.0.7", "active", 90.0, 120.0, since)


def one(*rows: Row, script: str | None = PLAIN, held: Holder | None = None, there: tuple[Thing, ...] = ()) -> Migration:
    known = [] if script is None else [Source(NAME, script)]
    read = {each.name: scripts.read(each.script) for each in known}
    (found,) = migrations.classify(known, rows, held, read, dict.fromkeys(there, True), "public")
    return found


def test_applied() -> None:
    assert one(row(finished_at=NOW)).state == "applied"


def test_pending() -> None:
    found = one()
    assert found.state == "pending"
    assert migrations.to_apply([found]) == [NAME]


def test_rolled_back_is_applied_again() -> None:
    found = one(row(rolled_back_at=NOW))
    assert found.state == "rolled_back"
    assert migrations.to_apply([found]) == [NAME]


def test_what_was_rolled_back_and_is_not_in_the_image_is_over() -> None:
    found = one(row(rolled_back_at=NOW), script=None)
    assert found.state == "rolled_back"
    assert migrations.to_apply([found]) == []


def test_applied_after_a_rolled_back_try() -> None:
    assert one(row(rolled_back_at=NOW), row(finished_at=NOW, started_at=NOW + timedelta(1))).state == "applied"


def test_applied_and_then_undone() -> None:
    assert one(row(finished_at=NOW, rolled_back_at=NOW)).state == "rolled_back"


def test_ahead() -> None:
    assert one(row(finished_at=NOW), script=None).state == "ahead"


def test_edited() -> None:
    assert one(row("SELECT 1", finished_at=NOW)).state == "edited"


@pytest.mark.parametrize("stored", [PLAIN, PLAIN.replace("\n", "\r\n")])
@pytest.mark.parametrize("given", [PLAIN, PLAIN.replace("\n", "\r\n")])
def test_line_ends_are_no_edit(stored: str, given: str) -> None:
    assert one(row(stored, finished_at=NOW), script=given).state == "applied"


def test_a_legacy_checksum_without_its_leading_zeros() -> None:
    digest = hashlib.sha256(b"SELECT 4").digest()
    unpadded = "".join(f"{byte:x}" for byte in digest)
    assert len(unpadded) < 64
    assert migrations.matches(b"SELECT 4", unpadded)
    assert not migrations.matches(b"SELECT 5", unpadded)


def test_running_while_its_session_holds_the_lock() -> None:
    assert one(row(), held=holder(NOW - timedelta(seconds=3))).state == "running"


def test_a_row_that_is_older_than_the_lock_is_not_running() -> None:
    assert one(row(), held=holder(NOW + timedelta(hours=1))).state == "failed"


def test_a_holder_of_hidden_age_may_be_running_it_unless_an_error_is_logged() -> None:
    hidden = Holder(7, True, "app", "prisma-migrate", "", "in an unknown state", None, None, None)
    assert one(row(), held=hidden).state == "running"
    assert one(row(logs="ERROR: x"), held=hidden).state == "failed"
    assert str(hidden) == "pid 7 (prisma-migrate, app), in an unknown state"
    assert hidden.as_result()["connected_seconds"] is None


def test_who_waits_for_the_lock_does_not_run() -> None:
    assert one(row(), held=holder(granted=False)).state == "failed"


def test_a_logged_error_in_one_transaction_left_nothing() -> None:
    found = one(row(logs="ERROR: relation exists"), there=(TABLE,))  # it was there before
    assert found.state == "failed"
    assert found.left is not None
    assert found.left.remains == "nothing"
    assert "resolution=rolled_back" in found.next


def test_an_interrupted_one_of_which_nothing_is_there() -> None:
    found = one(row())
    assert found.left is not None
    assert (found.state, found.left.remains) == ("failed", "nothing")


def test_an_interrupted_one_that_had_come_to_its_end() -> None:
    found = one(row(), there=(TABLE, INDEX))
    assert found.left is not None
    assert (found.state, found.left.remains) == ("failed", "all")
    assert "resolution=applied" in found.next


@pytest.mark.parametrize("logs", ["ERROR: terminating connection due to administrator command", "external error"])
@pytest.mark.parametrize(("there", "remains"), [((), "nothing"), ((TABLE,), "nothing"), ((TABLE, INDEX), "unknown")])
def test_a_broken_connection_is_no_error_of_the_script(logs: str, there: tuple[Thing, ...], remains: str) -> None:
    found = one(row(logs=logs), there=there)
    assert found.left is not None
    assert (found.state, found.left.remains) == ("failed", remains)


def test_a_commit_in_the_script_leaves_a_part() -> None:
    found = one(row(SPLIT, logs="ERROR: x"), script=SPLIT, there=(TABLE,))
    assert found.state == "partial"
    assert found.left is not None
    assert [str(each) for each in found.left.done] == ["relation Quote"]
    assert "by hand" in found.next


def test_what_cannot_be_seen_is_unknown() -> None:
    script = "BEGIN; UPDATE t SET a = 1; COMMIT; SELECT 1/0"
    found = one(row(script, logs="ERROR: division by zero"), script=script)
    assert found.left is not None
    assert (found.state, found.left.remains) == ("failed", "unknown")
    assert f"confirm={NAME}" in found.next


def test_data_before_the_failure_beside_objects_that_are_not_there() -> None:
    script = 'UPDATE t SET a = 1; COMMIT; CREATE TABLE "Quote" (id int)'
    found = one(row(script, logs="ERROR: x"), script=script)
    assert found.left is not None
    assert found.left.remains == "unknown"


@pytest.mark.parametrize("frame", ["{}", "BEGIN; {}; COMMIT"])
@pytest.mark.parametrize(
    "script",
    [
        'ALTER TABLE "Quote" DROP COLUMN x, ADD COLUMN x INTEGER',
        'ALTER TABLE "Quote" DROP CONSTRAINT f; ALTER TABLE "Quote" ADD CONSTRAINT f CHECK (x > 0)',
        'DROP INDEX i; CREATE UNIQUE INDEX i ON "Quote"(x)',
        "CREATE TYPE r_new AS ENUM ('A'); ALTER TYPE r RENAME TO r_old; ALTER TYPE r_new RENAME TO r; DROP TYPE r_old",
    ],
)
def test_an_interrupted_one_that_makes_what_it_removed_is_neither_done_nor_undone(script: str, frame: str) -> None:
    script = frame.format(script)
    things = (TABLE, INDEX, Thing("column", "public", "Quote", "x"), Thing("constraint", "public", "Quote", "f"))
    found = one(row(script), script=script, there=(*things, Thing("type", "public", "r")))
    assert found.left is not None
    assert (found.state, found.left.remains) == ("failed", "unknown")
    assert "the change of" in found.left.why
    assert [bool(undoing.unresolvable(found, NAME, each, "")) for each in ("applied", "rolled_back")] == [True, True]


def test_another_effect_tells_of_a_script_that_runs_whole_or_not_at_all() -> None:
    script = 'ALTER TABLE "Quote" DROP COLUMN x, ADD COLUMN x int; CREATE TABLE "Bid" ()'
    column, bid = Thing("column", "public", "Quote", "x"), Thing("relation", "public", "Bid")
    for there, remains in (((column,), "nothing"), ((column, bid), "all")):
        left = one(row(script), script=script, there=there).left
        assert left is not None
        assert left.remains == remains


def test_what_later_ones_have_undone_tells_nothing_where_they_may_have_run() -> None:
    texts = {
        "1": 'CREATE TABLE "Quote" (id int); CREATE TABLE "Bid" ()',
        "2": 'ALTER TABLE "Quote" ADD COLUMN x int',
        "3": 'ALTER TABLE "Quote" DROP COLUMN x; DROP TABLE "Bid"',
    }
    sources, read = (
        [Source(*each) for each in texts.items()],
        {name: scripts.read(text) for name, text in texts.items()},
    )

    def remains(*rows: Row) -> list[str]:
        found = migrations.classify(sources, rows, None, read, {TABLE: True}, "public")
        return [each.left.remains if each.left else each.state for each in found]

    first = dataclasses.replace(row(texts["1"], finished_at=NOW), name="1")
    assert remains() == ["all", "unknown", "all"]  # a baseline of all three
    assert remains(first) == ["applied", "unknown", "all"]
    failed = dataclasses.replace(row(texts["2"]), name="2")
    assert remains(first, failed) == ["applied", "nothing", "all"]
    third = dataclasses.replace(row(texts["3"], finished_at=NOW), name="3")  # 2 was merged late
    assert remains(first, failed, third) == ["applied", "unknown", "applied"]


def test_a_failed_one_that_the_image_does_not_have() -> None:
    found = one(row(logs="ERROR: x"), script=None)
    assert found.left is not None
    assert (found.state, found.left.remains) == ("failed", "unknown")


LOG = """A migration failed to apply. New migrations cannot be applied before the error is recovered from.

Migration name: 20261122_quote

Database error code: 23505

Database error:
ERROR: could not create unique index "Quote_email_key"
DETAIL: Key (email)=(ann@example.com) is duplicated.
"""


def test_the_logged_error_names_nobody() -> None:
    assert migrations.logged(LOG) == ('could not create unique index "Quote_email_key"', "23505")


def test_no_log_no_error() -> None:
    assert migrations.logged("  ") == ("", "")


def test_a_log_of_another_shape_gives_its_first_line() -> None:
    assert migrations.logged("something broke\nmore")[0] == "something broke"


def test_all_states_in_a_sentence() -> None:
    found = migrations.summary([one(row(finished_at=NOW)), one(row(logs="x")), one(row(finished_at=NOW), script=None)])
    assert found == f"1 migration applied; failed: {NAME}; in the database but not in the image: {NAME}"


def test_the_holder_of_the_lock_is_told_with_age_and_state() -> None:
    assert str(holder()) == "pid 7 (prisma-migrate, app from 10.0.0.7), connected for 2 min, active for 1 min"
