# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an inventory says of feature flags, and what answers show of them."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.signals import flags

PROOF = {"path": "/flags", "expect": "search.new"}
KNOWN: dict[str, Any] = {
    "variable": {"store": "environment", "proof": PROOF},
    "key": {
        "store": "config_map", "config_map": "settings", "key": "search", "values": [True, False, "beta"],
        "proof": PROOF,
    },
    "service": {"store": "http", "url": "http://flags/search", "field": "enabled", "method": "PATCH", "proof": PROOF},
}  # fmt: skip


@pytest.mark.parametrize("name", KNOWN)
def test_flags_that_are_described_well(name: str) -> None:
    found, faults = flags.flag(name, "off", KNOWN)
    assert faults == []
    assert found.store == KNOWN[name]["store"]
    assert found.proof == PROOF
    assert not {"store", "proof", "values"} & set(found.settings)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (None, "knows no feature flag f; it knows none"),
        ("off", "knows no feature flag f; it knows f"),
        ({"proof": PROOF}, "has the store None. Set store to one of environment, config_map, http."),
        ({"store": "redis", "proof": PROOF}, "has the store redis"),
        ({"store": "environment"}, "lacks proof.expect, proof.path"),
        ({"store": "config_map", "proof": PROOF}, "lacks config_map, key"),
        ({"store": "http", "url": "http://a", "proof": PROOF}, "lacks field"),
        ({"store": "environment", "key": "a", "proof": PROOF}, "has key. There are container, variable."),
        ({"store": "environment", "proof": {**PROOF, "url": "a"}}, "has proof.url"),
        ({**KNOWN["service"], "method": "POST"}, "has the method POST. Use PUT or PATCH."),
    ],
)
def test_flags_that_are_described_badly(entry: Any, words: str) -> None:
    _flag, faults = flags.flag("f", "off", {} if entry is None else {"f": entry})
    assert words in " ".join(str(fault) for fault in faults)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("variable", "", "No value is given"),
        ("key", "maybe", "has no value maybe. It may be on, off, beta."),
        ("key", None, "cannot be absent"),
        ("variable", None, ""),
        ("key", "on", ""),
        ("key", "false", ""),
        ("key", "beta", ""),
    ],
)
def test_values(name: str, value: str | None, words: str) -> None:
    faults = flags.flag(name, value, KNOWN)[1]
    assert bool(faults) is bool(words)
    assert words in " ".join(map(str, faults))


@pytest.mark.parametrize(
    ("shown", "wanted", "same"),
    [
        (True, "on", True),
        (True, "TRUE", True),
        (True, "enabled", True),
        (False, "off", True),
        (False, "on", False),
        ("off", "off", True),
        ("false", "off", False),
        (20, "20", True),
        (None, "off", False),
        ("", "off", False),
    ],
)
def test_whether_a_value_is_the_wanted_one(shown: Any, wanted: str, same: bool) -> None:
    assert flags.is_same(shown, wanted) is same


@pytest.mark.parametrize(
    ("standing", "wanted", "value"), [(True, "off", False), (1, "20", 20), (0.5, "0.25", 0.25), ("on", "off", "off")]
)
def test_a_value_keeps_its_type(standing: Any, wanted: str, value: Any) -> None:
    found = flags.like(standing, wanted)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(("standing", "wanted"), [(True, "maybe"), (1, "many")])
def test_a_value_of_another_kind_is_none(standing: Any, wanted: str) -> None:
    with pytest.raises(ValueError, match=wanted):
        flags.like(standing, wanted)


@pytest.mark.parametrize(
    ("status", "body", "verdict", "words"),
    [
        (200, '{"search": {"new": false}}', "pass", "api-1 shows false"),
        (200, '{"search": {"new": "off"}}', "pass", 'api-1 shows "off"'),
        (200, '{"search": {"new": true}}', "fail", "api-1 shows true"),
        (200, '{"search": {}}', "unknown", "does not show search.new"),
        (200, '{"search": "new"}', "unknown", "does not show search.new"),
        (200, "[]", "unknown", "does not show search.new"),
        (200, "<html>", "unknown", "not answer with JSON"),
        (404, "{}", "fail", "answers 404"),
        (0, "timed out", "fail", "answers nothing"),
    ],
)
def test_what_an_answer_proves(status: int, body: str, verdict: str, words: str) -> None:
    found = flags.judge("search.new", "off", "api-1", status, body)
    assert found.status == verdict
    assert words in found.reason
