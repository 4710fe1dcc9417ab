# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation behind M(linkops.runbooks.cache_info)."""

from __future__ import annotations

import time
from typing import Any

from ..call import Call
from ..dependency import asked, input_faults
from ..errors import OperatorError
from .condition import Expectation, judge
from .connection import Cache
from .refusals import ANSWERED
from .session import CacheSession, opened


def info(call: Call) -> dict[str, Any]:
    """How a Redis does: whether it answers, its memory, clients, replication and what it refuses."""
    return asked(call, "cache", _look, ANSWERED)


def _look(call: Call) -> dict[str, Any]:
    with opened(call, *input_faults(call, "connect_timeout_seconds", "answer_timeout_seconds")) as session:
        return _gathered(session)


def _gathered(session: CacheSession) -> dict[str, Any]:
    call, cache, params = session.call, session.cache, session.params
    began = time.monotonic()
    cache.ask("PING")
    ping = time.monotonic() - began
    said = cache.ask("INFO")
    expected = Expectation(
        params["expected_policy"], params["warning_ratio"], params["critical_ratio"], params["more_connections"]
    )
    condition = judge(said, _max_clients(cache, said), expected)
    for sentence in condition.warnings:
        call.warn(f"{cache.target.name[0].upper()}{cache.target.name[1:]}: {sentence}.")
    return {
        "reachable": True,
        "ping_milliseconds": round(ping * 1000, 3),
        "facts": condition.facts,
        "verdict": condition.verdict.as_result(),
    }


def _max_clients(cache: Cache, said: dict[str, Any]) -> int | None:
    """How many clients it takes: INFO says so since Redis 7, before that CONFIG, which is often forbidden."""
    if "maxclients" in said:
        return int(said["maxclients"])
    try:
        return int(cache.ask("CONFIG", "GET", "maxclients")["maxclients"])
    except (OperatorError, KeyError, ValueError, TypeError):
        return None
