# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds the collection's tarball, installs it into an empty path, and has the Galaxy importer judge it."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
# What belongs to a collection or is shipped with ours. Anything else in the tarball has slipped past build_ignore.
SHIPPED = frozenset(
    {
        "CHANGELOG.md", "COPYING", "FILES.json", "MANIFEST.json", "README.md", "awx", "changelogs", "docs",
        "extensions", "inventories", "meta", "monitoring", "playbooks", "plugins", "requirements.txt", "roles",
    }
)  # fmt: skip


def slipped(tarball: Path) -> list[str]:
    """The files of the tarball that are not meant to be shipped, caches included."""
    with tarfile.open(tarball) as archive:
        names = [name.removeprefix("./") for name in archive.getnames()]
    return [name for name in names if name.split("/")[0] not in SHIPPED or "__pycache__" in name or "/." in name]


def find_playbooks(installed: Path) -> None:
    """Let ansible-playbook find each installed playbook and its roles by its full name, from an empty folder."""
    collection = installed / "ansible_collections/linkops/runbooks"
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(installed)}
    environment.pop("ANSIBLE_CONFIG", None)
    names = [f"linkops.runbooks.{playbook.stem}" for playbook in sorted(collection.glob("playbooks/*.yml"))]
    subprocess.run(
        ["ansible-playbook", "-i", str(collection / "inventories/lab"), "--syntax-check", *names],
        cwd=installed, env=environment, check=True,
    )  # fmt: skip


def main() -> int:
    """Print what was built; exit code 1 when a step fails or the tarball holds what it should not."""
    with tempfile.TemporaryDirectory(prefix="linkops-build-") as scratch:
        subprocess.run(["ansible-galaxy", "collection", "build", "--output-path", scratch], cwd=CHECKOUT, check=True)
        (tarball,) = Path(scratch).glob("linkops-runbooks-*.tar.gz")
        if surplus := slipped(tarball):
            print(f"{tarball.name} holds what galaxy.yml's build_ignore should name: {', '.join(surplus[:20])}")
            return 1
        installed = Path(scratch, "collections")
        subprocess.run(
            ["ansible-galaxy", "collection", "install", "--offline", "-p", str(installed), str(tarball)],
            cwd=scratch, check=True,
        )  # fmt: skip
        find_playbooks(installed)
        return subprocess.run(
            [sys.executable, "-m", "galaxy_importer.main", str(tarball)], cwd=scratch, check=False
        ).returncode


if __name__ == "__main__":
    sys.exit(main())
