# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation behind M(linkops.runbooks.prisma_migration_rehearsal), where the database meets a Job.

The newest backup becomes a scratch database, the image's own Prisma applies its migrations to that, and what it did is
read where it left it: in Prisma's history and among the server's locks.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from . import nested, scratch
from .backup import input_faults
from .call import Call
from .cluster import evidence, jobs, redirected, working
from .cluster import job as one_job
from .cluster import session as of_cluster
from .cluster.arguments import RUN
from .cluster.session import Session
from .cluster.working import Ending
from .database import locks, migrations, rehearsing, restoring, swapping
from .database import session as of_database
from .database.archives import Manifest
from .database.arguments import BACKUP, DATABASE, DISK
from .database.backups import backups
from .database.locks import Sampler, Span
from .database.migration_info import Picture, look, refusals, sources
from .database.session import DatabaseSession
from .database.shelf import Shelf
from .deadline import Deadline
from .depot import at_hand, depot_of
from .depot import sources as places
from .dumping import looking
from .errors import OperatorError
from .redaction import redact_text
from .verdict import Verdict
from .wording import duration

_SUFFIX = "_rehearsal"
_PURPOSE = "rehearse"
_REMOVE_SECONDS = 30.0

#: What O(database) may hold.
_OF_DATABASE = {**DATABASE, **BACKUP, **DISK, **RUN, "maintenance_db": {"type": "str", "default": "postgres"}}


@dataclass(frozen=True)
class _Rehearsal:
    """One rehearsal: both sides that it works on, and what it was given."""

    session: Session
    server: DatabaseSession
    manifest: Manifest
    name: str

    @property
    def call(self) -> Call:
        """The call."""
        return self.session.call

    @property
    def age(self) -> str:
        """How old the backup is."""
        return duration((datetime.now(UTC) - self.manifest.taken).total_seconds())


def rehearse(call: Call) -> dict[str, Any]:
    """Apply the migrations of an image to a scratch database, and say how long each took and which locks it held."""
    params = call.params
    inner = copy.copy(call)  # with the same record, warnings and terminal
    inner.params = nested.validated("database", _OF_DATABASE, params["database"], {"run": params["run"]})
    target = params["target"] or {}
    faults = [*input_faults(inner), *refusals(target)]
    with (
        of_cluster.opened(call, *faults) as session,
        of_database.opened(inner, database_name=inner.params["maintenance_db"]) as server,
    ):
        database = target.get("database") or inner.params["login_db"]
        shelf, depot = Shelf(inner.params["directory"]), depot_of(inner, database)
        manifest = backups(server, places(shelf, depot), database).chosen(params["backup"])
        made = _Rehearsal(session, server, manifest, restoring.named(manifest.database, _SUFFIX))
        programs = scratch.checked(server, manifest, made.name)
        found = one_job.survey(session)
        container = jobs.chosen(found.workload["spec"]["template"], params["container"] or "", session.called)
        image = params["image"] or container["image"]
        if call.check_mode:
            backup = f"{manifest.name} ({made.age} old, of {manifest.origin})"
            said = f"would restore {backup} into {made.name}, migrate it by {image}, and drop it"
            return _told(made, Verdict("unknown", said), [], [])
        command = redirected.deploy(params["command"], manifest.database, made.name)
        name = jobs.name_of(params["name"], _PURPOSE, made.name)
        seconds = params["deadline_seconds"]
        manifest_of_job = jobs.manifest(found.workload, container, image, command, name, _PURPOSE, seconds)
        secrets = evidence.confidences(session.cluster, found.workload)
        deadline = Deadline(60 * inner.params["max_minutes"])
        at_hand(call, shelf, depot, manifest, looking(server, session.held, deadline))
        _removed(made, name)  # that of a run that was killed
        with scratch.restored(server, session.held, shelf, manifest, programs, made.name, deadline) as see:
            swapping.dress(server, made.name, manifest.entries, deadline, see)
            call.say(f"restored {manifest.name} ({made.age} old) into {made.name} after {deadline.elapsed:.1f} s")
            before = _looked(made)
            names = migrations.to_apply(before.migrations)
            if not names:
                said = f"nothing to rehearse: {manifest.name} has all migrations of {image} already"
                return _told(made, Verdict("pass", said), [], [])
            call.say(f"rehearsing {', '.join(names)} by {image}")
            with _sampled(made) as sampler, _job(made, name):
                ending = working.run(session.cluster, session.held, manifest_of_job, call.say, secrets)
            after = _looked(made)
    return _result(made, names, ending, after, sampler, secrets)


@contextlib.contextmanager
def _sampled(made: _Rehearsal) -> Iterator[Sampler]:
    with made.server.another(made.name) as database, Sampler(database) as sampler:
        yield sampler


@contextlib.contextmanager
def _job(made: _Rehearsal, name: str) -> Iterator[None]:
    """However it ends, nothing of the Job goes on once its database is gone."""
    try:
        yield
    finally:
        try:
            _removed(made, name)
        except OperatorError as fault:
            made.call.warn(f"Job {name} is left: {fault.faults[0]}")


def _removed(made: _Rehearsal, name: str) -> None:
    standing = working.find(made.session.cluster, made.call.params["namespace"], name)
    if standing:
        working.remove(made.session.cluster, made.session.held, standing, Deadline(_REMOVE_SECONDS))


def _looked(made: _Rehearsal) -> Picture:
    """Prisma's history in the scratch database."""
    params = made.call.params
    with made.server.another(made.name) as database:
        inside = DatabaseSession(made.server.call, database)
        return look(inside, sources(params["migrations"]), {**(params["target"] or {}), "database": made.name})


def _result(
    made: _Rehearsal, names: Sequence[str], ending: Ending, after: Picture, sampler: Sampler, secrets: Sequence[str]
) -> dict[str, Any]:
    if sampler.trouble:
        made.call.warn(f"The locks were not sampled to the end: {sampler.trouble}")
    found = locks.spans(sampler.samples)
    log = redact_text(ending.log, secrets)
    if log:
        made.call.journal.attach("jobs/rehearsal.log", log)
    entries = rehearsing.entries(after.migrations, names, found)
    verdict = rehearsing.judge(ending.verdict, after.migrations, entries, log)
    return _told(made, Verdict(verdict.status, redact_text(verdict.reason, secrets)), entries, found, ending.outcome)


def _told(
    made: _Rehearsal,
    verdict: Verdict,
    entries: Sequence[rehearsing.Entry],
    found: Sequence[Span],
    outcome: str = "",
) -> dict[str, Any]:
    call = made.call
    if not call.check_mode:
        call.journal.note("rehearsal", backup=made.manifest.name, migrations=entries, verdict=verdict.as_result())
    call.say(f"rehearsal: {verdict.status}: {verdict.reason}")
    return {
        "changed": False,
        "backup": made.manifest.described(),
        "database": made.name,
        "migrations": list(entries),
        "locks": locks.told(found),
        "outcome": outcome,
        "verdict": verdict.as_result(),
        "msg": f"{verdict.status}: {verdict.reason}",
    }
