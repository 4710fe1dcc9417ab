# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From options, URL and environment to the Redis that is meant; no connection is made here, all faults are named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from ..credential import password
from ..errors import Fault, OperatorError

PORT = 6379
_SCHEMES = {"redis": False, "rediss": True}
_FILES = {
    "ca_certs": "The CA certificate",
    "client_cert_file": "The client certificate",
    "client_key_file": "The client key",
}


@dataclass(frozen=True)
class CacheTarget:
    """Which Redis, and how to log in."""

    host: str
    port: int = PORT
    user: str = ""
    password: str = ""
    db: int = 0
    tls: bool = False
    validate_certs: bool = True
    ca_certs: str | None = None
    client_cert_file: str | None = None
    client_key_file: str | None = None

    @property
    def name(self) -> str:
        """The Redis as an operator knows it."""
        return f"the Redis at {f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be shown."""
        return tuple(filter(None, [self.password]))


def resolve(params: Mapping[str, Any], environment: Mapping[str, str]) -> CacheTarget:
    """What the options name. What an option says comes before the URL; the password may be in REDISCLI_AUTH, too.

    Raises C(OperatorError) with all that is wrong or missing.
    """
    faults: list[Fault] = []
    parsed: dict[str, Any] = {}
    if params.get("login_url"):
        try:
            parsed = parse(params["login_url"])
        except OperatorError as fault:
            faults += fault.faults
    given, wrong = password(params)
    faults += wrong
    found: dict[str, Any] = {
        "host": params.get("login_host") or parsed.get("host"),
        "port": params.get("login_port") or parsed.get("port") or PORT,
        "user": params.get("login_user") or parsed.get("user") or "",
        "password": given or parsed.get("password") or environment.get("REDISCLI_AUTH") or "",
        "db": parsed.get("db", 0) if params.get("login_db") is None else params["login_db"],
        "tls": parsed.get("tls", False) if params.get("tls") is None else params["tls"],
        "validate_certs": params.get("validate_certs", True),
        **{option: params.get(option) for option in _FILES},
    }
    if not found["host"] and all(fault.reason != "url_invalid" for fault in faults):
        faults.append(
            Fault(
                "no_host",
                "Nothing says which host the Redis runs on.",
                "Set login_host (cache_host in the inventory), or login_url.",
            )
        )
    faults += [
        Fault("file_missing", f"{what} {params[option]} does not exist.", f"Correct {option}.")
        for option, what in _FILES.items()
        if params.get(option) and not Path(params[option]).exists()
    ]
    if faults:
        raise OperatorError(faults)
    return CacheTarget(**found)


def parse(url: str) -> dict[str, Any]:
    """The parts of a URL as ioredis and redis-py have it (C(redis://USER:PASSWORD@HOST:PORT/DB), C(rediss) for TLS)."""
    scheme, separator, rest = url.strip().partition("://")
    if not separator or scheme.lower() not in _SCHEMES:
        raise OperatorError(_invalid("does not begin with redis:// or rediss://"))
    address = rest.partition("?")[0]
    authority, _slash, path = address.rpartition("@")[2].partition("/")
    user, _colon, secret = address.rpartition("@")[0].partition(":")
    closed = authority.rfind("]")
    host, _colon, port = authority[closed + 1 :].partition(":")
    if port and not port.isdecimal():
        raise OperatorError(_invalid("has a port that is no number"))
    if path and not path.isdecimal():
        raise OperatorError(_invalid("has a database that is no number"))
    return {
        "host": authority[1:closed] if closed > 0 else host,
        "port": int(port or 0),
        "user": unquote(user),
        "password": unquote(secret),
        "db": int(path or 0),
        "tls": _SCHEMES[scheme.lower()],
    }


def _invalid(what: str) -> Fault:
    return Fault(
        "url_invalid",
        f"The cache's URL {what}.",
        "Write it as redis://USER:PASSWORD@HOST:PORT/DB; special characters are percent-encoded.",
    )
