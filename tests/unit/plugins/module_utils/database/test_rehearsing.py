# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rehearsal is judged by its Job and by Prisma's history together."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.database import rehearsing
from ansible_collections.linkops.runbooks.plugins.module_utils.database.locks import Span
from ansible_collections.linkops.runbooks.plugins.module_utils.database.migrations import Migration, Row, State
from ansible_collections.linkops.runbooks.plugins.module_utils.verdict import Verdict

BEGIN = datetime(2026, 11, 22, 12, tzinfo=UTC)
WELL = Verdict("pass", "Job j ended with exit code 0")
BADLY = Verdict("fail", "Job j failed: pod j-1 ended with exit code 1")


def migration(name: str, start: float, seconds: float | None, state: State = "applied", error: str = "") -> Migration:
    started = BEGIN + timedelta(seconds=start)
    end = None if seconds is None else started + timedelta(seconds=seconds)
    return Migration(name, state, Row(name, "", started, end, None, "", 1), None, error)


def test_each_migration_has_its_time_and_the_locks_that_it_took() -> None:
    after = [migration("1", 0, 2), migration("2", 2.5, 1)]
    taken = Span("Quote", "AccessExclusiveLock", BEGIN.timestamp() + 3, 0.4)
    first, second = rehearsing.entries(after, ["1", "2"], [taken])
    assert (first["seconds"], first["locks"]) == (2, [])
    assert (second["seconds"], second["locks"][0]["relation"]) == (1, "Quote")
    verdict = rehearsing.judge(WELL, after, [first, second], "")
    assert verdict.status == "pass"
    assert "2 migrations applied: 1 2.0 s (nobody is kept out); 2 1.0 s (readers and writers of Quote" in verdict.reason


@pytest.mark.parametrize(("state", "word"), [("failed", "failed"), ("partial", "applied in part")])
def test_a_migration_that_failed_is_named_with_what_prisma_printed(state: State, word: str) -> None:
    after = [migration("1", 0, 2), migration("2", 2, None, state, "external connector error")]
    log = "Applying migration\nError: external connector error\nERROR: division by zero\n"
    verdict = rehearsing.judge(BADLY, after, rehearsing.entries(after, ["1", "2"], []), log)
    assert verdict.status == "fail"
    assert f"migration 2 {word} (division by zero); Job j failed" in verdict.reason


def test_a_job_that_did_not_end_well_is_no_pass_and_keeps_its_status() -> None:
    late = Verdict("unknown", "Job j was ended by its deadline")
    verdict = rehearsing.judge(late, [], rehearsing.entries([], ["1"], []), "")
    assert (verdict.status, verdict.reason) == ("unknown", "Job j was ended by its deadline")


def test_a_job_that_ended_well_without_a_row_is_no_pass() -> None:
    verdict = rehearsing.judge(WELL, [], rehearsing.entries([], ["1"], []), "")
    assert verdict.status == "fail"
    assert "does not say so of 1" in verdict.reason
