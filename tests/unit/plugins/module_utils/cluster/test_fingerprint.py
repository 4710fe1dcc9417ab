# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fingerprints of configuration: what a template reads, and what changed since."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster import fingerprint
from ansible_collections.linkops.runbooks.tests.unit.plugins.fixtures.scenes import scene

CONFIG: dict[str, Any] = {"metadata": {"uid": "u1", "resourceVersion": "7"}, "data": {"LOG_LEVEL": "info"}}
KEY = b"0123456789abcdef"


def container(**fields: Any) -> dict[str, Any]:
    """A template with one container."""
    return {"spec": {"containers": [{"name": "api", **fields}]}}


@pytest.mark.parametrize(
    ("template", "names"),
    [
        pytest.param(container(), [], id="nothing"),
        pytest.param(container(envFrom=[{"configMapRef": {"name": "a"}}]), ["ConfigMap/a"], id="envFrom config map"),
        pytest.param(container(envFrom=[{"secretRef": {"name": "a"}}]), ["Secret/a"], id="envFrom secret"),
        pytest.param(
            container(env=[{"name": "X", "valueFrom": {"secretKeyRef": {"name": "a", "key": "k"}}}]),
            ["Secret/a"],
            id="env",
        ),
        pytest.param(
            container(env=[{"name": "X", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}, {"name": "Y"}]),
            [],
            id="env of something else",
        ),
        pytest.param(
            {"spec": {"initContainers": [{"name": "i", "envFrom": [{"secretRef": {"name": "a"}}]}]}},
            ["Secret/a"],
            id="init container",
        ),
        pytest.param(
            {"spec": {"volumes": [{"configMap": {"name": "a"}}, {"secret": {"secretName": "b"}}, {"emptyDir": {}}]}},
            ["ConfigMap/a", "Secret/b"],
            id="volumes",
        ),
        pytest.param(
            {
                "spec": {
                    "volumes": [
                        {"projected": {"sources": [{"secret": {"name": "a"}}, {"serviceAccountToken": {"path": "t"}}]}}
                    ]
                }
            },
            ["Secret/a"],
            id="projected volume",
        ),
        pytest.param(
            container(
                envFrom=[{"secretRef": {"name": "b"}}, {"secretRef": {"name": "a"}}, {"secretRef": {"name": "b"}}]
            ),
            ["Secret/a", "Secret/b"],
            id="sorted and once",
        ),
        pytest.param(
            scene("deployment").workload["spec"]["template"],
            ["ConfigMap/servicelink-api", "Secret/servicelink-stripe"],
            id="a deployment",
        ),
    ],
)
def test_references(template: dict[str, Any], names: list[str]) -> None:
    assert [fingerprint.label(each) for each in fingerprint.references(template)] == names


def test_a_fingerprint_follows_the_content_and_the_key() -> None:
    same = fingerprint.fingerprint(CONFIG, KEY)
    assert same.startswith("hmac:")
    assert fingerprint.fingerprint({**CONFIG, "metadata": {"uid": "u2", "resourceVersion": "8"}}, KEY) == same
    assert fingerprint.fingerprint({**CONFIG, "data": {"LOG_LEVEL": "debug"}}, KEY) != same
    assert fingerprint.fingerprint({**CONFIG, "binaryData": {"x": "AA=="}}, KEY) != same
    assert fingerprint.fingerprint(CONFIG, b"another key") != same


def test_the_order_of_the_keys_is_no_matter() -> None:
    one, other = {"a": "1", "b": "2"}, {"b": "2", "a": "1"}
    assert fingerprint.fingerprint({"data": one}, KEY) == fingerprint.fingerprint({"data": other}, KEY)


def test_a_fingerprint_holds_no_value() -> None:
    assert "info" not in fingerprint.fingerprint(CONFIG, KEY)


def test_empty_and_missing_content_are_the_same() -> None:
    assert fingerprint.fingerprint({"data": {}}, KEY) == fingerprint.fingerprint({"data": None, "binaryData": {}}, KEY)


def test_without_a_key_it_is_the_objects_version() -> None:
    assert fingerprint.fingerprint(CONFIG, None) == "uid:u1/7"


def test_what_may_not_be_read_has_none() -> None:
    assert fingerprint.fingerprint({}, KEY) == fingerprint.UNREADABLE


@pytest.mark.parametrize(
    ("then", "now", "told"),
    [
        pytest.param({}, {}, [], id="nothing"),
        pytest.param({"S/a": "hmac:1"}, {"S/a": "hmac:1"}, [], id="the same"),
        pytest.param({"S/a": "hmac:1"}, {"S/a": "hmac:2"}, ["S/a was changed since"], id="changed"),
        pytest.param({"S/a": "uid:u/1"}, {"S/a": "uid:u/2"}, ["S/a was touched since"], id="touched"),
        pytest.param({"S/a": "hmac:1"}, {"S/a": "uid:u/2"}, ["S/a was touched since"], id="not comparable"),
        pytest.param({"S/a": "hmac:1"}, {}, ["S/a is gone"], id="gone"),
        pytest.param({}, {"S/a": "hmac:1"}, ["S/a was not seen when this revision was verified"], id="new"),
        pytest.param(
            {"S/a": fingerprint.UNREADABLE},
            {"S/a": fingerprint.UNREADABLE},
            ["whether S/a changed is unknown, these credentials may not read it"],
            id="unreadable is not the same",
        ),
        pytest.param({"S/b": "hmac:1", "S/a": "hmac:1"}, {}, ["S/a is gone", "S/b is gone"], id="everything, in order"),
    ],
)
def test_drift(then: dict[str, str], now: dict[str, str], told: list[str]) -> None:
    assert fingerprint.drift(then, now) == told


def test_the_summary_is_short_and_in_no_order() -> None:
    assert fingerprint.summary([]) == "-"
    assert len(fingerprint.summary(["a", "b"])) == 8
    assert fingerprint.summary(["a", "b"]) == fingerprint.summary(["b", "a"]) != fingerprint.summary(["a"])
