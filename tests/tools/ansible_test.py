# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs ansible-test on a clean copy of the collection's parts.

ansible-test wants a folder named ``ansible_collections/linkops/runbooks`` and looks at every file below it. The copy
holds the files that git knows or would add, of the collection's own parts only, so that the lab and the caches are not
judged by the rules for plugins.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
PARTS = (
    "COPYING", "README.md", "ansible.cfg", "changelogs", "docs", "galaxy.yml", "inventories", "meta", "playbooks",
    "plugins", "requirements.txt", "roles", "tests/sanity", "tests/unit",
)  # fmt: skip
# Unit tests of what the copy leaves out.
LEFT_OUT = ("tests/unit/lab", "tests/unit/lab_images")
BOOTSTRAP = Path(__file__).with_name("ansible-test-get-pip.py")


def place_pip_bootstrap(home: Path) -> None:
    """Put our pip bootstrap where ansible-test looks for a downloaded one, unless one is there.

    The file's name holds the pip version that ansible-test pins (``python_requirements.py``, ``get_venv_packages``).
    """
    package = find_spec("ansible_test")
    if package is None or package.origin is None:
        sys.exit("ansible-test is not installed in this Python: run `./dev sanity`.")
    source = Path(package.origin).with_name("_internal") / "python_requirements.py"
    pinned = re.search(r"\bpip='([\d.]+)'", source.read_text())
    if pinned is None:
        sys.exit(f"{source} pins no pip any more: {Path(__file__).name} must learn how this ansible-test gets pip.")
    place = home / ".ansible/test/cache" / f"get_pip_{pinned[1].replace('.', '_')}.py"
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(BOOTSTRAP, place)


def copy_parts(target: Path) -> None:
    """Copy the parts' files that git tracks, or would track, from the checkout to ``target``; links stay links."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *PARTS],
        cwd=CHECKOUT, check=True, stdout=subprocess.PIPE,
    )  # fmt: skip
    for name in filter(None, listing.stdout.decode().split("\0")):
        source = CHECKOUT / name
        if name.startswith(tuple(f"{folder}/" for folder in LEFT_OUT)) or not os.path.lexists(source):
            continue
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target / name, follow_symlinks=False)


def main(arguments: list[str]) -> int:
    """``sanity`` or ``units``, and more arguments for ansible-test; returns its exit code."""
    verb, *more = arguments
    place_pip_bootstrap(Path.home())
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    with tempfile.TemporaryDirectory(prefix="linkops-ansible-test-") as scratch:
        collection = Path(scratch, "ansible_collections/linkops/runbooks")
        copy_parts(collection)
        command = ["ansible-test", verb, "--python", python, "--color", "no", *more]
        return subprocess.run(command, cwd=collection, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
