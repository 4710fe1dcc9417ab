# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several pods asked side by side, while the run's Leases are kept."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from typing import TypeVar

from .leases import Held

MOST_AT_ONCE = 8
POLL_SECONDS = 1.0

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


def side_by_side(
    held: Held, ask: Callable[[Asked, threading.Event], Answer], asked: Iterable[Asked]
) -> Generator[Answer, None, None]:
    """The answers as they come. C(ask) ends soon after its event is set: when this is closed, or a signal comes."""
    stopped = threading.Event()
    with ThreadPoolExecutor(MOST_AT_ONCE) as pool:
        waiting = {pool.submit(ask, each, stopped) for each in asked}
        try:
            while waiting:
                done, waiting = wait(waiting, POLL_SECONDS, FIRST_COMPLETED)
                held.renew_if_due()
                for each in done:
                    yield each.result()
        except BaseException:
            stopped.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
