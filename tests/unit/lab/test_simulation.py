# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab has the shape that was asked for: with simulated nodes or not, with root or not, on which ports."""

from __future__ import annotations

import os
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
import yaml

from lab import cli, control_plane, pki, plan, simulation
from lab.site import Lab, LabError, Shape


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(state=tmp_path / "state", cache=tmp_path / "cache")


@pytest.fixture
def made(lab: Lab) -> Lab:
    pki.ensure(lab)
    return lab


def _up(lab: Lab, *options: str) -> Shape:
    return cli._shape(lab, cli._parser().parse_args(["up", *options]))


@pytest.fixture
def as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)


@pytest.fixture
def as_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)


@pytest.mark.parametrize(
    ("shape", "has", "lacks"),
    [
        (Shape(), {"services", "kubelet"}, {"kwok", "kwok-program", "simulated-nodes"}),
        (Shape(5), {"services", "kubelet", "kwok", "kwok-program", "simulated-nodes"}, set()),
        (Shape(5, rootless=True), {"kwok", "simulated-nodes"}, {"services", "kubelet", "packages", "address"}),
    ],
)
def test_the_steps_of_each_shape_are_whole(made: Lab, shape: Shape, has: set[str], lacks: set[str]) -> None:
    made.remember(shape)
    steps = {step.name: step.after for step in plan.steps(made, lock=0)}
    order = list(TopologicalSorter(steps).static_order())
    assert sorted(order) == sorted(steps), "a step comes after one that this lab does not have"
    assert steps.keys() >= plan.components(made).keys() | has
    assert not steps.keys() & lacks


def test_kwok_runs_before_its_nodes_are_made(made: Lab) -> None:
    made.remember(Shape(5, rootless=True))
    (nodes,) = (step for step in plan.steps(made, lock=0) if step.name == "simulated-nodes")
    assert {"kwok", "kube-scheduler", "kube-controller-manager"} <= set(nodes.after)


def test_without_root_nothing_runs_as_another_user(made: Lab) -> None:
    made.remember(Shape(5, rootless=True))
    assert {definition(made).user for definition, _after in plan.components(made).values()} == {"root"}


def test_nodes_that_are_not_wanted_any_more_go_while_kwok_still_runs(made: Lab) -> None:
    (made.state / "run").mkdir()
    (made.state / "run" / "kwok.stat").touch()
    made.remember(Shape(0))
    names = {step.name for step in plan.steps(made, lock=0)}
    assert "simulated-nodes" in names
    assert not names & {"kwok", "kwok-program"}


def test_a_lab_without_simulated_nodes_is_the_lab_it_always_was(made: Lab) -> None:
    real = control_plane.controller_manager(made).fingerprint
    assert control_plane.apiserver(made).argv.count("--bind-address=0.0.0.0") == 1
    made.remember(Shape(5))
    assert control_plane.controller_manager(made).fingerprint != real
    assert "--node-monitor-grace-period=3600s" in control_plane.controller_manager(made).argv
    made.remember(Shape(0))
    assert control_plane.controller_manager(made).fingerprint == real


@pytest.mark.usefixtures("as_root")
def test_up_keeps_what_an_earlier_one_was_asked_for(lab: Lab) -> None:
    assert _up(lab) == Shape(0)
    assert _up(lab, "--simulated-nodes", "5") == Shape(5)
    lab.remember(Shape(5))
    assert _up(lab) == Shape(5)
    assert _up(lab, "--simulated-nodes", "0") == Shape(0)
    lab.remember(Shape(5, rootless=True))
    assert _up(lab) == Shape(5, rootless=True)


@pytest.mark.usefixtures("as_user")
def test_without_root_there_are_simulated_nodes_only(lab: Lab) -> None:
    assert _up(lab, "--simulated-nodes", "5") == Shape(5, rootless=True)
    lab.remember(Shape(5, rootless=True))
    with pytest.raises(LabError, match="say how many with --simulated-nodes N"):
        _up(lab, "--simulated-nodes", "0")


@pytest.mark.usefixtures("as_root")
def test_a_lab_with_a_real_node_does_not_become_one_without_root(made: Lab) -> None:
    with pytest.raises(LabError, match="take it down first"):
        _up(made, "--simulated-nodes", "5", "--rootless")


@pytest.mark.usefixtures("as_user")
@pytest.mark.parametrize("verb", [["up"], ["down"], ["status"], ["seed"], ["logs"]])
def test_without_root_the_real_lab_is_refused_in_a_sentence(
    lab: Lab, verb: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LINKOPS_LAB_STATE", str(lab.state))
    assert cli.main(verb) == 1
    assert f"run `python -m lab {verb[0]}` as root" in capsys.readouterr().err


@pytest.mark.parametrize("count", ["-1", "many", "5001", "1.5"])
def test_a_number_of_nodes_is_a_number(count: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["up", f"--simulated-nodes={count}"])
    assert f"{count} is not a number from 0 to 5000" in capsys.readouterr().err


def test_a_second_lab_listens_elsewhere(made: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINKOPS_LAB_PORT_OFFSET", "1000")
    monkeypatch.setenv("LINKOPS_LAB_STATE", str(made.state))
    monkeypatch.setenv("LINKOPS_LAB_CACHE", str(made.cache))
    other = Lab.of_this_machine()
    other.remember(Shape(5, rootless=True))
    assert other.api_url == "https://127.0.0.1:17443"
    for definition, _after in plan.components(other).values():
        assert not set(definition(other).argv) & {
            each for each in definition(made).argv if ":1" in each or "port" in each
        }


@pytest.mark.parametrize("offset", ["-5", "a", "20001"])
def test_an_offset_that_is_none_is_refused(offset: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINKOPS_LAB_PORT_OFFSET", offset)
    with pytest.raises(LabError, match=f"LINKOPS_LAB_PORT_OFFSET={offset} is not a number"):
        Lab.of_this_machine()


def test_a_simulated_workload_selects_and_tolerates_the_simulated_nodes() -> None:
    workload = {"spec": {"template": {"spec": {"nodeSelector": {"zone": "a"}, "tolerations": [{"key": "x"}]}}}}
    spec = simulation.simulated(workload)["spec"]["template"]["spec"]
    assert spec["nodeSelector"] == {"zone": "a", simulation.SIMULATED: "true"}
    assert [each["key"] for each in spec["tolerations"]] == ["x", simulation.SIMULATED]
    (taint,) = simulation._node("simulated-0")["spec"]["taints"]
    assert (taint["key"], taint["effect"]) == (simulation.SIMULATED, "NoSchedule")


def test_every_stage_that_kwok_needs_is_there() -> None:
    stages = list(yaml.safe_load_all(simulation.STAGES.read_text()))
    assert {stage["kind"] for stage in stages} == {"Stage"}
    assert {stage["metadata"]["name"] for stage in stages} == {
        "node-initialize", "node-heartbeat", "pod-ready", "pod-complete", "pod-delete",
    }  # fmt: skip
