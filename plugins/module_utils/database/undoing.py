# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a migration may be marked, or undone: only where the doctor's verdict fits. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ..confirmation import unconfirmed
from ..errors import Fault
from . import scripts
from .migrations import Migration


def is_resolved(found: Migration, resolution: str) -> bool:
    """Whether it is marked so already."""
    return found.state == "rolled_back" if resolution == "rolled_back" else found.state in ("applied", "edited")


def unresolvable(found: Migration | None, name: str, resolution: str, confirm: str) -> Fault | None:
    """The fault of marking a migration as C(resolution) against what is known of it."""
    if found is None:
        return Fault("migration_unknown", f"Neither the image nor the database knows {name}.", "Correct its name.")
    word = resolution.replace("_", " ")
    fits = ("failed", "partial") if resolution == "rolled_back" else ("failed", "partial", "pending", "rolled_back")
    if found.state not in fits or found.left is None:
        why = "state=reverted undoes it" if found.state in ("applied", "edited", "ahead") else "wait until it has ended"
        state = found.state.replace("_", " ")
        return Fault(
            "does_not_fit", f"Migration {name} is {state}, so it cannot be marked {word}.", f"{why}.".capitalize()
        )
    left = found.left
    wanted = "nothing" if resolution == "rolled_back" else "all"
    if left.remains == wanted:
        return None
    if left.remains == "unknown":
        return unconfirmed(confirm, name, f"It is not known what {name} left ({left.why}); it would be marked {word}")
    there = f" There is {', '.join(map(str, left.done))}." if left.done else ""
    lacks = f" There is no {', '.join(map(str, left.missing))}." if left.missing and resolution == "applied" else ""
    return Fault(
        "does_not_fit",
        f"Migration {name} cannot be marked {word}: {left.why}.{there}{lacks}",
        "Make the schema what the mark says, then press again.",
    )


def unrevertible(known: Sequence[Migration], name: str, down: str | None, confirm: str) -> list[Fault]:
    """All that stands against undoing an applied migration with its down script."""
    found = next((each for each in known if each.name == name), None)
    if found is None:
        return [Fault("migration_unknown", f"Neither the image nor the database knows {name}.", "Correct its name.")]
    if found.state == "running":
        return [Fault("does_not_fit", f"Migration {name} still runs.", "Wait until it has ended.")]
    faults = []
    if down is None or not down.strip():
        faults.append(
            Fault(
                "no_down_script",
                f"The image has no down.sql for migration {name}.",
                "Name an image that has one (-e image=...), mend forward, or restore a backup.",
            )
        )
    else:
        faults += _unfit(name, down)
    started = found.row.started_at if found.row else None
    later = [
        each.name
        for each in known
        if each.name != name
        and each.row
        and each.row.rolled_back_at is None
        and (each.name > name or (started is not None and each.row.started_at > started))
    ]
    if later:
        faults.append(
            Fault(
                "later_applied",
                f"Later migrations stand on {name}: {', '.join(sorted(later))}.",
                "Undo those first, the last one first.",
            )
        )
    unsure = unconfirmed(confirm, name, f"Undoing {name} runs its down.sql, which may lose data")
    return [*faults, *([unsure] if unsure else [])]


def _unfit(name: str, down: str) -> list[Fault]:
    """Why the down script cannot run in one transaction together with the history's row."""
    script = scripts.read(down)
    if script.unread:
        return [Fault("down_unread", f"The down.sql of {name} was not read: {script.unread}.", "Mend it.")]
    held = [*script.control, *script.alone]
    if not held:
        return []
    return [
        Fault(
            "down_not_atomic",
            f"The down.sql of {name} holds {', '.join(held)}, so it cannot run in one transaction with its row.",
            "Take that out of it.",
        )
    ]
