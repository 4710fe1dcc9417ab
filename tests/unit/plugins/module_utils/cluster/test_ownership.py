# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who else would write the workload: each is named with the command that stops it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster import ownership
from ansible_collections.linkops.runbooks.tests.unit.plugins.fixtures.scenes import scene

TARGET = scene("deployment").numbered(6)


def owned_by(labels: dict[str, str] | None = None, annotations: dict[str, str] | None = None) -> list[str]:
    """What is said of a workload with these labels and annotations, with revision 6 as target."""
    return ownership.reverters(
        {"metadata": {"namespace": "production", "labels": labels, "annotations": annotations}}, TARGET
    )


def applied(**images: str) -> dict[str, str]:
    """last-applied-configuration with these images."""
    containers = [{"name": name, "image": image} for name, image in images.items()]
    return {ownership.LAST_APPLIED: json.dumps({"spec": {"template": {"spec": {"containers": containers}}}})}


@pytest.mark.parametrize(
    ("labels", "annotations", "told"),
    [
        pytest.param(
            None,
            {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:production/api"},
            ["Argo CD application shop ", "argocd app set shop --sync-policy none"],
            id="argo cd by annotation",
        ),
        pytest.param(
            {"argocd.argoproj.io/instance": "shop"},
            None,
            ["argocd app set shop --sync-policy none"],
            id="argo cd label",
        ),
        pytest.param(
            {"kustomize.toolkit.fluxcd.io/name": "shop", "kustomize.toolkit.fluxcd.io/namespace": "gitops"},
            None,
            ["flux suspend kustomization shop -n gitops"],
            id="flux kustomization",
        ),
        pytest.param(
            {"helm.toolkit.fluxcd.io/name": "shop"},
            {"meta.helm.sh/release-name": "shop"},
            ["flux suspend helmrelease shop -n production"],
            id="flux helm release, and not helm as well",
        ),
        pytest.param(
            None,
            {"meta.helm.sh/release-name": "shop", "meta.helm.sh/release-namespace": "other"},
            ["helm rollback shop -n other"],
            id="helm",
        ),
        pytest.param(
            None,
            applied(api="registry.example/servicelink-api:v1.5.0"),
            ["last-applied-configuration holds registry.example/servicelink-api:v1.5.0", "kubectl diff -f"],
            id="kubectl apply",
        ),
    ],
)
def test_each_owner_is_named_with_its_command(
    labels: dict[str, str] | None, annotations: dict[str, str] | None, told: list[str]
) -> None:
    (sentence,) = owned_by(labels, annotations)
    assert all(words in sentence for words in told)


def test_nobody() -> None:
    assert owned_by() == []


def test_all_of_them() -> None:
    labels = {"argocd.argoproj.io/instance": "a", "kustomize.toolkit.fluxcd.io/name": "b"}
    assert len(owned_by(labels, {"meta.helm.sh/release-name": "c", **applied(api="x:1")})) == 4


def test_an_applied_manifest_that_holds_the_target_already_is_no_matter() -> None:
    assert owned_by(annotations=applied(api=TARGET.images["api"])) == []


@pytest.mark.parametrize("text", ["", "no json", "[]", "null", '{"spec":{"template":null}}', '{"spec":{"replicas":1}}'])
def test_an_unreadable_manifest_is_nothing(text: str) -> None:
    assert owned_by(annotations={ownership.LAST_APPLIED: text}) == []


TEMPLATES = st.recursive(
    st.none() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["spec", "template", "containers", "name", "image"]), inner)
    ),
    max_leaves=8,
)


@given(TEMPLATES)
def test_any_manifest_is_survived(manifest: Any) -> None:
    owned_by(annotations={ownership.LAST_APPLIED: json.dumps({"spec": {"template": manifest}})})


def test_the_last_writers_are_those_of_the_spec() -> None:
    told = ownership.last_writers(scene("deployment").workload)
    assert told == "kubectl-set at 2026-03-05T10:00:01Z, helm at 2026-03-02T08:00:00Z"


def test_without_managed_fields_nobody_knows() -> None:
    assert ownership.last_writers({"metadata": {}}) == "unknown"
