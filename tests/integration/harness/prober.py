# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A user of a service who asks again and again, and remembers each answer that was not good."""

from __future__ import annotations

import contextlib
import http.client
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field

PAUSE = 0.05
PATIENCE = 5.0
OPENED = 60.0  # seconds until it must answer at all


@dataclass
class Asked:
    """How often was asked, and what went wrong."""

    times: int = 0
    failures: list[str] = field(default_factory=list)


@contextlib.contextmanager
def asking(url: str) -> Iterator[Asked]:
    """Ask inside the block, each time with a connection of its own, as new users do; they come once there is an answer.

    A node's port takes connections some time after its Service is there.
    """
    _wait_open(url)
    asked, done = Asked(), threading.Event()

    def ask() -> None:
        while not done.wait(PAUSE):
            asked.times += 1
            try:
                urllib.request.urlopen(url, timeout=PATIENCE).read()
            except (urllib.error.URLError, http.client.HTTPException, OSError) as fault:
                asked.failures.append(f"{asked.times}: {fault}")

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    try:
        yield asked
    finally:
        done.set()
        thread.join()


def _wait_open(url: str) -> None:
    end = time.monotonic() + OPENED
    while True:
        try:
            urllib.request.urlopen(url, timeout=PATIENCE).close()
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(PAUSE)
