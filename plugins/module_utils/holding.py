# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Leases of a run in the hands of an operation that is no business of the cluster: a database's, a cache's.

Such a module has the connection options of its own room. How the cluster is reached stands in the run that
M(linkops.runbooks.service_lock) returned; what is secret of it never stands there and comes from the environment.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from ansible.module_utils.basic import env_fallback

from .call import Call
from .cluster.arguments import CONNECTION
from .cluster.client import Cluster
from .cluster.connection import connected
from .cluster.session import leased


class Hold(Protocol):
    """What an operation does with its run's Leases."""

    def renew(self) -> None:
        """Renew now; called before every write. Raises C(lock_lost) when the Lease is somebody else's."""

    def renew_if_due(self) -> None:
        """Renew after a third of the duration; called in every wait."""


class _Nothing:
    """A module on its own, or a run that locked nothing."""

    def renew(self) -> None:
        """Do nothing."""

    def renew_if_due(self) -> None:
        """Do nothing."""


@contextlib.contextmanager
def held(call: Call) -> Iterator[Hold]:
    """The Leases of the call's run; an interruption gives them back, as the play will not."""
    run = call.params.get("run") or {}
    if not run.get("leases"):
        yield _Nothing()
        return
    options = _completed(run.get("connection") or {}, call.environment)
    with connected(options, call.environment) as connection, leased(Cluster(*connection), run) as hold:
        yield hold


def _completed(connection: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """The connection with what the environment says of the options that it leaves out."""
    found = dict(connection)
    for name, option in CONNECTION.items():
        kind, variables = option.get("fallback", (None, ()))
        if found.get(name) is None and kind is env_fallback:
            said = next((environment[each] for each in variables if environment.get(each)), None)
            found[name] = said.lower() not in ("0", "no", "false", "off") if said and option["type"] == "bool" else said
    return found
