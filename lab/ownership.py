# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose the machine's cgroup, address and packet rules are: they are in no state folder, so a note says it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from lab import address, cgroups
from lab.site import Lab, LabError

if TYPE_CHECKING:
    from collections.abc import Callable

NOTE = Path("/run/linkops-lab")  # a reboot takes it with all that it speaks of


def take(lab: Lab, note: Path = NOTE) -> None:
    """Note that this lab has the machine's cgroup, address and packet rules; `up` does it before it makes them.

    Raises LabError when another lab has them.
    """
    other = _other(lab, note)
    if other:
        raise LabError(
            f"This machine runs the lab in {other} already, and there is one with a real node: "
            f"take that one down with LINKOPS_LAB_STATE={other}, or use it."
        )
    note.write_text(str(lab.state))


def _stands(lab: Lab) -> bool:
    return address.has_address(lab) or any((each / cgroups.NAME).exists() for each in cgroups.hierarchies())


def require(lab: Lab, note: Path = NOTE, stands: Callable[[Lab], bool] = _stands) -> None:
    """Raises LabError when what `down` would remove of the machine is not this lab's.

    Without a note, as after a reboot, it is the lab's that was brought up with a real node; ``stands`` tells whether
    there is anything to remove.
    """
    other = _other(lab, note)
    if other:
        owner = f"belong to the lab in {other}"
    elif _noted(note) or (lab.mark.exists() and not lab.shape.rootless) or not stands(lab):
        return
    else:
        owner = f"are there, and {lab.state} holds no lab that made them"
    raise LabError(
        f"The cgroup {cgroups.NAME}, the address {lab.node_address} and the packet rules of this machine {owner}: "
        f"nothing was taken down. {f'Set LINKOPS_LAB_STATE={other}.' if other else 'Correct LINKOPS_LAB_STATE.'}"
    )


def release(note: Path = NOTE) -> None:
    """Forget who had them; the last that `down` does."""
    note.unlink(missing_ok=True)


def _noted(note: Path) -> str:
    with suppress(FileNotFoundError):
        return note.read_text()
    return ""


def _other(lab: Lab, note: Path) -> str:
    """The state folder of the lab that has them, if it is not this one; a folder that is gone has nothing."""
    noted = _noted(note)
    differs = noted and Path(noted).resolve() != lab.state.resolve()
    return noted if differs and Lab(state=Path(noted), cache=lab.cache).mark.exists() else ""
