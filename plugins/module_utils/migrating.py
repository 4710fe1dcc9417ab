# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operations behind M(linkops.runbooks.prisma_migration_plan) and M(linkops.runbooks.prisma_migration_revert).

The database meets the places of its backups here, and the run's Leases.
"""

from __future__ import annotations

from typing import Any

from .call import Call
from .database import migration_plan, reverting, undoing
from .database.migration_info import look, refusals, sources
from .database.session import opened
from .database.shelf import Shelf
from .depot import Depot
from .errors import Fault, OperatorError
from .holding import held


def plan(call: Call) -> dict[str, Any]:
    """What is to be done towards C(state), with a look at the newest backup where it is said where these are."""
    params = call.params
    database = (params["target"] or {}).get("database") or params["login_db"] or ""
    folders = [Shelf(params["backup_directory"])] if params["backup_directory"] else []
    depots = [Depot(params["backup_s3"], database, call.environment)] if params["backup_s3"] else []
    return migration_plan.plan(call, [*folders, *depots])


def revert(call: Call) -> dict[str, Any]:
    """Undo an applied migration; one that is not applied needs nothing."""
    params = call.params
    name, target = params["migration"], params["target"] or {}
    down = next((each.get("down") for each in params["migrations"] if each["name"] == name), None)
    with held(call) as hold, opened(call, *refusals(target)) as session:
        picture = look(session, sources(params["migrations"]), target)
        found = picture.migration(name)
        if found and found.state in ("pending", "rolled_back"):
            said = f"nothing to undo: migration {name} is {found.state.replace('_', ' ')}"
            return {"changed": False, "msg": said, "database": picture.database}
        faults = undoing.unrevertible(picture.migrations, name, down, params["confirm"] or "")
        if picture.holder:
            faults.append(Fault("locked", f"{picture.held}.", "Wait until it is free."))
        if faults or down is None:
            raise OperatorError(faults)
        diff = {"before": f"{name}: applied\n", "after": f"{name}: rolled back\n", "prepared": down}
        if call.check_mode:
            said = f"migration {name} would be undone by its down.sql"
            return {"changed": True, "msg": said, "database": picture.database, "diff": diff}
        hold.renew()
        session.database.meanwhile = hold.renew_if_due
        call.say(f"undoing {name} in {picture.database}")
        call.journal.note("revert", migration=name, backup=params["backup"] or "none named")
        call.journal.attach(f"migrations/{name}.down.sql", down)
        reverting.undo(session, picture, name, down, target)
        call.journal.note("reverted", migration=name)
    said = f"migration {name} was undone, its row marked rolled back"
    call.say(said)
    return {"changed": True, "msg": said, "database": picture.database, "diff": diff}
