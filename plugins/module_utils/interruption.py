# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Turning SIGINT and SIGTERM into an exception inside the engine.

Neither C(always:) in a play nor C(finally) in an action plugin runs when ansible-playbook is stopped by a signal, so
the engine takes the signal itself, cleans up undisturbed by further ones, and then passes it on.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from .errors import Interrupted

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Raise C(Interrupted) in the block at the first SIGINT or SIGTERM; ignore the later ones until it has ended.

    The signal is sent to this process again after the old handlers are back, unless the block ends well all the same;
    a fault while cleaning up does not swallow it.
    Outside the main thread, where Python allows no handlers, the block runs as it is.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    received: list[int] = []

    def interrupt(signal_number: int, _frame: FrameType | None) -> None:
        for each in SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        received.append(signal_number)
        raise Interrupted(signal_number)

    before = {each: signal.signal(each, interrupt) for each in SIGNALS}
    swallowed = False
    try:
        yield
        swallowed = True
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
        if received and not swallowed:
            os.kill(os.getpid(), received[0])
