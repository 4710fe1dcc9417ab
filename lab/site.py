# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the lab lives: its paths, addresses, ports and secrets. There is one lab per machine."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path


class LabError(Exception):
    """A foreseeable fault, told in one sentence: what, where, and what to do next."""


@dataclass(frozen=True)
class Lab:
    """The one lab of this machine.

    ``state`` holds what ``down`` removes (data, certificates, logs, sockets); ``cache`` holds what it keeps (built
    binaries, images, timings). Neither is inside a checkout, so that any clone can adopt the running lab.
    """

    state: Path
    cache: Path
    node_name: str = "lab-node"
    node_address: str = "192.0.2.1"  # TEST-NET-1 (RFC 5737): kubelet refuses loopback addresses
    context: str = "linkops-lab"
    api_port: int = 16443
    postgres_port: int = 15432
    redis_port: int = 16379
    prometheus_port: int = 19090
    registry_port: int = 15000
    service_network: str = "10.96.0.0/16"
    pod_network: str = "10.244.0.0/20"

    @classmethod
    def of_this_machine(cls) -> Lab:
        """The lab at LINKOPS_LAB_STATE and LINKOPS_LAB_CACHE, or at the usual places below /var."""
        return cls(
            state=Path(os.environ.get("LINKOPS_LAB_STATE", "/var/lib/linkops-lab")),
            cache=Path(os.environ.get("LINKOPS_LAB_CACHE", "/var/cache/linkops-lab")),
        )

    @property
    def mark(self) -> Path:
        """What tells the lab's own state folder from somebody else's: `down` removes the folder whole."""
        return self.state / ".linkops-lab"

    def require_own_state(self) -> None:
        """Raises LabError when the state folder holds what the lab did not make."""
        if self.state.exists() and any(self.state.iterdir()) and not self.mark.exists():
            raise LabError(
                f"{self.state} is not the lab's: it holds other files. Point LINKOPS_LAB_STATE to a folder of its own."
            )

    @property
    def api_url(self) -> str:
        return f"https://127.0.0.1:{self.api_port}"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig; its only context is ``linkops-lab``."""
        return self.state / "kubeconfig"

    @property
    def kubectl(self) -> Path:
        return self.state / "bin" / "kubectl"

    @property
    def pki(self) -> Path:
        return self.state / "pki"

    @property
    def service_account_key(self) -> Path:
        """The private key that signs service-account tokens (RSA, PEM)."""
        return self.state / "sa.key"

    @property
    def audit_log(self) -> Path:
        """The API server's audit log: JSON lines at level Metadata."""
        return self.state / "audit" / "audit.log"

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def secrets_file(self) -> Path:
        return self.state / "secrets.json"

    @property
    def pgpass(self) -> Path:
        """PostgreSQL's password file (PGPASSFILE) with the roles postgres, servicelink and credlink."""
        return self.state / "pgpass"

    @cached_property
    def secrets(self) -> dict[str, str]:
        """The lab's random passwords: admin_token, postgres_password, servicelink_password, credlink_password,
        redis_password.

        Raises LabError when the lab has not been brought up.
        """
        try:
            loaded: dict[str, str] = json.loads(self.secrets_file.read_text())
        except FileNotFoundError:
            raise LabError(f"The lab has no secrets yet ({self.secrets_file}): run `python -m lab up`.") from None
        return loaded
