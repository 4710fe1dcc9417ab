# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API server's audit log: what was asked, and what of it wrote."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from lab.cluster import Cluster

USER_AGENT = "linkops.runbooks"
SETTLE = 10.0  # seconds within which the log must show a request that was answered
Event = dict[str, Any]


@dataclass
class Seen:
    """The requests between two moments, one event each; filled when the reading ends."""

    requests: list[Event] = field(default_factory=list)

    @property
    def writes(self) -> list[Event]:
        """Those that created, changed or deleted something, or ran something in a container."""
        return [event for event in self.requests if _writes(event)]

    @property
    def renewals(self) -> list[Event]:
        """Patches of Leases."""
        return [event for event in self.requests if event["verb"] == "patch" and _resource(event) == "leases"]

    @property
    def lines(self) -> list[str]:
        """All requests for people to read."""
        return [
            f"{event['verb']} {event['requestURI']} {event['responseStatus'].get('code')}" for event in self.requests
        ]


class AuditLog:
    """Reads the buttons' requests (by their User-Agent) in one namespace, or of one user wherever they went."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster = cluster
        self._namespace = namespace

    @contextlib.contextmanager
    def reading(self, user: str = "", user_agent: str = USER_AGENT) -> Iterator[Seen]:
        """Collect what is asked inside the block."""
        seen = Seen()
        with self._cluster.lab.audit_log.open(encoding="utf-8") as log:
            log.seek(0, os.SEEK_END)
            yield seen
            events = {event["auditID"]: event for event in self._until_mark(log)}
        seen.requests = [event for event in events.values() if self._concerned(event, user, user_agent)]

    def _concerned(self, event: Event, user: str, user_agent: str) -> bool:
        if event.get("userAgent") != user_agent:
            return False
        if user:
            return bool(event["user"]["username"] == user)
        return bool((event.get("objectRef") or {}).get("namespace") == self._namespace)

    def _until_mark(self, log: TextIO) -> Iterator[Event]:
        """All events until a request of our own shows that the log is complete."""
        mark = f"mark={secrets.token_hex(8)}"
        self._cluster.request("GET", f"/version?{mark}")
        end = time.monotonic() + SETTLE
        buffer = ""
        while True:
            buffer += log.readline()
            if not buffer.endswith("\n"):
                assert time.monotonic() < end, f"the audit log does not show a request after {SETTLE:.0f} s"
                if Path(log.name).stat().st_ino != os.fstat(log.fileno()).st_ino:  # rotated in the middle
                    yield from self._until_mark_in_new(mark)
                    return
                time.sleep(0.02)
                continue
            if mark in buffer:
                return
            yield json.loads(buffer)
            buffer = ""

    def _until_mark_in_new(self, mark: str) -> Iterator[Event]:
        with self._cluster.lab.audit_log.open(encoding="utf-8") as log:
            for line in log:
                if mark in line:
                    return
                yield json.loads(line)


def _resource(event: Event) -> str:
    reference = event.get("objectRef") or {}
    return str(reference.get("resource", ""))


def _writes(event: Event) -> bool:
    if (event.get("objectRef") or {}).get("subresource") in ("exec", "attach", "portforward"):
        return True
    if _resource(event).startswith("selfsubject") or "dryRun=All" in event["requestURI"]:
        return False
    return event["verb"] in ("create", "update", "patch", "delete", "deletecollection")
