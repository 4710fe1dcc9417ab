# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A component is known by pid and start time, and restarted when its definition changes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lab import component
from lab.component import Component
from lab.site import Lab


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    (tmp_path / "run").mkdir()
    return Lab(state=tmp_path, cache=tmp_path / "cache")


def _etcd(**changes: Any) -> Component:
    definition: dict[str, Any] = {
        "name": "etcd",
        "argv": ("etcd", "--name=a"),
        "ready": lambda: None,
        "files": {Path("/etc/a"): "x"},
    }
    return Component(**(definition | changes))


def test_the_same_definition_has_the_same_fingerprint() -> None:
    assert _etcd().fingerprint == _etcd(ready=lambda: "never", patience=1).fingerprint


@pytest.mark.parametrize(
    "change",
    [
        {"argv": ("etcd", "--name=b")},
        {"argv": ("etcd", "--name", "a")},
        {"files": {Path("/etc/a"): "y"}},
        {"files": {Path("/etc/b"): "x"}},
        {"user": "nobody"},
    ],
)
def test_what_determines_the_process_changes_the_fingerprint(change: dict[str, Any]) -> None:
    assert _etcd(**change).fingerprint != _etcd().fingerprint


def test_a_file_that_it_reads_changes_the_fingerprint(tmp_path: Path) -> None:
    certificate = tmp_path / "ca.crt"
    absent = _etcd(reads=(certificate,)).fingerprint
    certificate.write_text("one")
    present = _etcd(reads=(certificate,)).fingerprint
    certificate.write_text("two")
    assert len({absent, present, _etcd(reads=(certificate,)).fingerprint}) == 3


def test_a_living_process_on_record_is_found(lab: Lab) -> None:
    (lab.state / "run" / "etcd.stat").write_text(Path("/proc/self/stat").read_text())
    assert component.pid_of(lab, "etcd") == os.getpid()


def test_a_reused_pid_is_not_taken_for_the_component(lab: Lab) -> None:
    fields = Path("/proc/self/stat").read_text().rpartition(")")
    earlier = fields[2].split()
    earlier[19] = str(int(earlier[19]) - 1)
    (lab.state / "run" / "etcd.stat").write_text(f"{fields[0]}) {' '.join(earlier)}")
    assert component.pid_of(lab, "etcd") is None


def test_a_dead_process_that_nobody_has_reaped_is_dead(lab: Lab) -> None:
    with subprocess.Popen(("sleep", "60")) as process:
        (lab.state / "run" / "etcd.stat").write_text(Path(f"/proc/{process.pid}/stat").read_text())
        assert component.pid_of(lab, "etcd") == process.pid
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # dead, and still in the process table
        assert component.pid_of(lab, "etcd") is None


def test_a_name_with_spaces_and_brackets_does_not_confuse_the_record(lab: Lab, tmp_path: Path) -> None:
    program = tmp_path / "a) S (b"
    program.symlink_to("/bin/sleep")
    with subprocess.Popen((str(program), "60")) as process:
        (lab.state / "run" / "etcd.stat").write_text(Path(f"/proc/{process.pid}/stat").read_text())
        assert component.pid_of(lab, "etcd") == process.pid
        process.kill()


def test_a_component_never_started_does_not_run(lab: Lab) -> None:
    assert component.pid_of(lab, "etcd") is None
    assert not component.runs_as_defined(lab, _etcd())


def test_the_last_lines_of_a_log(tmp_path: Path) -> None:
    log = tmp_path / "etcd.log"
    assert component.last_lines(log, 3) == []
    log.write_text("".join(f"line {number}\n" for number in range(1000)))
    assert component.last_lines(log, 3) == ["line 997", "line 998", "line 999"]
