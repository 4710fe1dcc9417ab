# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every inventory gives every service what the roles read, and production holds nothing of the lab."""

from __future__ import annotations

import json
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest

INVENTORIES = Path(__file__).resolve().parents[2] / "inventories"

EVERY_SERVICE = {
    "ansible_connection", "ansible_python_interpreter", "system_name", "environment_name",
    "cluster_uid", "kubernetes_kubeconfig", "kubernetes_context", "kubernetes_namespace",
    "workload_kind", "workload_name", "workload_container",
    "service_port", "health_path", "health_url", "health_expect", "health_timeout_seconds",
    "rollout_deadline_seconds", "crash_restarts", "lock_duration_seconds", "observation_seconds", "record_directory",
    "database_indexes", "database_name", "database_secret_name", "database_secret_key", "database_pool_size",
    "database_host", "database_port", "database_user", "database_password_file",
    "error_rate_warning_ratio", "error_rate_critical_ratio",
    "latency_p95_warning_seconds", "latency_p95_critical_seconds",
    "kubernetes_service_name", "database_client", "prometheus_url",
    "connections_warning_ratio", "connections_critical_ratio",
}  # fmt: skip
SYSTEM = {
    "servicelink": {
        "cache_secret_name", "cache_secret_key", "cache_host", "cache_port", "cache_password_file",
        "memory_growth_warning_bytes_per_hour", "connections_warning",
    },
    "credlink": {"memory_warning_ratio", "memory_critical_ratio", "cpu_warning_ratio", "cpu_critical_ratio"},
}  # fmt: skip

# What nobody but those who run an environment know: unset on purpose, and named in a comment at its place.
DATABASE = {"database_host", "database_port", "database_user", "database_password_file"}
CLUSTER = {"cluster_uid", "kubernetes_context", "kubernetes_kubeconfig"}
OPERATOR_SET = {
    "servicelink": CLUSTER | DATABASE | {"prometheus_url", "cache_host", "cache_port", "cache_password_file"},
    "credlink": CLUSTER | DATABASE | {"prometheus_url"},
}
ALSO_OPERATOR_SET = {
    ("servicelink/production.yml", "servicelink-worker"): {"service_port"},
    ("servicelink/staging.yml", "servicelink-worker"): {"service_port"},
    ("servicelink/staging.yml", "servicelink-web"): {"health_url"},
    ("credlink/staging.yml", "credlink-api"): {"health_url"},
}

REMOTE = {
    "servicelink/production.yml": {"servicelink-api", "servicelink-web", "servicelink-worker"},
    "servicelink/staging.yml": {"servicelink-api", "servicelink-web", "servicelink-worker"},
    "credlink/production.yml": {"credlink-api"},
    "credlink/staging.yml": {"credlink-api"},
}
LAB_VALUES = ("192.0.2.", "127.0.0.1", "localhost", "linkops-lab", "lab_state", "lab_address", "lookup('file'")


@cache
def inventory(source: str) -> dict[str, Any]:
    """What ansible-inventory makes of one source."""
    command = shutil.which("ansible-inventory")
    assert command, "ansible-inventory is not on PATH"
    shown = subprocess.run(
        [command, "-i", str(INVENTORIES / source), "--list"], check=True, stdout=subprocess.PIPE, cwd=INVENTORIES.parent
    )
    parsed: dict[str, Any] = json.loads(shown.stdout)
    return parsed


def hosts(source: str) -> dict[str, dict[str, Any]]:
    """The services of one source with their variables."""
    hostvars: dict[str, dict[str, Any]] = inventory(source)["_meta"]["hostvars"]
    return hostvars


def missing(variables: dict[str, Any]) -> set[str]:
    """What a service lacks of the variables that the roles read."""
    return (EVERY_SERVICE | SYSTEM[variables["system_name"]]) - variables.keys()


@pytest.mark.parametrize("source", REMOTE)
def test_only_what_the_operator_knows_is_unset(source: str) -> None:
    system, environment = source.removesuffix(".yml").split("/")
    assert hosts(source).keys() == REMOTE[source]
    for name, variables in hosts(source).items():
        assert missing(variables) == OPERATOR_SET[system] | ALSO_OPERATOR_SET.get((source, name), set()), name
        assert variables["system_name"] == system
        assert variables["environment_name"] == environment
        assert variables["kubernetes_namespace"] == f"{system}-{environment}"


@pytest.mark.parametrize("source", REMOTE)
def test_what_is_unset_is_named_where_it_belongs(source: str) -> None:
    system, environment = source.removesuffix(".yml").split("/")
    group = (INVENTORIES / system / "group_vars" / f"{system}_{environment}.yml").read_text()
    for name in OPERATOR_SET[system]:
        assert f"# {name}:" in group
    for (place, _host), names in ALSO_OPERATOR_SET.items():
        for name in names if place == source else ():
            assert f"# {name}: TO BE SET" in (INVENTORIES / source).read_text()


@pytest.mark.parametrize("source", REMOTE)
def test_no_value_of_the_lab_or_of_another_environment(source: str) -> None:
    shown = json.dumps(inventory(source))
    other = {"production": "staging", "staging": "production"}[source.removesuffix(".yml").split("/")[1]]
    for foreign in (*LAB_VALUES, other, "default_service"):
        assert foreign not in shown


def test_the_lab_is_complete_and_has_a_default_service() -> None:
    assert hosts("lab").keys() == {"servicelink-api", "servicelink-web", "servicelink-worker", "credlink-api"}
    for name, variables in hosts("lab").items():
        assert missing(variables) == {"cluster_uid"}, name  # each lab is a new cluster
        assert variables["environment_name"] == "lab"
        assert variables["kubernetes_namespace"] == f"{variables['system_name']}-production"
    assert inventory("lab")["default_service"]["hosts"] == ["servicelink-api"]


def test_what_both_environments_and_the_lab_share_is_written_once() -> None:
    for system in SYSTEM:
        shared = INVENTORIES / system / "group_vars" / f"{system}.yml"
        assert (INVENTORIES / "lab/group_vars" / f"{system}.yml").resolve() == shared.resolve()
