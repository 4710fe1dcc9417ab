# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A test's ground: its own namespace in the lab, and the tools to act on it."""

from __future__ import annotations

import contextlib
import re
import secrets
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from lab.cluster import Cluster
from lab.workloads import ensure_namespace
from tests.integration.harness.audit import AuditLog, Seen
from tests.integration.harness.pressing import Press, Pressed
from tests.integration.harness.services import Service, Services
from tests.integration.harness.watcher import Watcher


@dataclass(frozen=True)
class Refused:
    """One run for all cases, and what it asked the API server."""

    pressed: Pressed
    seen: Seen


@dataclass(frozen=True)
class Ground:
    """A namespace, what makes services in it, what presses buttons, and what sees the API server's side."""

    cluster: Cluster
    namespace: str
    service: Services
    press: Press
    audit: AuditLog
    _watchers: list[Watcher] = field(default_factory=list)

    def watch(self, kind: str) -> Watcher:
        """Follow all objects of a kind from now on."""
        self._watchers.append(Watcher(self.cluster, self.namespace, kind))
        return self._watchers[-1]

    def refused(self, button: str, cases: Iterable[Callable[[Ground], Service]]) -> Refused:
        """Make a service of each case, and press for all of them at once."""
        with ThreadPoolExecutor() as pool:
            services = list(pool.map(lambda case: case(self), cases))
        with self.audit.reading() as seen:
            pressed = self.press(button, *services)
        return Refused(pressed, seen)

    def close(self) -> None:
        """End what a failed test left running."""
        self.press.end()
        for watcher in self._watchers:
            watcher.close()


@contextlib.contextmanager
def made(cluster: Cluster, name: str, folder: Path) -> Iterator[Ground]:
    """A ground whose namespace bears ``name``; the namespace is deleted afterwards, which nobody waits for."""
    words = re.sub(r"[^a-z0-9]+", "-", name.lower())[:40].strip("-")
    namespace = f"it-{words}-{secrets.token_hex(3)}"
    ensure_namespace(cluster, namespace)
    here = Ground(
        cluster, namespace, Services(cluster.lab, namespace), Press(cluster.lab, folder), AuditLog(cluster, namespace)
    )
    try:
        yield here
    finally:
        here.close()
        cluster.request("DELETE", f"/api/v1/namespaces/{namespace}")
