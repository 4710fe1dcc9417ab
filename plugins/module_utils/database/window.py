# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Maintenance windows, such as C(sat,sun 01:00-05:00 Europe/London). Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ..errors import Fault, OperatorError

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FORM = re.compile(
    r"(?:(?P<days>[a-z]{3}(?:[,-][a-z]{3})*)\s+)?(?P<start>\d\d:\d\d)-(?P<end>\d\d:\d\d)(?:\s+(?P<zone>[\w/+-]+))?\Z",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Window:
    """A stretch of each of these days (0 is Monday) that begins in them; it may end on the next day."""

    start: time
    end: time
    zone: ZoneInfo
    days: frozenset[int] = frozenset(range(7))

    def open_until(self, now: datetime) -> datetime | None:
        """When the window that is open at C(now) closes; none while it is closed."""
        return next((end for start, end in self._around(now) if start <= now < end), None)

    def opens(self, now: datetime) -> datetime:
        """When it opens next after C(now)."""
        return min(start for start, _end in self._around(now) if start > now)

    def _around(self, now: datetime) -> list[tuple[datetime, datetime]]:
        today = now.astimezone(self.zone).date()
        found = []
        for offset in range(-1, 9):
            day = today + timedelta(days=offset)
            if day.weekday() in self.days:
                last = day if self.end > self.start else day + timedelta(days=1)
                start, end = (
                    datetime.combine(date, at, self.zone).astimezone(UTC)
                    for date, at in ((day, self.start), (last, self.end))
                )
                found.append((start, end))
        return found


def parse(text: str) -> Window:
    """The window that a text names; its zone is UTC where none is named. Raises C(OperatorError)."""
    form = _FORM.match(text.strip())
    try:
        if not form:
            raise ValueError("it does not read DAYS HH:MM-HH:MM ZONE")
        start, end = (time.fromisoformat(form[each]) for each in ("start", "end"))
        return Window(start, end, ZoneInfo(form["zone"] or "UTC"), _days(form["days"]))
    except (ValueError, ZoneInfoNotFoundError) as fault:
        said = f"no zone {form['zone']}" if form and isinstance(fault, ZoneInfoNotFoundError) else str(fault)
        raise OperatorError(
            Fault(
                "window_invalid",
                f"The maintenance window {text!r} is none: {said}.",
                "Write it as 01:00-05:00 Europe/London, or sat,sun 01:00-05:00 UTC.",
            )
        ) from None


def _days(text: str | None) -> frozenset[int]:
    if not text:
        return frozenset(range(7))
    found: set[int] = set()
    for part in text.lower().split(","):
        first, _dash, last = part.partition("-")
        begin, end = _DAYS.index(first), _DAYS.index(last or first)
        found.update((begin + step) % 7 for step in range((end - begin) % 7 + 1))
    return frozenset(found)
