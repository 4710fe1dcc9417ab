# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service with a database of its own and migrations of a test's own, and the real Prisma CLI in its pod."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg2
import psycopg2.extras

from lab.cluster import Manifest
from lab.site import Lab
from tests.integration.harness.ground import Ground
from tests.integration.harness.services import Service, container
from tests.integration.harness.stores import Postgres

FOLDER = "/app/servicelink/prisma/migrations"
PRISMA = ("node", "/app/node_modules/prisma/build/index.js", "migrate")
SECRET = "scratch-database"

Files = Mapping[str, str | Mapping[str, str]]


@dataclass(frozen=True)
class Migrated:
    """A service whose migrations go to a scratch database of the role ``servicelink``."""

    lab: Lab
    ground: Ground
    service: Service
    database: str
    server: Postgres
    another: Callable[[str], Service]  # with the same database, by its name

    def connect(self, **more: Any) -> Any:
        """A connection of the service's role, in autocommit mode."""
        made = psycopg2.connect(
            host=self.server.host, port=self.server.port, dbname=self.database, user="servicelink",
            password=self.lab.secrets["servicelink_password"], **more,
        )  # fmt: skip
        made.autocommit = True
        return made

    def sql(self, text: str, *values: Any) -> list[dict[str, Any]]:
        """Run statements; the rows of the last one."""
        with contextlib.closing(self.connect()) as connection:
            cursor = connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor)
            cursor.execute(text, values or None)
            return [dict(row) for row in cursor.fetchall()] if cursor.description else []

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Prisma's history."""
        return self.sql('SELECT * FROM "_prisma_migrations" ORDER BY started_at')

    def fresh(self, files: Files) -> None:
        """An empty database, and these migrations alone in the pod: scripts, or files, by the migration's name."""
        create(self.server, self.database)
        self.run(
            "rm", "-rf", *(f"{FOLDER}/{name}" for name in self.run("ls", FOLDER).stdout.split() if "." not in name)
        )
        self.write(files)

    def write(self, files: Files) -> None:
        """Write migrations into the pod."""
        for name, each in files.items():
            self.run("mkdir", "-p", f"{FOLDER}/{name}")
            for file, text in ({"migration.sql": each} if isinstance(each, str) else each).items():
                self.run("sh", "-c", f"cat > {FOLDER}/{name}/{file}", given=text)

    def prisma(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run ``prisma migrate ...`` in the pod to its end."""
        return self.run(*PRISMA, *arguments)

    def begin(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Begin ``prisma migrate ...`` in the pod."""
        return subprocess.Popen(
            self._exec(PRISMA + arguments), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def run(self, *command: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command in the pod."""
        return subprocess.run(self._exec(command), input=given, capture_output=True, text=True, check=False)

    def _exec(self, command: Sequence[str]) -> list[str]:
        (pod,) = self.service.workload.pods
        kubectl = [str(self.lab.state / "bin/kubectl"), "--kubeconfig", str(self.lab.kubeconfig)]
        return [*kubectl, "-n", self.service.namespace, "exec", "-i", pod["metadata"]["name"], "--", *command]


def create(server: Postgres, database: str) -> None:
    """Make the database anew, empty."""
    server.run(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')
    server.run(f'CREATE DATABASE "{database}" OWNER servicelink')
    server.run(f"ALTER ROLE servicelink IN DATABASE \"{database}\" SET lock_timeout = '1s'")


def of_the_lab(lab: Lab) -> Postgres:
    """The lab's server."""
    return Postgres(lab.node_address, lab.postgres_port, lab.secrets["postgres_password"])


@contextlib.contextmanager
def migrated(
    lab: Lab, ground: Ground, files: Files | None = None, version: str = "v1.0.0", server: Postgres | None = None
) -> Iterator[Migrated]:
    """Such a service. ``files`` are mounted into its pods, and into those of its Jobs, beside the image's own.

    Its pods have a second URL, POOLED_URL, that says of itself to lead through a pooler.
    """
    database = f"scratch_{ground.namespace.replace('-', '_')}"[:60]
    server = server or of_the_lab(lab)
    create(server, database)
    address = f"{server.host}:{server.port}/{database}"
    url = f"postgresql://servicelink:{lab.secrets['servicelink_password']}@{address}"
    content = {"url": url, "pooled": f"{url}?pgbouncer=true"}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": SECRET}, "stringData": content}
    ground.cluster.apply(secret, ground.namespace)

    def change(manifest: Manifest) -> None:
        spec = manifest["spec"]["template"]["spec"]
        made = container(manifest["spec"]["template"])
        made["env"] = made.get("env", []) + [
            {"name": name, "valueFrom": {"secretKeyRef": {"name": SECRET, "key": key}}}
            for name, key in (("DATABASE_URL", "url"), ("POOLED_URL", "pooled"))
        ]
        made.pop("readinessProbe")  # an empty database is not healthy
        made.pop("livenessProbe")
        if files:
            mount(ground, spec, "migrations", files)

    def serve(name: str) -> Service:
        return ground.service(
            [version], name, change=change, database_name=database, database_user="servicelink",
            database_password_key="servicelink_password", workload_container="api", database_port=server.port,
        )  # fmt: skip

    try:
        yield Migrated(lab, ground, serve("api"), database, server, serve)
    finally:
        server.run(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')


def mount(ground: Ground, spec: Manifest, name: str, files: Files) -> None:
    """Put migrations into a pod's spec as a ConfigMap, file by file: Prisma follows no links to folders."""
    data, mounts = {}, []
    for migration, each in files.items():
        for file, text in ({"migration.sql": each} if isinstance(each, str) else each).items():
            data[f"{migration}.{file}"] = text
            at = f"{FOLDER}/{migration}/{file}"
            mounts.append({"name": name, "mountPath": at, "subPath": f"{migration}.{file}"})
    content = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}
    ground.cluster.apply(content, ground.namespace)
    spec["volumes"] = [each for each in spec.get("volumes", []) if each["name"] != name]
    spec["volumes"].append({"name": name, "configMap": {"name": name}})
    made = spec["containers"][0]
    made["volumeMounts"] = [each for each in made.get("volumeMounts", []) if each["name"] != name] + mounts
