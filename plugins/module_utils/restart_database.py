# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation behind M(linkops.runbooks.database_restart), where the database meets what it runs on."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from .call import Call
from .confirmation import unconfirmed
from .database import clients, interruptions, queries
from .database.condition import concealed, unseen_sessions
from .database.connection import Row
from .database.refusals import EXHAUSTED, Refused
from .database.session import opened
from .database.target import resolve
from .deadline import Deadline
from .errors import Fault, OperatorError
from .holding import Hold, held
from .hosting.container import Container
from .hosting.rds import Instance
from .verdict import Verdict
from .wording import counted

_TICK_SECONDS = 0.5
_SAY_SECONDS = 5.0
#: A server that says this may well be what a restart is for; a wrong password is not.
_DOWN = {"refused", "silent", "not_ready", "connection_lost", "unroutable", *EXHAUSTED}


class Host(Protocol):
    """What a database's server runs on."""

    @property
    def name(self) -> str:
        """As an operator knows it."""

    def faults(self) -> list[Fault]:
        """Why it is not restarted now."""

    def warnings(self, failover: bool) -> list[str]:
        """What a restart brings with it."""

    def restart(self, failover: bool) -> None:
        """Restart it."""

    def settled(self) -> str:
        """What is still to come, empty once it is up."""


@dataclass(frozen=True)
class Seen:
    """The server before: itself, its clients, the work in it, those that follow it; or why it cannot be asked."""

    server: Row | None = None
    sessions: Sequence[Row] | None = None
    work: Sequence[Row] = ()
    replicas: Sequence[Row] = ()
    trouble: str = ""


def restart(call: Call) -> dict[str, Any]:
    """Restart the server of a database, and prove that it answers, was started anew, and is used again."""
    params = call.params
    missing = _missing(params)
    place = _upper(resolve(call.params, call.environment).name) if not missing else ""
    with held(call) as hold:
        seen = _look(call, missing)
        if params["state"] == "proved":
            before = {"started_epoch_seconds": params["started"]} if params["started"] else None
            return _proved(call, hold, seen, None, before)
        host = _host(call)
        if why := interruptions.recent(seen.server, params["fresh_minutes"]):
            sentence = f"{place} was not restarted: {why}"
            return _told(call, seen, sentence, changed=False)
        act = interruptions.act(place, seen.sessions, seen.trouble)
        faults = host.faults() if host else []
        faults += [] if params["interrupt"] else interruptions.hindrances(seen.work)
        wanted = unconfirmed(params["confirm"], _database(call), act)
        if faults or wanted:
            raise OperatorError([*faults, *([wanted] if wanted else [])])
        said = interruptions.replicas_said(seen.replicas, bool(seen.server and seen.server["in_recovery"]))
        unseen = unseen_sessions(sum(map(concealed, seen.sessions or ())), resolve(params, call.environment).user)
        said += [f"{unseen}; what they do is not known."] if unseen else []
        for sentence in [*(host.warnings(params["failover"]) if host else []), *said]:
            call.warn(sentence)
        if call.check_mode or not host:
            return _told(call, seen, f"would restart it{f' as {host.name}' if host else ''}. {act}", changed=True)
        hold.renew()
        began = time.monotonic()
        call.journal.note("write", act="restart", host=host.name, act_sentence=act)
        host.restart(params["failover"])
        return _proved(call, hold, seen, host, seen.server, began)


def _proved(
    call: Call, hold: Hold, seen: Seen, host: Host | None, before: Mapping[str, Any] | None, began: float | None = None
) -> dict[str, Any]:
    """Wait until the server has come back and its clients with it."""
    params = call.params
    deadline, said = Deadline(params["deadline_seconds"]), Deadline(_SAY_SECONDS)
    start = time.monotonic() if began is None else began
    waits = "nobody has asked"
    back: Seen | None = None
    database, wanted = _database(call), _clients(call, seen)
    while True:
        try:
            waits = host.settled() if host else ""
            if not waits:
                back = _look(call, [])
                waits = _waits(back, before, time.monotonic() - start)
                away = clients.absent(wanted, back.sessions or (), database)
                waits = waits or (f"no session of {', '.join(away)} yet" if away else "")
        except OperatorError as fault:
            waits = str(fault.faults[0])
        if not waits and back is not None:
            sessions = len(back.sessions or ())
            among = f", {', '.join(wanted)} among them" if wanted else ""
            took = time.monotonic() - start
            sentence = f"restarted, answers again after {took:.1f} s with {counted(sessions, 'session')}{among}"
            return _told(call, back, sentence, changed=True, seconds=took)
        if deadline.expired:
            sentence = f"the server has not come back within {deadline.seconds:g} s: {waits}"
            result = _told(call, back or seen, sentence, changed=True, status="fail", seconds=time.monotonic() - start)
            return {**result, "failed": True, "reason": "not_back"}
        hold.renew_if_due()
        if said.expired:
            call.say(f"waiting: {waits}")
            said = Deadline(_SAY_SECONDS)
        time.sleep(_TICK_SECONDS)


def _waits(back: Seen, before: Mapping[str, Any] | None, elapsed: float) -> str:
    """What is still missing after the restart."""
    if back.server is None:
        return back.trouble
    if not interruptions.came_back(before, back.server, elapsed):
        return "the server that answers is the one from before"
    return ""


def _look(call: Call, faults: Sequence[Fault]) -> Seen:
    try:
        with opened(call, *faults) as session, session.database.transaction(read_only=True) as ask:
            return Seen(
                ask(interruptions.SERVER)[0],
                [each for each in ask(queries.SESSIONS) if each["backend_type"] in (None, "client backend")],
                ask(interruptions.WORK),
                ask(interruptions.REPLICAS),
            )
    except Refused as refusal:
        if refusal.reason not in _DOWN:
            raise
        return Seen(trouble=str(refusal.faults[0].message))


def _host(call: Call) -> Host | None:
    params = call.params
    makers: dict[str, Callable[[], Host | None]] = {
        "rds": lambda: Instance(params["rds_instance"], params["rds_region"], call.environment),
        "container": lambda: Container(
            params["container"],
            params["container_socket"] or call.environment.get("DOCKER_HOST") or "unix:///var/run/docker.sock",
            params["container_stop_seconds"],
        ),
        "elsewhere": lambda: None,
    }
    return makers[params["method"]]()


def _missing(params: Mapping[str, Any]) -> list[Fault]:
    needed = {"rds": ("rds_instance", "rds_region"), "container": ("container",), "elsewhere": ()}[params["method"]]
    faults = [
        Fault("input_invalid", f"method={params['method']} needs {name}.", f"Set database_{name} in the inventory.")
        for name in needed
        if not params[name]
    ]
    if params["deadline_seconds"] <= 0:
        faults.append(Fault("input_invalid", "deadline_seconds must be above 0.", "Correct it."))
    return faults


def _clients(call: Call, seen: Seen) -> list[str]:
    """The services that must be back: those that the call names, else those that are connected."""
    given: list[str] | None = call.params["clients"]
    return clients.named(seen.sessions or (), _database(call)) if given is None else given


def _database(call: Call) -> str:
    return resolve(call.params, call.environment).database


def _told(
    call: Call, seen: Seen, sentence: str, changed: bool, status: Any = "pass", seconds: float | None = None
) -> dict[str, Any]:
    return {
        "changed": changed,
        "started": seen.server["started_epoch_seconds"] if seen.server else None,
        "sessions": None if seen.sessions is None else len(seen.sessions),
        "seconds": None if seconds is None else round(seconds, 1),
        "clients": _clients(call, seen),
        "wanted": changed,
        "verdict": Verdict(status, sentence).as_result(),
        "msg": sentence,
    }


def _upper(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
