# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Redis, or the way there, says when it refuses, as sentences with a next step. Pure."""

from __future__ import annotations

import re

from ..errors import Fault, OperatorError
from ..redaction import redact_text
from .target import CacheTarget

#: Reasons that say that Redis is up and serves nobody new, or nothing yet: that is an answer, and a bad one.
ANSWERED = ("clients_exhausted", "loading", "writes_refused")

# Redis marks an error with its first word (redis:src/server.c createSharedObjects, src/acl.c, src/networking.c); the
# rest are the words of the operating system. Reason, words, sentence, remedy.
_REFUSALS = (
    (
        "clients_exhausted",
        r"max number of clients reached",
        "{place} has as many clients as maxclients allows.",
        "Scale the largest client down, or raise maxclients.",
    ),
    (
        "loading",
        r"LOADING|is loading the dataset",
        "{place} still loads its data.",
        "Wait until it has, then ask again.",
    ),
    (
        "password_wrong",
        r"WRONGPASS|invalid password|invalid username-password",
        "{place} refuses the password{user}.",
        "Compare with the Secret that the service reads.",
    ),
    (
        "password_missing",
        r"NOAUTH|Authentication required|HELLO must be called with the client already authenticated",
        "{place} wants a password, and none was given.",
        "Set login_password_file (cache_password_file in the inventory).",
    ),
    (
        "password_unwanted",
        r"AUTH.*without any password configured",
        "{place} has no password, and one was given.",
        "Leave it out, and find out why it has none.",
    ),
    (
        "privilege",
        r"NOPERM|no permissions to run",
        "{place} does not let this user do that{user}: {said}.",
        "Grant it (ACL SETUSER ... +ping +info), or ask as another user.",
    ),
    (
        "writes_refused",
        r"MISCONF",
        "{place} refuses writes: {said}.",
        "It cannot save its data: look at its disk.",
    ),
    ("protected", r"DENIED|protected mode", "{place} is in protected mode.", "Ask from where the service runs."),
    ("replica_cut_off", r"MASTERDOWN", "{place} is a replica that has lost its primary.", "Ask the primary."),
    ("no_such_db", r"DB index is out of range", "{place} has no database of this number.", "Correct login_db."),
    ("tls", r"SSL|TLS|certificate", "No encrypted connection to {place}: {said}.", "Compare tls and ca_certs with it."),
    (
        "refused",
        r"Connection refused",
        "Nothing listens for {place}.",
        "Is it up, and are host and port those of the inventory?",
    ),
    (
        "unroutable",
        r"No route to host|unreachable",
        "There is no route to {place}.",
        "Ask from where the service runs.",
    ),
    (
        "not_redis",
        r"Protocol Error|Invalid (?:response|Response)|InvalidResponse",
        "What answers for {place} is no Redis.",
        "Correct host and port.",
    ),
    (
        "connection_lost",
        r"Connection closed|closed by server|Connection reset|Broken pipe",
        "{place} closed the connection.",
        "It was restarted, or wants TLS; ask again.",
    ),
)


def explain(said: str, target: CacheTarget) -> OperatorError:
    """The refusal in an operator's words; what is not known is quoted without secrets."""
    for reason, pattern, message, remedy in _REFUSALS:
        if re.search(pattern, said):
            return OperatorError(_fault(reason, message, remedy, said, target))
    return OperatorError(_fault("cache_refused", "{place} refuses: {said}.", "", said, target))


def silent(target: CacheTarget, seconds: float) -> OperatorError:
    """Nothing came back within the time that an answer may take."""
    message = "{place} does not answer: nothing came within " + f"{seconds:g} s."
    remedy = "Is there a route from here, and is it alive?" + (" Does it talk TLS?" if target.tls else "")
    return OperatorError(_fault("silent", message, remedy, "", target))


def unresolved(host: str, said: str) -> OperatorError:
    """The host's name leads nowhere."""
    return OperatorError(
        Fault("unresolved", f"The name {host} of the cache's host does not resolve: {said}.", "Correct it.")
    )


def _fault(reason: str, message: str, remedy: str, said: str, target: CacheTarget) -> Fault:
    words = redact_text(" ".join(said.split()).rstrip("."), target.secrets)
    user = f" of the user {target.user}" if target.user else ""
    filled = message.format(place=target.name, user=user, said=words)
    return Fault(reason, filled[:1].upper() + filled[1:], remedy)
