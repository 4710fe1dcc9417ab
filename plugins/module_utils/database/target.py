# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From options, URL and environment to what libpq is told; no connection is made here, all faults are named."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..credential import password
from ..errors import Fault, OperatorError
from . import url

APPLICATION = "linkops.runbooks"
PORT = "5432"

# libpq's keyword: the option, and the variable that libpq reads (PostgreSQL documentation, libpq-envars). The
# variables are read here, since a task's environment does not reach the process that libpq runs in.
_SOURCES = {
    "host": ("login_host", "PGHOST"),
    "port": ("login_port", "PGPORT"),
    "user": ("login_user", "PGUSER"),
    "dbname": ("login_db", "PGDATABASE"),
    "password": ("login_password", "PGPASSWORD"),
    "passfile": ("", "PGPASSFILE"),
    "sslmode": ("ssl_mode", "PGSSLMODE"),
    "sslrootcert": ("ca_cert", "PGSSLROOTCERT"),
    "sslcert": ("ssl_cert", "PGSSLCERT"),
    "sslkey": ("ssl_key", "PGSSLKEY"),
}
_FILES = {"ca_cert": "The CA certificate", "ssl_cert": "The client certificate", "ssl_key": "The client key"}


@dataclass(frozen=True)
class Target:
    """What to connect to: libpq's keywords, the schema of a Prisma URL, and whether a pooler stands between."""

    keywords: Mapping[str, str]
    schema: str = ""
    pooled: bool = False

    @property
    def name(self) -> str:
        """The database as an operator knows it."""
        return f"the database {self.database} at {self.address}"

    @property
    def address(self) -> str:
        """Host and port, or the socket's folder."""
        ports = self.keywords.get("port", PORT).split(",")
        hosts = self.keywords["host"].split(",")
        joined = [
            host if host.startswith("/") else f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            for host, port in zip(hosts, ports * len(hosts) if len(ports) == 1 else ports, strict=False)
        ]
        return ", ".join(joined)

    @property
    def user(self) -> str:
        """The role that logs in."""
        return self.keywords["user"]

    @property
    def database(self) -> str:
        """The database, which is named as its user where nothing else is said."""
        return self.keywords.get("dbname") or self.user

    def to(self, database: str) -> Target:
        """The same server, another of its databases."""
        return dataclasses.replace(self, keywords={**self.keywords, "dbname": database})

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be shown."""
        return tuple(filter(None, [self.keywords.get("password")]))


def resolve(params: Mapping[str, Any], environment: Mapping[str, str]) -> Target:
    """What the options name. What an option says comes before the URL, and that before the environment.

    Raises C(OperatorError) with all that is wrong or missing.
    """
    faults: list[Fault] = []
    parsed = url.DatabaseUrl()
    if params.get("login_url"):
        try:
            parsed = url.parse(params["login_url"])
        except OperatorError as fault:
            faults += fault.faults
    options = dict(params)
    options["login_host"] = params.get("login_unix_socket") or params.get("login_host")
    options["login_password"], wrong = password(params)
    faults += wrong
    keywords = {}
    for keyword, (option, variable) in _SOURCES.items():
        value = options.get(option) or parsed.keywords.get(keyword) or environment.get(variable)
        if value:
            keywords[keyword] = str(value)
    if all(fault.reason != "url_invalid" for fault in faults):
        faults += _missing(keywords)
    faults += [
        Fault("file_missing", f"{what} {params[option]} does not exist.", f"Correct {option}.")
        for option, what in _FILES.items()
        if params.get(option) and params[option] != "system" and not Path(params[option]).exists()
    ]
    if faults:
        raise OperatorError(faults)
    return Target(keywords, parsed.schema, parsed.pooled)


def _missing(keywords: Mapping[str, str]) -> list[Fault]:
    wanted = {
        "host": ("no_host", "which host the database runs on", "login_host (database_host in the inventory)", "PGHOST"),
        "user": ("no_user", "who logs in to the database", "login_user (database_user in the inventory)", "PGUSER"),
    }
    return [
        Fault(reason, f"Nothing says {what}.", f"Set {option}, login_url, or {variable} in the environment.")
        for keyword, (reason, what, option, variable) in wanted.items()
        if not keywords.get(keyword)
    ]
