# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every module is one argument spec and one operation, in one action group, and has an action plugin of its name."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.linkops.runbooks.plugins.module_utils.cache.arguments import CACHE
from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.arguments import CONNECTION, RUN
from ansible_collections.linkops.runbooks.plugins.module_utils.database.arguments import DATABASE
from ansible_collections.linkops.runbooks.plugins.module_utils.shell import Module

COLLECTION = Path(__file__).resolve().parents[4]
NAMES = sorted(path.stem for path in (COLLECTION / "plugins/modules").glob("[a-z]*.py"))
ACTIONS = sorted((COLLECTION / "plugins/action").glob("[a-z]*.py"))
SHARED = {"cache": CACHE, "cluster": CONNECTION, "database": DATABASE}
LIBRARIES = {"cache": "redis", "cluster": "kubernetes", "database": "psycopg2"}
RUNTIME: dict[str, Any] = yaml.safe_load((COLLECTION / "meta/runtime.yml").read_text(encoding="utf-8"))


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    """Each module's name."""
    return str(request.param)


@pytest.fixture
def module(name: str) -> Any:
    """Each module."""
    return importlib.import_module(f"ansible_collections.linkops.runbooks.plugins.modules.{name}")


def group(name: str) -> set[str]:
    """The modules of an action group, those of the groups that it extends included."""
    members: set[str] = set()
    for entry in RUNTIME["action_groups"][name]:
        if isinstance(entry, str):
            members.add(entry)
        else:
            for other in entry["metadata"]["extend_group"]:
                members |= group(other.rpartition(".")[2])
    return members


def test_there_are_modules() -> None:
    assert "workload_rollback" in NAMES


def test_a_module_is_a_spec_and_an_operation(module: Any) -> None:
    assert isinstance(module.MODULE, Module)
    assert callable(module.MODULE.operation)
    assert callable(module.main)


def test_a_module_documents_itself(name: str, module: Any) -> None:
    assert yaml.safe_load(module.DOCUMENTATION)["module"] == name
    assert f"linkops.runbooks.{name}" in str(yaml.safe_load(module.EXAMPLES))
    assert yaml.safe_load(module.RETURN)


@pytest.mark.parametrize("kind", SHARED)
def test_a_module_has_all_options_of_its_group(kind: str) -> None:
    for name in group(kind):
        module = importlib.import_module(f"ansible_collections.linkops.runbooks.plugins.modules.{name}")
        assert set(SHARED[kind]) | set(RUN) <= set(module.MODULE.arguments), name
        groups = yaml.safe_load(module.DOCUMENTATION)["extends_documentation_fragment"]
        assert {"cluster": "linkops.runbooks.connection"}.get(kind, f"linkops.runbooks.{kind}") in groups, name


def test_every_group_for_defaults_has_options_of_its_own() -> None:
    assert set(RUNTIME["action_groups"]) == {"all", *SHARED}


def test_every_module_is_in_the_group_for_defaults(name: str) -> None:
    assert name in group("all")


def test_no_group_names_a_module_that_is_not_there() -> None:
    assert group("all") == set(NAMES)


def test_every_module_has_an_action_plugin_of_its_name() -> None:
    assert [path.stem for path in ACTIONS] == NAMES  # a copy of any other


def test_all_action_plugins_are_one_file() -> None:
    assert len({path.read_text(encoding="utf-8") for path in ACTIONS}) == 1


def test_a_module_names_the_library_of_its_group(name: str, module: Any) -> None:
    (kind,) = (kind for kind in SHARED if name in group(kind))  # a module gets the defaults of one group alone
    assert module.MODULE.library == LIBRARIES[kind]


def test_values_that_ansible_may_show_hold_no_credential(module: Any) -> None:
    for option in {"api_key", "login_password", "login_url"} & set(module.MODULE.arguments):
        assert module.MODULE.arguments[option]["no_log"] is True
