# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What squawk says of pending scripts: what breaks the code that still runs, or keeps readers out, and the rest."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..errors import Fault

Severity = Literal["danger", "caution"]

LONGEST_SECONDS = 60
#: The timeouts stand on the role, where CREATE INDEX CONCURRENTLY bears them; the others are matters of taste.
LEFT_OUT = (
    "require-lock-timeout", "require-statement-timeout", "require-table-schema", "require-enum-value-ordering",
    "prefer-bigint-over-int", "prefer-bigint-over-smallint", "prefer-identity", "prefer-repack", "prefer-robust-stmts",
    "prefer-text-field", "prefer-timestamptz", "ban-char-field", "identifier-too-long", "ban-uncommitted-transaction",
)  # fmt: skip
#: What breaks the running version, loses data, or rewrites or scans a table under a lock that keeps readers out.
DANGERS = frozenset(
    {
        "adding-field-with-default", "adding-not-nullable-field", "adding-required-field", "ban-drop-column",
        "ban-drop-database", "ban-drop-not-null", "ban-drop-table", "ban-truncate-cascade", "changing-column-type",
        "renaming-column", "renaming-table", "syntax-error", "transaction-nesting", "adding-serial-primary-key-field",
        "ban-concurrent-index-creation-in-transaction", "ban-alter-domain-with-add-constraint",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """One finding in one migration's script."""

    migration: str
    rule: str
    line: int
    message: str
    severity: Severity

    def __str__(self) -> str:
        return f"{self.migration} line {self.line}: {self.message.rstrip('.')} ({self.rule})"

    def as_result(self) -> dict[str, Any]:
        """The finding as the module returns it."""
        return {key: getattr(self, key) for key in ("migration", "rule", "line", "message", "severity")}


def program() -> str | None:
    """Where squawk is: beside this interpreter, or on PATH."""
    beside = Path(sys.executable).with_name("squawk")
    return str(beside) if beside.exists() else shutil.which("squawk")


def lint(squawk: str, migration: str, script: str, atomic: bool) -> list[Finding]:
    """Squawk's findings. Raises OSError, or subprocess.SubprocessError, where it does not run to its end."""
    command = [squawk, "--reporter", "json", f"--exclude={','.join(LEFT_OUT)}", "--stdin-filepath", "migration.sql"]
    if atomic:
        command.append("--assume-in-transaction")
    # run_command is a module's; this runs in the controller, bounded by a timeout
    done = subprocess.run(  # pylint: disable=ansible-bad-function
        command, input=script, capture_output=True, text=True, check=False, timeout=LONGEST_SECONDS, cwd="/"
    )  # a folder without a .squawk.toml of somebody's
    if done.returncode not in (0, 1):
        raise subprocess.SubprocessError(done.stderr.strip()[:200] or f"exit code {done.returncode}")
    return read(migration, done.stdout)


def read(migration: str, output: str) -> list[Finding]:
    """The findings in squawk's JSON."""
    return [
        Finding(
            migration,
            each["rule_name"],
            int(each["line"]) + 1,
            each["message"],
            "danger" if each["rule_name"] in DANGERS else "caution",
        )
        for each in json.loads(output or "[]")
        if each["rule_name"] not in LEFT_OUT
    ]


def unaccepted(findings: Sequence[Finding], accept: Mapping[str, str]) -> list[Fault]:
    """A fault for each rule that is broken dangerously and not accepted with a reason."""
    faults = []
    for rule in dict.fromkeys(each.rule for each in findings if each.severity == "danger"):
        if str(accept.get(rule) or "").strip():
            continue
        first = next(each for each in findings if each.rule == rule)
        faults.append(
            Fault(
                "lint",
                f"{first}.",
                f'Split the migration (expand, then contract), or accept it: -e \'{{"accept": {{"{rule}": "WHY"}}}}\'.',
            )
        )
    return faults
