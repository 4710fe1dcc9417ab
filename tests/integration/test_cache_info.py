# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What cache_info sees of a real Redis, and how it says what it cannot see."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from ansible_collections.linkops.runbooks.plugins.modules.cache_info import MODULE
from lab.site import Lab
from tests.integration.harness.stores import ask, own_redis, silence, speaking_http, until

PASSWORD = secrets.token_hex(12)


@pytest.fixture
def alone(lab: Lab, tmp_path: Path) -> Iterator[redis.Redis]:
    """A Redis that nobody else uses."""
    settings = {"requirepass": PASSWORD, "maxmemory": "20mb", "maxmemory-policy": "noeviction", "maxclients": "10"}
    with own_redis(tmp_path, **settings) as client:
        yield client


def where(client: redis.Redis, **more: Any) -> dict[str, Any]:
    """The module's options for a Redis."""
    port = client.connection_pool.connection_kwargs["port"]
    return {"login_host": "127.0.0.1", "login_port": port, "login_password": PASSWORD, **more}


def test_the_labs_redis_passes_and_is_only_read(lab: Lab) -> None:
    options = {"login_host": lab.node_address, "login_port": lab.redis_port}
    key = {"login_password_file": str(lab.state / "secrets.json"), "login_password_key": "redis_password"}
    result = ask(MODULE, **options, **key)
    assert result["verdict"]["status"] == "pass"
    assert result["facts"]["maxmemory_policy"] == "noeviction"
    assert result["facts"]["role"] == "master"
    assert lab.secrets["redis_password"] not in str(result)


def test_facts_are_those_of_the_server_and_nothing_looks_at_keys(alone: redis.Redis) -> None:
    with contextlib.ExitStack() as open_ones:
        for _ in range(4):
            other = open_ones.enter_context(redis.Redis("127.0.0.1", where(alone)["login_port"], password=PASSWORD))
            other.ping()
        alone.config_resetstat()
        result = ask(MODULE, **where(alone), more_connections=3)
        known, commands = alone.info(), alone.info("commandstats")
    facts = result["facts"]
    assert result["verdict"]["status"] == "pass"
    assert facts["connected_clients"] == known["connected_clients"] == 5
    assert (facts["max_clients"], facts["fits"], facts["maxmemory_bytes"]) == (10, True, 20 * 1024 * 1024)
    assert any("80%" in warning for warning in result["warnings"])
    asked = {name.removeprefix("cmdstat_").partition("|")[0] for name in commands}
    assert asked <= {"ping", "info", "auth", "hello", "client", "select", "config"}


def test_clients_that_do_not_fit(alone: redis.Redis) -> None:
    alone.ping()
    assert ask(MODULE, **where(alone), more_connections=10)["verdict"]["status"] == "fail"
    with contextlib.ExitStack() as open_ones:
        for _ in range(9):
            other = open_ones.enter_context(redis.Redis("127.0.0.1", where(alone)["login_port"], password=PASSWORD))
            other.ping()
        full = ask(MODULE, **where(alone), unreachable="unknown")
    assert (full["verdict"]["status"], full["verdict"]["evidence"]) == ("fail", {"reason": "clients_exhausted"})


def test_a_full_memory_fails_unless_something_is_evicted(alone: redis.Redis) -> None:
    with contextlib.suppress(redis.OutOfMemoryError):
        for number in range(400):
            alone.set(f"filling:{number}", "x" * 100_000)
    full = ask(MODULE, **where(alone))
    alone.config_set("maxmemory-policy", "volatile-lru")
    lasting = ask(MODULE, **where(alone))
    with pytest.raises(redis.OutOfMemoryError):
        alone.set("filling:more", "x" * 1_000_000)
    alone.config_set("maxmemory-policy", "allkeys-lru")
    evicting = ask(MODULE, **where(alone))
    assert full["verdict"]["status"] == "fail"
    assert "nothing is evicted" in full["verdict"]["reason"]
    assert lasting["verdict"]["status"] == "fail"
    assert "nothing is evicted (volatile-lru, and no key expires)" in lasting["verdict"]["reason"]
    assert evicting["verdict"]["status"] == "pass"
    assert any("expected noeviction" in warning for warning in evicting["warnings"])


def test_one_that_loads_is_an_answer(alone: redis.Redis, tmp_path: Path) -> None:
    for number in range(300):
        alone.set(f"slow:{number}", secrets.token_hex(1000))
    alone.save()
    folder = tmp_path / "loading"
    folder.mkdir()
    (tmp_path / "dump.rdb").rename(folder / "dump.rdb")
    slow = {"requirepass": PASSWORD, "key-load-delay": "20000", "loading-process-events-interval-bytes": "1024"}
    with own_redis(folder, **slow) as client:
        judged = ask(MODULE, **where(client), unreachable="unknown")
    assert (judged["verdict"]["status"], judged["verdict"]["evidence"]) == ("fail", {"reason": "loading"})


def test_a_replica_without_its_primary_fails(alone: redis.Redis) -> None:
    alone.replicaof("127.0.0.1", 1)
    until(lambda: alone.info("replication")["role"] == "slave", "it is a replica")
    assert "lost its primary" in ask(MODULE, **where(alone))["verdict"]["reason"]


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"login_password": "k3ym4st3r"}, "password_wrong"),
        ({"login_password": None}, "password_missing"),
        ({"login_user": "nobody"}, "password_wrong"),
        ({"login_user": "blind", "login_password": "blind"}, "privilege"),
        ({"login_port": 1}, "refused"),
        ({"login_db": 99}, "no_such_db"),
        ({"login_host": "no-such-name.invalid"}, "unresolved"),
    ],
)
def test_what_cannot_be_asked_is_one_sentence(alone: redis.Redis, wrong: dict[str, Any], reason: str) -> None:
    alone.acl_setuser("blind", enabled=True, passwords=["+blind"], commands=["+ping"])
    options = where(alone, **wrong)
    failed = ask(MODULE, **options)
    judged = ask(MODULE, **options, unreachable="unknown")
    assert failed["failed"]
    assert failed["reason"] == reason
    assert (judged["verdict"]["status"], judged["verdict"]["evidence"]) == ("unknown", {"reason": reason})
    for secret in ("k3ym4st3r", PASSWORD):
        assert secret not in str((failed, judged))


def test_another_kind_of_server_is_named() -> None:
    with speaking_http() as port:
        result = ask(MODULE, login_host="127.0.0.1", login_port=port, unreachable="unknown")
    assert result["verdict"]["evidence"] == {"reason": "not_redis"}


def test_a_password_where_there_is_none_is_said(tmp_path: Path, lab: Lab) -> None:
    with own_redis(tmp_path) as client:
        assert ask(MODULE, **where(client))["reason"] == "password_unwanted"
        assert ask(MODULE, **where(client, login_password=None))["verdict"]["status"] == "pass"


def test_what_never_answers_ends_with_the_timeout() -> None:
    with silence() as silent:
        began = time.monotonic()
        options = {"login_host": "127.0.0.1", "login_port": silent.port, "answer_timeout_seconds": 0.5}
        result = ask(MODULE, **options, unreachable="unknown")
        took = time.monotonic() - began
    assert result["verdict"]["evidence"] == {"reason": "silent"}
    assert 0.4 < took < 30
