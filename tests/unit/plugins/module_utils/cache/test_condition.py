# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a Redis does, from what its INFO says."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.cache.condition import Condition, Expectation, judge

MIB = 1024 * 1024
INFO = {
    "redis_version": "7.0.15", "role": "master", "used_memory": 10 * MIB, "maxmemory": 100 * MIB,
    "maxmemory_policy": "noeviction", "connected_clients": 11, "rdb_last_bgsave_status": "ok", "aof_enabled": 0,
    "aof_last_write_status": "ok", "loading": 0, "total_commands_processed": 1000, "instantaneous_ops_per_sec": 5,
}  # fmt: skip


def condition(more: int = 0, max_clients: int | None = 100, policy: str = "noeviction", **info: Any) -> Condition:
    """The condition of a Redis that differs in this from a healthy one."""
    return judge({**INFO, **info}, max_clients, Expectation(policy, 0.8, 0.95, more))


def test_a_healthy_one_passes_and_says_how_it_does() -> None:
    found = condition()
    assert found.verdict.status == "pass"
    assert found.verdict.reason == "10.0 MiB of 100.0 MiB used, 10 clients, 5 operations/s"
    assert found.warnings == []
    assert found.facts["commands_processed"] == 1000


@pytest.mark.parametrize(
    ("info", "told"),
    [
        ({"used_memory": 95 * MIB}, "95% of maxmemory"),
        (
            {"used_memory": 95 * MIB, "maxmemory_policy": "volatile-lru", "db0": {"keys": 9, "expires": 0}},
            "95% of maxmemory (100.0 MiB) is used, and nothing is evicted (volatile-lru, and no key expires)",
        ),
        ({"loading": 1}, "loads its data"),
        ({"role": "slave", "master_link_status": "down"}, "lost its primary"),
        ({"aof_enabled": 1, "aof_last_write_status": "err"}, "append-only file"),
        ({"connected_clients": 96}, "95 of 100 clients are connected: 95%"),
        ({"connected_clients": 102}, "101 of 100 clients"),
    ],
)
def test_what_fails(info: dict[str, Any], told: str) -> None:
    found = condition(**info)
    assert found.verdict.status == "fail"
    assert told in found.verdict.reason


@pytest.mark.parametrize(
    ("info", "told"),
    [
        ({"used_memory": 80 * MIB}, "80% of maxmemory (100.0 MiB) is used, and nothing is evicted"),
        ({"maxmemory_policy": "allkeys-lru"}, "maxmemory-policy is allkeys-lru, expected noeviction: keys of queues"),
        ({"rdb_last_bgsave_status": "err"}, "the last snapshot failed"),
        ({"connected_clients": 85}, "84 of 100 clients are connected: 84%"),
    ],
)
def test_what_only_warns(info: dict[str, Any], told: str) -> None:
    found = condition(**info)
    assert found.verdict.passed
    assert len(found.warnings) == 1
    assert told in found.warnings[0]


def test_few_keys_that_may_be_evicted_warn() -> None:
    keyspace = {"db0": {"keys": 90, "expires": 2}, "db1": {"keys": 10, "expires": 1}}
    found = condition(policy="", maxmemory_policy="volatile-ttl", used_memory=99 * MIB, **keyspace)
    assert found.verdict.passed
    said = "99% of maxmemory (100.0 MiB) is used, and only 3 of 100 keys expire and can be evicted"
    assert found.warnings == [said]
    assert (found.facts["keys"], found.facts["expiring_keys"]) == (100, 3)


@pytest.mark.parametrize(
    "info",
    [
        {"maxmemory_policy": "volatile-lru", "used_memory": 100 * MIB, "db0": {"keys": 10, "expires": 5}},
        {"maxmemory_policy": "volatile-lru", "used_memory": 10 * MIB, "db0": {"keys": 10, "expires": 0}},
        {"maxmemory_policy": "allkeys-lru", "used_memory": 100 * MIB},
        {"maxmemory": 0},
        {"role": "slave", "master_link_status": "up"},
    ],
    ids=["full-and-much-expires", "little-used", "full-and-evicting", "without-a-limit", "a-replica-that-follows"],
)
def test_what_is_no_fault(info: dict[str, Any]) -> None:
    assert condition(policy="", **info).verdict.passed
    assert condition(policy="", **info).warnings == []


@pytest.mark.parametrize(
    ("more", "max_clients", "fits", "judged"),
    [(60, 100, True, "pass"), (85, 100, True, "fail"), (91, 100, False, "fail"), (5, None, None, "unknown")],
)
def test_more_clients(more: int, max_clients: int | None, fits: bool | None, judged: str) -> None:
    found = condition(more, max_clients)
    assert found.facts["fits"] is fits
    assert found.verdict.status == judged


def test_one_that_does_not_say_its_limit_passes_while_nothing_is_added() -> None:
    assert condition(0, None).verdict.passed


def test_another_policy_than_the_expected_one_that_evicts_nothing_is_no_danger() -> None:
    assert condition(policy="allkeys-lru").warnings == ["maxmemory-policy is noeviction, expected allkeys-lru"]
