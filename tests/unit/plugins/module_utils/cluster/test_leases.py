# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Locks: all or none, taken over only from the dead, renewed in time, lost before the next write."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster import leases
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.client import ApiFault
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.leases import Claim, Held
from ansible_collections.linkops.runbooks.plugins.module_utils.errors import Fault, Interrupted, OperatorError

NAMESPACE = "production"
CLAIM = Claim("run-1", "rollback", "ops@bastion", "incident 7", 30)
OTHER = Claim("run-2", "restart", "eve@laptop", "", 30)


class Leases:
    """The Leases of one namespace in memory, with resourceVersions and JSON patches as the API server has them.

    C(writes) lists each create and patch; C(refuse) may hold an HTTP status for every request to come.
    """

    def __init__(self) -> None:
        self.by_name: dict[str, dict[str, Any]] = {}
        self.writes: list[str] = []
        self.refuse = 0
        self._version = 0

    def get(self, path: str) -> dict[str, Any]:
        return self._copy(self._find(path))

    def create(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        name = body["metadata"]["name"]
        assert path.endswith("/leases")
        self.writes.append(f"create {name}")
        if name in self.by_name:
            raise self._fault(409)
        self._store(name, self._copy(body))
        return self.by_name[name]

    def patch(self, path: str, body: list[dict[str, Any]]) -> dict[str, Any]:
        name = path.rsplit("/", 1)[-1]
        self.writes.append(f"patch {name}")
        if self.refuse:
            raise self._fault(self.refuse)
        changed = self._copy(self._find(path))
        for step in body:
            *parents, last = [part.replace("~1", "/") for part in step["path"].split("/")[1:]]
            holder = changed
            for part in parents:
                holder = holder[part]
            if step["path"] == "/metadata/resourceVersion":
                if step["value"] != holder[last]:
                    raise self._fault(409)
            elif step["op"] == "test":
                if holder.get(last) != step["value"]:
                    raise self._fault(422)
            else:
                holder[last] = step["value"]
        self._store(name, changed)
        return changed

    def _find(self, path: str) -> dict[str, Any]:
        name = path.rsplit("/", 1)[-1]
        if name not in self.by_name:
            raise self._fault(404)
        return self.by_name[name]

    def _store(self, name: str, lease: dict[str, Any]) -> None:
        self._version += 1
        lease["metadata"]["resourceVersion"] = str(self._version)
        self.by_name[name] = lease

    def holder(self, name: str) -> str:
        return self.by_name[name]["spec"]["holderIdentity"]

    @staticmethod
    def _copy(lease: dict[str, Any]) -> dict[str, Any]:
        return {
            **lease,
            "metadata": {**lease["metadata"], "annotations": {**lease["metadata"].get("annotations", {})}},
            "spec": {**lease["spec"]},
        }

    @staticmethod
    def _fault(status: int) -> ApiFault:
        return ApiFault(status, "no", Fault("api", "no"))


class Clock:
    """Seconds that pass only while somebody sleeps; C(meanwhile) is called at each sleep."""

    def __init__(self) -> None:
        self.now = 100.0
        self.meanwhile: Callable[[], None] = lambda: None

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.meanwhile()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock that the room of leases looks at."""
    clock = Clock()
    monkeypatch.setattr(leases, "time", SimpleNamespace(monotonic=clock.monotonic, sleep=clock.sleep))
    return clock


def take(cluster: Any, *names: str, claim: Claim = CLAIM, break_lock: bool = False) -> list[str]:
    """Take Leases; returns what was said."""
    said: list[str] = []
    leases.take(cluster, NAMESPACE, names, claim, break_lock, said.append)
    return said


def held(cluster: Any, clock: Clock | None = None, names: tuple[str, ...] = ("api",), claim: Claim = CLAIM) -> Held:
    """The Leases of a run as an engine task holds them."""
    run = {"id": claim.holder, "namespace": NAMESPACE, "leases": list(names), "lease_seconds": 30}
    return Held(cluster, run, clock.monotonic if clock else lambda: 0.0)


def test_free_things_are_taken_in_the_order_of_their_names() -> None:
    cluster = Leases()
    assert take(cluster, "redis", "api", "database") == []
    assert cluster.writes == ["create api", "create database", "create redis"]
    assert {name: cluster.holder(name) for name in cluster.by_name} == dict.fromkeys(
        ["api", "database", "redis"], "run-1"
    )
    annotations = cluster.by_name["api"]["metadata"]["annotations"]
    assert annotations["runbooks.linkops.io/button"] == "rollback"
    assert annotations["runbooks.linkops.io/reason"] == "incident 7"


def test_what_was_given_back_is_taken_again() -> None:
    cluster = Leases()
    take(cluster, "api", claim=OTHER)
    leases.release(cluster, NAMESPACE, ["api"], OTHER.holder)
    assert take(cluster, "api") == []
    assert cluster.holder("api") == "run-1"
    assert cluster.by_name["api"]["spec"]["leaseTransitions"] == 1


def test_the_same_run_takes_its_own_again() -> None:
    cluster = Leases()
    take(cluster, "api")
    assert take(cluster, "api") == []


def test_a_lease_that_was_taken_by_a_try_whose_answer_was_lost_is_ours() -> None:
    cluster = Leases()
    take(cluster, "api", claim=OTHER)
    leases.release(cluster, NAMESPACE, ["api"], OTHER.holder)
    patched = cluster.patch

    def twice(path: str, body: list[dict[str, Any]]) -> dict[str, Any]:
        patched(path, body)
        return patched(path, body)

    cluster.patch = twice  # type: ignore[method-assign]
    take(cluster, "api")
    assert cluster.holder("api") == CLAIM.holder


def test_a_living_holder_is_named_at_once(clock: Clock) -> None:
    cluster = Leases()
    take(cluster, "api", claim=OTHER)
    other = Held(cluster, {"id": "run-2", "namespace": NAMESPACE, "leases": ["api"]})
    clock.meanwhile = other.renew
    with pytest.raises(OperatorError, match=r"restart by eve@laptop since .* that run is alive") as fault:
        take(cluster, "api")
    assert fault.value.reason == "locked"
    assert clock.now == 101, "its sign of life ends the wait"
    assert cluster.holder("api") == "run-2"


def test_a_holder_that_ended_meanwhile_is_a_reason_to_look_first(clock: Clock) -> None:
    cluster = Leases()
    take(cluster, "api", claim=OTHER)
    clock.meanwhile = lambda: leases.release(cluster, NAMESPACE, ["api"], "run-2")
    with pytest.raises(OperatorError, match="that run ended, or another one took over"):
        take(cluster, "api")


def test_a_dead_holder_is_succeeded_after_its_whole_duration(clock: Clock) -> None:
    cluster = Leases()
    take(cluster, "api", claim=OTHER)
    said = take(cluster, "api")
    assert clock.now == 130
    assert cluster.holder("api") == "run-1"
    assert "restart by eve@laptop" in said[0]


def test_of_two_that_wait_for_a_dead_one_the_second_is_refused(clock: Clock) -> None:
    cluster = Leases()
    take(cluster, "api", claim=OTHER)

    def third() -> None:
        if clock.now == 130:
            leases._take_over(cluster, NAMESPACE, cluster.get("api"), Claim("run-3", "health", "bob", "", 30))

    clock.meanwhile = third
    with pytest.raises(OperatorError, match="another one took over"):
        take(cluster, "api")
    assert cluster.holder("api") == "run-3"


def test_breaking_a_lock_does_not_wait(clock: Clock) -> None:
    cluster = Leases()
    take(cluster, "api", claim=OTHER)
    take(cluster, "api", break_lock=True)
    assert (clock.now, cluster.holder("api")) == (100, "run-1")


MINE = replace(CLAIM, fleet="press-1", turn_seconds=100)
SIBLING = replace(OTHER, fleet="press-1")


def test_another_service_of_the_same_press_is_waited_for_and_what_is_taken_is_kept(clock: Clock) -> None:
    cluster = Leases()
    take(cluster, "database", claim=SIBLING)
    other = held(cluster, clock, ("database",), SIBLING)

    def goes_on() -> None:
        if clock.now < 150:
            other.renew_if_due()
        elif clock.now == 150:
            leases.release(cluster, NAMESPACE, ["database"], SIBLING.holder)

    clock.meanwhile = goes_on
    said = take(cluster, "api", "database", claim=MINE)
    assert clock.now == 150
    assert {name: cluster.holder(name) for name in cluster.by_name} == {"api": "run-1", "database": "run-1"}
    assert len(said) == 1
    assert "database is held for another service of this press: restart by eve@laptop" in said[0]
    assert cluster.writes.count("patch api") > 3, "its own lock counts meanwhile"


def test_a_turn_that_does_not_end_is_refused(clock: Clock) -> None:
    cluster = Leases()
    take(cluster, "database", claim=SIBLING)
    clock.meanwhile = held(cluster, clock, ("database",), SIBLING).renew
    with pytest.raises(OperatorError, match="its turn did not end within 1 min"):
        take(cluster, "api", "database", claim=MINE)
    assert (cluster.holder("api"), cluster.holder("database")) == ("", "run-2")


def test_a_service_of_the_same_press_that_died_is_succeeded(clock: Clock) -> None:
    cluster = Leases()
    take(cluster, "database", claim=SIBLING)
    take(cluster, "database", claim=MINE)
    assert (clock.now, cluster.holder("database")) == (130, "run-1")


def test_of_two_whose_turn_it_is_the_slower_one_waits_again(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Leases()
    take(cluster, "database", claim=SIBLING)
    leases.release(cluster, NAMESPACE, ["database"], SIBLING.holder)
    third = replace(SIBLING, holder="run-3")
    patch, faster = cluster.patch, [third]

    def patched(path: str, body: list[dict[str, Any]]) -> dict[str, Any]:
        if faster:
            take(cluster, "database", claim=faster.pop())
        return patch(path, body)

    monkeypatch.setattr(cluster, "patch", patched)
    clock.meanwhile = lambda: leases.release(cluster, NAMESPACE, ["database"], third.holder)
    take(cluster, "database", claim=MINE)
    assert (clock.now, cluster.holder("database")) == (101, "run-1")


@pytest.mark.parametrize("other", [OTHER, replace(OTHER, fleet="press-2")], ids=["alone", "another-press"])
def test_a_run_of_another_press_is_not_waited_for(clock: Clock, other: Claim) -> None:
    cluster = Leases()
    take(cluster, "database", claim=SIBLING)
    leases.release(cluster, NAMESPACE, ["database"], SIBLING.holder)
    take(cluster, "database", claim=other)
    clock.meanwhile = held(cluster, clock, ("database",), other).renew
    with pytest.raises(OperatorError, match="that run is alive"):
        take(cluster, "database", claim=MINE)
    assert clock.now == 101


def test_a_broken_lock_is_not_one_of_the_same_press(clock: Clock) -> None:
    cluster = Leases()
    take(cluster, "database", claim=SIBLING)
    clock.meanwhile = lambda: leases.release(cluster, NAMESPACE, ["database"], SIBLING.holder)
    take(cluster, "database", claim=MINE, break_lock=True)
    assert clock.now == 101


def test_nothing_that_the_last_holder_said_is_left_on_a_lease() -> None:
    cluster = Leases()
    take(cluster, "api", claim=replace(MINE, reason="incident 7"))
    leases.release(cluster, NAMESPACE, ["api"], MINE.holder, "ab" * 32)
    take(cluster, "api", claim=OTHER)
    said = cluster.by_name["api"]["metadata"]["annotations"]
    assert said == {
        "runbooks.linkops.io/button": "restart", "runbooks.linkops.io/operator": "eve@laptop",
        "runbooks.linkops.io/record-head": "ab" * 32,
    }  # fmt: skip


@pytest.mark.parametrize("end", [OperatorError, Interrupted], ids=["refused", "interrupted"])
def test_all_or_none(clock: Clock, end: type[Exception]) -> None:
    cluster = Leases()
    take(cluster, "database", claim=OTHER)

    def ends() -> None:
        raise OperatorError([]) if end is OperatorError else Interrupted(15)

    clock.meanwhile = ends
    with pytest.raises(end):
        take(cluster, "api", "database", "redis")
    assert cluster.holder("api") == ""
    assert "redis" not in cluster.by_name


def test_giving_back_leaves_the_head_of_the_record() -> None:
    cluster = Leases()
    take(cluster, "api")
    leases.release(cluster, NAMESPACE, ["api"], CLAIM.holder, "ab" * 32)
    assert cluster.by_name["api"]["metadata"]["annotations"]["runbooks.linkops.io/record-head"] == "ab" * 32
    assert cluster.by_name["api"]["metadata"]["annotations"]["runbooks.linkops.io/button"] == "rollback"


def test_nobody_gives_back_what_is_anothers() -> None:
    cluster = Leases()
    take(cluster, "api", claim=OTHER)
    leases.release(cluster, NAMESPACE, ["api", "gone"], CLAIM.holder)
    assert cluster.holder("api") == "run-2"


def test_a_fault_while_giving_back_is_told() -> None:
    cluster = Leases()
    take(cluster, "api")
    cluster.refuse = 503
    with pytest.raises(ApiFault):
        leases.release(cluster, NAMESPACE, ["api"], CLAIM.holder)


def test_renews_after_a_third_of_the_duration_and_not_before() -> None:
    cluster, clock = Leases(), Clock()
    take(cluster, "api", "database")
    cluster.writes.clear()
    mine = held(cluster, clock, ("api", "database"))
    seen = []
    for _second in range(25):
        mine.renew_if_due()
        seen.append(len(cluster.writes))
        clock.now += 1
    assert seen == [2] * 10 + [4] * 10 + [6] * 5


def test_each_renewal_is_a_sign_of_life() -> None:
    cluster = Leases()
    take(cluster, "api")
    before = cluster.by_name["api"]
    held(cluster).renew()
    assert cluster.by_name["api"]["metadata"]["resourceVersion"] != before["metadata"]["resourceVersion"]
    assert cluster.by_name["api"]["spec"]["renewTime"] >= before["spec"]["renewTime"]


@pytest.mark.parametrize("lost", ["broken", "released", "deleted"])
def test_a_lost_lock_stops_before_the_next_write(lost: str) -> None:
    cluster = Leases()
    take(cluster, "api")
    mine = held(cluster)
    if lost == "broken":
        take(cluster, "api", claim=OTHER, break_lock=True)
    elif lost == "released":
        leases.release(cluster, NAMESPACE, ["api"], CLAIM.holder)
    else:
        cluster.by_name.clear()
    with pytest.raises(OperatorError, match="stops before its next write") as fault:
        mine.renew()
    assert fault.value.reason == "lock_lost"
    assert ("restart by eve@laptop" if lost == "broken" else "nobody holds it now") in str(fault.value)


def test_an_api_server_that_is_away_is_not_a_lost_lock() -> None:
    cluster = Leases()
    take(cluster, "api")
    cluster.refuse = 503
    with pytest.raises(ApiFault):
        held(cluster).renew()


@pytest.mark.parametrize("run", [None, {}, {"id": "run-1", "record": "/tmp/x"}], ids=str)
def test_without_a_lease_nothing_is_written(run: dict[str, Any] | None) -> None:
    cluster: Any = Leases()
    none = Held(cluster, run)
    none.renew_if_due()
    none.renew()
    none.release()
    assert cluster.writes == []


@pytest.mark.parametrize(
    ("lease", "words"),
    [
        (
            {
                "metadata": {
                    "annotations": {"runbooks.linkops.io/button": "rollback", "runbooks.linkops.io/operator": "eve"}
                },
                "spec": {"holderIdentity": "run-2", "acquireTime": "2026-03-05T10:00:00.000000Z"},
            },
            "rollback by eve since 2026-03-05T10:00:00.000000Z (run run-2)",
        ),
        (
            {"metadata": {}, "spec": {"holderIdentity": "x"}},
            "an unknown program by somebody since an unknown time (run x)",
        ),
        ({"metadata": {}}, "an unknown program by somebody since an unknown time (run None)"),
    ],
    ids=["ours", "a stranger's", "empty"],
)
def test_who_holds_a_lease(lease: dict[str, Any], words: str) -> None:
    assert leases.describe(lease) == words


def test_a_lease_without_content_is_free() -> None:
    cluster = Leases()
    cluster.by_name["api"] = {"metadata": {"name": "api", "resourceVersion": "1"}, "spec": {}}
    take(cluster, "api")
    assert cluster.holder("api") == "run-1"
