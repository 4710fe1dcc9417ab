# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How an engine operation is called: what it was given, and where its words go."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


class Journal(Protocol):
    """The run record as the engine sees it."""

    def note(self, event: str, **data: Any) -> None:
        """Append one event."""

    def attach(self, name: str, content: str) -> None:
        """Keep a piece of evidence under a relative file name."""


class NoJournal:
    """A module used on its own, outside a run, keeps no record."""

    def note(self, event: str, **data: Any) -> None:
        """Keep nothing."""

    def attach(self, name: str, content: str) -> None:
        """Keep nothing."""


@dataclass
class Call:
    """One call of an operation: validated arguments, and the environment that the task and the process offer."""

    params: Mapping[str, Any]
    check_mode: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    journal: Journal = field(default_factory=NoJournal)
    warnings: list[str] = field(default_factory=list)

    def say(self, line: str) -> None:
        """Show a line of progress; a module has no terminal, the action plugin has."""

    def warn(self, sentence: str) -> None:
        """Tell the operator once, and keep it in the record."""
        if sentence not in self.warnings:
            self.warnings.append(sentence)
            self.journal.note("warning", message=sentence)


Operation = Callable[[Call], dict[str, Any]]
