# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Job has of its workload, and what not."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster import jobs
from ansible_collections.linkops.runbooks.plugins.module_utils.errors import OperatorError

CONTAINER: dict[str, Any] = {
    "name": "api", "image": "api:1", "args": ["serve"], "ports": [{"containerPort": 80}], "readinessProbe": {},
    "livenessProbe": {}, "lifecycle": {}, "envFrom": [{"secretRef": {"name": "s"}}],
    "volumeMounts": [{"name": "v", "mountPath": "/v"}],
}  # fmt: skip
WORKLOAD: dict[str, Any] = {
    "metadata": {"name": "api", "namespace": "prod"},
    "spec": {
        "template": {
            "metadata": {"labels": {"app": "api"}},
            "spec": {
                "containers": [CONTAINER, {"name": "proxy", "image": "proxy:1"}],
                "initContainers": [{"name": "wait"}], "volumes": [{"name": "v"}], "serviceAccountName": "api",
                "terminationGracePeriodSeconds": 60,
            },
        }
    },
}  # fmt: skip


def made() -> jobs.Manifest:
    return jobs.manifest(WORKLOAD, CONTAINER, "api:2", ["go"], "job", "migrate", 60)


def test_one_try_and_no_more() -> None:
    spec = made()["spec"]
    assert (spec["backoffLimit"], spec["activeDeadlineSeconds"]) == (0, 60)
    assert spec["template"]["spec"]["restartPolicy"] == "Never"


def test_no_service_selects_its_pod() -> None:
    assert "app" not in made()["spec"]["template"]["metadata"]["labels"]


def test_what_the_work_needs_is_there_and_what_serves_is_not() -> None:
    spec = made()["spec"]["template"]["spec"]
    assert set(spec) == {
        "restartPolicy", "containers", "volumes", "serviceAccountName", "terminationGracePeriodSeconds",
    }  # fmt: skip
    (work,) = spec["containers"]
    assert set(work) == {"name", "image", "command", "envFrom", "volumeMounts", "terminationMessagePolicy"}
    assert (work["image"], work["command"]) == ("api:2", ["go"])
    assert CONTAINER["image"] == "api:1"


def test_the_same_work_has_the_same_name() -> None:
    assert jobs.name_of("api", "migrate", "a", "b") == jobs.name_of("api", "migrate", "a", "b")
    assert jobs.name_of("api", "migrate", "a", "b") != jobs.name_of("api", "migrate", "ab")
    assert len(jobs.name_of("a-very-long-name-of-a-workload-that-goes-on-and-on", "migrate", "a")) <= 52


@pytest.mark.parametrize(
    ("image", "command", "identity", "said"),
    [
        ("api:2", "deploy", ["a", "b"], ""),
        ("api:2", "deploy", ["b"], ""),  # it has come as far as b
        ("api:2", "deploy", [], ""),
        ("api:2", "deploy", ["b", "c"], "deploy in api:2 without c"),  # the image's tag moved
        ("api:3", "deploy", ["a", "b"], "deploy in api:2"),
        ("api:2", "resolve", [], "deploy in api:2"),
    ],
)
def test_a_job_is_another_one_where_it_does_not_do_all_that_is_asked(
    image: str, command: str, identity: list[str], said: str
) -> None:
    assert jobs.other(jobs.marks("api:2", "deploy", ["a", "b"]), jobs.marks(image, command, identity)) == said


def test_a_job_of_an_older_version_of_the_collection_does_not_say_all() -> None:
    marked = {jobs.IMAGE: "api:2", jobs.COMMAND: "deploy"}
    assert jobs.other(marked, jobs.marks("api:2", "deploy", ["a"])) == ""


def test_of_several_containers_one_must_be_named() -> None:
    with pytest.raises(OperatorError, match="several containers; it has api, proxy"):
        jobs.chosen(WORKLOAD["spec"]["template"], "", "Deployment api")
    assert jobs.chosen(WORKLOAD["spec"]["template"], "proxy", "Deployment api")["image"] == "proxy:1"


@pytest.mark.parametrize(
    ("conditions", "ending"),
    [
        ([], ("", "")),
        ([{"type": "FailureTarget", "status": "True"}], ("", "")),
        ([{"type": "Complete", "status": "True"}], ("Complete", "")),
        ([{"type": "Failed", "status": "True", "reason": "DeadlineExceeded"}], ("Failed", "DeadlineExceeded")),
        ([{"type": "Failed", "status": "False"}], ("", "")),
    ],
)
def test_how_a_job_ended(conditions: list[dict[str, str]], ending: tuple[str, str]) -> None:
    assert jobs.condition({"status": {"conditions": conditions}}) == ending
