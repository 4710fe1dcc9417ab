# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A button pressed for a group: in batches, up to a failure limit, told in one table."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.harness.ground import Ground
from tests.integration.harness.postgres import Server
from tests.integration.harness.pressing import Pressed
from tests.integration.harness.services import Service

pytestmark = pytest.mark.matrix

NAMES = ("api-a", "api-b", "api-c", "api-d")
FAILING = {"health_expect": {"status": "never"}, "restart_settle_seconds": 0}


@pytest.fixture(scope="module")
def fleet(shared: Ground) -> list[Service]:
    """Four small services."""
    return [shared.service(["v1.2.0"], name) for name in NAMES]


@pytest.fixture
def second_fails(fleet: list[Service]) -> list[Service]:
    return [fleet[0], fleet[1].having(**FAILING), *fleet[2:]]


def verdicts(pressed: Pressed) -> dict[str, str]:
    """What statistics say of each service."""
    return {name: told["verdict"] for name, told in pressed.stats["linkops_services"].items()}


def generations(services: list[Service]) -> list[int]:
    return [each.workload.live["metadata"]["generation"] for each in services]


def test_batches_follow_each_other_and_one_table_tells_of_all(shared: Ground, fleet: list[Service]) -> None:
    before = generations(fleet)
    pressed = shared.press("restart", *fleet, batch="1,50%")
    assert pressed.rc == 0, pressed.output
    assert verdicts(pressed) == dict.fromkeys(NAMES, "pass")
    assert generations(fleet) == [generation + 1 for generation in before]

    def began(name: str) -> float:
        return min(task.started for task in pressed.tasks if task.host == name and task.started)

    def ended(name: str) -> float:
        return max(task.ended for task in pressed.tasks if task.host == name)

    assert ended("api-a") <= min(began("api-b"), began("api-c"))
    assert max(ended("api-b"), ended("api-c")) <= began("api-d")
    assert began("api-c") < ended("api-b"), "two services of one batch run side by side"

    for name, line in zip(NAMES, pressed.output.splitlines()[-4:], strict=True):
        told = pressed.stats["linkops_services"][name]
        assert line.split()[:3] == [name, "pass", "yes"]
        assert line.endswith(told["record"])
        assert told["record"] == str(pressed.folder(name))
        assert (told["changed"], told["facts"]["changed"]) == (True, True)


def test_after_a_failure_no_further_batch_starts(shared: Ground, second_fails: list[Service]) -> None:
    before = generations(second_fails)
    pressed = shared.press("restart", *second_fails, batch=1)
    assert pressed.rc != 0
    assert verdicts(pressed) == {"api-a": "pass", "api-b": "fail", "api-c": "not started", "api-d": "not started"}
    assert generations(second_fails) == [before[0] + 1, before[1] + 1, *before[2:]]
    assert not [task.name for task in pressed.tasks if task.host in ("api-c", "api-d")]
    assert [line.split()[1:3] for line in pressed.output.splitlines()[-2:]] == [["not", "started"]] * 2


@pytest.mark.parametrize("forks", [1, 2])
def test_services_that_passed_do_not_count_as_failed(shared: Ground, fleet: list[Service], forks: int) -> None:
    """In one batch of more services than forks, those that wait start when others have ended."""
    pressed = shared.press("restart", *fleet, environment={"ANSIBLE_FORKS": str(forks)})
    assert pressed.rc == 0, pressed.output
    assert verdicts(pressed) == dict.fromkeys(NAMES, "pass")


def test_a_failure_keeps_those_that_wait_in_the_same_batch_from_starting(
    shared: Ground, second_fails: list[Service]
) -> None:
    pressed = shared.press("restart", *second_fails, environment={"ANSIBLE_FORKS": "1"})
    assert pressed.rc != 0
    assert verdicts(pressed) == {"api-a": "pass", "api-b": "fail", "api-c": "not started", "api-d": "not started"}


def test_up_to_the_limit_failures_do_not_hold_up_the_rest(shared: Ground, second_fails: list[Service]) -> None:
    pressed = shared.press("restart", *second_fails, batch=2, failure_limit="50%")
    assert verdicts(pressed) == {"api-a": "pass", "api-b": "fail", "api-c": "pass", "api-d": "pass"}
    assert pressed.rc != 0, "a later batch that passes does not make up for an earlier one"


def test_a_button_that_only_reads_asks_all(shared: Ground, second_fails: list[Service]) -> None:
    pressed = shared.press("health", *second_fails, environment={"ANSIBLE_FORKS": "1"})
    assert pressed.rc != 0
    assert verdicts(pressed).keys() == set(NAMES)
    assert verdicts(pressed)["api-b"] == "fail"
    assert "not started" not in verdicts(pressed).values()


def test_connections_of_services_that_act_side_by_side_add_up(
    shared: Ground, fleet: list[Service], postgres: Server, tmp_path: Path
) -> None:
    """The server has room for those of one of them; whose plan came first may pass."""
    settings = {"database_pool_size": 40, **postgres.database("shop").inventory(tmp_path), "restart_key": "one"}
    few = [each.having(**settings) for each in fleet[:2]]
    pressed = shared.press("restart", *few)
    refused = [name for name, verdict in verdicts(pressed).items() if verdict == "fail"]
    assert refused, pressed.output
    said = pressed.closing(refused[0])
    assert "Other services of this press open up to 40 connections at the same time" in said
    assert "80 more do not fit" in said
    apart = shared.press("restart", *few, batch=1, options=["--check"])
    assert apart.rc == 0, apart.output


def test_a_plan_of_a_fleet_is_a_table_too(shared: Ground, fleet: list[Service]) -> None:
    pressed = shared.press("restart", *fleet, options=["--check"])
    assert pressed.rc == 0, pressed.output
    assert verdicts(pressed) == dict.fromkeys(NAMES, "pass")
    assert {told["record"] for told in pressed.stats["linkops_services"].values()} == {""}


def test_an_inventory_that_is_incomplete_for_one_service_fails_that_one(shared: Ground, fleet: list[Service]) -> None:
    pressed = shared.press("health", fleet[0], fleet[1].having(service_port=""), fleet[2])
    assert pressed.rc != 0
    assert verdicts(pressed)["api-b"] == "fail"
    assert not {verdicts(pressed)["api-a"], verdicts(pressed)["api-c"]} & {"fail", "not started"}
    assert "does not set service_port" in pressed.stats["linkops_services"]["api-b"]["sentence"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"batch": "0"}, ["batch=0 is not understood"]),
        ({"batch": "1,many"}, ["batch=1,many is not understood"]),
        ({"failure_limit": "-1"}, ["failure_limit=-1 is not understood"]),
        ({"batch": "1"}, ["With batch=1 the run would end at the first batch whose services all fail", "-f NUMBER"]),
        ({"batch": "5.5", "failure_limit": "none"}, ["batch=5.5 is not understood", "failure_limit=none is not"]),
    ],
)
def test_what_is_no_number_is_refused_before_anything_is_asked(
    shared: Ground, fleet: list[Service], given: dict[str, str], said: list[str]
) -> None:
    with shared.audit.reading() as seen:
        pressed = shared.press("health", *fleet, **given)
    assert pressed.rc != 0
    assert not seen.requests
    words = " ".join(pressed.output.split())
    assert all(sentence in words for sentence in said)
