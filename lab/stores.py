# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's stores: PostgreSQL with both databases, Redis, and the image registry that knows no image."""

from __future__ import annotations

import json
import shutil

from lab import binaries, probe
from lab.command import ask, which
from lab.component import UNPRIVILEGED, Component, as_user, give
from lab.site import Lab, LabError

DATABASES = ("servicelink", "credlink")
# psql's script for one database; it reads the variables name and password
DATABASE_SQL = """
SET client_min_messages = warning;
SELECT format('CREATE ROLE %I', :'name') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'name') \\gexec
ALTER ROLE :"name" LOGIN PASSWORD :'password';
SELECT format('CREATE DATABASE %I OWNER %I', :'name', :'name')
    WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \\gexec
\\connect :name
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS vector;
CREATE EXTENSION IF NOT EXISTS pg_stat_statements;
\\connect postgres
"""


def postgres(lab: Lab) -> Component:
    home, programs = lab.state / "postgres", binaries.postgres(lab) / "bin"
    settings = {
        "listen_addresses": f"127.0.0.1,{lab.node_address}",
        "port": str(lab.postgres_port),
        "unix_socket_directories": str(home / "run"),
        "hba_file": str(home / "pg_hba.conf"),
        "max_connections": "100",
        "shared_buffers": "128MB",
        "shared_preload_libraries": "pg_stat_statements",
        "track_io_timing": "on",
        "password_encryption": "scram-sha-256",
        "timezone": "UTC",
        "fsync": "off",  # disposable: survives a kill of the process, not of the machine
        "full_page_writes": "off",
    }
    peers = ("127.0.0.1/32", f"{lab.node_address}/32", lab.pod_network)
    access = ["local all all trust", *(f"host all all {peer} scram-sha-256" for peer in peers)]

    def prepare() -> None:
        home.mkdir(parents=True, exist_ok=True)
        home.chmod(0o700)  # who reaches the socket is trusted
        # no process is left in our cgroup; a killed one that nobody has reaped yet would keep the next one out
        (home / "data" / "postmaster.pid").unlink(missing_ok=True)
        shutil.rmtree(home / "run", ignore_errors=True)
        (home / "run").mkdir()
        give(home, UNPRIVILEGED)
        if not (home / "data").exists():
            _initialise(lab)

    def ready() -> str | None:
        for address in ("127.0.0.1", lab.node_address):
            answer = probe.command(str(programs / "pg_isready"), "-h", address, "-p", str(lab.postgres_port))
            if answer:
                return answer
        return None

    return Component(
        name="postgres",
        argv=(
            str(programs / "postgres"),
            "-D",
            str(home / "data"),
            *(word for name, value in settings.items() for word in ("-c", f"{name}={value}")),
        ),
        files={home / "pg_hba.conf": "\n".join(access) + "\n"},
        prepare=prepare,
        ready=ready,
        user=UNPRIVILEGED,
    )


def redis(lab: Lab) -> Component:
    home = lab.state / "redis"
    config = {
        "bind": f"127.0.0.1 {lab.node_address}",
        "port": lab.redis_port,
        "dir": home,
        "requirepass": lab.secrets["redis_password"],
        "maxmemory": "256mb",
        "maxmemory-policy": "noeviction",
        "save": '""',
        "appendonly": "no",
    }

    def prepare() -> None:
        home.mkdir(parents=True, exist_ok=True)
        give(home, UNPRIVILEGED)

    return Component(
        name="redis",
        argv=(which("redis-server"), str(home / "redis.conf")),
        files={home / "redis.conf": "".join(f"{name} {value}\n" for name, value in config.items())},
        prepare=prepare,
        ready=lambda: probe.command(
            which("redis-cli"), "-h", lab.node_address, "-p", str(lab.redis_port), "ping",
            env={"REDISCLI_AUTH": lab.secrets["redis_password"]}, wants="PONG",
        ),
        user=UNPRIVILEGED,
    )  # fmt: skip


def registry(lab: Lab) -> Component:
    """Debian's docker-registry, empty: what is not imported into containerd does not exist anywhere."""
    home, address = lab.state / "registry", f"{lab.node_address}:{lab.registry_port}"
    config = {
        "version": "0.1",
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(home / "images")}, "delete": {"enabled": True}},
        "http": {"addr": address},
    }

    def prepare() -> None:
        (home / "images").mkdir(parents=True, exist_ok=True)
        give(home, UNPRIVILEGED)

    return Component(
        name="registry",
        argv=(which("docker-registry"), "serve", str(home / "config.json")),
        files={home / "config.json": json.dumps(config, indent=1)},
        prepare=prepare,
        ready=lambda: probe.http(f"http://{address}/v2/"),
        user=UNPRIVILEGED,
    )


def ensure_databases(lab: Lab) -> None:
    """Roles with their passwords, databases and extensions; what exists is brought to its definition."""
    script = f"\\set password {lab.secrets['postgres_password']}\nALTER ROLE postgres PASSWORD :'password';\n"
    for name in DATABASES:
        script += f"\\set name {name}\n\\set password {lab.secrets[f'{name}_password']}\n{DATABASE_SQL}"
    home = lab.state / "postgres"
    psql = (str(binaries.postgres(lab) / "bin" / "psql"), "-h", str(home / "run"), "-p", str(lab.postgres_port))
    options = ("-U", "postgres", "-d", "postgres", "-X", "-q", "-v", "ON_ERROR_STOP=1")
    # the script goes through stdin: passwords have no place in a command line
    done = ask(*as_user(UNPRIVILEGED, (*psql, *options)), stdin=script)
    if done.returncode:
        raise LabError(f"The databases could not be prepared: {done.stderr.strip()}")


def _initialise(lab: Lab) -> None:
    """Make PostgreSQL's data directory, whole or not at all."""
    home = lab.state / "postgres"
    fresh = home / "data.new"
    shutil.rmtree(fresh, ignore_errors=True)
    initdb = (str(binaries.postgres(lab) / "bin" / "initdb"), "-D", str(fresh), "-U", "postgres", "--no-sync")
    locale = ("--encoding=UTF8", "--locale=C.UTF-8", "--auth=scram-sha-256", "--auth-local=trust")
    done = ask(*as_user(UNPRIVILEGED, (*initdb, *locale)))
    if done.returncode:
        raise LabError(f"initdb failed: {done.stderr.strip()}")
    fresh.rename(home / "data")
