# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation behind M(linkops.runbooks.prisma_migration_source): the migrations as the image holds them.

They are read where they will run, in a pod of the image: from a checkout they may be others.
"""

from __future__ import annotations

import base64
import json
import threading
import zlib
from collections.abc import Mapping
from typing import Any

from ..call import Call
from ..deadline import Deadline
from ..errors import Fault, OperatorError, together
from ..verdict import Verdict
from ..wording import counted
from . import endings, evidence, jobs, snapshot, working
from .client import ApiFault
from .places import Place
from .rights import Needed, right
from .session import Session, opened
from .snapshot import Snapshot

MARK = "linkops-migrations:"
MOST_BYTES = 16 << 20

#: Prisma's CLI is Node, so Node is in the image. Folders alone are migrations, as Prisma lists them. Of the URL only
#: what leads to the right database is told.
READER = f"""
const fs = require('fs'), path = require('path'), zlib = require('zlib')
const [folder, variable] = process.argv.slice(1)
const text = file => {{ try {{ return fs.readFileSync(file).toString('base64') }} catch {{ return null }} }}
const told = {{ folder: path.resolve(folder), migrations: null, target: null }}
if (fs.existsSync(folder)) {{
  told.migrations = fs.readdirSync(folder, {{ withFileTypes: true }}).filter(each => each.isDirectory())
    .map(each => each.name).sort()
    .map(name => ({{ name, at: path.join(folder, name) }}))
    .map(each => ({{
      name: each.name, script: text(path.join(each.at, 'migration.sql')), down: text(path.join(each.at, 'down.sql')),
    }}))
}}
if (process.env[variable]) {{
  try {{
    const url = new URL(process.env[variable]), asked = url.searchParams
    told.target = {{
      host: url.hostname, port: url.port || '5432', database: decodeURIComponent(url.pathname.slice(1)),
      user: decodeURIComponent(url.username), schema: asked.get('schema') || 'public',
      pgbouncer: asked.get('pgbouncer') === 'true', options: asked.get('options') || '',
    }}
  }} catch {{ told.target = {{ invalid: true }} }}
}}
told.lock_disabled = !['', '0', 'false', undefined].includes(process.env.PRISMA_SCHEMA_DISABLE_ADVISORY_LOCK)
console.log('{MARK}' + zlib.deflateSync(JSON.stringify(told)).toString('base64'))
"""


def source(call: Call) -> dict[str, Any]:
    """Read the migrations of the running image, or of the one that C(image) names."""
    params = call.params
    with opened(call) as session:
        found = _survey(session)
        template = found.workload["spec"]["template"]
        container = jobs.chosen(template, params["container"] or "", session.called)
        image = params["image"] or container["image"]
        told, where = _read(session, found, container, image)
    if told is None:
        verdict = Verdict("unknown", f"no ready pod runs {image}, and check mode starts none to read its migrations")
        call.say(f"migrations of {image}: {verdict.status}: {verdict.reason}")
        empty = {"migrations": [], "target": {}, "image": image, "where": ""}
        return {"changed": False, "verdict": verdict.as_result(), "msg": f"unknown: {verdict.reason}", **empty}
    faults = _faults(told, image, params)
    if faults:
        raise OperatorError(faults)
    migrations = [
        {"name": each["name"], "script": _text(each["script"]), "down": _text(each["down"]) if each["down"] else None}
        for each in told["migrations"]
    ]
    verdict = Verdict("pass", f"{image} holds {counted(len(migrations), 'migration')}")
    call.say(f"migrations: {verdict.reason}, read in {where}")
    call.journal.note("migration_source", image=image, where=where, migrations=[each["name"] for each in migrations])
    return {
        "changed": False,
        "verdict": verdict.as_result(),
        "msg": f"pass: {verdict.reason}",
        "migrations": migrations,
        "target": target(told),
        "image": image,
        "where": where,
    }


def target(told: Mapping[str, Any]) -> dict[str, Any]:
    """Where the image's URL leads, without its password, and why it seems to lead through a pooler."""
    url = dict(told["target"] or {})
    host, port = str(url.get("host") or ""), str(url.get("port") or "")
    pooled = ""
    if url.pop("pgbouncer", False):
        pooled = "it says pgbouncer=true"
    elif port in ("6432", "6543"):  # PgBouncer's own default, and Supabase's
        pooled = f"{port} is a pooler's port"
    elif "pooler" in host:  # as Neon and Supabase name theirs
        pooled = "the host's name says so"
    return {**url, "pooled": pooled, "lock_disabled": bool(told.get("lock_disabled"))}


def _survey(session: Session) -> Snapshot:
    cluster, params = session.cluster, session.params
    needed: list[Needed] = [right("get", "Pod", "exec"), right("create", "Pod", "exec")]
    if params["image"] and not session.call.check_mode:
        needed += [right("create", "Job"), right("get", "Job"), right("delete", "Job"), right("get", "Pod", "log")]
    with together(*snapshot.unfit(cluster, params, needed)):
        return snapshot.read(cluster, *session.workload)


def _read(
    session: Session, found: Snapshot, container: Mapping[str, Any], image: str
) -> tuple[dict[str, Any] | None, str]:
    """What the reader told, and where it ran; nothing where check mode forbids to start it."""
    params = session.params
    command = ["node", "-e", READER, params["directory"], params["url_variable"]]
    pod = jobs.runs_image(found.pods, container["name"], image)
    if pod:
        place = Place(pod["metadata"]["name"], container["name"])
        try:
            ending = session.cluster.executed(
                params["namespace"], place.pod, place.container, command,
                Deadline(params["read_seconds"]), MOST_BYTES, threading.Event(),
            )  # fmt: skip
        except ApiFault as fault:
            raise OperatorError(
                _unread(image, endings.refused(fault.status, fault.message, place.container))
            ) from fault
        rc, verdict = endings.judge(ending.status, ending.lost, ending.stderr.text())
        told = parsed(ending.stdout.raw.decode("utf-8", "replace")) if rc == 0 else None
        if told is None:
            raise OperatorError(_unread(image, verdict))
        return told, str(place)
    if session.call.check_mode:
        return None, ""
    name = jobs.name_of(params["name"], "migrations", image, session.call.params["directory"])
    manifest = jobs.manifest(found.workload, container, image, command, name, "migrations", params["read_seconds"])
    secrets = evidence.confidences(session.cluster, found.workload)
    done = working.run(session.cluster, session.held, manifest, lambda _line: None, secrets)
    told = parsed(done.log) if done.outcome == "succeeded" else None
    if told is None:
        raise OperatorError(_unread(image, done.verdict))
    job = working.find(session.cluster, params["namespace"], name)
    if job:
        working.remove(session.cluster, session.held, job, Deadline(params["read_seconds"]))
    return told, f"job {name}"


def parsed(output: str) -> dict[str, Any] | None:
    """What the reader told in its output; none where it did not."""
    for line in output.splitlines():
        if line.startswith(MARK):
            try:
                told: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(line.removeprefix(MARK))))
            except (ValueError, zlib.error):
                return None
            return told
    return None


def _faults(told: Mapping[str, Any], image: str, params: Mapping[str, Any]) -> list[Fault]:
    faults = []
    if told["migrations"] is None:
        faults.append(
            Fault(
                "no_migrations",
                f"{image} has no folder {told['folder']}.",
                "Set migration_directory to where its migrations are, from the container's working directory.",
            )
        )
    if not told["target"] or told["target"].get("invalid"):
        what = "is no URL" if told["target"] else "is not set"
        faults.append(
            Fault(
                "no_url",
                f"{params['url_variable']} {what} in {image}'s environment.",
                "Set migration_url_variable to the variable that prisma.config.ts reads.",
            )
        )
    empty = [each["name"] for each in told["migrations"] or [] if each["script"] is None]
    if empty:
        said = f"{image} has migrations without a migration.sql: {', '.join(empty)}; Prisma refuses all (P3015)."
        faults.append(Fault("no_script", said, "Build the image again from a whole checkout."))
    foreign = [each["name"] for each in told["migrations"] or [] if not (_utf8(each["script"]) and _utf8(each["down"]))]
    if foreign:
        said = f"{image} has migrations that are no UTF-8: {', '.join(foreign)}."
        faults.append(Fault("no_utf8", said, "Save them as UTF-8 and build the image again."))
    return faults


def _text(encoded: str) -> str:
    return base64.b64decode(encoded).decode()


def _utf8(encoded: str | None) -> bool:
    try:
        base64.b64decode(encoded or "").decode()
    except UnicodeDecodeError:
        return False
    return True


def _unread(image: str, verdict: Verdict) -> Fault:
    return Fault(
        "image_unread",
        f"The migrations in {image} could not be read: {verdict.reason.rstrip('.')}.",
        "The image must have node, and its pods must start.",
    )
