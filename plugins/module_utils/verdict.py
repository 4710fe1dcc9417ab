# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The three-valued verdict that every room speaks: pass, fail, or unknown. Unknown is never success."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

Status = Literal["pass", "fail", "unknown"]

# The worst of several wins: one failure outweighs what could not be asked, which outweighs what passed.
_SEVERITY: dict[Status, int] = {"pass": 0, "unknown": 1, "fail": 2}


@dataclass(frozen=True)
class Verdict:
    """A judgement with its reason (one sentence) and the evidence it rests on (plain data, safe to print)."""

    status: Status
    reason: str
    evidence: dict[str, Any] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """True for C(pass) alone."""
        return self.status == "pass"

    def as_result(self) -> dict[str, Any]:
        """The verdict as modules return it."""
        return {"status": self.status, "reason": self.reason, "evidence": self.evidence}


def worst(verdicts: Iterable[Verdict], nothing: str = "nothing was asked") -> Verdict:
    """The worst of several verdicts, its reason naming every one that is as bad; none at all is unknown."""
    judged = list(verdicts)
    if not judged:
        return Verdict("unknown", nothing)
    status = max((verdict.status for verdict in judged), key=_SEVERITY.__getitem__)
    reasons = list(dict.fromkeys(verdict.reason for verdict in judged if verdict.status == status))
    return Verdict(status, "; ".join(reasons))
