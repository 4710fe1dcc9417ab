# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions to Prometheus and what its answers mean: no data is unknown."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.errors import OperatorError
from ansible_collections.linkops.runbooks.plugins.module_utils.signals import prometheus

MIB = 1 << 20
PODS = ["api-5d4f8-abcde", "api-5d4f8-x2x4z"]


def vector(*values: str) -> list[dict[str, Any]]:
    """The results of an instant query, a pod for each value."""
    return [{"metric": {"pod": pod}, "value": [1.0, value]} for pod, value in zip(PODS, values, strict=False)]


def test_matchers_name_siblings_and_not_every_pod() -> None:
    assert prometheus.of_pods("ns", PODS) == 'namespace="ns",pod=~"api-5d4f8-[a-z0-9]+"'
    assert prometheus.of_pods("ns", ["db-0", "db-1"]) == 'namespace="ns",pod=~"db-[0-9]+"'


def test_queries() -> None:
    matchers = prometheus.of_pods("ns", PODS[:1])
    asked = parse_qs(urlsplit(prometheus.over_time(prometheus.working_set(matchers), 10_000, 1800)).query)
    assert asked["start"] == ["8200.000"]
    assert asked["step"] == ["60.000"]
    assert 'container!="POD"' in asked["query"][0]
    counted = prometheus.requests(matchers, "hits", "300s", status='=~"5.."', route=prometheus.all_but(["/a.b", "/m"]))
    assert counted == f'sum(increase(hits{{{matchers},status=~"5..",route!~"/a\\\\.b|/m"}}[300s]))'


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        pytest.param(0, "connection refused", "gives no answer: connection refused", id="nobody there"),
        pytest.param(200, "<html>", "answers 200 and no result", id="a page"),
        pytest.param(400, json.dumps({"status": "error", "error": "parse error"}), "says parse error", id="an error"),
        pytest.param(0, "postgresql://u:hunter2hunter2@h/d", "[hidden]", id="a secret in it"),
    ],
)
def test_what_is_no_result_is_a_sentence(status: int, body: str, told: str) -> None:
    with pytest.raises(OperatorError) as fault:
        prometheus.results("Prometheus", status, body)
    assert told in str(fault.value)
    assert "hunter2" not in str(fault.value)


def test_a_ratio_without_traffic_is_no_value() -> None:
    body = json.dumps({"status": "success", "data": {"result": vector("NaN", "3")}})
    assert prometheus.values(prometheus.results("p", 200, body)) == [({"pod": PODS[1]}, 3.0)]


@pytest.mark.parametrize(
    ("found", "status", "told"),
    [
        pytest.param(vector("1", "1"), "pass", "2 of 2 up", id="up"),
        pytest.param(vector("1", "0"), "fail", f"cannot scrape {PODS[1]}", id="one down"),
        pytest.param(vector("1"), "unknown", f"no target for {PODS[1]}", id="one without a target"),
        pytest.param([], "unknown", "scrapes none", id="no target"),
    ],
)
def test_targets(found: list[dict[str, Any]], status: str, told: str) -> None:
    verdict = prometheus.targets_verdict(prometheus.values(found), PODS)
    assert (verdict.status, told in verdict.reason) == (status, True), verdict.reason


@pytest.mark.parametrize(
    ("errors", "requests", "status", "told"),
    [
        pytest.param("0", "1000", "pass", "0 % of 1000 requests in 5 min", id="none"),
        pytest.param("", "1000", "pass", "0 % of 1000", id="no series of errors"),
        pytest.param("20", "1000", "pass", "warning: 2.0 % of", id="warning"),
        pytest.param(
            "60", "1000", "fail", "6.0 % of 1000 requests in 5 min ended in a 5xx, critical from 5.0 %", id="critical"
        ),
        pytest.param("3", "3", "unknown", "3 requests in 5 min are too few", id="too few"),
        pytest.param("", "", "unknown", "0 requests", id="no data is not fine"),
        pytest.param("NaN", "NaN", "unknown", "0 requests", id="nan"),
    ],
)
def test_error_ratio(errors: str, requests: str, status: str, told: str) -> None:
    failed, answered = (prometheus.values(vector(each) if each else []) for each in (errors, requests))
    verdict = prometheus.error_ratio_verdict(failed, answered, 300, 50, 0.01, 0.05)
    assert (verdict.status, told in verdict.reason) == (status, True), verdict.reason


def samples(start: int, end: int, per_hour: float) -> list[list[Any]]:
    """A sample each minute, as Prometheus sends them."""
    return [[time, str(100 * MIB + per_hour * (time - start) / 3600)] for time in range(start, end + 1, 60)]


def test_memory_of_own_pods_only_and_settled() -> None:
    warming = [[600, "0"], [660, str(50 * MIB)], *samples(720, 1800, 0)]
    found = prometheus.series(
        [
            {"metric": {"pod": PODS[0]}, "values": samples(0, 1800, 10 * MIB)},
            {"metric": {"pod": PODS[1]}, "values": warming},
            {"metric": {"pod": "api-5d4f8-other"}, "values": samples(0, 1800, 900 * MIB)},
        ]
    )
    verdict = prometheus.trend_verdict(found, PODS, 0, 1800, 100 * MIB)
    assert verdict.passed
    assert verdict.evidence["bytes_per_hour"] == {PODS[0]: 10 * MIB, PODS[1]: 0}
