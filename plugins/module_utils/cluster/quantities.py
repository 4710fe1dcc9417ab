# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Quantities of memory and CPU: what is wrong with one as typed, and whether two are the same. Pure."""

from __future__ import annotations

import contextlib
import re
from decimal import Decimal

from ..errors import Fault

with contextlib.suppress(ImportError):  # connect() reports it
    from kubernetes.utils.quantity import parse_quantity

# What the API server accepts (kubernetes/apimachinery:pkg/api/resource/quantity.go); the library's parser, which knows
# the value, also takes spaces, underscores, NaN and a unit K.
_GRAMMAR = re.compile(
    r"(?P<number>[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))(?P<unit>[KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]{1,2})?", re.ASCII
)
_MEANT = re.compile(r"\s*([0-9]{1,6}(?:\.[0-9]{1,6})?)\s*([kmgtpe])", re.IGNORECASE | re.ASCII)
_CORES = frozenset({"", "m"})

LEAST_MEMORY_BYTES = 1 << 20
LEAST_CPU_CORES = Decimal("0.001")  # the API server takes nothing finer
LONGEST = 32  # characters


def value(text: str) -> Decimal:
    """Bytes or cores. Raises C(ValueError) where the text is none that L(fault) passes."""
    return Decimal(parse_quantity(text))


def same(one: str | None, other: str | None) -> bool:
    """Whether both are the same amount ("1Gi" and "1024Mi"), or both are absent."""
    return one == other or (one is not None and other is not None and value(one) == value(other))


def fault(option: str, text: str) -> Fault | None:
    """What is wrong with a quantity as typed for an option, such as C(memory_limit) or C(cpu_request)."""
    memory = option.startswith("memory")
    found = _GRAMMAR.fullmatch(text) if len(text) <= LONGEST else None
    if found is None:
        return Fault(
            f"{option}_invalid",
            f"{option}={text[:LONGEST]} is not a quantity as Kubernetes writes it.",
            _memory_advice(text) if memory else _CPU_ADVICE,
        )
    amount = value(text)
    if amount <= 0:
        return Fault(
            f"{option}_invalid", f"{option}={text} is not more than 0.", f"Give more, or {option}=none to remove it."
        )
    if memory and amount < LEAST_MEMORY_BYTES:
        return Fault(f"{option}_invalid", f"{option}={text} is {amount.normalize():f} bytes.", _memory_advice(text))
    if not memory and ((found["unit"] or "") not in _CORES or amount < LEAST_CPU_CORES):
        return Fault(f"{option}_invalid", f"{option}={text} is not a number of cores.", _CPU_ADVICE)
    return None


_CPU_ADVICE = "Give cores, such as 2 or 0.5, or thousandths of a core, such as 500m."


def _memory_advice(text: str) -> str:
    meant = _MEANT.match(text)
    if meant is None:
        digits = re.match(r"[0-9]{1,6}", text, re.ASCII)
        number = digits.group() if digits else "512"
        return f"Give a number and its unit, such as {number}Mi or {number}Gi."
    number, unit = meant[1], meant[2].upper()
    return f"Give {number}{unit}i (powers of 1024) or {number}{'k' if unit == 'K' else unit} (powers of 1000)."
