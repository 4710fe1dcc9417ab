# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How pods see a ConfigMap, and what is kept of a change until it is proved."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster import config_map
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.config_map import Before

MOUNT = {"name": "files", "mountPath": "/flags"}
VOLUME = {"name": "files", "configMap": {"name": "flags"}}
PROJECTED = {"name": "files", "projected": {"sources": [{"secret": {"name": "s"}}, {"configMap": {"name": "flags"}}]}}
BY_KEY = {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "flags", "key": "a"}}}


@pytest.mark.parametrize(
    ("container", "volumes", "ways"),
    [
        ({}, [], set()),
        ({"envFrom": [{"configMapRef": {"name": "flags"}}]}, [], {"start"}),
        ({"env": [BY_KEY]}, [], {"start"}),
        ({"envFrom": [{"configMapRef": {"name": "others"}}, {"secretRef": {"name": "flags"}}]}, [], set()),
        ({"volumeMounts": [MOUNT]}, [VOLUME], {"volume"}),
        ({"volumeMounts": [MOUNT]}, [PROJECTED], {"volume"}),
        ({"volumeMounts": [{**MOUNT, "subPath": "a"}]}, [VOLUME], {"start"}),
        ({}, [VOLUME], set()),
        ({"env": [BY_KEY], "volumeMounts": [MOUNT]}, [VOLUME], {"start", "volume"}),
    ],
)
def test_how_pods_see_it(container: dict[str, Any], volumes: list[dict[str, Any]], ways: set[str]) -> None:
    template = {"spec": {"containers": [{"name": "other"}, {"name": "api", **container}], "volumes": volumes}}
    assert config_map.ways(template, "flags") == ways


@pytest.mark.parametrize("text", ["", "nonsense", "[]", '{"a": 1}', '{"a": "on"}', '{"a": {"value": 1}}', "null"])
def test_what_is_not_readable_is_not_pending(text: str) -> None:
    assert config_map.pending({config_map.PENDING: text}) == {}


def test_what_is_pending() -> None:
    text = '{"a": {"value": "on", "passed": true}, "b": {"value": "off"}, "c": 2}'
    assert config_map.pending({config_map.PENDING: text}) == {"a": Before("on", True), "b": Before("off", False)}
    assert config_map.pending({}) == {}
