# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a look at a service sums itself up: the end of a button's last line."""

from __future__ import annotations

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.health import Checkup
from ansible_collections.linkops.runbooks.plugins.module_utils.verdict import Verdict

WELL = Verdict("pass", "is healthy")
SICK = Verdict("fail", "http://api answers 503")


def checkup(pods: int, **others: Verdict) -> Checkup:
    """A look at so many healthy pods and these other endpoints."""
    of_pods = {f"pod api-{number}": WELL for number in range(pods)}
    return Checkup({**of_pods, **others}, of_pods, [name.removeprefix("pod ") for name in of_pods])


@pytest.mark.parametrize(
    ("looked", "sentence"),
    [
        pytest.param(checkup(1), "1 pod is healthy", id="pod"),
        pytest.param(checkup(3), "all 3 pods are healthy", id="pods"),
        pytest.param(checkup(1, url=WELL), "1 pod and url are healthy", id="pod-and-address"),
        pytest.param(checkup(2, url=WELL, more=WELL), "all 2 pods and url and more are healthy", id="addresses"),
        pytest.param(checkup(2, url=SICK), SICK.reason, id="sick"),
    ],
)
def test_sentence_names_all_that_was_asked_or_what_is_wrong(looked: Checkup, sentence: str) -> None:
    assert looked.verdict.reason == sentence
