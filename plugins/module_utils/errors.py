# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Foreseeable faults, told as sentences to someone at 3 a.m.: what is wrong, where, and what to do next."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from .redaction import redact_text


@dataclass(frozen=True)
class Fault:
    """One fault: a stable code for machines, a sentence for people, and the next step."""

    reason: str
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()

    def as_result(self) -> dict[str, str]:
        """The fault as modules return it."""
        return {"reason": self.reason, "message": self.message, "remedy": self.remedy}


class OperatorError(Exception):
    """One or several faults, all of them reported at once; C(details) joins the module's result."""

    def __init__(self, faults: Fault | Iterable[Fault], **details: Any) -> None:
        self.faults: tuple[Fault, ...] = (faults,) if isinstance(faults, Fault) else tuple(faults)
        self.details = details
        super().__init__(" ".join(str(fault) for fault in self.faults))

    @property
    def reason(self) -> str:
        """The code of the first fault."""
        return self.faults[0].reason


def defect(found: Exception, remedy: str) -> OperatorError:
    """A fault of our own, in one sentence, where the rest of an answer stands without it."""
    said = f"{type(found).__name__}: {redact_text(str(found))}" if str(found) else type(found).__name__
    return OperatorError(Fault("defect", f"A defect of linkops.runbooks: {said.rstrip('.')}.", remedy))


@contextlib.contextmanager
def together(*faults: Fault | None) -> Iterator[None]:
    """Raise these faults as one with those that the block finds, so that all of an input are told at once."""
    known = [each for each in faults if each]
    try:
        yield
    except OperatorError as fault:
        raise OperatorError([*known, *fault.faults], **fault.details) from fault
    if known:
        raise OperatorError(known)


class Interrupted(Exception):
    """The run was asked to stop by a signal; raised in the engine so that it can release what it holds."""

    def __init__(self, signal_number: int) -> None:
        self.signal_number = signal_number
        super().__init__(f"stopped by signal {signal_number}")
