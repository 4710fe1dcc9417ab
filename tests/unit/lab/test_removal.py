# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `down` takes away is the lab's own and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import cgroups, ownership, removal
from lab.removal import without_kube_chains
from lab.site import Lab, LabError

RULES = """\
-P INPUT ACCEPT
-P OUTPUT ACCEPT
-N DOCKER
-N KUBE-KUBELET-CANARY
-N KUBE-SERVICES
-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A DOCKER -i docker0 -j RETURN
-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -j KUBE-SVC-NPX46M4PTMTKRN6Y
""".splitlines()


def test_kube_chains_go_with_the_rules_that_lead_there() -> None:
    assert without_kube_chains("nat", RULES).splitlines() == [
        "*nat",
        '-D OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
        "-F KUBE-KUBELET-CANARY",
        "-F KUBE-SERVICES",
        "-X KUBE-KUBELET-CANARY",
        "-X KUBE-SERVICES",
        "COMMIT",
    ]


def test_rules_of_others_are_left_alone() -> None:
    others = [rule for rule in RULES if "KUBE" not in rule]
    assert without_kube_chains("nat", others) == ""


def test_a_lab_on_other_ports_that_is_not_there_takes_no_other_one_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong LINKOPS_LAB_STATE must not reach the cgroup that all labs with a real node share."""
    monkeypatch.setattr(cgroups, "remove", lambda: pytest.fail("the machine's cgroup was taken"))
    with pytest.raises(LabError, match="nothing was taken down"):
        removal.remove(Lab(state=tmp_path / "absent", cache=tmp_path, port_offset=5000), lambda _: None)


def test_a_lab_that_is_not_the_machines_takes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroups, "remove", lambda: pytest.fail("the machine's cgroup was taken"))

    def refuse(lab: Lab) -> None:
        raise LabError(f"not the one in {lab.state}")

    monkeypatch.setattr(ownership, "require", refuse)
    with pytest.raises(LabError, match="not the one in"):
        removal.remove(Lab(state=tmp_path / "absent", cache=tmp_path), lambda _: None)
