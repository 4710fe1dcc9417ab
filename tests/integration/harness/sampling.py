# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fault matrix, and the third of it that a seed draws: ``LINKOPS_SAMPLE=SEED``; without a seed all of it runs."""

from __future__ import annotations

import os
import random
from collections.abc import Mapping, Sequence
from typing import TypeVar

ONE_IN = 3
SEED = os.environ.get("LINKOPS_SAMPLE", "")

T = TypeVar("T")


def drawn(cases: Sequence[T], of: str, seed: str = SEED) -> list[T]:
    """One in three of the cases, at least one, in their order; ``of`` names them, so that each file draws by itself."""
    if not seed:
        return list(cases)
    chosen = random.Random(f"{seed} {of}").sample(range(len(cases)), -(-len(cases) // ONE_IN))  # noqa: S311
    return [cases[index] for index in sorted(chosen)]


def sampled(cases: Mapping[str, T], of: str) -> dict[str, T]:
    """The same of named cases, for a file whose tests share what one run did for all of them."""
    return {name: cases[name] for name in drawn(list(cases), of)}
