# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real squawk on pending scripts, and what of its findings forbids to migrate."""

from __future__ import annotations

from ansible_collections.linkops.runbooks.plugins.module_utils.database import lint


def found(script: str, atomic: bool = True) -> dict[str, str]:
    squawk = lint.program()
    assert squawk
    return {each.rule: each.severity for each in lint.lint(squawk, "m", script, atomic)}


def test_what_breaks_the_running_version_is_dangerous() -> None:
    assert found('ALTER TABLE "A" DROP COLUMN "b";') == {"ban-drop-column": "danger"}
    assert found('ALTER TABLE "A" RENAME COLUMN "b" TO "c";')["renaming-column"] == "danger"
    assert found('ALTER TABLE "A" ADD COLUMN "b" bigint NOT NULL;') == {"adding-required-field": "danger"}


def test_what_keeps_writers_waiting_is_a_caution() -> None:
    assert found('CREATE INDEX "i" ON "A"("b");') == {"require-concurrent-index-creation": "caution"}


def test_matters_of_taste_and_timeouts_are_left_out() -> None:
    assert found('CREATE TABLE "A" ("id" serial PRIMARY KEY, "n" int, "c" char(3), "t" timestamp);') == {}


def test_what_is_no_sql_is_dangerous() -> None:
    assert found("ALTER TABEL x;").get("syntax-error") == "danger"


def test_a_rule_is_accepted_with_a_reason_alone() -> None:
    squawk = lint.program()
    assert squawk
    findings = lint.lint(squawk, "m", 'ALTER TABLE "A" DROP COLUMN "b", DROP COLUMN "c";', True)
    (fault,) = lint.unaccepted(findings, {"ban-drop-column": " "})
    assert "m line 1" in fault.message
    assert "ban-drop-column" in fault.remedy
    assert lint.unaccepted(findings, {"ban-drop-column": "unused since v1.1"}) == []
