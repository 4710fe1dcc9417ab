# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names as operators type them, maintenance windows, holders of snapshots, and the end of transaction ids."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.database import freezing, horizon, names, window
from ansible_collections.linkops.runbooks.plugins.module_utils.errors import OperatorError

THERE = [
    {"oid": 1, "schema": "public", "name": "Quote"},
    {"oid": 2, "schema": "public", "name": "Job"},
    {"oid": 3, "schema": "archive", "name": "Job"},
    {"oid": 4, "schema": "archive", "name": "odd.name"},
]
SESSION: dict[str, Any] = {
    "kind": "session", "pid": 7, "backend_type": "client backend", "name": None, "user": "app", "application": "report",
    "client": "10.0.0.1", "state": "idle in transaction", "active": None, "transactions": 10, "seconds": 90.0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("typed", "parts"),
    [
        ("Job", ("", "Job")), ('"Job"', ("", "Job")), ("public.Job", ("public", "Job")),
        ('archive."odd.name"', ("archive", "odd.name")), ('"a""b"', ("", 'a"b')), (" Job ", ("", "Job")),
        ("a.b.c", None), ("", None), ("a b", None), ('"a', None),
    ],
)  # fmt: skip
def test_a_name_is_taken_as_it_is_typed(typed: str, parts: tuple[str, str] | None) -> None:
    assert names.parsed(typed) == parts


def test_a_name_without_a_schema_is_the_one_of_the_default_schema() -> None:
    found, faults = names.found(["Job", "archive.Job"], THERE, "table", "The database x", "public")
    assert ([row["oid"] for row in found], faults) == ([2, 3], [])


def test_a_name_that_several_schemas_have_is_ambiguous() -> None:
    _found, (fault,) = names.found(["Job"], THERE, "table", "The database x")
    assert "archive.Job, public.Job" in fault.message


def test_a_wrong_name_comes_with_the_right_one() -> None:
    _found, faults = names.found(["quote", "Jop", "zzz"], THERE, "table", "The database x", "public")
    assert ['There is "Quote"' in faults[0].remedy, '"Job"' in faults[1].remedy] == [True, True]
    assert "There are" in faults[2].remedy
    assert [fault.reason for fault in faults] == ["no_such_table"] * 3


def test_a_name_is_shown_as_sql_has_it() -> None:
    assert names.shown("public", "Quote") == '"Quote"'
    assert names.shown("public", "quote") == "quote"
    assert names.shown("archive", "Job") == 'archive."Job"'


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "now", "until"),
    [
        ("01:00-05:00", "2026-11-22 00:59", None),
        ("01:00-05:00", "2026-11-22 01:00", "2026-11-22 05:00"),
        ("01:00-05:00", "2026-11-22 05:00", None),
        ("22:00-02:00", "2026-11-22 01:00", "2026-11-22 02:00"),
        ("22:00-02:00 UTC", "2026-11-22 23:00", "2026-11-23 02:00"),
        ("01:00-05:00 Europe/Berlin", "2026-07-01 00:30", "2026-07-01 03:00"),  # summer there
        ("01:00-05:00 Europe/Berlin", "2026-11-22 00:30", "2026-11-22 04:00"),
        ("sat,sun 01:00-05:00", "2026-11-22 02:00", "2026-11-22 05:00"),  # a Sunday
        ("mon-fri 01:00-05:00", "2026-11-22 02:00", None),
        ("sat 22:00-02:00", "2026-11-22 01:00", "2026-11-22 02:00"),  # began on Saturday
    ],
)
def test_a_window_is_open_or_not(text: str, now: str, until: str | None) -> None:
    assert window.parse(text).open_until(at(now)) == (at(until) if until else None)


def test_a_closed_window_says_when_it_opens() -> None:
    assert window.parse("fri-mon 01:00-05:00").opens(at("2026-11-24 12:00")) == at("2026-11-27 01:00")


@pytest.mark.parametrize("text", ["now", "25:00-26:00", "01:00-05:00 Nowhere/Land", "xyz 01:00-05:00", "01:00"])
def test_what_is_no_window_is_one_sentence(text: str) -> None:
    with pytest.raises(OperatorError) as caught:
        window.parse(text)
    assert caught.value.reason == "window_invalid"
    assert "Write it as" in str(caught.value)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({}, "pid 7 (app, report, idle in transaction) holds a snapshot for 1 min"),
        ({"state": None, "seconds": None}, "state hidden) holds a snapshot for a time that this role may not see"),
        ({"kind": "prepared", "name": "gid"}, "the prepared transaction gid"),
        ({"kind": "slot", "name": "s", "active": False}, "the inactive replication slot s"),
        ({"backend_type": "walsender"}, "the standby at 10.0.0.1"),
    ],
)
def test_a_holder_is_named(row: dict[str, Any], said: str) -> None:
    (holder,) = horizon.holders([{**SESSION, **row}])
    assert said in holder.sentence
    assert holder.remedy


def test_the_oldest_holder_comes_first() -> None:
    found = horizon.holders([SESSION, {**SESSION, "pid": 8, "transactions": 99}])
    assert [holder.transactions for holder in found] == [99, 10]


def test_the_forecast_counts_to_the_servers_stop() -> None:
    now = at("2026-11-22 00:00")
    found = freezing.forecast(150_000_000, 200_000_000, now, freezing.Rate(1000.0, "test"))
    assert found["transactions_left"] == 2**31 - 1 - 3_000_000 - 150_000_000
    assert found["forced_vacuum_at"] == (now + timedelta(seconds=50_000)).isoformat(timespec="minutes")
    assert str(found["stop_at"]).startswith("2026-12")


def test_a_date_that_is_far_away_is_none() -> None:
    found = freezing.forecast(0, 200_000_000, at("2026-11-22 00:00"), freezing.Rate(0.01, "test"))
    assert (found["stop_at"], found["forced_vacuum_at"]) == (None, None)
    assert (
        freezing.forecast(300_000_000, 200_000_000, at("2026-11-22 00:00"), freezing.Rate(1, "test"))[
            "forced_vacuum_at"
        ]
        == "2026-11-22T00:00+00:00"
    )


def test_the_faster_rate_counts() -> None:
    assert freezing.rate(1000, 100).per_second == 10
    assert freezing.rate(1000, 100, earlier_id=0, seconds=20).per_second == 50
    assert freezing.rate(1000, 100, earlier_id=0, seconds=2).per_second == 10
