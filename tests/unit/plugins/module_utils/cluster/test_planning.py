# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Planning a rollback: which revision, what stands against it, the patch, and the warnings."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster import marks, ownership, planning, revisions
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.planning import Plan, Wish
from ansible_collections.linkops.runbooks.plugins.module_utils.errors import OperatorError
from ansible_collections.linkops.runbooks.tests.unit.plugins.fixtures.scenes import Scene, scene


def planned(at: Scene, revision: str = "", image: str = "", allow: bool = False, **more: Any) -> Plan:
    """The plan for a wish."""
    return planning.plan(at.workload, at.known, Wish(revision, image, allow), **more)


def refused(at: Scene, *wish: Any) -> OperatorError:
    """The refusal of a wish."""
    with pytest.raises(OperatorError) as fault:
        planning.plan(at.workload, at.known, Wish(*wish))
    return fault.value


def mark(at: Scene, number: int, verdict: str, **fields: Any) -> None:
    """Mark a revision on its object."""
    found = at.numbered(number)
    entry = next(each for each in at.history if each["metadata"]["name"] == found.name)
    content = json.dumps({"verdict": verdict, "since": "2026-03-05T09:00:00Z", **fields})
    entry["metadata"].setdefault("annotations", {})[marks.PREFIX + found.certified] = content


@pytest.mark.parametrize(
    ("wish", "target"),
    [
        pytest.param(Wish(), 6, id="the last known good, not simply the one before"),
        pytest.param(Wish("4"), 4, id="a number"),
        pytest.param(Wish("2"), 6, id="a number from before it was renumbered"),
        pytest.param(Wish(image="v1.2.0"), 4, id="an image"),
        pytest.param(Wish(image="v1.4.0"), 7, id="the newest revision of an image"),
        pytest.param(Wish("8"), 8, id="the active one"),
    ],
)
def test_the_target(wish: Wish, target: int) -> None:
    deployment = scene("deployment")
    chosen, fault = planning.choose(deployment.known, wish, "Deployment api")
    assert fault is None
    assert chosen is not None
    assert chosen.number == target


def test_an_active_revision_marked_good_is_the_last_known_good() -> None:
    deployment = scene("deployment")
    mark(deployment, 8, "good")
    assert planned(deployment).target.number == 8
    assert not planned(deployment).changed


@pytest.mark.parametrize(
    ("wish", "reason"),
    [
        (("0",), "revision_invalid"),
        (("-1",), "revision_invalid"),
        (("latest",), "revision_invalid"),
        (("5.0",), "revision_invalid"),
        (("²",), "revision_invalid"),
        (("1e3",), "revision_invalid"),
        ((" 5",), "revision_invalid"),
        (("9" * 5000,), "revision_invalid"),
        (("5", "v1.4.0"), "wish_ambiguous"),
        (("5",), "revision_unknown"),
        (("99",), "revision_unknown"),
        (("", "v0.0.1"), "image_unknown"),
    ],
    ids=lambda each: (each if isinstance(each, str) else " ".join(each))[:20],
)
def test_refusals_of_the_wish(wish: tuple[str, ...], reason: str) -> None:
    fault = refused(scene("deployment"), *wish)
    assert fault.reason == reason
    assert [each["revision"] for each in fault.details["revisions"]] == [4, 6, 7, 8]


@given(st.text())
def test_whatever_is_typed_ends_in_a_number_or_a_sentence(text: str) -> None:
    fault = planning.wish_fault(Wish(text))
    assert fault is not None or text == "" or int(text) > 0


def test_an_unknown_revision_shows_those_that_exist() -> None:
    told = str(refused(scene("deployment"), "5"))
    assert "7 (registry.example/wait:1, registry.example/servicelink-api:v1.4.0" in told
    assert "good)" in told
    assert "active)" in told


def test_nothing_marked_good_is_no_choice() -> None:
    fault = refused(scene("daemonset"))
    assert fault.reason == "none_known_good"
    assert "-e revision=NUMBER" in str(fault)


def test_no_history_at_all() -> None:
    deployment = scene("deployment")
    deployment.history = []
    assert refused(deployment, "4").reason == "no_history"


def test_a_paused_workload_is_named_with_the_command_that_resumes_it() -> None:
    deployment = scene("deployment")
    deployment.workload["spec"]["paused"] = True
    fault = refused(deployment, "4", "", True)
    assert fault.reason == "paused"
    assert "kubectl rollout resume deployment/servicelink-api -n servicelink-production" in str(fault)


def test_all_reasons_are_told_at_once() -> None:
    deployment = scene("deployment")
    deployment.workload["spec"]["paused"] = True
    assert [each.reason for each in refused(deployment, "5").faults] == ["paused", "revision_unknown"]
    assert [each.reason for each in refused(deployment, "4").faults] == ["paused", "schema_mismatch"]


@pytest.mark.parametrize(
    ("source", "target", "refusal"),
    [
        pytest.param("20251001_b", "20250302_a", True, id="newer than the target knows"),
        pytest.param("20251001_b", "", True, id="the target has none on record"),
        pytest.param("20250302_a", "20250302_a", False, id="the same"),
        pytest.param("20250302_a", "20251001_b", False, id="the target knows more"),
        pytest.param("", "20250302_a", False, id="nothing recorded"),
    ],
)
def test_newer_migrations(source: str, target: str, refusal: bool) -> None:
    deployment = scene("deployment")
    mark(deployment, 8, "bad", migration=source)
    deployment.history[3]["metadata"]["annotations"].pop(marks.MIGRATION)
    mark(deployment, 4, "good", migration=target)
    if refusal:
        assert refused(deployment, "4").reason == "schema_mismatch"
        (warning,) = [each for each in planned(deployment, "4", allow=True).warnings if "schema" in each]
        assert source in warning
    else:
        assert not [each for each in planned(deployment, "4").warnings if "schema" in each]


def test_the_patch_is_kubectls_undo_on_exactly_this_state() -> None:
    deployment = scene("deployment")
    assert planned(deployment, "6", allow=True).patch == [
        {"op": "replace", "path": "/metadata/resourceVersion", "value": "48211"},
        {"op": "replace", "path": "/spec/template", "value": deployment.numbered(6).template},
        {
            "op": "add",
            "path": "/metadata/annotations",
            "value": {
                "deployment.kubernetes.io/revision": "8",
                "kubernetes.io/change-cause": "deploy v1.4.0",
                "example.com/team": "search",
            },
        },
    ]


def test_annotations_that_undo_skips_stay_as_they_stand() -> None:
    deployment = scene("deployment")
    standing = deployment.workload["metadata"]["annotations"]
    standing.update(dict.fromkeys(planning.SKIPPED_ANNOTATIONS, "standing"))
    deployment.history[0]["metadata"]["annotations"].update(dict.fromkeys(planning.SKIPPED_ANNOTATIONS, "old"))
    # The revision number of its own is needed to find it.
    deployment.history[0]["metadata"]["annotations"][revisions.REVISION] = "4"
    written = planned(deployment, "4", allow=True).patch[2]["value"]
    assert {name: written[name] for name in planning.SKIPPED_ANNOTATIONS} == dict.fromkeys(
        planning.SKIPPED_ANNOTATIONS, "standing"
    )


@pytest.mark.parametrize("name", ["statefulset", "daemonset"])
def test_other_kinds_get_their_template_and_keep_their_annotations(name: str) -> None:
    at = scene(name)
    other = next(each for each in at.known if not each.active)
    patch = planned(at, str(other.number)).patch
    assert [each["path"] for each in patch] == ["/metadata/resourceVersion", "/spec/template"]
    assert "$patch" not in patch[1]["value"]
    assert "pod-template-hash" not in json.dumps(patch)


@given(st.sampled_from(["deployment", "statefulset", "daemonset"]), st.data())
def test_an_active_template_is_never_a_patch_and_another_always_is(name: str, data: st.DataObject) -> None:
    at = scene(name)
    numbers = [each.number for each in at.known]
    deployed, wanted = data.draw(st.sampled_from(numbers)), data.draw(st.sampled_from(numbers))
    at.deploy(deployed)
    plan = planned(at, str(wanted), allow=True)
    assert plan.target.number == wanted
    assert plan.changed == (deployed != wanted)
    assert not [each for each in plan.patch if each["path"] == "/metadata/annotations" and marks.PREFIX in str(each)]


def test_an_unchanged_plan_warns_of_no_reverter_and_no_schema() -> None:
    deployment = scene("deployment")
    deployment.workload["metadata"]["labels"]["argocd.argoproj.io/instance"] = "shop"
    plan = planned(deployment, "8")
    assert not plan.changed
    assert plan.warnings == []


@pytest.mark.parametrize(
    ("prepare", "told"),
    [
        pytest.param(
            lambda _at: None,
            "The rollout of revision 8 is still in progress (1 of 3 updated); this supersedes it.",
            id="a rollout in progress",
        ),
        pytest.param(
            lambda at: at.workload["metadata"]["labels"].update({"argocd.argoproj.io/instance": "shop"}),
            "argocd app set shop --sync-policy none",
            id="a reverter",
        ),
        pytest.param(
            lambda at: mark(at, 4, "bad", reason="error rate 20 %"),
            "Revision 4 is marked bad since 2026-03-05T09:00:00Z: error rate 20 %.",
            id="a bad target",
        ),
        pytest.param(
            lambda at: mark(at, 4, "bad"),
            "Revision 4 is marked bad since 2026-03-05T09:00:00Z.",
            id="a bad target without a reason",
        ),
    ],
)
def test_warnings(prepare: Any, told: str) -> None:
    deployment = scene("deployment")
    prepare(deployment)
    assert told in " ".join(planned(deployment, "4", allow=True).warnings)


def test_drift_of_the_configuration_is_a_warning_only_where_it_was_read() -> None:
    deployment = scene("deployment")
    now = {"ConfigMap/servicelink-api": "hmac:changed", "Secret/servicelink-stripe": "hmac:bb"}
    told = [each for each in planned(deployment, "4", allow=True, fingerprints=now).warnings if "configuration" in each]
    assert told == ["Revision 4 will start with today's configuration: ConfigMap/servicelink-api was changed since."]
    assert not [each for each in planned(deployment, "4", allow=True).warnings if "configuration" in each]


@pytest.mark.parametrize(
    ("strategy", "told"),
    [
        ({"type": "OnDelete"}, "OnDelete"),
        ({"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}, "ordinal below 2 keep their version"),
    ],
)
def test_strategies_that_hold_pods_back_are_named(strategy: dict[str, Any], told: str) -> None:
    stateful = scene("statefulset")
    stateful.workload["spec"]["updateStrategy"] = strategy
    assert told in " ".join(planned(stateful, "2").warnings)


def test_without_a_revision_for_the_present_template_the_plan_has_no_source() -> None:
    deployment = scene("deployment")
    deployment.workload["spec"]["template"]["spec"]["containers"][0]["image"] = "registry.example/new:1"
    plan = planned(deployment, "4")
    assert plan.source is None
    assert plan.changed


def test_the_table_shows_all_revisions_the_newest_first() -> None:
    deployment = scene("deployment")
    known = deployment.known
    lines = planning.table(known, known[1], datetime(2026, 3, 5, 12, tzinfo=UTC))
    assert [line[:2].strip() for line in lines] == ["", "*", "", "->", ""]
    assert [line.split()[1] for line in lines[1:4:2]] == ["8", "6"]
    assert "2,3" in lines[3]
    assert "good" in lines[3]
    assert "deploy v1.4.0" in lines[3]


@pytest.mark.parametrize(
    ("created", "age"),
    [
        ("", "-"),
        ("2026-03-05T11:59:30Z", "30s"),
        ("2026-03-05T11:59:00Z", "60s"),
        ("2026-03-05T11:55:00Z", "5m"),
        ("2026-03-05T09:00:00Z", "3h"),
        ("2026-03-01T12:00:00Z", "4d"),
        ("2026-03-05T12:00:30Z", "0s"),
    ],
)
def test_ages(created: str, age: str) -> None:
    assert planning.age(created, datetime(2026, 3, 5, 12, tzinfo=UTC)) == age


def test_the_reply_to_a_second_conflict_names_the_writer() -> None:
    fault = planning.reply_to_conflict(scene("deployment").workload)
    assert fault.reason == "concurrent_change"
    assert "kubectl-set at 2026-03-05T10:00:01Z" in fault.message
    assert "Nothing was written" in fault.message


def test_what_undo_skips_holds_last_applied() -> None:
    assert ownership.LAST_APPLIED in planning.SKIPPED_ANNOTATIONS


def containers(*named: tuple[str, str], default: str = "", prepared: str = "wait:1") -> dict[str, Any]:
    """A pod template with an init container in front."""
    return {
        "metadata": {"annotations": {"kubectl.kubernetes.io/default-container": default}} if default else {},
        "spec": {
            "initContainers": [{"name": "wait", "image": prepared}],
            "containers": [{"name": name, "image": image} for name, image in named],
        },
    }


@pytest.mark.parametrize(
    ("left", "target", "container", "asked", "image", "unknown"),
    [
        pytest.param(
            containers(("api", "api:2")), containers(("api", "api:1")), "", True, "api:1", "", id="never the init one"
        ),
        pytest.param(
            containers(("api", "api:1"), prepared="wait:2"), containers(("api", "api:1")), "", False, "api:1", "",
            id="another init container alone is no other code",
        ),
        pytest.param(
            containers(("proxy", "proxy:1"), ("api", "api:2")),
            containers(("proxy", "proxy:1"), ("api", "api:1"), default="api"),
            "", True, "api:1", "", id="the default one",
        ),
        pytest.param(
            containers(("proxy", "proxy:2"), ("api", "api:1")), containers(("proxy", "proxy:1"), ("api", "api:1")),
            "api", True, "api:1", "", id="any change of code asks",
        ),
        pytest.param(
            containers(("proxy", "proxy:1"), ("api", "api:2")), containers(("proxy", "proxy:1"), ("api", "api:1")),
            "", True, "", "revision 4 has several containers; it has proxy, api.", id="several and none named",
        ),
        pytest.param(
            containers(("api", "api:2")), containers(("server", "api:1")), "api", True, "",
            "revision 4 has no container api; it has server.", id="a container that had another name",
        ),
        pytest.param(
            containers(("api", "api:2")), containers(("api", "api:1")), "wait", True, "",
            "revision 4 has no container wait; it has api.", id="an init container is not meant",
        ),
    ],
)  # fmt: skip
def test_the_image_whose_migrations_count(
    left: Any, target: Any, container: str, asked: bool, image: str, unknown: str
) -> None:
    revision = replace(scene("deployment").numbered(4), template=target)
    question = planning.schema_question(left, revision, container)
    assert (question["asked"], question["image"]) == (asked, image)
    assert question["unknown"].startswith(unknown)
    assert bool(question["unknown"]) == bool(unknown)
