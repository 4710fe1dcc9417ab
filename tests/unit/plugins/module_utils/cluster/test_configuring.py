# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Planning a change of resources and environment: the edited template, refusals, warnings."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster import configuring, ownership, planning
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.assignments import Source
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.configuring import Edited, Wish
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.metrics import Usage
from ansible_collections.linkops.runbooks.plugins.module_utils.errors import OperatorError
from ansible_collections.linkops.runbooks.tests.unit.plugins.fixtures.scenes import scene

VAULT = {"secretKeyRef": {"name": "vault", "key": "jwt", "optional": False}}
TEMPLATE: dict[str, Any] = {
    "metadata": {"labels": {"app": "api"}},
    "spec": {
        "initContainers": [{"name": "wait", "image": "wait:1"}],
        "containers": [
            {
                "name": "api",
                "image": "api:1",
                "env": [
                    {"name": "HOST", "value": "db"},
                    {"name": "URL", "value": "http://$(HOST)"},
                    {"name": "JWT", "valueFrom": VAULT},
                    {"name": "EMPTY"},
                ],
                "resources": {"limits": {"memory": "1Gi"}, "requests": {"cpu": "10m", "memory": "64Mi"}},
            }
        ],
    },
}
NOTHING: dict[str, Any] = {
    "container": None, **dict.fromkeys(configuring.RESOURCES), "environment": None, "environment_from": None,
    "environment_absent": None,
}  # fmt: skip
INHERITED = {
    "CORS_ORIGIN": Source("ConfigMap", "settings", "CORS_ORIGIN"),
    "STRIPE": Source("Secret", "vault", "STRIPE"),
    "EMPTY": Source("ConfigMap", "settings", "EMPTY"),
}


def edited(**wished: Any) -> Edited:
    """The template with a wish, which is left as it was."""
    before = copy.deepcopy(TEMPLATE)
    found = configuring.edit(TEMPLATE, Wish(**wished), INHERITED)
    assert before == TEMPLATE
    return found


def container(found: Edited) -> dict[str, Any]:
    """Its only ordinary container."""
    only: dict[str, Any] = found.template["spec"]["containers"][0]
    return only


def refused(**wished: Any) -> OperatorError:
    """The refusal of a wish."""
    with pytest.raises(OperatorError) as fault:
        edited(**wished)
    return fault.value


@pytest.mark.parametrize(
    "wished",
    [
        {"resources": {"memory_limit": "1024Mi"}},
        {"resources": {"memory_limit": "1073741824", "cpu_request": "0.01", "memory_request": "64Mi"}},
        {"resources": {"cpu_limit": "none"}},
        {"environment": {"HOST": "db"}},
        {"environment": {"EMPTY": ""}},
        {"references": {"JWT": Source("Secret", "vault", "jwt")}},
        {"absent": ["GONE"]},
    ],
)
def test_what_is_so_already_changes_nothing(wished: dict[str, Any]) -> None:
    found = edited(**wished)
    assert found.template == TEMPLATE
    assert found.changes == {}
    assert found.sentence == ""


def test_resources_that_are_not_named_stay() -> None:
    found = edited(resources={"memory_limit": "2Gi", "memory_request": "1Gi"})
    assert container(found)["resources"] == {
        "limits": {"memory": "2Gi"},
        "requests": {"cpu": "10m", "memory": "1Gi"},
    }
    assert found.sentence == "memory limit 1Gi -> 2Gi, memory request 64Mi -> 1Gi"


def test_resources_are_removed() -> None:
    found = edited(resources={"memory_limit": "none", "cpu_request": "none", "memory_request": "none"})
    assert container(found)["resources"] == {}
    assert found.changes["limits.memory"] == ("1Gi", None)
    assert found.warnings == ["Without a memory limit a leak takes the memory of the whole node"]


@pytest.mark.parametrize(
    "resources",
    [{"memory_request": "2Gi"}, {"memory_limit": "32Mi"}, {"memory_limit": "1Gi", "memory_request": "1025Mi"}],
)
def test_a_request_above_its_limit_is_refused(resources: dict[str, str]) -> None:
    fault = refused(resources=resources)
    assert fault.reason == "request_above_limit"
    assert "memory request" in str(fault)
    assert "memory limit" in str(fault)


def test_a_variable_keeps_its_place_and_a_new_one_is_last() -> None:
    found = edited(environment={"HOST": "replica", "LIMIT": "20"}, references={"EMPTY": Source("ConfigMap", "s", "e")})
    assert [each["name"] for each in container(found)["env"]] == ["HOST", "URL", "JWT", "EMPTY", "LIMIT"]
    assert container(found)["env"][0] == {"name": "HOST", "value": "replica"}
    assert container(found)["env"][3] == {"name": "EMPTY", "valueFrom": {"configMapKeyRef": {"name": "s", "key": "e"}}}
    assert found.changes["env.EMPTY"] == ("", "ConfigMap s, key e")


def test_a_removed_variable_that_others_refer_to_is_warned_about() -> None:
    found = edited(absent=["HOST"])
    assert [each["name"] for each in container(found)["env"]] == ["URL", "JWT", "EMPTY"]
    assert found.warnings == ["URL refers to $(HOST), which is removed"]


@pytest.mark.parametrize("name", ["JWT", "STRIPE"])
def test_what_comes_from_a_secret_does_not_become_text(name: str) -> None:
    fault = refused(environment={name: "plain"})
    assert fault.reason == "secret_made_public"
    assert "plain" not in str(fault)


def test_an_inherited_variable_is_overridden_with_a_warning() -> None:
    found = edited(environment={"CORS_ORIGIN": "https://a.example"})
    assert "comes from ConfigMap settings, key CORS_ORIGIN, until now" in found.warnings[0]
    assert refused(absent=["CORS_ORIGIN"]).reason == "variable_inherited"
    assert "takes it from ConfigMap settings" in edited(absent=["EMPTY"]).warnings[0]


def test_another_container() -> None:
    found = edited(container="wait", environment={"LIMIT": "1"})
    assert found.template["spec"]["initContainers"][0]["env"] == [{"name": "LIMIT", "value": "1"}]
    fault = refused(container="web", environment={"LIMIT": "1"})
    assert "There is no container web; there are api, wait." in str(fault)


def test_several_containers_need_a_name() -> None:
    two = copy.deepcopy(TEMPLATE)
    two["spec"]["containers"].append({"name": "proxy"})
    with pytest.raises(OperatorError, match=r"There are containers api, proxy, wait\."):
        configuring.edit(two, Wish(absent=["A"]))


def test_secrets_that_stand_in_a_template_are_not_shown() -> None:
    exposed = copy.deepcopy(TEMPLATE)
    exposed["spec"]["containers"][0]["env"].append({"name": "DB_PASSWORD", "value": "hunter2"})
    source = Source("Secret", "vault", "database")
    found = configuring.edit(exposed, Wish(references={"DB_PASSWORD": source}))
    assert found.changes == {"env.DB_PASSWORD": ("[hidden]", "Secret vault, key database")}
    assert "hunter2" not in found.sentence


def test_annotations_of_the_template() -> None:
    found = edited(annotations={"flag/NEW": "1"})
    assert found.template["metadata"] == {"labels": {"app": "api"}, "annotations": {"flag/NEW": "1"}}
    assert found.sentence == "annotation flag/NEW none -> 1"


def test_all_that_is_wrong_with_the_words_is_said_at_once() -> None:
    _wish, faults = configuring.wish(
        {
            **NOTHING,
            "memory_limit": "2GB",
            "cpu_limit": "-1",
            "environment": {"JWT_SECRET": "abcdef", "1ST": "a", "TWICE": "a"},
            "environment_from": {"REF": "vault"},
            "environment_absent": ["TWICE"],
        }
    )
    assert [fault.reason for fault in faults] == [
        "memory_limit_invalid", "cpu_limit_invalid", "reference_invalid", "variable_invalid", "value_secret",
        "variable_ambiguous",
    ]  # fmt: skip


@pytest.mark.parametrize("given", [{}, {"memory_limit": "", "environment": {}, "environment_absent": []}])
def test_nothing_asked(given: dict[str, Any]) -> None:
    _wish, faults = configuring.wish({**NOTHING, **given})
    assert [fault.reason for fault in faults] == ["nothing_asked"]


def test_a_wish() -> None:
    wished, faults = configuring.wish(
        {**NOTHING, "memory_limit": " 2Gi ", "environment": {"LIMIT": 20, "ON": True}, "environment_absent": ["OLD"]}
    )
    assert faults == []
    assert wished == Wish("", {"memory_limit": "2Gi"}, {"LIMIT": "20", "ON": "true"}, {}, ["OLD"])


def test_the_next_apply_is_warned_about_where_it_holds_the_setting() -> None:
    workload = scene("deployment").workload
    workload["metadata"]["annotations"] = {ownership.LAST_APPLIED: json.dumps({"spec": {"template": TEMPLATE}})}
    (note,) = configuring.reverters(workload, edited(resources={"memory_limit": "2Gi"}, environment={"NEW": "1"}))
    assert "last-applied-configuration holds memory limit, and the next apply" in note
    assert configuring.reverters(workload, edited(environment={"NEW": "1"})) == []
    workload["metadata"]["annotations"][ownership.LAST_APPLIED] = json.dumps({"spec": {"template": "edited"}})
    assert configuring.reverters(workload, edited(resources={"memory_limit": "2Gi"})) == []


def test_helm_is_told_about_in_words_that_fit() -> None:
    workload = scene("deployment").workload
    workload["metadata"]["annotations"] = {"meta.helm.sh/release-name": "shop"}
    (note,) = configuring.reverters(workload, edited(environment={"NEW": "1"}))
    assert "brings the old configuration back; put the change into the release's values" in note


@pytest.mark.parametrize(
    ("limit", "used", "refused", "warned"),
    [("1Gi", 100 << 20, False, False), ("256Mi", 250 << 20, False, True), ("256Mi", 256 << 20, True, False),
     ("200M", 200 << 20, True, False)],
)  # fmt: skip
def test_memory_in_use(limit: str, used: int, refused: bool, warned: bool) -> None:
    usages = [
        Usage("api-1", "api", 0.1, 1 << 20),
        Usage("api-2", "api", 0.1, used),
        Usage("api-1", "proxy", 0, 1 << 40),
    ]
    fault, warning = configuring.memory_verdict(edited(), limit, usages)
    assert bool(fault) is refused
    assert bool(warning) is warned
    if fault:
        assert "pod api-2" in fault.message
        assert "force=true" in fault.remedy


def test_an_earlier_revision_in_other_words_is_that_revision() -> None:
    deployment = scene("deployment")
    for entry, limit in zip(deployment.history, ["256Mi", "1Gi", "2Gi", "4Gi"], strict=False):
        for each in entry["spec"]["template"]["spec"]["containers"]:
            each["resources"] = {"limits": {"memory": limit}}
    revision = deployment.known[0]
    wanted = copy.deepcopy(revision.template)
    for each in wanted["spec"]["containers"]:
        amount = each["resources"]["limits"]["memory"]
        each["resources"]["limits"]["memory"] = str(int(configuring.quantities.value(amount)))
    change = planning.edit(deployment.workload, deployment.known, wanted)
    assert change.target is not None
    assert change.target.number == revision.number
    assert change.patch[1]["value"] == revision.template, "in the words that its controller compares"
