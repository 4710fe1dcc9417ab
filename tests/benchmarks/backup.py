# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A backup beside pg_dump alone, and how much memory the controller's process takes for it.

The module runs in a process of its own, as ``python -m tests.benchmarks.backup`` with its options on standard input.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.linkops.runbooks.plugins.module_utils.call import Call
from ansible_collections.linkops.runbooks.plugins.module_utils.shell import perform
from ansible_collections.linkops.runbooks.plugins.modules.database_backup import MODULE
from lab.site import Lab
from tests.benchmarks import page
from tests.integration.harness.amazon import Amazon, amazon
from tests.integration.harness.postgres import HOST, TestDatabase, server

TABLES, JOBS, ROW_BYTES = 4, 2, 1024
SMALL_BYTES, LARGE_BYTES = 100 << 20, 1 << 30
GOAL_RATIO, GOAL_MEMORY_RATIO = 1.5, 1.1
DIRECTORY, STREAM = {"format": "directory", "jobs": JOBS}, {"format": "stream"}


@dataclass
class Bench:
    """A server with a small and a large database, a bucket, and a folder for what is written."""

    small: TestDatabase
    large: TestDatabase
    aws: Amazon
    folder: Path

    def backup(self, database: TestDatabase, **options: Any) -> dict[str, Any]:
        """What our module took: C(seconds) and C(peak_bytes)."""
        told = {
            **database.login, "directory": str(self.folder), "client_directory": str(database.server.programs),
            "reserve_bytes": 0, "s3": "s3://backups" if options["format"] == "stream" else "", **options,
        }  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-m", "tests.benchmarks.backup"], input=json.dumps(told), capture_output=True, text=True,
            check=False, env={**os.environ, **self.aws.environment},
        )  # fmt: skip
        if done.returncode:
            raise SystemExit(f"A contender failed, so there is nothing to compare:\n{done.stdout}{done.stderr}")
        measured: dict[str, Any] = json.loads(done.stdout)
        return measured

    def pg_dump(self, database: TestDatabase, *words: str) -> float:
        """What pg_dump alone takes, in seconds."""
        access = {"PGHOST": HOST, "PGPORT": str(database.server.port), "PGUSER": database.user}
        began = time.monotonic()
        subprocess.run(
            [str(database.server.programs / "pg_dump"), *words, database.name], check=True, stdout=subprocess.DEVNULL,
            env={**os.environ, **access, "PGPASSWORD": database.password},
        )  # fmt: skip
        return time.monotonic() - began

    def clear(self) -> None:
        """Remove what was written."""
        shutil.rmtree(self.folder, ignore_errors=True)
        client = self.aws.client("s3")
        for each in client.list_objects_v2(Bucket="backups").get("Contents", []):
            client.delete_object(Bucket="backups", Key=each["Key"])


def run(lab: Lab, rounds: int) -> str:
    """Time every contender in turn; returns the section of the page."""
    with server(lab) as postgres, amazon() as aws, tempfile.TemporaryDirectory(prefix="linkops-bench-") as home:
        aws.bucket("backups")
        made = {name: postgres.database(name) for name in ("small", "large")}
        bench = Bench(made["small"], made["large"], aws, Path(home) / "kept")
        for database, size in ((bench.small, SMALL_BYTES), (bench.large, LARGE_BYTES)):
            _fill(database, size)
        alone = ("--format=directory", f"--jobs={JOBS}", f"--file={bench.folder}")
        contenders: dict[str, Callable[[], float]] = {
            f"pg_dump --format=directory --jobs={JOBS} alone": lambda: bench.pg_dump(bench.large, *alone),
            "database_backup, the same": lambda: float(bench.backup(bench.large, **DIRECTORY)["seconds"]),
            "pg_dump --format=custom alone, to nowhere": lambda: bench.pg_dump(bench.large, "--format=custom"),
            "database_backup, format=stream to S3": lambda: float(bench.backup(bench.large, **STREAM)["seconds"]),
        }
        seconds: dict[str, list[float]] = {name: [] for name in contenders}
        for number in range(rounds):
            for name, act in contenders.items():
                seconds[name].append(act())
                bench.clear()
                print(f"round {number + 1}: {name}: {seconds[name][-1]:.2f} s", file=sys.stderr)
        memory = {}
        for name, options in (("directory", DIRECTORY), ("stream", STREAM)):
            for database in (bench.small, bench.large):
                memory[name, database.name] = int(bench.backup(database, **options)["peak_bytes"])
                bench.clear()
        bytes_ = bench.large.sql("SELECT pg_database_size(current_database())")[0][0]
    return _section(seconds, memory, bytes_, rounds)


def _fill(database: TestDatabase, size: int) -> None:
    for number in range(TABLES):
        database.sql(
            f"CREATE TABLE t{number} AS SELECT n AS id,"  # noqa: S608 (a number)
            " (SELECT string_agg(md5((n * 32 + k)::text), '') FROM generate_series(1, 32) k) AS text"
            " FROM generate_series(1, %s) n",
            [size // TABLES // ROW_BYTES],
        )


def _section(
    seconds: Mapping[str, list[float]], memory: Mapping[tuple[str, str], int], bytes_: int, rounds: int
) -> str:
    alone, ours, nowhere, streamed = (statistics.median(each) for each in seconds.values())
    goals = [
        (f"at most {GOAL_RATIO:g} x {what}", f"{ratio:.2f} x", ratio <= GOAL_RATIO)
        for what, ratio in (("pg_dump alone", ours / alone), ("pg_dump alone, for the stream", streamed / nowhere))
    ]
    for name in ("directory", "stream"):
        few, many = memory[name, "small"], memory[name, "large"]
        figure = f"{_mib(few)} and {_mib(many)} MiB: {many / few:.2f} x"
        claim = f"{name}: the memory of {_mib(SMALL_BYTES)} MiB and of {_mib(LARGE_BYTES)} MiB is the same"
        goals.append((f"{claim} (at most {GOAL_MEMORY_RATIO:g} x)", figure, many <= GOAL_MEMORY_RATIO * few))
    return f"""## Backup

{page.setting(rounds)} A database of {_mib(bytes_)} MiB in {TABLES}
tables is dumped with the same format, jobs and compression (gzip). Ours counts all rows in the dump's snapshot
meanwhile, reads the table of contents, makes checksums and a manifest, and has all of it on the disk; its start, with
the import of Python's libraries, is counted. S3 is moto's, in a process beside on the same cores. Memory is the peak of
the process that runs the module (VmHWM), without pg_dump.

{page.seconds_table(seconds)}

{page.goals_table(goals)}
"""


def _mib(count: int) -> str:
    return f"{count / (1 << 20):.0f}"


def main() -> None:
    """Take one backup as it is told, and say what it took."""
    began = time.monotonic()
    validated = ArgumentSpecValidator(MODULE.arguments).validate(json.load(sys.stdin))
    result = perform(MODULE.operation, Call(validated.validated_parameters, environment=dict(os.environ)))
    if not result.get("changed"):
        raise SystemExit(str(result))
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    print(json.dumps({"seconds": time.monotonic() - began, "peak_bytes": int(peak[1]) << 10 if peak else 0}))


if __name__ == "__main__":
    main()
