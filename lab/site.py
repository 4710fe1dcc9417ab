# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the lab lives: its paths, addresses, ports and secrets. There is one lab per machine."""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

MOST_OFFSET = 20000


class LabError(Exception):
    """A foreseeable fault, told in one sentence: what, where, and what to do next."""


@dataclass(frozen=True)
class Shape:
    """Which parts a lab has: so many simulated nodes, and, if ``rootless``, nothing that needs root beside them."""

    simulated_nodes: int = 0
    rootless: bool = False


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
    port_offset: int = 0  # for a lab without root beside the real one
    postgres_port: int = 15432
    redis_port: int = 16379
    prometheus_port: int = 19090
    registry_port: int = 15000
    service_network: str = "10.96.0.0/16"
    pod_network: str = "10.244.0.0/20"

    @classmethod
    def of_this_machine(cls) -> Lab:
        """The lab at LINKOPS_LAB_STATE and LINKOPS_LAB_CACHE, or at the usual places: below /var for root, else below
        the home folder. LINKOPS_LAB_PORT_OFFSET is added to the ports of its control plane.

        Raises LabError when that is not a number.
        """
        root = os.geteuid() == 0
        state = "/var/lib/linkops-lab" if root else "~/.local/state/linkops-lab"
        cache = "/var/cache/linkops-lab" if root else "~/.cache/linkops-lab"
        offset = os.environ.get("LINKOPS_LAB_PORT_OFFSET", "0")
        if not offset.isdecimal() or int(offset) > MOST_OFFSET:
            raise LabError(f"LINKOPS_LAB_PORT_OFFSET={offset} is not a number from 0 to {MOST_OFFSET}.")
        return cls(
            state=Path(os.environ.get("LINKOPS_LAB_STATE", state)).expanduser(),
            cache=Path(os.environ.get("LINKOPS_LAB_CACHE", cache)).expanduser(),
            port_offset=int(offset),
        )

    def port(self, usual: int) -> int:
        """Where a component of the control plane listens."""
        return usual + self.port_offset

    @property
    def api_port(self) -> int:
        return self.port(16443)

    @property
    def shape(self) -> Shape:
        """What `up` was asked for last."""
        try:
            return Shape(**json.loads((self.state / "shape.json").read_text()))
        except FileNotFoundError:
            return Shape()

    def remember(self, shape: Shape) -> None:
        """Make ``shape`` what this lab and every later `up` are about."""
        self.state.mkdir(parents=True, exist_ok=True)
        self.mark.touch()
        fresh = self.state / "shape.new"
        fresh.write_text(json.dumps(dataclasses.asdict(shape)))
        fresh.rename(self.state / "shape.json")

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
