# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which rights are missing, from the rules that the API server lists."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster import rights
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.rights import Right, right

PATCH = right("patch", "Deployment")
LOG = right("get", "Pod", "log")


def rule(verbs: str, groups: str, resources: str, **more: Any) -> dict[str, Any]:
    """A rule, its lists written with spaces; a dot stands for the core group."""
    found = [group.replace(".", "") if group == "." else group for group in groups.split()]
    return {"verbs": verbs.split(), "apiGroups": found, "resources": resources.split(), **more}


def missing(needed: rights.Needed, *rules: dict[str, Any], **status: Any) -> bool:
    """Whether the right is missing."""
    return bool(rights.missing({"status": {"resourceRules": list(rules), **status}}, [needed]))


def test_rights_are_spelled_as_rbac_does() -> None:
    assert (str(PATCH), str(LOG)) == ("patch deployments.apps", "get pods/log")
    assert right("get", "Lease") == Right("get", "leases", "coordination.k8s.io")


@pytest.mark.parametrize(
    ("needed", "rules", "lacking"),
    [
        pytest.param(PATCH, [], True, id="no rule"),
        pytest.param(PATCH, [rule("get patch", "apps", "deployments")], False, id="granted"),
        pytest.param(PATCH, [rule("*", "*", "*")], False, id="all"),
        pytest.param(PATCH, [rule("get", "apps", "deployments")], True, id="another verb"),
        pytest.param(PATCH, [rule("patch", ".", "deployments")], True, id="another group"),
        pytest.param(PATCH, [rule("patch", "apps", "replicasets")], True, id="another resource"),
        pytest.param(
            PATCH, [rule("patch", "apps", "pods"), rule("get", "apps", "deployments")], True, id="each half elsewhere"
        ),
        pytest.param(PATCH, [rule("patch", "apps", "deployments/scale")], True, id="a subresource is not the resource"),
        pytest.param(
            PATCH, [rule("patch", "apps", "deployments", resourceNames=["other"])], False, id="a name counts as ours"
        ),
        pytest.param(LOG, [rule("get", ".", "pods/log")], False, id="subresource"),
        pytest.param(LOG, [rule("get", ".", "*/log")], False, id="a subresource of all"),
        pytest.param(LOG, [rule("get", ".", "pods")], True, id="the resource is not its subresource"),
        pytest.param((PATCH, LOG), [rule("get", ".", "pods/log")], False, id="one of two is enough"),
        pytest.param((PATCH, LOG), [rule("get", ".", "pods")], True, id="none of two"),
    ],
)
def test_missing(needed: rights.Needed, rules: list[dict[str, Any]], lacking: bool) -> None:
    assert missing(needed, *rules) == lacking


def test_an_incomplete_answer_is_no_refusal() -> None:
    assert not missing(PATCH, incomplete=True)


def test_an_answer_without_rules_grants_nothing() -> None:
    assert rights.missing({}, [PATCH, LOG]) == [PATCH, LOG]


def test_all_that_is_missing_is_one_sentence() -> None:
    fault = rights.fault([PATCH, (LOG, right("create", "Pod", "portforward"))], "production", "prod-eu")
    assert fault.reason == "forbidden"
    assert fault.message == (
        "These credentials may not patch deployments.apps, get pods/log or create pods/portforward "
        "in namespace production of prod-eu."
    )


def test_the_review_names_its_namespace() -> None:
    assert rights.review("production")["spec"] == {"namespace": "production"}
