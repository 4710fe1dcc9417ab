# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A patch and an object: whether it says that already."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster import written
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.planning import template_patch
from ansible_collections.linkops.runbooks.tests.unit.plugins.fixtures.scenes import scene

LIVE = {
    "metadata": {
        "resourceVersion": "8",
        "annotations": {"a/b": "1", "deployment.kubernetes.io/revision": "9"},
    },
    "spec": {"replicas": 3, "template": {"spec": {"containers": [{"name": "api", "tty": True}], "dnsPolicy": "x"}}},
}


@pytest.mark.parametrize(
    ("step", "done"),
    [
        pytest.param({"op": "replace", "path": "/metadata/resourceVersion", "value": "7"}, True, id="precondition"),
        pytest.param({"op": "test", "path": "/spec/replicas", "value": 9}, True, id="test"),
        pytest.param({"op": "replace", "path": "/spec/replicas", "value": 3}, True, id="there"),
        pytest.param({"op": "replace", "path": "/spec/replicas", "value": 0}, False, id="another value"),
        pytest.param({"op": "add", "path": "/metadata/annotations/a~1b", "value": "1"}, True, id="escaped"),
        pytest.param({"op": "remove", "path": "/metadata/annotations/a~1b"}, False, id="not removed"),
        pytest.param({"op": "remove", "path": "/metadata/annotations/c"}, True, id="removed"),
        pytest.param({"op": "add", "path": "/spec/none/of/these", "value": "1"}, False, id="nowhere"),
        pytest.param(
            {
                "op": "add",
                "path": "/metadata/annotations",
                "value": {"a/b": "1", "deployment.kubernetes.io/revision": "8"},
            },
            True,
            id="the controller counted on",
        ),
        pytest.param(
            {
                "op": "replace",
                "path": "/spec/template",
                "value": {"metadata": {"labels": {}}, "spec": {"containers": [{"name": "api", "tty": True}]}},
            },
            True,
            id="defaults added, what is empty left out",
        ),
        pytest.param(
            {"op": "replace", "path": "/spec/template", "value": {"spec": {"containers": []}}},
            False,
            id="another list",
        ),
    ],
)
def test_says(step: dict[str, Any], done: bool) -> None:
    assert written.says(LIVE, [step]) is done


@pytest.mark.parametrize("kind", ["deployment", "statefulset"])
def test_a_template_that_was_written_is_told_from_the_one_before(kind: str) -> None:
    at = scene(kind)
    known = at.known
    patch = template_patch(at.workload, known[0].template)
    assert not written.says(at.workload, patch)
    at.deploy(known[0].number)
    assert written.says(at.workload, patch)
