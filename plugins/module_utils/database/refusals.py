# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What PostgreSQL, a pooler or the way there say when they refuse, as sentences with a next step. Pure."""

from __future__ import annotations

import re

from ..errors import Fault, OperatorError
from ..redaction import redact_text
from .target import Target


class Refused(OperatorError):
    """The database could not be asked, or would not answer; C(sqlstate) is the server's code where it gave one."""

    def __init__(self, fault: Fault, sqlstate: str = "") -> None:
        super().__init__(fault)
        self.sqlstate = sqlstate


#: Reasons that say the server is up and has no connection left for an ordinary role: that is an answer, and a bad one.
EXHAUSTED = ("connections_exhausted", "database_limit")

# A refused connection has no SQLSTATE in psycopg2, so its words decide (postgres:src/backend/utils/init/postinit.c,
# postmaster/postmaster.c, libpq/auth.c; libpq:fe-connect.c; pgbouncer:src/client.c). Reason, words, sentence, remedy;
# {place}, {user}, {database} and {address} are filled in.
_REFUSALS = (
    (
        "connections_exhausted",
        r"too many clients already|remaining connection slots are reserved|no more connections allowed",
        "{place} has no connection left (53300).",
        (
            "End idle-in-transaction sessions or scale the largest client down; a role with reserved connections "
            "(pg_use_reserved_connections, a superuser) still gets in and can say who holds them."
        ),
    ),
    (
        "role_limit",
        r"too many connections for role",
        "The role {user} has as many connections to {place} as its CONNECTION LIMIT allows (53300).",
        "Ask as another role, or end sessions of this one.",
    ),
    (
        "database_limit",
        r"too many connections for database",
        "{place} has as many connections as its CONNECTION LIMIT allows (53300).",
        "End sessions, or raise the limit of the database.",
    ),
    (
        "password_wrong",
        r"password authentication failed|SASL authentication failed|auth failed|no such user",
        "{place} refuses the password of the role {user}, or does not know the role.",
        "Compare with the Secret that the service reads.",
    ),
    (
        "password_missing",
        r"no password supplied|empty password",
        "{place} wants a password of the role {user}, and none was given.",
        "Set login_password_file (database_password_file in the inventory).",
    ),
    (
        "login_refused",
        (
            r"no pg_hba\.conf entry|pg_hba\.conf rejects|is not permitted to log in|certificate authentication failed"
            r"|(?:Ident|Peer|PAM|LDAP|RADIUS|GSSAPI) authentication failed|role \".*\" does not exist"
        ),
        "{place} does not let the role {user} log in from here: {said}.",
        "Look at pg_hba.conf and at the role.",
    ),
    (
        "no_such_database",
        r"database \".*\" does not exist|no such database",
        "There is no database {database} at {address}.",
        "Correct login_db (database_name in the inventory).",
    ),
    (
        "no_connect_privilege",
        r"permission denied for database|is not currently accepting connections",
        "{place} does not accept the role {user}: {said}.",
        "GRANT CONNECT, or ask as another role.",
    ),
    (
        "not_ready",
        r"the database system is|the database system was",
        "{place} is not ready: {said}.",
        "Wait until it has started or recovered, then ask again.",
    ),
    (
        "not_postgresql",
        r"invalid response to SSL negotiation|expected authentication request",
        "What answers for {place} is no PostgreSQL.",
        "Correct host and port.",
    ),
    (
        "tls",
        r"SSL|certificate|TLS",
        "No encrypted connection to {place}: {said}.",
        "Compare ssl_mode and ca_cert with what the server offers.",
    ),
    (
        "refused",
        r"Connection refused|No such file or directory",
        "Nothing listens for {place}.",
        "Is the server up, and are host and port those of the inventory?",
    ),
    (
        "unroutable",
        r"No route to host|Network is unreachable|Host is unreachable",
        "There is no route to {place}.",
        "Ask from where the service runs.",
    ),
    (
        "connection_lost",
        (
            r"server closed the connection|terminating connection|connection not open|SSL connection has been closed"
            r"|Connection (?:timed out|reset)|could not (?:send|receive) data|connection already closed"
        ),
        "{place} closed the connection.",
        "It was restarted, or someone ended this session; ask again.",
    ),
)
_STATEMENTS = {
    "57014": (
        "statement_timeout",
        "{place} did not answer within the statement timeout.",
        "It is overloaded, or something blocks it.",
    ),
    "55P03": (
        "lock_timeout",
        "A lock in {place} was not to be had within the lock timeout.",
        "See who blocks with gather=blocking.",
    ),
    "42501": ("privilege", "{place} refuses this to the role {user}: {said}.", "Grant it, or ask as another role."),
    "25006": ("read_only", "{place} is read-only: {said}.", "It is a standby; ask the primary."),
}


def explain(said: str, target: Target, sqlstate: str = "") -> Refused:
    """The refusal in an operator's words; what is not known is quoted without secrets."""
    words = _one_line(said, target)
    if sqlstate in _STATEMENTS:
        reason, message, remedy = _STATEMENTS[sqlstate]
        return Refused(_fault(reason, message, remedy, words, target), sqlstate)
    for reason, pattern, message, remedy in _REFUSALS:
        if re.search(pattern, said):
            return Refused(_fault(reason, message, remedy, words, target), sqlstate)
    return Refused(_fault("database_refused", "{place} refuses: {said}.", "", words, target), sqlstate)


def silent(target: Target, seconds: float, connected: bool = False) -> Refused:
    """Nothing came back within the time that an answer may take."""
    what = "does not answer any more" if connected else "does not answer"
    fault = Fault(
        "silent",
        _upper(f"{target.name} {what}: nothing came within {seconds:g} s."),
        "Is there a route from here, and is the server alive?",
    )
    return Refused(fault)


def unresolved(host: str, said: str) -> Refused:
    """The host's name leads nowhere."""
    return Refused(
        Fault("unresolved", f"The name {host} of the database's host does not resolve: {said}.", "Correct it.")
    )


def _fault(reason: str, message: str, remedy: str, said: str, target: Target) -> Fault:
    filled = message.format(
        place=target.name, user=target.user, database=target.database, address=target.address, said=said
    )
    return Fault(reason, _upper(filled), remedy)


def _one_line(said: str, target: Target) -> str:
    """The last thing that the server said, without libpq's preface, hints and secrets."""
    lines = [
        line.strip() for line in said.splitlines() if line.strip() and not line.startswith(("DETAIL", "HINT", "\t"))
    ]
    last = re.sub(r"^.*?(?:FATAL|ERROR|PANIC):\s*", "", lines[-1]) if lines else "no reason given"
    return redact_text(last.rstrip("."), target.secrets)


def _upper(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
