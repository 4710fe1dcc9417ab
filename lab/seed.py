# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The known state of the lab's production: both systems with their data, servicelink-api in the middle of an incident.

``seed`` brings it about whatever somebody did before; ``service`` makes further services in other namespaces.
"""

from __future__ import annotations

import fcntl
import hashlib
import secrets
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

import psycopg2
import redis

from lab import stores
from lab.cluster import Cluster, Manifest
from lab.images import SERVICES
from lab.site import Lab, LabError
from lab.workloads import Revision, Workload, blueprint, deploy, ensure_namespace, manifests, service

if TYPE_CHECKING:
    from collections.abc import Iterable

    import psycopg2.extensions

__all__ = ["HISTORY", "Revision", "Workload", "blueprint", "seed", "service"]

SERVICELINK, CREDLINK = "servicelink-production", "credlink-production"
IMAGE = "servicelink/api"
# Of servicelink-api; the last revision is the incident: ready, but its health says that the database is gone.
HISTORY = (
    Revision(f"{IMAGE}:v1.0.0", "release v1.0.0"),
    Revision(f"{IMAGE}:v1.1.0", "release v1.1.0: quotes and assignments"),
    Revision(f"{IMAGE}:v1.2.0", "release v1.2.0: provider ratings"),
    Revision(restart=True, cause="restart: connections exhausted"),
    Revision(f"{IMAGE}:v1.2.1", "release v1.2.1: fewer queries per page"),
    Revision(f"{IMAGE}:v1.3.0", "release v1.3.0: quotes expire (never became ready)"),
    Revision(f"{IMAGE}:v1.3.4", "release v1.3.4: second try of v1.3"),
)
CREDLINK_HISTORY = tuple(Revision(f"credlink/api:{tag}", f"release {tag}") for tag in ("v2.0.0", "v2.1.0", "v2.1.1"))
NEWEST = HISTORY[-1].image
CLEARED = (
    "HorizontalPodAutoscaler", "PodDisruptionBudget", "NetworkPolicy", "ResourceQuota", "LimitRange", "CronJob", "Job",
    "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Pod", "Lease", "ConfigMap", "Secret", "Service",
)  # fmt: skip
DEMO_USER = "customer@servicelink.test"


def seed(lab: Lab) -> None:
    """Bring both production namespaces, both databases and Redis to their known state, and wait until it is served.

    Raises LabError when a database, the migration or a workload does not get there.
    """
    cluster = Cluster.of(lab)
    # Two seeds at once would take each other's objects away: the second waits for the first.
    with (lab.state / "seed.lock").open("w") as lock, ThreadPoolExecutor() as pool:
        fcntl.flock(lock, fcntl.LOCK_EX)
        list(pool.map(lambda namespace: _empty(cluster, namespace), (SERVICELINK, CREDLINK)))
        _empty_stores(lab)
        for step in [pool.submit(_servicelink, cluster), pool.submit(_credlink, cluster)]:
            step.result()


def _empty(cluster: Cluster, namespace: str) -> None:
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}, "")
    cluster.clear(namespace, CLEARED)
    ensure_namespace(cluster, namespace)


def _empty_stores(lab: Lab) -> None:
    """New databases (those who are connected are disconnected) and an empty Redis."""
    with closing(_connected(lab, "postgres")) as connection, connection.cursor() as cursor:
        for name in stores.DATABASES:
            cursor.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    stores.ensure_databases(lab)
    with closing(_connected(lab, "postgres")) as connection, connection.cursor() as cursor:
        for name in stores.DATABASES:  # as production has it: nobody waits for a lock without an end
            cursor.execute(f'ALTER ROLE "{name}" IN DATABASE "{name}" SET lock_timeout = \'2s\'')
    with redis.Redis(lab.node_address, lab.redis_port, password=lab.secrets["redis_password"]) as cache:
        cache.flushall()


def _connected(lab: Lab, role: str) -> psycopg2.extensions.connection:
    """A connection in autocommit mode to the database of the role's name."""
    connection = psycopg2.connect(
        host=lab.node_address, port=lab.postgres_port, dbname=role, user=role,
        password=lab.secrets[f"{role}_password"], application_name="lab-seed",
    )  # fmt: skip
    connection.autocommit = True
    return connection


def _servicelink(cluster: Cluster) -> None:
    production = manifests("servicelink.yml")
    _apply(cluster, SERVICELINK, production, "Service")
    others = [
        item for item in production if item["kind"] == "Deployment" and item["metadata"]["name"] != "servicelink-api"
    ]
    _apply(cluster, SERVICELINK, others, "Deployment")
    with ThreadPoolExecutor() as pool:
        filled = pool.submit(_migrate_and_fill, cluster)
        deploy(cluster, SERVICELINK, blueprint(IMAGE), HISTORY, 2).wait_ready()
        filled.result()
    for item in others:
        Workload(cluster, SERVICELINK, item["metadata"]["name"]).wait_ready()


def _credlink(cluster: Cluster) -> None:
    production = manifests("credlink.yml")
    _apply(cluster, CREDLINK, production, "Service")
    with closing(_connected(cluster.lab, "credlink")) as connection, connection.cursor() as cursor:
        cursor.execute((SERVICES / "credlink/schema.sql").read_text())
    deploy(cluster, CREDLINK, blueprint("credlink/api"), CREDLINK_HISTORY, 3).wait_ready()
    _apply(cluster, CREDLINK, production, "HorizontalPodAutoscaler")


def _apply(cluster: Cluster, namespace: str, production: Iterable[Manifest], kind: str) -> None:
    for manifest in production:
        if manifest["kind"] == kind:
            cluster.apply(manifest, namespace)


def _migrate_and_fill(cluster: Cluster) -> None:
    """Run ``prisma migrate deploy`` of the newest image as a Job, as a deployment to production does; then the rows."""
    container = {
        "name": "migrate",
        "image": NEWEST,
        "command": ["node", "/app/node_modules/prisma/build/index.js", "migrate", "deploy"],
        "envFrom": [{"secretRef": {"name": "servicelink-secrets"}}],
    }
    template = {"spec": {"restartPolicy": "Never", "automountServiceAccountToken": False, "containers": [container]}}
    name = "servicelink-migrate"
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}}
    spec = {"backoffLimit": 0, "ttlSecondsAfterFinished": 30, "template": template}
    cluster.create({**job, "spec": spec}, SERVICELINK)

    def ended() -> bool:
        status = (cluster.get("Job", SERVICELINK, name) or {}).get("status", {})
        if status.get("failed"):
            raise LabError(f"The migration failed: kubectl -n {SERVICELINK} logs job/{name} says why.")
        return bool(status.get("succeeded"))

    cluster.until(ended, lambda: f"Job {SERVICELINK}/{name} does not end: look at its pod with kubectl describe.")
    _fill(cluster)


def _fill(cluster: Cluster) -> None:
    """Some hundred rows, and a customer who can log in with what Secret servicelink-demo-user holds."""
    password, salt = secrets.token_urlsafe(12), secrets.token_hex(8)
    digest = hashlib.scrypt(password.encode(), salt=salt.encode(), n=1024, r=8, p=1, dklen=32).hex()
    with closing(_connected(cluster.lab, "servicelink")) as connection, connection.cursor() as cursor:
        cursor.execute((SERVICES / "servicelink/demo.sql").read_text())
        cursor.execute(
            'INSERT INTO "User" ("id", "email", "name", "passwordHash") VALUES (%s, %s, %s, %s)',
            ("demo", DEMO_USER, "Demo Customer", f"{salt}:{digest}"),
        )
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "servicelink-demo-user"}}
    cluster.apply({**secret, "stringData": {"email": DEMO_USER, "password": password}}, SERVICELINK)
