# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a Redis does, from what its INFO says. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..verdict import Verdict, worst

Info = Mapping[str, Any]

#: Below this part of the keys what may be evicted is soon gone.
FEW_EXPIRING_RATIO = 0.1


@dataclass(frozen=True)
class Condition:
    """Facts, the judgement on them, and what an operator should know although it passes."""

    facts: dict[str, Any]
    verdict: Verdict
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Expectation:
    """What a Redis is held to: the eviction policy, the parts that warn and fail, and the clients about to come."""

    policy: str
    warning_ratio: float
    critical_ratio: float
    more: int = 0


def judge(info: Info, max_clients: int | None, expected: Expectation) -> Condition:
    """The condition of a server; C(max_clients) is none where it does not say how many it takes."""
    facts = _facts(info, max_clients, expected.more)
    warnings: list[str] = []
    verdicts = [
        _memory(facts, expected, warnings),
        _clients(facts, expected, warnings),
        _replication(facts),
        _persistence(facts, warnings),
    ]
    if info.get("loading"):
        verdicts.append(Verdict("fail", "it still loads its data"))
    if expected.policy and facts["maxmemory_policy"] not in ("", expected.policy):
        evicting = facts["maxmemory_policy"] != "noeviction"
        danger = ": keys of queues, sessions and locks may go when memory is full" if evicting else ""
        warnings.append(f"maxmemory-policy is {facts['maxmemory_policy']}, expected {expected.policy}{danger}")
    judged = worst(verdicts)
    if judged.passed:
        judged = Verdict(
            "pass",
            f"{_bytes(facts['used_memory_bytes'])} of {_bytes(facts['maxmemory_bytes']) or 'no maxmemory'} used, "
            f"{facts['connected_clients']} clients, {facts['operations_per_second']} operations/s",
        )
    return Condition(facts, Verdict(judged.status, judged.reason, _evidence(facts)), warnings)


def _facts(info: Info, max_clients: int | None, more: int) -> dict[str, Any]:
    limit = int(info.get("maxmemory") or 0)
    used = int(info.get("used_memory") or 0)
    spaces = [each for name, each in info.items() if re.fullmatch(r"db\d+", name) and isinstance(each, Mapping)]
    clients = max(0, int(info.get("connected_clients") or 0) - 1)  # without our own
    return {
        "version": str(info.get("redis_version", "")),
        "role": str(info.get("role", "")),
        "primary_link": str(info.get("master_link_status", "")),
        "connected_replicas": int(info.get("connected_slaves") or 0),
        "uptime_seconds": int(info.get("uptime_in_seconds") or 0),
        "loading": bool(info.get("loading")),
        "used_memory_bytes": used,
        "maxmemory_bytes": limit,
        "memory_ratio": round(used / limit, 4) if limit else None,
        "maxmemory_policy": str(info.get("maxmemory_policy", "")),
        "keys": sum(int(each.get("keys") or 0) for each in spaces),
        "expiring_keys": sum(int(each.get("expires") or 0) for each in spaces),
        "fragmentation_ratio": info.get("mem_fragmentation_ratio"),
        "connected_clients": clients,
        "blocked_clients": int(info.get("blocked_clients") or 0),
        "max_clients": max_clients,
        "more_connections": more,
        "fits": None if max_clients is None else clients + more <= max_clients,
        "rejected_connections": int(info.get("rejected_connections") or 0),
        "commands_processed": int(info.get("total_commands_processed") or 0),
        "operations_per_second": int(info.get("instantaneous_ops_per_sec") or 0),
        "evicted_keys": int(info.get("evicted_keys") or 0),
        "expired_keys": int(info.get("expired_keys") or 0),
        "keyspace_hits": int(info.get("keyspace_hits") or 0),
        "keyspace_misses": int(info.get("keyspace_misses") or 0),
        "last_save_status": str(info.get("rdb_last_bgsave_status", "")),
        "append_only_status": str(info.get("aof_last_write_status", "")) if info.get("aof_enabled") else "off",
    }


def _memory(facts: Info, expected: Expectation, warnings: list[str]) -> Verdict:
    """Without eviction a full Redis refuses every write; with it, being full is its normal state.

    The C(volatile) policies evict only keys that expire (https://redis.io/docs/latest/develop/reference/eviction/).
    """
    ratio, policy, expiring = facts["memory_ratio"], facts["maxmemory_policy"], facts["expiring_keys"]
    volatile = policy.startswith("volatile-")
    nothing = policy == "noeviction" or (volatile and not expiring)
    little = volatile and 0 < expiring < FEW_EXPIRING_RATIO * facts["keys"]
    if ratio is None or not (nothing or little):
        return Verdict("pass", "memory is not bounded by refusal")
    evicted = f"only {expiring} of {facts['keys']} keys expire and can be evicted" if little else "nothing is evicted"
    named = f" ({policy}, and no key expires)" if nothing and volatile else ""
    reason = f"{ratio:.0%} of maxmemory ({_bytes(facts['maxmemory_bytes'])}) is used, and {evicted}{named}"
    if nothing and ratio >= expected.critical_ratio:
        return Verdict("fail", f"{reason}: writes are refused at 100%")
    if ratio >= expected.warning_ratio:
        warnings.append(reason)
    return Verdict("pass", reason)


def _clients(facts: Info, expected: Expectation, warnings: list[str]) -> Verdict:
    limit, taken = facts["max_clients"], facts["connected_clients"]
    if not limit:
        reason = "it does not say how many clients it takes"
        return Verdict("unknown", reason) if expected.more else Verdict("pass", reason)
    adding = f" and {expected.more} more" if expected.more else ""
    reason = f"{taken} of {limit} clients are connected{adding}"
    if not facts["fits"]:
        return Verdict("fail", f"{reason} do not fit" if adding else reason)
    ratio = (taken + expected.more) / limit
    if ratio >= expected.critical_ratio:
        return Verdict("fail", f"{reason}: {ratio:.0%}, critical from {expected.critical_ratio:.0%} on")
    if ratio >= expected.warning_ratio:
        warnings.append(f"{reason}: {ratio:.0%}")
    return Verdict("pass", reason)


def _replication(facts: Info) -> Verdict:
    if facts["role"] == "slave" and facts["primary_link"] != "up":
        return Verdict("fail", "it is a replica that has lost its primary")
    return Verdict("pass", f"its role is {facts['role']}")


def _persistence(facts: Info, warnings: list[str]) -> Verdict:
    """A failing append-only file stops writes at once; a failed snapshot does with stop-writes-on-bgsave-error."""
    if facts["append_only_status"] not in ("ok", "off", ""):
        return Verdict("fail", "it cannot write its append-only file, and refuses writes")
    if facts["last_save_status"] not in ("ok", ""):
        warnings.append("the last snapshot failed; with stop-writes-on-bgsave-error writes are refused")
    return Verdict("pass", "its data is saved")


def _evidence(facts: Info) -> dict[str, Any]:
    names = ("role", "memory_ratio", "maxmemory_policy", "connected_clients", "max_clients", "more_connections")
    return {name: facts[name] for name in names}


def _bytes(number: int) -> str:
    """A size as Redis itself shows it, empty for none."""
    return f"{number / 1024 / 1024:.1f} MiB" if number else ""
