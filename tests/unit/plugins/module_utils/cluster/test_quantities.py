# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Quantities as operators type them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster import quantities


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("1Gi", "1024Mi", True),
        ("1Gi", "1073741824", True),
        ("1G", "1Gi", False),
        ("0.5", "500m", True),
        ("1e3Mi", None, False),
        ("1e3", "1k", True),
        (None, None, True),
        (None, "1Gi", False),
    ],
)
def test_amounts_are_compared_not_words(one: str | None, other: str | None, same: bool) -> None:
    assert quantities.same(one, other) is same


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("memory_limit", "2Gi"),
        ("memory_limit", "1.5Gi"),
        ("memory_request", "512M"),
        ("memory_request", "1073741824"),
        ("memory_limit", "1e9"),
        ("cpu_limit", "2"),
        ("cpu_limit", "0.5"),
        ("cpu_request", "250m"),
        ("cpu_request", "1m"),
    ],
)
def test_what_is_right_passes(option: str, text: str) -> None:
    assert quantities.fault(option, text) is None


@pytest.mark.parametrize(
    ("option", "text", "message", "remedy"),
    [
        ("memory_limit", "2GB", "memory_limit=2GB is not a quantity as Kubernetes writes it.", "2Gi (powers of 1024)"),
        ("memory_limit", "2gi", "is not a quantity", "2Gi"),
        ("memory_limit", "2 Gi", "is not a quantity", "2Gi"),
        ("memory_limit", "512MB", "is not a quantity", "512Mi (powers of 1024) or 512M"),
        ("memory_limit", "100K", "is not a quantity", "100Ki (powers of 1024) or 100k"),
        ("memory_limit", "lots", "is not a quantity", "512Mi"),
        ("memory_limit", "1_000Mi", "is not a quantity", "1Mi"),
        ("memory_limit", "NaN", "is not a quantity", "512Mi"),
        ("memory_limit", "٣Gi", "is not a quantity", "512Mi"),
        ("memory_limit", "9" * 400, "is not a quantity", ""),
        ("memory_limit", "-1Gi", "is not more than 0", "memory_limit=none"),
        ("memory_limit", "0", "is not more than 0", "none"),
        ("memory_request", "128m", "128m is 0.128 bytes", "128Mi"),
        ("memory_limit", "512", "512 is 512 bytes", "512Mi"),
        ("cpu_limit", "2GB", "is not a quantity", "500m"),
        ("cpu_limit", "2Gi", "is not a number of cores", "500m"),
        ("cpu_request", "100M", "is not a number of cores", "500m"),
        ("cpu_request", "0.0001", "is not a number of cores", "500m"),
        ("cpu_request", "0", "is not more than 0", "none"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_sentence_with_what_is_right(option: str, text: str, message: str, remedy: str) -> None:
    fault = quantities.fault(option, text)
    assert fault is not None
    assert fault.reason == f"{option}_invalid"
    assert message in fault.message
    assert remedy in fault.remedy
    assert len(str(fault)) < 200


@given(st.text(max_size=40))
def test_no_text_is_a_surprise(text: str) -> None:
    if quantities.fault("memory_limit", text) is None:
        assert quantities.value(text) >= Decimal(quantities.LEAST_MEMORY_BYTES)
