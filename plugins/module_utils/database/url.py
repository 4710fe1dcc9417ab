# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading a connection URL as libpq, Prisma and node-postgres have it. Its faults never quote it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote

from ..errors import Fault, OperatorError
from .arguments import SSL_MODES

_SCHEMES = ("postgresql", "postgres")
# What other clients call a mode of libpq: node-postgres asks for TLS without looking at the certificate.
_OTHER_MODES = {"no-verify": "require", "true": "require", "1": "require", "false": "disable", "0": "disable"}
_OF_LIBPQ = ("sslrootcert", "sslcert", "sslkey", "host", "port", "user", "password", "dbname")


@dataclass(frozen=True)
class DatabaseUrl:
    """A URL taken apart: libpq's keywords, Prisma's schema, and whether a pooler stands between."""

    keywords: Mapping[str, str] = field(default_factory=dict)
    schema: str = ""
    pooled: bool = False


def parse(url: str) -> DatabaseUrl:
    """The URL's parts. Raises C(OperatorError) where it is none, or asks for a mode of TLS that does not exist.

    Parameters that steer only the client which the URL was written for, such as Prisma's connection_limit, are left
    out.
    """
    scheme, separator, rest = url.strip().partition("://")
    if not separator or scheme.lower() not in _SCHEMES:
        raise OperatorError(_invalid("does not begin with postgresql://"))
    address, _mark, query = rest.partition("?")
    authority, _slash, database = address.partition("/")
    userinfo, _at, hosts = authority.rpartition("@")
    user, _colon, password = userinfo.partition(":")
    names, ports = _hosts(hosts)
    parameters = dict(parse_qsl(query, keep_blank_values=True))
    found = {"host": names, "port": ports, "user": user, "password": password, "dbname": database}
    keywords = {name: unquote(value) for name, value in found.items() if value}
    keywords |= {name: parameters[name] for name in _OF_LIBPQ if parameters.get(name)}
    if mode := _ssl_mode(parameters):
        keywords["sslmode"] = mode
    if "sslaccept" in parameters:  # in Prisma's URLs sslcert is the server's authority, not the client's certificate
        keywords.pop("sslcert", None)
    return DatabaseUrl(keywords, parameters.get("schema", ""), parameters.get("pgbouncer", "").lower() == "true")


def _hosts(text: str) -> tuple[str, str]:
    """Hosts and ports as libpq's keywords take several of them."""
    names, ports = [], []
    for each in text.split(","):
        closed = each.rfind("]")
        name, _colon, port = each[closed + 1 :].partition(":")
        if port and not port.isdecimal():
            raise OperatorError(_invalid("has a port that is no number"))
        names.append(each[1:closed] if closed > 0 else name)
        ports.append(port)
    return ",".join(names), ",".join(ports) if any(ports) else ""


def _ssl_mode(parameters: Mapping[str, str]) -> str:
    asked = parameters.get("sslmode") or parameters.get("ssl") or ""
    mode = _OTHER_MODES.get(asked.lower(), asked.lower())
    if mode and mode not in SSL_MODES:
        raise OperatorError(_invalid("asks for an sslmode that does not exist"))
    return "verify-full" if parameters.get("sslaccept") == "strict" and mode != "disable" else mode


def _invalid(what: str) -> Fault:
    return Fault(
        "url_invalid",
        f"The database's URL {what}.",
        "Write it as postgresql://USER:PASSWORD@HOST:PORT/DATABASE; special characters are percent-encoded.",
    )
