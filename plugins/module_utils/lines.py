# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lines of a health page: each names one thing that was looked at, and the verdict on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from .errors import Interrupted, OperatorError, defect
from .verdict import Verdict, worst

#: How the reason of a line begins that passes and yet deserves a look: a threshold for warnings is reached.
WARNING = "warning: "
DEFECT_REMEDY = "Report it; the other lines stand."


@dataclass(frozen=True)
class Line:
    """One line; C(name) says what it is about."""

    name: str
    verdict: Verdict

    def as_result(self) -> dict[str, Any]:
        """The line as modules return it."""
        return {"line": self.name, **self.verdict.as_result()}


def asked(name: str, question: Callable[[], Verdict]) -> Line:
    """The line of a question; where it cannot be asked, or we fail at it, unknown with the reason."""
    try:
        return Line(name, question())
    except OperatorError as fault:
        return Line(name, unasked(fault))
    except Interrupted:
        raise
    except Exception as found:  # noqa: BLE001  # pylint: disable=broad-except
        return Line(name, unasked(defect(found, DEFECT_REMEDY)))


def unasked(fault: OperatorError) -> Verdict:
    """The verdict on what cannot be asked."""
    return Verdict("unknown", f"cannot be asked: {fault.faults[0]}", {"reason": fault.reason})


def summary(lines: Iterable[Line]) -> Verdict:
    """The worst of all lines, its reason naming each that is as bad; those that warn where all pass."""
    listed = list(lines)
    judged = worst(Verdict(line.verdict.status, f"{line.name}: {line.verdict.reason}") for line in listed)
    if not judged.passed:
        return judged
    if len(listed) == 1:
        return judged
    warned = "; ".join(_named(line) for line in listed if warns(line.verdict))
    return Verdict("pass", f"all {len(listed)} lines pass{'; ' if warned else ''}{warned}")


def warns(verdict: Verdict) -> bool:
    """Whether it passes with a warning."""
    return verdict.passed and verdict.reason.startswith(WARNING)


def told(lines: Iterable[Line]) -> dict[str, Any]:
    """The lines and their worst verdict as a module's result."""
    listed = list(lines)
    verdict = summary(listed)
    return {
        "changed": False,
        "lines": [line.as_result() for line in listed],
        "verdict": verdict.as_result(),
        "msg": f"{verdict.status}: {verdict.reason}",
    }


def _named(line: Line) -> str:
    """The reason with the line's name, which an address bears already."""
    return line.verdict.reason if line.verdict.reason.startswith(line.name) else f"{line.name}: {line.verdict.reason}"
