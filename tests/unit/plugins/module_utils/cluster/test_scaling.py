# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans of how many pods there are: which object says it, what is kept, what is refused, what comes next."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster import overrides, scaling
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.autoscaling import Found
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.overrides import PAUSED, PAUSED_REPLICAS
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.scaling import Author, Plan, Step, Wish
from ansible_collections.linkops.runbooks.plugins.module_utils.errors import OperatorError

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LATER = NOON + timedelta(hours=2)
ADA = Author("ada", "run-1", "launch")
TEMPLATE = {"spec": {"containers": [{"name": "api", "resources": {"requests": {"cpu": "20m"}}}]}}


class World:
    """A workload and what scales it, which a plan is carried out on."""

    def __init__(self, replicas: int, *scalers: dict[str, Any]) -> None:
        metadata = {"name": "api", "namespace": "shop", "uid": "w", "resourceVersion": "1", "annotations": {}}
        self.workload: dict[str, Any] = {
            "kind": "Deployment", "metadata": metadata, "spec": {"replicas": replicas, "template": TEMPLATE},
        }  # fmt: skip
        self.scalers = list(scalers)

    @property
    def found(self) -> Found:
        """What scales the workload."""
        by_kind = {kind: [each for each in self.scalers if each["kind"] == kind] for kind in overrides.FIELDS}
        return Found(by_kind["HorizontalPodAutoscaler"], by_kind["ScaledObject"])

    def plan(self, now: datetime = NOON, **wish: Any) -> Plan:
        """The plan for a wish."""
        return scaling.plan(self.workload, self.found, Wish(**wish), now, ADA)

    def press(self, now: datetime = NOON, **wish: Any) -> Plan:
        """The plan for a wish, carried out."""
        planned = self.plan(now, **wish)
        for step in planned.steps:
            self._apply(step)
        return planned

    def refusal(self, **wish: Any) -> list[str]:
        """The reasons why a wish is refused."""
        with pytest.raises(OperatorError) as refused:
            self.plan(**wish)
        return [fault.reason for fault in refused.value.faults]

    @property
    def state(self) -> list[dict[str, Any]]:
        """What all objects say."""
        return [overrides.settings(each) for each in (self.workload, *self.scalers)]

    @property
    def replicas(self) -> int:
        """The workload's replicas."""
        return int(self.workload["spec"]["replicas"])

    @property
    def standing(self) -> list[overrides.Override]:
        """The overrides that stand."""
        return [found for each in (self.workload, *self.scalers) if (found := overrides.of(each))]

    def _apply(self, step: Step) -> None:
        entry = next(each for each in (self.workload, *self.scalers) if each is step.entry)
        for change in step.patch[1:]:
            *path, last = change["path"].strip("/").split("/")
            holder = entry[path[0]]
            if change["op"] == "remove":
                del holder[last]
            else:
                holder[last] = change["value"]


def horizontal(low: int | None = 3, high: int = 10, **spec: Any) -> dict[str, Any]:
    """A HorizontalPodAutoscaler of the workload."""
    floor = {} if low is None else {"minReplicas": low}
    return {
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "api", "namespace": "shop", "uid": "h", "resourceVersion": "1", "annotations": {}},
        "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "api"}, **floor, "maxReplicas": high, **spec},
    }


def keda(low: int = 1, high: int = 5, **annotations: str) -> dict[str, Any]:
    """KEDA's object of the workload."""
    metadata = {"name": "queue", "namespace": "shop", "uid": "k", "resourceVersion": "1", "annotations": annotations}
    return {
        "kind": "ScaledObject", "metadata": metadata,
        "spec": {"scaleTargetRef": {"name": "api"}, "minReplicaCount": low, "maxReplicaCount": high},
    }  # fmt: skip


def asked(**given: Any) -> dict[str, Any]:
    """The arguments of a call."""
    blank = {"name": "api", "kind": "Deployment", "state": "present", "replicas": "3", "for_minutes": "",
             "raise_max": False, "confirm": None}  # fmt: skip
    return {**blank, **given}


@pytest.mark.parametrize(
    ("given", "reasons"),
    [
        ({}, []),
        ({"replicas": " 3 "}, []),
        ({"replicas": "0"}, []),
        ({"replicas": "1000", "for_minutes": "10080"}, []),
        ({"replicas": "1001"}, ["replicas_invalid"]),
        ({"replicas": "-1"}, ["replicas_invalid"]),
        ({"replicas": "2.5"}, ["replicas_invalid"]),
        ({"replicas": "10000"}, ["replicas_invalid"]),
        ({"replicas": "1e2"}, ["replicas_invalid"]),
        ({"replicas": "٣"}, ["replicas_invalid"]),
        ({"replicas": None}, ["replicas_missing"]),
        ({"replicas": ""}, ["replicas_missing"]),
        ({"replicas": "x", "for_minutes": "y"}, ["replicas_invalid", "for_minutes_invalid"]),
        ({"for_minutes": "10081"}, ["for_minutes_invalid"]),
        ({"state": "expired"}, ["wish_ambiguous"]),
        ({"state": "expired", "replicas": None}, []),
        ({"state": "returned", "replicas": None, "for_minutes": "5"}, ["wish_ambiguous"]),
        ({"kind": "DaemonSet", "replicas": "x"}, ["daemonset", "replicas_invalid"]),
        ({"kind": "DaemonSet", "replicas": None, "state": "expired"}, []),
        ({"kind": "DaemonSet", "replicas": None, "state": "returned"}, []),
    ],
)
def test_the_words_are_judged_all_at_once(given: dict[str, Any], reasons: list[str]) -> None:
    assert [fault.reason for fault in scaling.wish(asked(**given))[1]] == reasons


def test_without_an_autoscaler_the_replicas_are_set_and_the_old_ones_kept() -> None:
    world = World(3)
    planned = world.press(replicas=5)
    assert (world.replicas, planned.goal, planned.exact) == (5, 5, True)
    (override,) = world.standing
    assert (override.old, override.new, override.until) == ({"replicas": 3}, {"replicas": 5}, "")
    assert (override.operator, override.run, override.reason) == ("ada", "run-1", "launch")
    assert not world.plan(replicas=5).changed
    assert "until somebody presses scale.yml with state=returned" in world.plan(replicas=5).forecast


def test_the_first_old_values_outlive_a_second_override_and_going_there_is_the_return() -> None:
    world = World(3)
    world.press(replicas=5, minutes=60)
    world.press(replicas=8)
    (override,) = world.standing
    assert (override.old, override.new) == ({"replicas": 3}, {"replicas": 8})
    assert override.until == "2026-11-22T13:00:00+00:00"
    world.press(replicas=3)
    assert (world.replicas, world.standing) == (3, [])


def test_the_same_expiry_twice_is_one_and_another_moves_it() -> None:
    world = World(3)
    world.press(replicas=5, minutes=60)
    later = NOON + timedelta(minutes=10)
    assert not world.plan(later, replicas=5, minutes=60).changed
    assert not world.plan(later, replicas=5).changed
    assert world.press(later, replicas=5, minutes=120).changed
    assert world.standing[0].until == "2026-11-22T14:10:00+00:00"
    assert world.press(later, replicas=5, minutes=0).changed
    assert world.standing[0].until == ""


def test_after_it_was_due_the_same_expiry_counts_anew() -> None:
    world = World(3)
    world.press(replicas=5, minutes=60)
    world.press(LATER, replicas=5, minutes=60)
    assert world.standing[0].until == "2026-11-22T15:00:00+00:00"
    assert world.standing[0].old == {"replicas": 3}


def test_what_is_due_returns_and_what_is_not_stays() -> None:
    world = World(3, horizontal())
    before = world.state
    world.press(replicas=7, minutes=60)
    early = world.plan(state="expired")
    assert (early.changed, early.goal) == (False, None)
    due = world.press(LATER, state="expired")
    assert due.changed
    assert world.state[1:] == before[1:]
    assert world.standing == []
    assert not world.plan(LATER, state="expired").changed


def test_without_an_end_it_is_returned_by_hand_alone() -> None:
    world = World(3)
    world.press(replicas=5)
    assert not world.plan(LATER, state="expired").changed
    assert world.press(state="returned").goal == 3
    assert world.replicas == 3


def test_an_expiry_of_what_stands_by_itself_is_told_to_be_none() -> None:
    planned = World(5).plan(replicas=5, minutes=60)
    assert not planned.changed
    assert "for_minutes has no effect" in planned.warnings[0]


def test_somebodys_own_number_since_then_is_where_a_new_override_begins() -> None:
    world = World(3)
    world.press(replicas=10)
    world.workload["spec"]["replicas"] = 5  # by hand
    world.press(replicas=8)
    assert world.standing[0].old == {"replicas": 5}


def test_somebodys_own_number_stays_when_the_override_ends() -> None:
    world = World(3)
    world.press(replicas=10)
    world.workload["spec"]["replicas"] = 5
    planned = world.press(state="returned")
    assert (world.replicas, world.standing) == (5, [])
    assert planned.warnings == ["replicas 5 of Deployment api was set by somebody after its override, and stays."]


def test_with_an_autoscaler_its_floor_is_raised_and_the_pods_come_at_once() -> None:
    world = World(3, horizontal())
    assert [str(step) for step in world.plan(replicas=10).steps] == [
        "HorizontalPodAutoscaler api: minReplicas 3 -> 10",
        "Deployment api: replicas 3 -> 10",
    ]
    planned = world.press(replicas=10)
    assert world.state == [{"replicas": 10}, {"minReplicas": 10, "maxReplicas": 10}]
    assert overrides.of(world.workload) is None
    assert (planned.goal, planned.exact) == (10, False)
    assert "keeps at least 10 pods and cannot go beyond that by load: 10 is its maximum" in planned.forecast
    assert not world.plan(replicas=10).changed


def test_a_kill_between_the_two_writes_is_mended_by_the_next_press() -> None:
    world = World(3, horizontal())
    world.press(replicas=10, minutes=60)
    world.workload["spec"]["replicas"] = 3  # the second write never came
    (left,) = world.plan(replicas=10, minutes=60).steps
    assert str(left) == "Deployment api: replicas 3 -> 10"


def test_going_back_leaves_the_pods_to_the_autoscaler() -> None:
    world = World(3, horizontal())
    world.press(replicas=10)
    planned = world.press(replicas=3)
    assert world.state == [{"replicas": 10}, {"minReplicas": 3, "maxReplicas": 10}]
    assert world.standing == []
    assert planned.forecast == (
        "HorizontalPodAutoscaler api takes its 10 pods down to no fewer than 3 when the load allows, "
        "300 s after more were last needed"
    )
    assert scaling.removes(world.workload, planned) is None


def test_more_than_the_maximum_needs_to_be_said() -> None:
    world = World(3, horizontal())
    assert world.refusal(replicas=12) == ["beyond_maximum"]
    world.press(replicas=12, raise_max=True)
    assert world.state[1] == {"minReplicas": 12, "maxReplicas": 12}
    world.press(replicas=11)
    assert world.state[1] == {"minReplicas": 11, "maxReplicas": 12}
    world.press(replicas=8)
    assert world.state[1] == {"minReplicas": 8, "maxReplicas": 10}
    assert world.standing[0].old == {"minReplicas": 3, "maxReplicas": 10}
    world.press(replicas=3)
    assert (world.state[1], world.standing) == ({"minReplicas": 3, "maxReplicas": 10}, [])


def test_a_floor_that_was_not_set_is_not_set_afterwards() -> None:
    world = World(1, horizontal(None))
    assert not world.plan(replicas=1).changed
    world.press(replicas=4)
    world.press(replicas=1)
    assert world.state[1] == {"minReplicas": None, "maxReplicas": 10}


def test_down_to_nothing_wants_the_name_and_comes_back_by_number() -> None:
    world = World(3, horizontal())
    assert world.refusal(replicas=0) == ["unconfirmed"]
    assert world.refusal(replicas=0, confirm="web") == ["unconfirmed"]
    planned = world.press(replicas=0, confirm="api", minutes=30)
    assert (planned.goal, planned.exact) == (0, True)
    assert world.state == [{"replicas": 0}, {"minReplicas": 3, "maxReplicas": 10}]
    assert not world.plan(replicas=0).changed
    back = world.press(replicas=3)
    assert world.state[0] == {"replicas": 3}
    assert world.standing == []
    assert "is active again, keeps at least 3 pods and goes up to 10 by load" in back.forecast


def test_nothing_is_temporary_too() -> None:
    world = World(3, horizontal())
    world.press(replicas=0, confirm="api", minutes=30)
    due = world.press(LATER, state="expired")
    assert (world.replicas, due.goal, due.exact) == (3, 3, False)


def test_kedas_floor_is_the_scaled_objects() -> None:
    world = World(1, horizontal(1, 5), keda())
    world.press(replicas=4)
    assert world.state[1:] == [
        {"minReplicas": 1, "maxReplicas": 5},
        {"minReplicaCount": 4, "maxReplicaCount": 5, PAUSED_REPLICAS: None},
    ]
    assert world.refusal(replicas=6) == ["beyond_maximum"]


def test_keda_is_paused_for_a_stop_and_comes_back_with_its_floor() -> None:
    world = World(2, keda())
    before = world.state
    world.press(replicas=0, confirm="api", minutes=30)
    assert world.state == [
        {"replicas": 0},
        {"minReplicaCount": 1, "maxReplicaCount": 5, PAUSED_REPLICAS: "0"},
    ]
    assert not world.plan(replicas=0, minutes=30).changed
    world.press(LATER, state="expired")
    assert (world.state, world.standing) == (before, [])
    world.press(replicas=0, confirm="api")
    world.press(replicas=3)
    assert world.state[1] == {"minReplicaCount": 3, "maxReplicaCount": 5, PAUSED_REPLICAS: None}


@pytest.mark.parametrize("annotation", [{PAUSED: "true"}, {PAUSED_REPLICAS: "2"}], ids=["paused", "paused-replicas"])
@pytest.mark.parametrize("replicas", [0, 3])
def test_a_pause_of_somebody_else_is_not_ended(annotation: dict[str, str], replicas: int) -> None:
    assert World(2, keda(**annotation)).refusal(replicas=replicas, confirm="api") == ["keda_paused"]


def test_what_may_not_be_read_is_not_taken_for_absent() -> None:
    world = World(3)
    hidden = Found(unread=["horizontalpodautoscalers may not be read (words)"])
    with pytest.raises(OperatorError, match="What scales api by itself is not known"):
        scaling.plan(world.workload, hidden, Wish(replicas=5), NOON, ADA)
    no_keda = Found(unread=["scaledobjects may not be read (words)"])
    assert scaling.plan(world.workload, no_keda, Wish(replicas=5), NOON, ADA).changed
    of_keda = horizontal()
    of_keda["metadata"]["ownerReferences"] = [{"kind": "ScaledObject", "name": "queue"}]
    with pytest.raises(OperatorError, match="is not known"):
        scaling.plan(world.workload, Found([of_keda], [], no_keda.unread), Wish(replicas=5), NOON, ADA)


def test_two_autoscalers_are_refused() -> None:
    assert World(3, horizontal(), horizontal()).refusal(replicas=5) == ["autoscalers_many"]


def test_who_would_set_it_back_is_warned_of() -> None:
    world = World(3)
    world.workload["metadata"]["labels"] = {"argocd.argoproj.io/instance": "shop"}
    world.workload["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"] = json.dumps(
        {"spec": {"replicas": 3}}
    )
    warnings = world.plan(replicas=5).warnings
    assert "Argo CD application shop owns it and will sync the old values of Deployment api back" in warnings[0]
    assert "last-applied-configuration of Deployment api holds replicas 3" in warnings[1]
    assert world.plan(replicas=3).warnings == []


def test_paused_rollouts_are_told() -> None:
    world = World(3)
    world.workload["spec"]["paused"] = True
    assert "paused" in world.plan(replicas=5).warnings[0]


def test_what_impedes_the_autoscaler_is_part_of_the_forecast() -> None:
    scaler = horizontal()
    condition = {"type": "ScalingActive", "status": "False", "reason": "FailedGetResourceMetric", "message": "none"}
    scaler["status"] = {"conditions": [condition]}
    assert "; mind that it has no metrics" in World(3, scaler).plan(replicas=5).forecast


def test_one_that_never_scales_down_is_told() -> None:
    world = World(5, horizontal(5, behavior={"scaleDown": {"selectPolicy": "Disabled"}}))
    assert "never scales down by itself" in world.plan(replicas=3).forecast


@pytest.mark.parametrize(("present", "goal", "removed"), [(3, 5, None), (5, 3, 3), (5, 5, None), (5, 0, None)])
def test_pods_that_the_button_itself_takes_away(present: int, goal: int, removed: int | None) -> None:
    world = World(present)
    assert scaling.removes(world.workload, world.plan(replicas=goal, confirm="api")) == removed


@pytest.mark.parametrize(
    ("state", "forced", "why"),
    [
        ("present", False, ""),
        ("present", True, "by force"),
        ("returned", False, "as it stood before"),
        ("expired", False, "as it stood before"),
    ],
)
def test_what_stood_before_comes_back_whatever_the_load(state: str, forced: bool, why: str) -> None:
    assert scaling.regardless(Wish(state), forced) == why


def test_a_daemon_set_has_nothing_that_is_due() -> None:
    daemon = {"kind": "DaemonSet", "metadata": {"name": "agent"}, "spec": {"template": TEMPLATE}}
    planned = scaling.plan(daemon, Found(), Wish("expired"), NOON, ADA)
    assert (planned.changed, planned.goal) == (False, None)


def test_how_many_pods_are_added() -> None:
    planned = World(3).plan(replicas=5)
    pods = [{"metadata": {}}, {"metadata": {}}, {"metadata": {"deletionTimestamp": "now"}}]
    assert scaling.added(pods, planned) == 3
    assert scaling.added(pods, World(3).plan(state="expired")) == 0


NUMBERS = st.lists(st.tuples(st.integers(1, 20), st.none() | st.integers(0, 90)), min_size=1, max_size=5)


@given(numbers=NUMBERS, first=st.integers(1, 20), scaler=st.sampled_from(["none", "horizontal", "keda"]))
def test_whatever_was_pressed_its_return_brings_the_first_values_back(
    numbers: list[tuple[int, int | None]], first: int, scaler: str
) -> None:
    scalers = {"none": [], "horizontal": [horizontal(first, 20)], "keda": [keda(first, 20)]}[scaler]
    world = World(first, *scalers)
    dial = 1 if scalers else 0
    before = world.state[dial]
    for replicas, minutes in numbers:
        world.press(replicas=replicas, minutes=minutes)
        assert not world.plan(replicas=replicas, minutes=minutes).changed
    world.press(state="returned")
    assert world.state[dial] == before
    assert world.standing == []
