# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Opening and closing an operation's connection to the cache: all faults at once, nothing left behind."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..call import Call
from ..errors import Fault, together
from .connection import Cache
from .target import resolve


@dataclass(frozen=True)
class CacheSession:
    """What an operation on the cache works with: its call, and the connection that the call names."""

    call: Call
    cache: Cache

    @property
    def params(self) -> Mapping[str, Any]:
        """The call's arguments."""
        return self.call.params


@contextlib.contextmanager
def opened(call: Call, *input_faults: Fault | None) -> Iterator[CacheSession]:
    """A session of a call; all faults of the input and of the connection's options are raised as one."""
    with together(*input_faults):
        target = resolve(call.params, call.environment)
    cache = Cache(target, call.params["connect_timeout_seconds"], call.params["answer_timeout_seconds"])
    try:
        yield CacheSession(call, cache)
    finally:
        cache.close()
