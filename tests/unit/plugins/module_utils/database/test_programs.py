# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Client programs: which are taken, how they get the password, and what is made of what they say."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.database import programs
from ansible_collections.linkops.runbooks.plugins.module_utils.database.target import Target
from ansible_collections.linkops.runbooks.plugins.module_utils.deadline import Deadline
from ansible_collections.linkops.runbooks.plugins.module_utils.errors import OperatorError

TARGET = Target({"host": "db", "port": "6432", "user": "shop", "password": r"a:b\canary", "sslmode": "require"})


def folder(path: Path, version: str) -> Path:
    """A folder with programs that say they are of this version."""
    path.mkdir()
    for name in ("pg_dump", "pg_restore"):
        (path / name).write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {version}'\n")
        (path / name).chmod(0o755)
    return path


@pytest.mark.parametrize(("version", "major"), [("18.6", 18), ("17.2 (Debian 17.2-1)", 17), ("19beta1", 19)])
def test_programs_say_what_they_are(tmp_path: Path, version: str, major: int) -> None:
    found = programs.find(major, str(folder(tmp_path / "bin", version)), "")
    assert found.major == major
    assert found["pg_dump"] == str(tmp_path / "bin" / "pg_dump")


def test_programs_in_path_are_found(tmp_path: Path) -> None:
    assert programs.find(99, None, str(folder(tmp_path / "bin", "99.1"))).version == "99.1"


def test_programs_that_are_too_old_are_named(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=r"is PostgreSQL 18, and pg_dump in .*bin is 15\.18") as refused:
        programs.find(18, str(folder(tmp_path / "bin", "15.18")), "")
    assert refused.value.reason == "client_version"


def test_no_programs_at_all(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="There is no pg_dump in"):
        programs.find(18, str(tmp_path), "")


@pytest.mark.parametrize(
    ("said", "before", "now"),
    [
        ("gzip", [], ["--compress=gzip"]),
        ("gzip:9", ["--compress=9"], ["--compress=gzip:9"]),
        ("gzip:level=9", ["--compress=9"], ["--compress=gzip:level=9"]),
        ("none", ["--compress=0"], ["--compress=none"]),
        ("3", ["--compress=3"], ["--compress=3"]),
        ("zstd:3", None, ["--compress=zstd:3"]),
        ("lz4", None, ["--compress=lz4"]),
        ("gzip:long", None, ["--compress=gzip:long"]),
    ],
)
def test_a_compression_is_told_in_words_of_the_version(said: str, before: list[str] | None, now: list[str]) -> None:
    assert programs.compression(said, programs.Programs(Path("/bin"), "16.0")) == now
    old = programs.Programs(Path("/bin"), "15.18")
    if before is not None:
        assert programs.compression(said, old) == before
        return
    with pytest.raises(OperatorError, match=f"/bin is 15.18, which cannot compress by {said}") as refused:
        programs.compression(said, old)
    assert refused.value.reason == "client_version"


@pytest.mark.parametrize("said", ["brotli", "gzip:", "", "10", "3 --table=x"])
def test_what_is_no_compression_is_refused(said: str) -> None:
    with pytest.raises(OperatorError, match=r"compress is .*Give gzip") as refused:
        programs.compression(said, programs.Programs(Path("/bin"), "18.6"))
    assert refused.value.reason == "input_invalid"


def test_the_password_is_in_a_private_file_which_is_gone_afterwards() -> None:
    base = {"PATH": "/bin", "PGPASSWORD": "canary", "PGSERVICE": "other"}
    with programs.environment(TARGET, "shop", base) as variables:
        assert "canary" not in " ".join(variables.values())
        assert (variables["PGHOST"], variables["PGPORT"], variables["PGDATABASE"]) == ("db", "6432", "shop")
        assert "PGSERVICE" not in variables
        file = Path(variables["PGPASSFILE"])
        assert file.read_text() == "*:*:*:*:a\\:b\\\\canary\n"
        assert file.stat().st_mode & 0o777 == 0o600
    assert not file.exists()


def test_a_program_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    script = f"sleep 60 & echo $! > {tmp_path}/child; trap '' TERM; wait; sleep 60"
    with pytest.raises(OperatorError, match="had not finished"):
        programs.run(["/bin/sh", "-c", script], {"PATH": os.environ["PATH"]}, Deadline(0.5), lambda: None)
    child = int((tmp_path / "child").read_text())
    state = Path(f"/proc/{child}/stat")
    assert not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z"


def test_what_a_program_says_is_told_without_the_password() -> None:
    script = "echo 'pg_dump: error: nonsense with canary' >&2; exit 1"
    with pytest.raises(OperatorError) as failed:
        programs.run(["/bin/sh", "-c", script], {}, Deadline(10), lambda: None, ["canary"])
    assert "nonsense" in str(failed.value)
    assert "canary" not in str(failed.value)


@pytest.mark.parametrize(
    ("code", "said", "reason"),
    [
        (1, "pg_dump: error: query failed: ERROR:  permission denied for table x", "privilege"),
        (1, "pg_dump: error: aborting because of server version mismatch", "client_version"),
        (1, "pg_restore: error: unsupported version (1.16) in file header", "client_version"),
        (1, "pg_dump: error: could not obtain lock on relation x", "locked"),
        (
            1,
            "pg_dump: error: query failed: FATAL:  terminating connection due to administrator command",
            "connection_lost",
        ),
        (1, "pg_dump: error: could not write to output file: No space left on device", "disk_full"),
        (1, "pg_restore: error: could not execute query: ERROR:  relation exists", "program_failed"),
        (-signal.SIGKILL, "", "program_failed"),
        (1, "", "program_failed"),
    ],
)
def test_why_a_program_failed(code: int, said: str, reason: str) -> None:
    fault = programs.explained("pg_dump", code, said)
    assert fault.reason == reason
    assert fault.message.endswith(".")
