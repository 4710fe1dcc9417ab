# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which tables need a vacuum, and what stands in the way."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.database import vacuuming
from ansible_collections.linkops.runbooks.plugins.module_utils.database.horizon import Holder
from ansible_collections.linkops.runbooks.plugins.module_utils.database.vacuuming import Busy, Limits, Table

LIMITS = Limits()
QUIET = Table(
    oid=1, schema="public", name="Quote", pages=100, live=10_000, dead=0, changed=0, inserted=0, vacuums=1, analyses=1,
    vacuumed_seconds=3600, analyzed_seconds=3600, transactions=1000, freeze_limit=200_000_000, multixacts=0,
    multixact_limit=400_000_000, permitted=True,
)  # fmt: skip
REPORT = Holder("pid 7 (app, a report, active)", "Let it end.", transactions=500, seconds=600)
DAYS = 86400


def table(**figures: Any) -> Table:
    return dataclasses.replace(QUIET, **figures)


def kinds(each: Table, limits: Limits = LIMITS) -> list[str]:
    return [need.kind for need in vacuuming.needs(each, limits)]


def act(each: Table, *holders: Holder, busy: dict[int, Busy] | None = None, force: bool = False) -> str:
    return vacuuming.decide([each], LIMITS, holders, busy or {}, force)[0].act


@pytest.mark.parametrize(
    ("figures", "wanted"),
    [
        ({}, []),
        ({"dead": 999}, []),
        ({"dead": 1000}, []),  # 9 %
        ({"dead": 1200}, ["dead"]),
        ({"dead": 999, "live": 0}, []),  # too few rows to matter, all of them dead
        ({"dead": 30_000, "live": 1_000_000}, []),
        ({"dead": 30_000, "live": 1_000_000, "pages": 131_072}, ["dead"]),  # large: a fifth of the ratio
        ({"inserted": 3000}, ["inserted"]),
        ({"inserted": 1500}, []),
        ({"inserted": 1500, "vacuumed_seconds": 8 * DAYS}, ["stale"]),
        ({"dead": 600, "inserted": 600, "vacuumed_seconds": 8 * DAYS}, ["stale"]),
        ({"vacuumed_seconds": 100 * DAYS}, []),  # nothing changed since
        ({"vacuumed_seconds": None}, []),
        ({"changed": 1000}, ["analyze"]),
        ({"changed": 999}, []),
        ({"changed": 1000, "live": 100_000}, []),
        ({"changed": 1000, "live": 100_000, "analyzed_seconds": 8 * DAYS}, ["analyze"]),
        ({"changed": 1000, "live": 100_000, "analyzed_seconds": None}, ["analyze"]),
        ({"transactions": 150_000_000}, ["freeze"]),
        ({"transactions": 149_999_999}, []),
        ({"multixacts": 300_000_000}, ["freeze"]),
        ({"transactions": 150_000, "freeze_limit": 200_000}, ["freeze"]),
        ({"transactions": 190_000_000, "dead": 5000, "changed": 5000}, ["freeze", "dead", "analyze"]),
    ],
)
def test_needs_are_measured(figures: dict[str, Any], wanted: list[str]) -> None:
    assert kinds(table(**figures)) == wanted


def test_what_a_vacuum_leaves_needs_nothing() -> None:
    """The figures right after one: a second run changes nothing."""
    assert (
        kinds(table(dead=0, inserted=0, changed=0, vacuumed_seconds=0, analyzed_seconds=0, transactions=50_000_000))
        == []
    )


@pytest.mark.parametrize(
    ("figures", "wanted"),
    [
        ({"dead": 5000}, "vacuum"),
        ({"changed": 5000}, "analyze"),
        ({"dead": 5000, "permitted": False}, "denied"),
        ({}, "none"),
    ],
)
def test_the_act_follows_from_the_needs(figures: dict[str, Any], wanted: str) -> None:
    assert act(table(**figures)) == wanted


def test_an_old_snapshot_blocks_cleaning_not_analysis() -> None:
    assert act(table(dead=5000), REPORT) == "blocked"
    assert act(table(changed=5000), REPORT) == "analyze"
    assert act(table(dead=5000), REPORT, force=True) == "vacuum"


def test_the_holder_is_named_in_the_reason() -> None:
    (decision,) = vacuuming.decide([table(dead=5000)], LIMITS, [REPORT], {})
    assert "pid 7 (app, a report, active) holds a snapshot for 10 min, 500 transactions old" in decision.why


@pytest.mark.parametrize(
    ("holder", "wanted"),
    [
        (dataclasses.replace(REPORT, seconds=5), "vacuum"),  # a statement that passes
        (dataclasses.replace(REPORT, transactions=0), "vacuum"),  # nothing was written since
        (dataclasses.replace(REPORT, seconds=None), "vacuum"),  # hidden, and not many transactions old
        (dataclasses.replace(REPORT, seconds=None, transactions=100_000), "blocked"),
        (Holder("a slot", "Drop it.", 10, None, forgotten=True), "blocked"),
    ],
)
def test_only_old_snapshots_block(holder: Holder, wanted: str) -> None:
    assert act(table(dead=5000), holder) == wanted


def test_a_young_snapshot_blocks_what_was_vacuumed_in_vain_since_it_was_taken() -> None:
    young = dataclasses.replace(REPORT, seconds=5)
    assert act(table(dead=5000, vacuumed_seconds=3), young) == "blocked"
    assert act(table(dead=5000, vacuumed_seconds=30), young) == "vacuum"
    assert act(table(dead=5000, vacuumed_seconds=3), dataclasses.replace(young, transactions=0)) == "vacuum"


def test_a_snapshot_of_hidden_age_blocks_what_was_vacuumed_lately() -> None:
    hidden = dataclasses.replace(REPORT, seconds=None, hidden=True)
    assert act(table(dead=5000, vacuumed_seconds=3), hidden) == "blocked"
    assert act(table(dead=5000, vacuumed_seconds=LIMITS.old_snapshot_seconds), hidden) == "vacuum"
    assert act(table(dead=5000), hidden) == "vacuum"
    assert act(table(dead=5000, vacuumed_seconds=3), dataclasses.replace(hidden, hidden=False)) == "vacuum"
    assert "may not see (pg_read_all_stats), 500 transactions old" in hidden.sentence


def test_freezing_helps_up_to_the_horizon() -> None:
    old = table(transactions=160_000_000)
    assert act(old, REPORT) == "vacuum"
    assert act(old, dataclasses.replace(REPORT, transactions=155_000_000)) == "blocked"
    assert act(table(transactions=160_000_000, dead=5000), REPORT) == "vacuum"


def test_what_others_work_on_is_left_alone_even_by_force() -> None:
    assert act(table(dead=5000), busy={1: Busy("autovacuum works on it", tends=True)}, force=True) == "tended"
    assert act(table(dead=5000), busy={1: Busy("a lock", tends=False)}) == "busy"
    assert act(table(), busy={1: Busy("a lock", tends=False)}) == "none"


def test_the_most_urgent_comes_first() -> None:
    tables = [
        table(oid=1, name="fine"), table(oid=2, name="analysis", changed=5000), table(oid=3, name="dead", dead=2000),
        table(oid=4, name="deader", dead=8000), table(oid=5, name="old", transactions=180_000_000),
    ]  # fmt: skip
    found = [each.table.name for each in vacuuming.decide(tables, LIMITS, [], {})]
    assert found == ["old", "deader", "dead", "analysis", "fine"]


def test_a_thousand_tables_take_a_moment() -> None:
    tables = [table(oid=n, name=f"t{n}", dead=n * 10) for n in range(1000)]
    assert len(vacuuming.decide(tables, LIMITS, [REPORT] * 50, {})) == 1000
