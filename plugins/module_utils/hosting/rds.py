# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A server that runs as an instance of Amazon RDS."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from ..errors import Fault, OperatorError

_SECONDS = 10
#: Environment variables that name credentials, by boto3's own argument; without them boto3 finds its own.
_SESSION = {
    "AWS_ACCESS_KEY_ID": "aws_access_key_id",
    "AWS_SECRET_ACCESS_KEY": "aws_secret_access_key",
    "AWS_SESSION_TOKEN": "aws_session_token",
    "AWS_PROFILE": "profile_name",
}
_ENDPOINTS = ("AWS_ENDPOINT_URL_RDS", "AWS_ENDPOINT_URL")


class Instance:
    """One instance by its identifier. Errors are botocore's names (botocore:data/rds/2014-10-31/service-2.json)."""

    def __init__(self, identifier: str, region: str, environment: Mapping[str, str]) -> None:
        try:
            boto3: Any = importlib.import_module("boto3")
            config: Any = importlib.import_module("botocore.config")
            self._errors: Any = importlib.import_module("botocore.exceptions")
        except ImportError as missing:
            raise OperatorError(
                Fault("library_missing", f"boto3 cannot be imported ({missing}).", "Install boto3 on the controller.")
            ) from missing
        self.identifier = identifier
        quick = config.Config(connect_timeout=_SECONDS, read_timeout=_SECONDS, retries={"total_max_attempts": 2})
        given = {argument: environment[name] for name, argument in _SESSION.items() if environment.get(name)}
        endpoint = next((environment[name] for name in _ENDPOINTS if environment.get(name)), None)
        session = boto3.session.Session(region_name=region, **given)
        self._client = session.client("rds", endpoint_url=endpoint, config=quick)

    @property
    def name(self) -> str:
        """The instance as an operator knows it."""
        return f"the RDS instance {self.identifier}"

    def state(self) -> dict[str, Any]:
        """What RDS says of it."""
        answer = self._asked("DescribeDBInstances", self._client.describe_db_instances)
        found: dict[str, Any] = answer["DBInstances"][0]
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
        self._asked("RebootDBInstance", self._client.reboot_db_instance, **more)

    def settled(self) -> str:
        """What is still to come, empty once RDS says that it is available."""
        status = self.state().get("DBInstanceStatus", "unknown")
        return "" if status == "available" else f"RDS says {status}"

    def _asked(self, action: str, call: Any, **more: Any) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = call(DBInstanceIdentifier=self.identifier, **more)
            return answer
        except (self._errors.BotoCoreError, self._errors.ClientError) as fault:
            raise OperatorError(
                Fault(
                    "rds_refused",
                    f"RDS refuses {action} for {self.name}: {fault}.".replace("..", "."),
                    f"Check rds_instance, the region, the credentials and their right rds:{action}.",
                )
            ) from fault
