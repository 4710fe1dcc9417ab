# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine's cgroup, address and packet rules are taken down by the lab that made them, and by no other."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lab import ownership
from lab.site import Lab, LabError, Shape


@pytest.fixture
def note(tmp_path: Path) -> Path:
    return tmp_path / "note"


def brought_up(folder: Path, shape: Shape | None = None) -> Lab:
    """A state folder as `up` makes it."""
    lab = Lab(state=folder, cache=folder.parent)
    lab.remember(shape or Shape())
    return lab


def require(lab: Lab, note: Path, stands: bool = True) -> None:
    ownership.require(lab, note, lambda _: stands)


def test_its_own_lab_takes_it_down_even_when_its_folder_was_removed(tmp_path: Path, note: Path) -> None:
    lab = brought_up(tmp_path / "lab")
    ownership.take(lab, note)
    ownership.take(lab, note)  # each `up` does
    require(lab, note)
    shutil.rmtree(lab.state)
    require(lab, note)
    ownership.release(note)
    assert not note.exists()


@pytest.mark.parametrize("shape", [None, Shape()], ids=["absent", "an-older-lab"])
def test_another_folder_is_refused_and_the_right_one_named(tmp_path: Path, note: Path, shape: Shape | None) -> None:
    ownership.take(brought_up(tmp_path / "lab"), note)
    other = brought_up(tmp_path / "other", shape) if shape else Lab(state=tmp_path / "other", cache=tmp_path)
    with pytest.raises(LabError, match=f"nothing was taken down. Set LINKOPS_LAB_STATE={tmp_path}/lab"):
        require(other, note)
    with pytest.raises(LabError, match=f"runs the lab in {tmp_path}/lab already"):
        ownership.take(other, note)
    assert note.read_text() == str(tmp_path / "lab")


def test_what_a_lab_left_whose_folder_is_gone_is_anybodys_to_remove(tmp_path: Path, note: Path) -> None:
    gone = brought_up(tmp_path / "gone")
    ownership.take(gone, note)
    shutil.rmtree(gone.state)
    other = brought_up(tmp_path / "other")
    require(other, note)
    ownership.take(other, note)
    assert note.read_text() == str(other.state)


def test_without_a_note_the_lab_with_a_real_node_may_and_a_folder_without_one_may_not(
    tmp_path: Path, note: Path
) -> None:
    require(brought_up(tmp_path / "lab"), note)
    for folder in (tmp_path / "absent", brought_up(tmp_path / "rootless", Shape(5, rootless=True)).state):
        with pytest.raises(LabError, match="holds no lab that made them: nothing was taken down"):
            require(Lab(state=folder, cache=tmp_path), note)


def test_down_a_second_time_is_no_error(tmp_path: Path, note: Path) -> None:
    lab = Lab(state=tmp_path / "absent", cache=tmp_path)
    require(lab, note, stands=False)
    assert not note.exists()
