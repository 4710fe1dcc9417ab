# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A server that runs in a container of Docker, or of Podman, which speaks the same API."""

from __future__ import annotations

import importlib
from typing import Any

from ..errors import Fault, OperatorError

_SECONDS = 10
#: PostgreSQL ends its sessions at SIGINT (fast shutdown); at SIGTERM it waits for them (smart), and is killed at last.
_FAST = ("SIGINT", "2")


class Container:
    """One container by its name. C(stop_seconds) is what it has to shut down before it is killed."""

    def __init__(self, name: str, socket: str, stop_seconds: int) -> None:
        try:
            docker: Any = importlib.import_module("docker")
            self._errors: Any = importlib.import_module("docker.errors")
            self._broken: Any = importlib.import_module("requests.exceptions").RequestException
        except ImportError as missing:
            raise OperatorError(
                Fault("library_missing", f"docker cannot be imported ({missing}).", "pip install docker here.")
            ) from missing
        self._name, self._socket, self._stop_seconds = name, socket, stop_seconds
        self._client = self._asked(lambda: docker.DockerClient(base_url=socket, timeout=_SECONDS + stop_seconds))

    @property
    def name(self) -> str:
        """The container as an operator knows it."""
        return f"the container {self._name}"

    def faults(self) -> list[Fault]:
        """Why it is not restarted now: none, a container that has ended is started."""
        self._found()
        return []

    def warnings(self, _failover: bool) -> list[str]:
        """What a restart brings with it."""
        signal = str(self._found().attrs.get("Config", {}).get("StopSignal") or "SIGTERM")
        if signal in _FAST:
            return []
        said = f"The container {self._name} is stopped by {signal}: PostgreSQL waits for its sessions"
        return [f"{said}, and after container_stop_seconds it is killed and recovers from its log."]

    def restart(self, _failover: bool) -> None:
        """Stop and start it; the engine answers when it has."""
        self._asked(lambda: self._found().restart(timeout=self._stop_seconds))

    def settled(self) -> str:
        """What is still to come, empty once it runs."""
        state = self._found().attrs["State"]
        return "" if state.get("Running") else f"the container is {state.get('Status', 'not running')}"

    def _found(self) -> Any:
        return self._asked(lambda: self._client.containers.get(self._name))

    def _asked(self, question: Any) -> Any:
        try:
            return question()
        except self._errors.NotFound as fault:
            raise OperatorError(
                Fault(
                    "no_such_container",
                    f"The engine at {self._socket} has no container {self._name}.",
                    "Correct database_container in the inventory.",
                )
            ) from fault
        except (self._errors.DockerException, self._broken) as fault:
            raise OperatorError(
                Fault(
                    "engine_refused",
                    f"The container engine at {self._socket} does not do it: {fault}".rstrip(".") + ".",
                    "Is it up, and may this user speak to its socket?",
                )
            ) from fault
