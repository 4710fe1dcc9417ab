# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit button: an anchored chain passes, a changed or shortened one fails, one without an anchor is unknown."""

from __future__ import annotations

import shutil

from tests.integration.harness.ground import Ground


def test_records_are_verified_against_the_head_on_the_lease(ground: Ground) -> None:
    api = ground.service(["v1.2.0", "v1.2.1"])
    unanchored = ground.press("health", api)
    assert unanchored.rc == 0, unanchored.output
    audited = ground.press("audit", api)
    assert audited.rc != 0
    assert "unknown: " in audited.closing()
    assert "consistent, unanchored" in audited.closing()

    back = ground.press("rollback", api, revision=1)
    assert back.rc == 0, back.output
    audited = ground.press("audit", api)
    assert audited.rc == 0, audited.output
    assert "consistent, anchored by head" in audited.closing()

    lines = back.folder() / "record.jsonl"
    written = lines.read_text()
    lines.write_text(written.replace('"button":"rollback"', '"button":"rollbock"'))
    assert "was changed after it was written" in ground.press("audit", api).closing()
    lines.write_text(written)
    shutil.rmtree(back.folder())
    shortened = ground.press("audit", api)
    assert shortened.rc != 0
    assert "missing" in shortened.closing()
