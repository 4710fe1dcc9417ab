# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The run record on disk: what a crash leaves is still a chain, and so is what two runs write at once."""

from __future__ import annotations

import hashlib
import stat
import threading
from pathlib import Path

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.errors import OperatorError
from ansible_collections.linkops.runbooks.plugins.module_utils.incident import chain, record
from ansible_collections.linkops.runbooks.plugins.module_utils.incident.record import RunRecord
from ansible_collections.linkops.runbooks.tests.unit.plugins.fixtures.disk import no_room


def opened(service: Path, run: str) -> RunRecord:
    """A record that has its folder."""
    kept = RunRecord(service / run, run)
    kept.create()
    return kept


def events(service: Path) -> list[str]:
    """The events of a service as they are chained."""
    lines = {entry["previous"]: entry for entry in record.service_entries(service)}
    ordered, head = [], chain.GENESIS
    while head in lines:
        ordered.append(lines[head]["event"])
        head = lines[head]["hash"]
    return ordered


def assert_consistent(service: Path, head: str) -> None:
    """The lines on disk form one chain that ends in this head."""
    assert chain.verify(record.service_entries(service), head) == []


def test_lines_of_one_run_are_a_chain(tmp_path: Path) -> None:
    kept = opened(tmp_path, "r1")
    assert kept.head() == chain.GENESIS
    for event in ("opened", "plan", "closed"):
        kept.note(event, number=1)
    assert events(tmp_path) == ["opened", "plan", "closed"]
    assert_consistent(tmp_path, kept.head())


def test_the_folder_is_the_owners_alone(tmp_path: Path) -> None:
    kept = opened(tmp_path / "lab" / "api", "r1")
    assert stat.S_IMODE(kept.folder.stat().st_mode) == 0o700


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OperatorError, match="Set record_directory") as fault:
        RunRecord(tmp_path / "file" / "r1", "r1").create()
    assert fault.value.reason == "record_unwritable"


def test_runs_of_one_service_go_on_with_one_chain(tmp_path: Path) -> None:
    first, second = opened(tmp_path, "r1"), opened(tmp_path, "r2")
    first.note("one")
    second.note("two")
    first.note("three")
    assert events(tmp_path) == ["one", "two", "three"]
    assert_consistent(tmp_path, second.head())


def test_runs_that_write_at_the_same_time_take_turns(tmp_path: Path) -> None:
    kept = [opened(tmp_path, f"r{number}") for number in range(4)]

    def write(one: RunRecord) -> None:
        for number in range(10):
            one.note("step", number=number)

    threads = [threading.Thread(target=write, args=(one,)) for one in kept]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(events(tmp_path)) == 40
    assert_consistent(tmp_path, kept[0].head())


class Killed(Exception):
    """Stands for SIGKILL: nothing after it runs."""


def killed_at(move: int, kept: RunRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    """Note a line, and die at the first or second move of the head."""
    moves = iter(range(1, 3))
    move_head = kept._move_head

    def move_or_die(content: str) -> None:
        if next(moves) == move:
            raise Killed
        move_head(content)

    with monkeypatch.context() as patched:
        patched.setattr(kept, "_move_head", move_or_die)
        with pytest.raises(Killed):
            kept.note("last words")


@pytest.mark.parametrize(
    ("move", "left"),
    [
        pytest.param(1, ["opened", "after"], id="before the line"),
        pytest.param(2, ["opened", "last words", "after"], id="between the line and the head"),
    ],
)
@pytest.mark.parametrize("successor", ["r1", "r2"], ids=["same run goes on", "another run follows"])
def test_a_crash_around_the_line_leaves_a_chain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, move: int, left: list[str], successor: str
) -> None:
    kept = opened(tmp_path, "r1")
    kept.note("opened")
    killed_at(move, kept, monkeypatch)
    following = kept if successor == "r1" else opened(tmp_path, successor)
    following.note("after")
    assert events(tmp_path) == left
    assert_consistent(tmp_path, following.head())


@pytest.mark.parametrize("kept_bytes", [0, 1, 40, -1], ids=["nothing", "one byte", "some bytes", "all but the newline"])
@pytest.mark.parametrize("successor", ["r1", "r2"], ids=["same run goes on", "another run follows"])
def test_a_torn_last_line_is_left_out(tmp_path: Path, kept_bytes: int, successor: str) -> None:
    kept = opened(tmp_path, "r1")
    kept.note("opened")
    head = kept.head()
    torn = chain.line(chain.link({"event": "torn", "run": "r1", "time": "t", "data": {}}, head))
    with (kept.folder / record.LINES).open("a") as lines:
        lines.write(torn[:kept_bytes])
    kept._move_head(f"{head} r1")

    assert [entry["event"] for entry in record.entries(kept.folder)] == ["opened"]
    following = kept if successor == "r1" else opened(tmp_path, successor)
    following.note("after")
    assert events(tmp_path) == ["opened", "after"]
    assert_consistent(tmp_path, following.head())


def test_evidence_is_redacted_and_its_checksum_is_chained(tmp_path: Path) -> None:
    kept = RunRecord(tmp_path / "r1", "r1", ("hunter22",))
    kept.create()
    kept.note("opened", inputs={"password": "x", "note": "hunter22 is it"})
    kept.attach("logs/api.log", "the secret is hunter22\n")
    assert (kept.folder / "evidence/logs/api.log").read_text() == "the secret is [hidden]\n"
    opening, evidence = record.entries(kept.folder)
    assert opening["data"]["inputs"] == {"password": "[hidden]", "note": "[hidden] is it"}
    assert evidence["data"]["file"] == "evidence/logs/api.log"
    assert evidence["data"]["sha256"] == hashlib.sha256(b"the secret is [hidden]\n").hexdigest()


def test_a_folder_without_lines_has_none(tmp_path: Path) -> None:
    assert list(record.entries(tmp_path)) == []


def test_what_was_begun_does_not_stop_for_its_record(tmp_path: Path) -> None:
    kept = opened(tmp_path, "r1")
    assert kept.complaint == ""
    with no_room():
        kept.note("plan")
    assert kept.complaint == f"The run record in {tmp_path}/r1 has a gap: File too large."


def test_after_a_gap_the_chain_goes_on_where_it_was(tmp_path: Path) -> None:
    first, second = opened(tmp_path, "r1"), opened(tmp_path, "r2")
    second.note("one")
    with no_room():
        first.note("lost")
    first.note("two")
    assert events(tmp_path) == ["one", "two"]
    assert_consistent(tmp_path, first.head())


def test_evidence_that_cannot_be_kept_is_a_gap(tmp_path: Path) -> None:
    kept = opened(tmp_path, "r1")
    with no_room():
        kept.attach("logs/api.log", "x")
    assert "has a gap" in kept.complaint
    assert list(record.entries(kept.folder)) == []
