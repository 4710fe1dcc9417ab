# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of a fleet fits the screen, and says of every service how it went."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.callback.verdict import LEAST_SENTENCE, table

PASSED = {
    "verdict": "pass",
    "changed": True,
    "seconds": 4.26,
    "sentence": "Restarted 2 pods; all 2 pods and http://api are healthy. It took 4.3 s.",
    "record": "/records/lab/api/1",
}
FLEET: dict[str, dict[str, Any]] = {
    "worker": {"verdict": "not started", "sentence": ""},
    "api": PASSED,
    "web": {"verdict": "fail", "changed": False, "seconds": 12.0, "sentence": "Not healthy.", "record": ""},
}


def test_every_service_has_a_line_in_the_order_of_names() -> None:
    lines = table(FLEET, columns=200)
    assert [line.split()[0] for line in lines] == ["service", "api", "web", "worker"]
    assert lines[1].split()[:4] == ["api", "pass", "yes", "4.3"]
    assert PASSED["sentence"] in lines[1]
    assert lines[1].endswith("/records/lab/api/1")
    assert lines[2].split()[1:4] == ["fail", "no", "12.0"]
    assert lines[3].split() == ["worker", "not", "started", "-", "-", "-"]


def test_columns_stand_below_their_titles() -> None:
    lines = table(FLEET, columns=200)
    for title in ("verdict", "sentence"):
        column = lines[0].index(title)
        assert all(line[column - 1] == " " for line in lines[1:])


@pytest.mark.parametrize("columns", [100, 110, 120])
def test_sentences_are_cut_to_the_screen(columns: int) -> None:
    lines = table(FLEET, columns)
    assert max(map(len, lines)) <= columns
    assert "..." in lines[1]
    assert lines[1].endswith("/records/lab/api/1"), "the record is whole: it is copied from here"


def test_on_a_narrow_screen_a_sentence_keeps_its_beginning() -> None:
    assert PASSED["sentence"][: LEAST_SENTENCE - 3] in table(FLEET, columns=20)[1]
