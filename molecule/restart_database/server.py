# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A PostgreSQL in a container that is down, and a client that wants it back, until the file that tells of it goes."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from lab.site import Lab
from tests.integration.harness.engine import contained, engine
from tests.integration.harness.postgres import HOST, server
from tests.integration.harness.stores import comes_back


def main(told: Path) -> None:
    """Run it."""
    lab = Lab.of_this_machine()
    with server(lab) as postgres, engine() as podman:
        database = postgres.database("credlink")
        database.sql(f'GRANT pg_read_all_stats TO "{database.user}"', superuser=True)
        contained(podman, postgres, lab)
        podman.run("stop", "--time=10", "db")
        with comes_back(lambda name: database.open(application=name), "credlink-api"):
            written = told.with_suffix(".new")
            written.touch(mode=0o600)
            access = {"host": HOST, "port": postgres.port, "user": database.user, "password": database.password}
            written.write_text(json.dumps({**access, "socket": podman.socket}))
            written.rename(told)
            while told.exists():
                time.sleep(0.2)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
