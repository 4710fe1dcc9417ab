# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a record goes: addresses, and what fits into a ConfigMap."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.linkops.runbooks.plugins.module_utils.errors import OperatorError
from ansible_collections.linkops.runbooks.plugins.module_utils.incident.sink import (
    Sink,
    config_map,
    fitting,
    parse,
)

PLAYBOOKS = Path(__file__).resolve().parents[5] / "playbooks"
BUTTONS = [
    button
    for playbook in sorted(PLAYBOOKS.glob("*.yml"))
    for button in re.findall(r"^ +button_procedure: (\w+)$", playbook.read_text(), re.MULTILINE)
]


@pytest.mark.parametrize(
    ("address", "sink"),
    [
        ("configmap:linkops-records", Sink("configmap", "linkops-records")),
        ("s3://linkops-records", Sink("s3", "linkops-records")),
        ("s3://linkops-records/", Sink("s3", "linkops-records")),
        ("s3://linkops-records/production/api/", Sink("s3", "linkops-records", "production/api")),
    ],
)
def test_addresses(address: str, sink: Sink) -> None:
    assert parse(address) == sink


@pytest.mark.parametrize("address", ["configmap:", "configmap:UPPER", "s3://", "s3://ab", "file:///tmp", "records"])
def test_what_is_no_address_is_named(address: str) -> None:
    with pytest.raises(OperatorError, match="is no address of a record") as fault:
        parse(address)
    assert fault.value.reason == "record_sink_invalid"
    assert address in str(fault.value)


@pytest.mark.parametrize("button", BUTTONS)
def test_a_config_map_takes_the_record_of_every_button(button: str) -> None:
    """DNS subdomain names (kubernetes/apimachinery:pkg/util/validation/validation.go)."""
    name = config_map(Sink("configmap", "records"), f"20261122T124500-0a1b2c-{button}")
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", name)
    assert name.endswith(button.replace("_", "-"))


def test_the_buttons_are_found() -> None:
    assert {"rollback", "restart_database", "database_health", "migration_status"} <= set(BUTTONS)


def test_keys_have_no_slash() -> None:
    assert fitting({"evidence/logs/api.log": "x"}) == {"evidence_logs_api.log": "x"}


def test_the_lines_come_first_and_what_does_not_fit_is_left_out() -> None:
    files = {"a.log": "x" * 6, "b.log": "x" * 3, "record.jsonl": "x" * 5}
    assert fitting(files, most_bytes=9) == {"record.jsonl": "x" * 5, "b.log": "x" * 3}


@given(st.dictionaries(st.text("abc./", min_size=1), st.text(max_size=20)), st.integers(0, 100))
def test_never_more_than_fits(files: dict[str, str], most_bytes: int) -> None:
    assert sum(len(content.encode()) for content in fitting(files, most_bytes).values()) <= most_bytes
