# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A server that runs as an instance of Amazon RDS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import aws
from ..errors import Fault, OperatorError

_SECONDS, _ATTEMPTS = 10, 2


class Instance:
    """One instance by its identifier. Errors are botocore's names (botocore:data/rds/2014-10-31/service-2.json)."""

    def __init__(self, identifier: str, region: str, environment: Mapping[str, str], seconds: float = _SECONDS) -> None:
        self.identifier = identifier
        found = aws.service("rds", environment, region, seconds=seconds, attempts=_ATTEMPTS)
        self._client, self._errors = found.client, found.errors

    @property
    def name(self) -> str:
        """The instance as an operator knows it."""
        return f"the RDS instance {self.identifier}"

    def state(self) -> dict[str, Any]:
        """What RDS says of it."""
        answer = self._of_it("DescribeDBInstances", self._client.describe_db_instances)
        found: dict[str, Any] = answer["DBInstances"][0]
        return found

    def pending(self, state: Mapping[str, Any]) -> list[dict[str, Any]]:
        """What RDS is about to do to it, given its state."""
        describe = self._client.describe_pending_maintenance_actions
        identifier = state["DBInstanceArn"]
        answer = self._asked("DescribePendingMaintenanceActions", describe, ResourceIdentifier=identifier)
        found: list[dict[str, Any]] = answer["PendingMaintenanceActions"]
        return found

    def events(self, seconds: float) -> list[dict[str, Any]]:
        """What has happened to it in the last C(seconds), which RDS counts in minutes."""
        of = {"SourceIdentifier": self.identifier, "SourceType": "db-instance", "Duration": max(1, round(seconds / 60))}
        found: list[dict[str, Any]] = self._asked("DescribeEvents", self._client.describe_events, **of)["Events"]
        return found

    def faults(self) -> list[Fault]:
        """Why it is not restarted now."""
        status = self.state().get("DBInstanceStatus", "unknown")
        if status == "available":
            return []
        return [Fault("not_available", f"RDS says that {self.name} is {status}.", "Wait until it is available.")]

    def warnings(self, failover: bool) -> list[str]:
        """What a restart brings with it."""
        state = self.state()
        said = []
        pending = [
            group["DBParameterGroupName"]
            for group in state.get("DBParameterGroups", [])
            if group.get("ParameterApplyStatus") == "pending-reboot"
        ]
        if pending:
            said.append(f"The restart applies changed parameters of {', '.join(pending)}.")
        if failover and not state.get("MultiAZ"):
            said.append(f"{self.name[:1].upper()}{self.name[1:]} has no second zone to fail over to.")
        return said

    def restart(self, failover: bool) -> None:
        """Reboot it; RDS answers at once."""
        more = {"ForceFailover": True} if failover else {}
        self._of_it("RebootDBInstance", self._client.reboot_db_instance, **more)

    def settled(self) -> str:
        """What is still to come, empty once RDS says that it is available."""
        status = self.state().get("DBInstanceStatus", "unknown")
        return "" if status == "available" else f"RDS says {status}"

    def _of_it(self, action: str, call: Any, **more: Any) -> dict[str, Any]:
        return self._asked(action, call, DBInstanceIdentifier=self.identifier, **more)

    def _asked(self, action: str, call: Any, **given: Any) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = call(**given)
            return answer
        except self._errors as fault:
            raise OperatorError(
                Fault(
                    "rds_refused",
                    f"RDS refuses {action} for {self.name}: {_first(fault)}.",
                    f"Check rds_instance, the region, the credentials and their right rds:{action}.",
                )
            ) from fault


def _first(fault: Exception) -> str:
    """What went wrong, without the page that may follow."""
    return str(fault).split(":\n", maxsplit=1)[0].splitlines()[0].rstrip(".:")
