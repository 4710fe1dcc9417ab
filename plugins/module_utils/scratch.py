# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A backup in a scratch database, which is dropped however it ends: what a drill and a rehearsal stand on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from .database import restoring
from .database.archives import Manifest
from .database.programs import Programs
from .database.session import DatabaseSession
from .database.shelf import Shelf
from .deadline import Deadline
from .dumping import looking
from .errors import OperatorError, together
from .holding import Hold
from .verdict import Verdict

#: Dropping what was restored may take this long once the time of the work itself is over.
_DROP_SECONDS = 60.0


def checked(session: DatabaseSession, manifest: Manifest, making: str) -> Programs:
    """The programs to restore with, as the database C(making). Raises C(OperatorError) with all that is in the way."""
    faults, warnings = restoring.unfit(session, manifest, making)
    with together(*faults):
        found = restoring.find(session, manifest)
    for sentence in warnings:
        session.call.warn(sentence)
    return found


def intact(shelf: Shelf, manifest: Manifest, look: restoring.Meanwhile) -> Verdict:
    """Whether the files are those that were written."""
    wrong = shelf.wrong(manifest, look)
    if wrong:
        return Verdict("fail", f"the backup's files are not those that were written: {'; '.join(wrong[:3])}")
    return Verdict("pass", "the backup's files are those that were written")


@contextlib.contextmanager
def restored(
    session: DatabaseSession,
    hold: Hold,
    shelf: Shelf,
    manifest: Manifest,
    found: Programs,
    name: str,
    deadline: Deadline,
) -> Iterator[restoring.Meanwhile]:
    """The backup as the database C(name); yields what is to be called while others work with it."""
    look = looking(session, hold, deadline)
    with session.another() as guard:
        restoring.alone(guard, name)
        hold.renew()
        try:
            restoring.create(session, name, manifest, deadline, look)
            archive = str(shelf.archive(manifest))
            restoring.fill(session, found, archive, name, session.params["jobs"], deadline, look)
            yield look
        finally:
            _dropped(session, name, manifest.database)


def _dropped(session: DatabaseSession, scratch: str, of: str) -> None:
    """Drop the scratch database over a new connection: the session's own may be lost."""
    last = ""
    for _attempt in range(2):
        try:
            with session.another() as fresh:
                inside = DatabaseSession(session.call, fresh)
                restoring.drop(inside, scratch, of, Deadline(_DROP_SECONDS), lambda: None)
            return
        except OperatorError as fault:
            last = str(fault.faults[0])
    session.call.warn(f"The scratch database {scratch} is left ({last}); the next run drops it.")
