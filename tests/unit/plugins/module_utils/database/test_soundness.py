# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a page says of a database's storage and of those that follow it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.database import freezing, horizon, soundness
from ansible_collections.linkops.runbooks.plugins.module_utils.database.arguments import HEALTH
from ansible_collections.linkops.runbooks.plugins.module_utils.database.condition import Limits
from ansible_collections.linkops.runbooks.plugins.module_utils.database.soundness import Air
from ansible_collections.linkops.runbooks.plugins.module_utils.verdict import Verdict

LIMITS = Limits(**{name: option["default"] for name, option in HEALTH["limits"]["options"].items()})
NOW = datetime(2026, 11, 22, tzinfo=UTC)


def level(verdict: Verdict) -> str:
    """The status, or that it passes with a warning."""
    return "warning" if verdict.passed and verdict.reason.startswith("warning: ") else verdict.status


def table(**changes: Any) -> dict[str, Any]:
    """One row of health_queries.TABLES: rows of 24 + 96 + 4 bytes, 65 of them in a page."""
    return {
        "oid": 1, "schema": "public", "name": "Quote", "pages": 1000, "rows": 65_000.0, "live": 65_000, "dead": 0,
        "page_bytes": 8192, "fill_percent": 100, "known": True, "columns": 3, "nullable": False, "width": 90.0,
        **changes,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "ratio"),
    [
        ({}, 0.0),
        ({"rows": 32_500.0}, 0.5),
        ({"rows": 0.0}, 1.0),
        ({"rows": 32_500.0, "fill_percent": 50}, 0.0),  # the other half is wanted
        ({"rows": 70_000.0}, 0.0),  # rows that take less than their columns' average are no bloat
        ({"columns": 9, "nullable": True, "rows": 61_000.0}, 0.0),  # two bytes of nulls make the header 32
    ],
)
def test_air_is_what_neither_rows_nor_fillfactor_explain(changes: dict[str, Any], ratio: float) -> None:
    air = soundness.estimated(table(**changes))
    assert air is not None
    assert air.ratio == pytest.approx(ratio, abs=0.01)


@pytest.mark.parametrize("changes", [{"known": False}, {"rows": -1.0}, {"pages": 0}])
def test_without_statistics_there_is_no_estimate(changes: dict[str, Any]) -> None:
    assert soundness.estimated(table(**changes)) is None


@pytest.mark.parametrize(("ratio", "said"), [(0.39, "pass"), (0.4, "warning"), (0.8, "fail")])
def test_bloat_says_whether_it_was_measured(ratio: float, said: str) -> None:
    verdict = soundness.bloat([Air("t", 1000, 1000 * ratio, measured=True), Air("u", 1000, 0, False)], [], "", LIMITS)
    assert level(verdict) == said
    assert ("measured" in verdict.reason) == (said != "pass")
    assert verdict.evidence["tables"][0] == {
        "table": "t", "bytes": 1000, "wasted_bytes": round(1000 * ratio), "measured": True,
    }  # fmt: skip


def test_a_table_without_statistics_is_unknown_and_no_table_at_all_passes() -> None:
    assert soundness.bloat([], ["t"], "", LIMITS).status == "unknown"
    assert soundness.bloat([], [], "", LIMITS).status == "pass"
    assert soundness.large([table(pages=12_800), table(pages=12_799)], LIMITS) == [table(pages=12_800)]


def test_dead_rows_are_named_from_a_fifth_on() -> None:
    few, many = table(name="few", dead=9_999, live=1), table(name="many", dead=10_000, live=40_000)
    assert level(soundness.dead([few])) == "pass"
    assert soundness.dead([few, many]).reason == "warning: many 10,000 (20 %); press vacuum.yml"
    assert level(soundness.dead([table(dead=10_000, live=40_001)])) == "pass"


def test_an_index_that_is_being_built_is_not_broken() -> None:
    row = {"schema": "public", "name": "i", "built": False, "hidden": False}
    assert soundness.invalid([]).reason == "none is invalid"
    assert soundness.invalid([row]).reason == "invalid: i; press index.yml"
    assert soundness.invalid([row]).status == "fail"
    assert level(soundness.invalid([{**row, "built": True}])) == "warning"
    assert level(soundness.invalid([{**row, "hidden": True}])) == "unknown"


@pytest.mark.parametrize(
    ("transactions", "multixacts", "said"),
    [
        (199_000_000, 0, "pass"),
        (299_999_999, 0, "pass"),
        (300_000_000, 0, "warning"),
        (0, 600_000_000, "warning"),
        (1_600_000_000, 0, "fail"),
        (0, 2_107_483_648, "fail"),
    ],
)
def test_wraparound_is_judged_by_the_oldest_database(transactions: int, multixacts: int, said: str) -> None:
    row = {"freeze_limit": 200_000_000, "multixact_limit": 400_000_000}
    rows = [
        {"database": "young", "transactions": 5, "multixacts": 5, **row},
        {"database": "old", "transactions": transactions, "multixacts": multixacts, **row},
    ]
    holder = horizon.Holder("the inactive replication slot gone", "", 9, None)
    verdict = soundness.wraparound(rows, [holder], NOW, freezing.Rate(1000.0, "measured"))
    assert level(verdict) == said
    assert "old is the oldest" in verdict.reason
    assert ("the inactive replication slot gone" in verdict.reason) == (said != "pass")
    assert ("stop writing at 2026" in verdict.reason) == (said != "pass" and transactions > 0)


def standby(**changes: Any) -> dict[str, Any]:
    """One row of health_queries.STANDBYS."""
    fresh = {
        "name": "b",
        "client": "10.0.0.2",
        "state": "streaming",
        "sync_state": "async",
        "seconds": 0.1,
        "bytes": 9.0,
    }
    return {**fresh, **changes}


PRIMARY = {"in_recovery": False, "receiving": False, "paused": None, "bytes": None, "seconds": None}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "pass"),
        ({"seconds": 30.0}, "warning"),
        ({"seconds": 300.0}, "fail"),
        ({"seconds": 300.0, "bytes": 0.0}, "pass"),  # everything is replayed; nothing was written since
        ({"state": "catchup"}, "warning"),
        ({"state": None}, "unknown"),
    ],
)
def test_a_standby_is_judged_by_its_lag(changes: dict[str, Any], said: str) -> None:
    assert level(soundness.replication([standby(**changes)], PRIMARY, "app", LIMITS)) == said


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "pass"),
        ({"receiving": False}, "fail"),
        ({"paused": True}, "warning"),
        ({"seconds": 31.0}, "warning"),
        ({"seconds": 9000.0, "bytes": 0.0}, "pass"),
    ],
)
def test_a_standby_that_is_asked_itself(changes: dict[str, Any], said: str) -> None:
    own = {"in_recovery": True, "receiving": True, "paused": False, "bytes": 5.0, "seconds": 1.0, **changes}
    assert level(soundness.replication([], own, "app", LIMITS)) == said


def test_nobody_has_to_follow() -> None:
    assert soundness.replication([], PRIMARY, "app", LIMITS).reason == "nobody follows"
    assert soundness.slots([], LIMITS).reason == "none"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "pass"),
        ({"active": False}, "warning"),
        ({"bytes": 11.0 * 1024**3}, "fail"),
        ({"wal_status": "lost"}, "fail"),
        ({"wal_status": "unreserved"}, "fail"),
    ],
)
def test_a_slot_that_nobody_reads_keeps_the_log(changes: dict[str, Any], said: str) -> None:
    slot = {"name": "s", "kind": "physical", "active": True, "wal_status": "reserved", "bytes": 1e6, **changes}
    verdict = soundness.slots([slot], LIMITS)
    assert level(verdict) == said
    assert ("pg_drop_replication_slot" in verdict.reason) == (said != "pass")


def test_corruption_that_was_not_looked_for_everywhere_is_unknown() -> None:
    assert soundness.corruption([], 9, 9, "").reason == "none in 9 relations"
    assert soundness.corruption([], 4, 9, "time was over") == Verdict(
        "unknown", "4 of 9 were checked: time was over", {"checked": 4, "wanted": 9, "found": []}
    )
    assert soundness.corruption(["t: broken"], 4, 9, "time was over").status == "fail"
