# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The built collection, installed into an empty path, without the checkout and its ansible.cfg."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.integration.harness.pressing import CHECKOUT, Press
from tests.integration.harness.services import Services


def galaxy(*arguments: str, folder: Path) -> None:
    """``ansible-galaxy collection ...`` with nothing of this machine's configuration."""
    command = [str(Path(sys.executable).with_name("ansible-galaxy")), "collection", *arguments]
    environment = {"PATH": str(Path(sys.executable).parent), "HOME": str(folder), "ANSIBLE_HOME": str(folder)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_tarball_works_anywhere(press: Press, service: Services, tmp_path: Path) -> None:
    """``linkops.runbooks.rollback`` from another folder; the verdict stands above the recap, as no callback is on."""
    api = service(["v1.2.0", "v1.2.1"])
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    galaxy("build", str(CHECKOUT), "--output-path", str(tmp_path), folder=elsewhere)
    (tarball,) = tmp_path.glob("linkops-runbooks-*.tar.gz")
    galaxy("install", str(tarball), "--no-deps", "--collections-path", str(elsewhere / "collections"), folder=elsewhere)
    pressed = press(
        "linkops.runbooks.rollback", api, folder=elsewhere, inventories=[CHECKOUT / "inventories/lab"], revision=1,
        options=["-vv"],  # which shows where each task is from
        environment={
            "ANSIBLE_COLLECTIONS_PATH": str(elsewhere / "collections"),
            "ANSIBLE_HOME": str(elsewhere),
            "ANSIBLE_CALLBACKS_ENABLED": "results",
        },
    )  # fmt: skip
    assert pressed.rc == 0, pressed.output
    assert str(CHECKOUT / "roles") not in pressed.output
    assert str(elsewhere / "collections/ansible_collections/linkops/runbooks/roles") in pressed.output
    assert pressed.closing() in pressed.output.partition("PLAY RECAP")[0]
    assert len(pressed.entries("write")) == 1
    assert not list(CHECKOUT.glob("*.tar.gz"))
