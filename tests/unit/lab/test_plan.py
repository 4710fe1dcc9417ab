# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every step of `up` comes after what it needs, and keys are made whole or not at all."""

from __future__ import annotations

import json
import shutil
import ssl
import stat
import subprocess
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from lab import binaries, node, pki, plan
from lab.site import Lab, LabError


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    folder = tmp_path_factory.mktemp("lab")
    made = Lab(state=folder / "state", cache=folder / "cache")
    pki.ensure(made)
    return made


def test_the_steps_have_an_order_and_name_only_each_other(lab: Lab) -> None:
    steps = {step.name: step.after for step in plan.steps(lab, lock=0)}
    order = list(TopologicalSorter(steps).static_order())
    assert sorted(order) == sorted(steps)
    assert order[-1] == "services"


@pytest.mark.parametrize("early", ["images", "postgres-programs", "discovery-program", "kubernetes"])
def test_what_takes_long_waits_for_nothing_that_takes_long(lab: Lab, early: str) -> None:
    steps = {step.name: step.after for step in plan.steps(lab, lock=0)}
    assert set(steps[early]) <= {"packages", "identity"}


def test_certificates_verify_strictly_against_the_authority(lab: Lab) -> None:
    for name, authority in [
        ("server", "ca"),
        ("front-proxy", "front-proxy-ca"),
        *((name, "ca") for name in pki.CLIENTS),
    ]:
        chain = ("-CAfile", str(lab.pki / f"{authority}.crt"), str(lab.pki / f"{name}.crt"))
        verified = subprocess.run(
            ("openssl", "verify", "-x509_strict", *chain), capture_output=True, text=True, check=False
        )
        assert verified.returncode == 0, verified.stderr


def test_the_kubeconfig_carries_the_authority_and_the_token(lab: Lab) -> None:
    config = json.loads(lab.kubeconfig.read_text())
    assert config["current-context"] == "linkops-lab"
    assert config["clusters"][0]["cluster"].keys() == {"server", "certificate-authority-data"}
    assert config["users"][0]["user"] == {"token": lab.secrets["admin_token"]}
    ssl.create_default_context(cafile=str(lab.pki / "ca.crt"))


def test_secrets_are_for_root_only(lab: Lab) -> None:
    for path in (lab.secrets_file, lab.kubeconfig, lab.pgpass, lab.service_account_key):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_what_is_whole_stays_and_what_is_missing_is_made(lab: Lab, tmp_path: Path) -> None:
    copy = Lab(state=tmp_path / "state", cache=lab.cache)
    shutil.copytree(lab.state, copy.state)
    pki.ensure(copy)
    assert (copy.pki / "ca.crt").read_text() == (lab.pki / "ca.crt").read_text()
    (copy.pki / "kubelet.key").unlink()
    pki.ensure(copy)
    assert (copy.pki / "kubelet.key").exists()
    assert (copy.pki / "ca.crt").read_text() != (lab.pki / "ca.crt").read_text()
    assert copy.secrets == lab.secrets


def test_a_lab_that_was_never_up_says_so(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="run `python -m lab up`"):
        _ = Lab(state=tmp_path, cache=tmp_path).secrets


def test_a_folder_of_somebody_else_is_never_taken_for_the_labs(lab: Lab, tmp_path: Path) -> None:
    lab.require_own_state()
    other = Lab(state=tmp_path, cache=lab.cache)
    other.require_own_state()  # empty: may become the lab's
    (tmp_path / "letters").touch()
    with pytest.raises(LabError, match="LINKOPS_LAB_STATE"):
        other.require_own_state()


def test_a_folder_without_all_programs_is_refused(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kube-apiserver").touch()
    monkeypatch.setenv("LAB_KUBE_BIN", str(tmp_path))
    binaries.kubernetes.cache_clear()
    with pytest.raises(LabError, match="lacks etcd, kube-controller-manager"):
        binaries.kubernetes(lab)


def test_a_folder_with_another_version_is_refused(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for program in binaries.PROGRAMS:
        (tmp_path / program).write_text("#!/bin/sh\necho Kubernetes v1.35.0\n")
        (tmp_path / program).chmod(0o755)
    monkeypatch.setenv("LAB_KUBE_BIN", str(tmp_path))
    binaries.kubernetes.cache_clear()
    with pytest.raises(LabError, match=r"is not Kubernetes 1\.36\.3"):
        binaries.kubernetes(lab)


def test_the_pause_archive_names_its_image(tmp_path: Path) -> None:
    program = tmp_path / "pause"
    program.write_bytes(b"program")
    binaries._pack(program, tmp_path / "pause.tar")
    assert node._names(tmp_path / "pause.tar") == [binaries.PAUSE_IMAGE]


def test_other_images_are_other_services() -> None:
    one, other = (
        plan.services_fingerprint([Path("/c/releases-1.tar")]),
        plan.services_fingerprint([Path("/c/releases-2.tar")]),
    )
    assert one != other
    assert one == plan.services_fingerprint([Path("/elsewhere/releases-1.tar")])


def test_a_failing_build_ends_with_its_last_lines(tmp_path: Path) -> None:
    told: list[str] = []
    with pytest.raises(LabError, match=r"failed with exit code 3:\n    one\n    two"):
        binaries.run(("sh", "-c", "echo one; echo two >&2; exit 3"), folder=tmp_path, tell=told.append)
    assert told == ["one", "two"]
