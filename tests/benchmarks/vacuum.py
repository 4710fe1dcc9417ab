# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The vacuum of a table, and the build of an index, beside the bare statement; the plan for 1,000 tables."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

from lab.site import Lab
from tests.benchmarks import page
from tests.integration.harness.postgres import TestDatabase, server

ROWS, TABLES = 400_000, 1000
GOAL_PLAN_SECONDS, GOAL_ADDED_SECONDS = 2.0, 1.0
INDEX = {"name": "by_status", "table": "Quote", "columns": ["status", "id"]}


def run(lab: Lab, rounds: int) -> str:
    """Time every contender in turn; returns the section of the page."""
    with server(lab) as postgres:
        shop, many = postgres.database("shop"), postgres.database("many")
        shop.sql('CREATE TABLE "Quote" (id int PRIMARY KEY, status text)')
        many.sql(
            f"DO $$ BEGIN FOR n IN 1..{TABLES} LOOP EXECUTE format('CREATE TABLE t%s (id int PRIMARY KEY)', n);"
            " END LOOP; END $$"
        )
        contenders: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
            "VACUUM (ANALYZE) alone": (lambda: _dirty(shop), lambda: shop.sql('VACUUM (ANALYZE) "Quote"')),
            "database_vacuum, the same at full speed": (lambda: _dirty(shop), lambda: _vacuum(shop)),
            "CREATE INDEX CONCURRENTLY alone": (
                lambda: _without_index(shop),
                lambda: shop.sql('CREATE INDEX CONCURRENTLY by_status ON "Quote" (status, id)'),
            ),
            "database_index, the same": (lambda: _without_index(shop), lambda: _index(shop)),
            f"database_vacuum, the plan for {TABLES:,} tables": (lambda: None, lambda: _plan(many)),
        }
        seconds: dict[str, list[float]] = {name: [] for name in contenders}
        for number in range(rounds):
            for name, (prepare, act) in contenders.items():
                prepare()
                started = time.monotonic()
                act()
                seconds[name].append(time.monotonic() - started)
                print(f"round {number + 1}: {name}: {seconds[name][-1]:.2f} s", file=sys.stderr)
    return _section(seconds, rounds)


def _dirty(shop: TestDatabase) -> None:
    shop.sql('TRUNCATE "Quote"')
    shop.sql("""INSERT INTO "Quote" SELECT n, repeat('x', 100) FROM generate_series(1, %s) n""", [ROWS])
    shop.sql('DELETE FROM "Quote" WHERE id % 2 = 0')


def _without_index(shop: TestDatabase) -> None:
    shop.sql("DROP INDEX IF EXISTS by_status")


def _vacuum(shop: TestDatabase) -> None:
    result = shop.operate("database_vacuum", tables=["Quote"], cost_delay_milliseconds=0)
    _require(result["changed"] and result["verdict"]["status"] == "pass", result)


def _index(shop: TestDatabase) -> None:
    result = shop.operate("database_index", indexes=[INDEX])
    _require(result["changed"] and result["verdict"]["status"] == "pass", result)


def _plan(many: TestDatabase) -> None:
    result = many.operate("database_vacuum", check_mode=True)
    _require(len(result["tables"]) == TABLES, result["msg"])


def _require(fine: bool, said: object) -> None:
    if not fine:
        raise SystemExit(f"A contender failed, so there is nothing to compare:\n{said}")


def _section(seconds: dict[str, list[float]], rounds: int) -> str:
    bare, ours, build, built, plan = (statistics.median(each) for each in seconds.values())
    goals = [
        (f"the plan for {TABLES:,} tables in under {GOAL_PLAN_SECONDS:g} s", f"{plan:.2f} s", plan < GOAL_PLAN_SECONDS),
        *(
            (f"at most {GOAL_ADDED_SECONDS:g} s more than the bare {name}", f"{more:.2f} s", more <= GOAL_ADDED_SECONDS)
            for name, more in (("VACUUM", ours - bare), ("CREATE INDEX", built - build))
        ),
    ]
    return f"""## Vacuum and indexes

{page.setting(rounds)} A table of {ROWS:,} rows, half of
them dead, is vacuumed and analyzed; an index of two columns is built on it. The modules look before and after, act in a
session of their own, follow the progress, and prove by the server's own count that it was done. The server runs from
the lab's binaries; the start of Ansible is not counted.

{page.seconds_table(seconds)}

{page.goals_table(goals)}
"""
