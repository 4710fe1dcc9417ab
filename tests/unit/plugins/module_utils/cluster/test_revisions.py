# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Revisions: which there are, which one is active, which one a number or an image means."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster import revisions
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.revisions import Revision
from ansible_collections.linkops.runbooks.tests.unit.plugins.fixtures.scenes import pod, scene


def test_a_deployments_revisions_oldest_first_and_strangers_left_out() -> None:
    known = scene("deployment").known
    assert [(each.number, each.earlier, each.active) for each in known] == [
        (4, (), False),
        (6, (2, 3), False),
        (7, (), False),
        (8, (), True),
    ]


def test_an_owner_that_does_not_control_is_none() -> None:
    deployment = scene("deployment")
    deployment.history[0]["metadata"]["ownerReferences"][0]["controller"] = False
    assert [each.number for each in deployment.known] == [6, 7, 8]


def test_what_a_replica_set_tells() -> None:
    found = scene("deployment").numbered(6)
    assert found.name == "servicelink-api-6d8f7c9b54"
    assert found.certified == "6d8f7c9b54"
    assert found.images == {
        "wait-for-database": "registry.example/wait:1",
        "api": "registry.example/servicelink-api:v1.4.0",
        "metrics": "registry.example/metrics:3",
    }
    assert found.mark is not None
    assert found.mark.verdict == "good"
    assert found.migration == "20250302100000_quotes_and_assignments"
    assert found.change_cause == "deploy v1.4.0"
    assert found.template["metadata"] == {"labels": {"app": "servicelink-api"}}


def test_a_mark_that_a_foreign_undo_copied_is_nothing() -> None:
    assert scene("deployment").numbered(7).mark is None


def test_a_restart_shows_as_its_change_cause() -> None:
    assert scene("deployment").numbered(7).change_cause == "restarted at 2026-03-05T06:00:00Z"


def test_a_migration_recorded_by_the_deploy_counts_without_a_mark() -> None:
    assert scene("deployment").numbered(8).migration == "20251001120000_quote_expiry"


def test_a_stateful_sets_revisions() -> None:
    known = scene("statefulset").known
    assert [(each.number, each.earlier, each.active) for each in known] == [(2, (), False), (3, (1,), True)]
    assert [(each.replicas, each.ready) for each in known] == [(0, 0), (3, 3)]
    assert known[1].certified == "6f4d9c7b58"
    assert known[1].mark is not None


def test_a_daemon_sets_revisions() -> None:
    known = scene("daemonset").known
    assert [(each.number, each.active) for each in known] == [(1, False), (2, True)]
    assert [(each.replicas, each.ready) for each in known] == [(0, 0), (2, 1)]
    assert known[1].certified == "6b8d5f7c99"


def test_of_two_with_the_active_template_the_newer_is_active() -> None:
    deployment = scene("deployment")
    twin = next(each for each in deployment.history if each["metadata"]["name"].endswith("54d6b7c8f9"))
    twin["spec"]["template"] = deployment.numbered(8).template
    assert [each.number for each in deployment.known if each.active] == [8]


def test_a_template_of_no_revision_leaves_none_active() -> None:
    deployment = scene("deployment")
    deployment.workload["spec"]["template"]["spec"]["containers"][0]["image"] = "registry.example/new:1"
    assert revisions.active_revision(deployment.known) is None


@pytest.mark.parametrize("name", ["deployment", "statefulset", "daemonset"])
def test_each_revision_deployed_is_the_active_one(name: str) -> None:
    for number in [each.number for each in scene(name).known]:
        deployed = scene(name)
        deployed.deploy(number)
        active = revisions.active_revision(deployed.known)
        assert active is not None
        assert active.number == number


@pytest.mark.parametrize(
    "template",
    [
        {
            "metadata": {"labels": {"app": "a", "pod-template-hash": "x"}, "creationTimestamp": None},
            "$patch": "replace",
        },
        {"metadata": {"labels": {"app": "a"}}},
    ],
    ids=["with what controllers add", "bare already"],
)
def test_a_bare_template(template: dict[str, Any]) -> None:
    assert revisions.bare_template(template) == {"metadata": {"labels": {"app": "a"}}}


def test_a_template_without_labels_is_bare_too() -> None:
    assert revisions.bare_template({"spec": {}}) == {"spec": {}, "metadata": {"labels": {}}}


@pytest.mark.parametrize(
    ("number", "found"),
    [
        pytest.param(8, 8, id="the current number"),
        pytest.param(4, 4, id="an older one"),
        pytest.param(2, 6, id="a number from before it was renumbered"),
        pytest.param(3, 6, id="another one from before"),
        pytest.param(5, None, id="a collected one"),
        pytest.param(99, None, id="a stranger's"),
    ],
)
def test_what_a_number_means(number: int, found: int | None) -> None:
    meant = revisions.find(scene("deployment").known, number)
    assert (meant.number if meant else None) == found


REVISION = scene("deployment").numbered(4)


@given(
    st.lists(
        st.builds(
            lambda number, earlier: replace(REVISION, number=number, earlier=tuple(earlier)),
            st.integers(1, 9),
            st.lists(st.integers(1, 9), max_size=3),
        ),
        unique_by=lambda revision: revision.number,
    ),
    st.integers(1, 9),
)
def test_a_current_number_comes_before_an_earlier_one(known: list[Revision], number: int) -> None:
    found = revisions.find(known, number)
    if number in {each.number for each in known}:
        assert found is not None
        assert found.number == number
    else:
        assert (found is not None) == any(number in each.earlier for each in known)


@pytest.mark.parametrize(
    ("image", "found"),
    [
        pytest.param("registry.example/servicelink-api:v1.2.0", 4, id="in full"),
        pytest.param("servicelink-api:v1.2.0", 4, id="without registry"),
        pytest.param("v1.2.0", 4, id="a tag"),
        pytest.param("v1.4.0", 7, id="the newest of two"),
        pytest.param("registry.example/wait:1", 8, id="an init container's"),
        pytest.param("1.2.0", None, id="a part of a tag"),
        pytest.param("api:v1.2.0", None, id="a part of a name"),
        pytest.param("servicelink-api", None, id="no tag at all"),
        pytest.param("v9.9.9", None, id="a stranger's"),
    ],
)
def test_what_an_image_means(image: str, found: int | None) -> None:
    meant = revisions.find_image(scene("deployment").known, image)
    assert (meant.number if meant else None) == found


def test_last_known_good_is_the_newest_good_one_but_the_active() -> None:
    deployment = scene("deployment")
    good = revisions.last_known_good(deployment.known)
    assert good is not None
    assert good.number == 6
    deployment.deploy(6)
    good = revisions.last_known_good(deployment.known)
    assert good is not None
    assert good.number == 4
    assert revisions.last_known_good(scene("daemonset").known) is None


@pytest.mark.parametrize(
    ("changed", "ready"),
    [({}, True), ({"deletionTimestamp": "2026-03-05T10:00:00Z"}, False)],
    ids=["ready", "on its way out"],
)
def test_a_pod_that_leaves_is_not_ready(changed: dict[str, Any], ready: bool) -> None:
    assert revisions.pod_is_ready(pod("ready", **changed)) == ready


@pytest.mark.parametrize(("text", "numbers"), [("", ()), ("2", (2,)), ("2,3", (2, 3)), ("2, ,x,²", (2,))])
def test_a_revision_history_that_somebody_edited(text: str, numbers: tuple[int, ...]) -> None:
    deployment = scene("deployment")
    deployment.history[1]["metadata"]["annotations"][revisions.REVISION_HISTORY] = text
    assert deployment.numbered(6).earlier == numbers


def test_pods_of_a_revision_whatever_label_tells() -> None:
    stateful, daemon = scene("statefulset"), scene("daemonset")
    assert len(revisions.pods_of(stateful.numbered(3), stateful.pods)) == 3
    assert revisions.pods_of(stateful.numbered(2), stateful.pods) == []
    assert len(revisions.pods_of(daemon.numbered(2), daemon.pods)) == 2
    assert revisions.pods_of(
        scene("deployment").numbered(8), [pod("ready", labels={"pod-template-hash": "5b7c8d9f66"})]
    )


def test_the_result_of_a_revision_names_what_modules_return() -> None:
    assert scene("deployment").numbered(6).as_result() == {
        "revision": 6,
        "earlier_revisions": [2, 3],
        "name": "servicelink-api-6d8f7c9b54",
        "images": {
            "wait-for-database": "registry.example/wait:1",
            "api": "registry.example/servicelink-api:v1.4.0",
            "metrics": "registry.example/metrics:3",
        },
        "created": "2026-03-02T09:00:00Z",
        "change_cause": "deploy v1.4.0",
        "replicas": 0,
        "ready": 0,
        "active": False,
        "mark": "good",
        "marked_since": "2026-03-04T09:12:44Z",
        "fingerprint": {"ConfigMap/servicelink-api": "hmac:aa"},
        "migration": "20250302100000_quotes_and_assignments",
    }
