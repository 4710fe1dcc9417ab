# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Log lines: taken apart as they come, filtered, merged by time, bounded from the newest back. Pure.

kubelet puts a stamp and a blank before each line (kubernetes/kubernetes:pkg/kubelet/kuberuntime/logs/logs.go).
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ..errors import Fault
from ..redaction import HIDDEN, redact_text
from .bounding import Head, shown
from .places import Place

LONGEST_LINE_BYTES = 16 << 10
#: What each line costs beside its text: the time, the pod, the container.
LINE_BYTES = 64
#: A key in PEM has fewer lines; a log that is cut inside of one must not be hidden to its end.
MOST_KEY_LINES = 200

_STAMP = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)(?: |$)")
_KEY_BEGINS, _KEY_ENDS = b"PRIVATE KEY-----", b"-----END "
# What would move the cursor, colour the screen or ring the bell of whoever reads a log.
_CONTROL = {code: f"\\x{code:02x}" for code in [*range(32), *range(127, 160)] if chr(code) != "\t"}
_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


#: Moment, pod, container, whether of its present life, number: what lines are sorted by.
Order = tuple[int, str, str, bool, int]
OLDEST: Order = (0, "", "", False, 0)


@dataclass(frozen=True)
class Line:
    """One line as it was read. C(moment) are nanoseconds since the epoch that never go back within a container."""

    moment: int
    place: Place
    number: int
    time: str
    raw: bytes
    size: int
    hidden: bool = False

    @property
    def order(self) -> Order:
        """By time; where clocks tie by pod and container, and never against the order of a container's own lines."""
        place = self.place
        return self.moment, place.pod, place.container, not place.previous, self.number

    @property
    def cost(self) -> int:
        """What the line counts against a bound."""
        return min(self.size, LONGEST_LINE_BYTES) + LINE_BYTES

    def text(self, secrets: Iterable[str] = ()) -> str:
        """The line, redacted; the end of one that is too long is counted instead."""
        if self.hidden:
            return HIDDEN
        text = shown(self.raw, self.size, LONGEST_LINE_BYTES, secrets)
        left_out = self.size - LONGEST_LINE_BYTES
        return f"{text} [... {left_out} more bytes]" if left_out > 0 else text


def pattern_fault(pattern: str) -> Fault | None:
    """The fault of a regular expression that is none."""
    try:
        re.compile(pattern)
    except re.error as fault:
        return Fault(
            "pattern_invalid",
            f"The pattern {redact_text(pattern)} is no regular expression: {fault}.",
            "Correct it; characters such as ( [ * + ? are meant literally behind a backslash.",
        )
    return None


def since_fault(since_time: str) -> Fault | None:
    """The fault of a time that the API server would not understand."""
    stamp = _STAMP.fullmatch(since_time.encode() + b" ")
    try:
        if stamp:
            _moment(stamp)
    except ValueError:
        stamp = None
    if stamp or not since_time:
        return None
    return Fault("time_invalid", f"since_time is {since_time}.", "Write it as 2026-11-22T03:10:00Z (RFC 3339).")


@dataclass
class Reader:
    """Takes one container's log apart, piece by piece; keeps the newest lines that match, within a bound."""

    place: Place
    pattern: str
    most_bytes: int
    lines: deque[Line] = field(default_factory=deque)
    read: int = 0
    dropped: int = 0
    total_bytes: int = 0

    def __post_init__(self) -> None:
        self._wanted = re.compile(self.pattern)
        self._line = Head(LONGEST_LINE_BYTES + LINE_BYTES)
        self._last = (0, "")
        self.cut = OLDEST
        self._kept_bytes = 0
        self._key_lines = 0

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self.total_bytes += len(chunk)
        *whole, rest = chunk.split(b"\n")
        for piece in whole:
            self._line.add(piece)
            self._end()
        self._line.add(rest)

    def close(self, complete: bool) -> None:
        """The last line counts without its end only where the log is complete: else its stamp may be cut as well."""
        if complete and self._line.total:
            self._end()

    def _end(self) -> None:
        raw, size = self._line.raw, self._line.total
        self._line = Head(LONGEST_LINE_BYTES + LINE_BYTES)
        self.read += 1
        stamp = _STAMP.match(raw)
        if stamp:
            moment, time = _moment(stamp)
            self._last = max(moment, self._last[0]), time
            raw, size = raw[stamp.end() :], size - stamp.end()
        if raw.endswith(b"\r"):
            raw, size = raw[:-1], size - 1
        hidden = self._in_key(raw)
        if self._wanted.search(raw.decode("utf-8", "replace")):  # again when it is redacted, which takes longer
            self._keep(Line(self._last[0], self.place, self.read, self._last[1], raw, size, hidden))

    def _in_key(self, raw: bytes) -> bool:
        """Whether a line is inside of a private key; its first line is redacted by its looks."""
        inside = self._key_lines > 0
        if _KEY_BEGINS in raw:
            self._key_lines = 0 if _KEY_ENDS in raw else MOST_KEY_LINES
        elif inside:
            self._key_lines -= 1
        return inside

    def _keep(self, line: Line) -> None:
        self.lines.append(line)
        self._kept_bytes += line.cost
        while self._kept_bytes > self.most_bytes and len(self.lines) > 1:
            oldest = self.lines.popleft()
            self.cut = oldest.order
            self._kept_bytes -= oldest.cost
            self.dropped += 1


@dataclass(frozen=True)
class Merged:
    """Lines of all containers in order, and how many older ones a bound left out; C(cut) is the newest of those."""

    lines: Sequence[Line] = ()
    dropped: int = 0
    cut: Order = OLDEST

    def joined(self, reader: Reader, most_bytes: int) -> Merged:
        """With another container's lines. What is older than a dropped line is dropped too, so that no gap is left."""
        cut = max(self.cut, reader.cut)
        every = [*self.lines, *reader.lines]
        lines = sorted((line for line in every if line.order > cut), key=lambda line: line.order)
        cost, kept = 0, 0
        for line in reversed(lines):
            cost += line.cost
            if cost > most_bytes and kept:
                cut = line.order
                break
            kept += 1
        return Merged(lines[len(lines) - kept :], self.dropped + reader.dropped + len(every) - kept, cut)

    def as_result(self, pattern: str, secrets: Iterable[str]) -> list[dict[str, Any]]:
        """The lines as the module returns them. The pattern finds what is shown, never what is hidden."""
        known, wanted = tuple(secrets), re.compile(pattern)
        return [
            {
                "time": line.time,
                "pod": line.place.pod,
                "container": line.place.container,
                "previous": line.place.previous,
                "text": text,
            }
            for line in self.lines
            if wanted.search(text := line.text(known))
        ]


def written(line: dict[str, Any]) -> str:
    """One line for people to read: without colours, and with all that a terminal would obey spelled out."""
    where = f"{line['pod']} {line['container']}{' (previous)' if line['previous'] else ''}"
    return f"{line['time'] or '-'} {where}: {_COLOUR.sub('', line['text']).translate(_CONTROL)}"


def _moment(stamp: re.Match[bytes]) -> tuple[int, str]:
    """Nanoseconds since the epoch, and the stamp in UTC; nodes may write the time of their own zone."""
    day, fraction, zone = (part.decode() if part else "" for part in stamp.groups())
    at = datetime.fromisoformat(f"{day}{'+00:00' if zone == 'Z' else zone}").astimezone(UTC)
    nanoseconds = fraction.ljust(9, "0")
    return int(at.timestamp()) * 1_000_000_000 + int(nanoseconds), f"{at:%Y-%m-%dT%H:%M:%S}.{nanoseconds}Z"
