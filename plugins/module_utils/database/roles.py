# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Roles that a backup needs and a server lacks: named, or made again without what a backup does not know.

A backup has no passwords, so what is made again cannot log in. Powers over the whole server are not given back unasked.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from ..errors import Fault
from . import standing
from .session import DatabaseSession

_SERVERS_OWN = re.compile(r"pg_|rds_|rdsadmin|cloudsqlsuperuser|azure_")
_POWERS = {
    "superuser": "SUPERUSER",
    "createrole": "CREATEROLE",
    "createdb": "CREATEDB",
    "replication": "REPLICATION",
    "bypassrls": "BYPASSRLS",
}


def missing(entries: Mapping[str, Any], there: Collection[str]) -> list[Mapping[str, Any]]:
    """The roles that own something in the backup, were granted something or have settings there, and do not exist."""
    needed = {role["name"] for role in entries["roles"] if role["needed"]}
    needed |= {each["role"] for each in (*entries["settings"], *entries["grants"]) if each["role"]}
    known = {role["name"]: role for role in entries["roles"]}
    return [known.get(name, {"name": name}) for name in sorted(needed - set(there))]


def judged(
    lacking: Collection[Mapping[str, Any]], asked: bool, may: bool, server: str
) -> tuple[list[Fault], list[str]]:
    """What is in the way because of them; what is to be known of those that are made again."""
    if not lacking:
        return [], []
    if not asked:
        names = ", ".join(each["name"] for each in lacking)
        return [
            Fault(
                "roles_missing",
                f"{server} has no role {names}, which owns or was granted something in the backup.",
                "Create it as the manifest's roles say it, with a password, which a backup does not have; or let"
                " restore.yml -e create_roles=true make it without.",
            )
        ], []
    if not may:
        return [
            Fault(
                "privilege",
                "This role may not create the roles that the server lacks.",
                "Press as one that may (database_admin_user in the inventory), or create them yourself.",
            )
        ], []
    return [], said(lacking)


def said(roles: Collection[Mapping[str, Any]]) -> list[str]:
    """What is left to be done for each role that is made again."""
    sentences = []
    for role in roles:
        powers = [word for power, word in _POWERS.items() if role.get(power)]
        powers += [name for name in role.get("member_of") or () if _SERVERS_OWN.match(name)]
        lacks = f", and without {', '.join(powers)}" if powers else ""
        login = f" ALTER ROLE {role['name']} LOGIN PASSWORD ... lets it in." if role.get("login") else ""
        sentences.append(
            f"The role {role['name']} is made again without a password, so it cannot log in{lacks}.{login}"
        )
    return sentences


def create(session: DatabaseSession, roles: Collection[Mapping[str, Any]], superuser: bool) -> None:
    """Make the roles, with their memberships and settings, all of them or none."""
    sql = session.database.sql
    with session.database.transaction() as ask:
        for role in roles:
            name = sql.Identifier(role["name"])
            words = f"NOLOGIN {'INHERIT' if role.get('inherit', True) else 'NOINHERIT'} CONNECTION LIMIT {{}}"
            limit = sql.Literal(int(role.get("connection_limit", -1)))
            ask(sql.SQL("CREATE ROLE {} ").format(name) + sql.SQL(words).format(limit))
            if not superuser:  # else it cannot give it what it is to own
                ask(sql.SQL("GRANT {} TO CURRENT_USER").format(name))
        there = {row["name"] for row in ask("SELECT rolname AS name FROM pg_roles")}
        for role in roles:
            name = sql.Identifier(role["name"])
            for group in sorted(there.intersection(_groups(role))):
                ask(sql.SQL("GRANT {} TO {}").format(sql.Identifier(group), name))
            for each in role.get("settings") or ():
                ask(altered(sql, sql.SQL("ROLE {}").format(name), each))


def altered(sql: Any, of: Any, setting: str) -> Any:
    """The statement that gives a role or a database a setting, as pg_db_role_setting has it."""
    variable, values = standing.setting(setting)
    parts = sql.SQL(".").join(sql.Identifier(part) for part in variable.split("."))
    return sql.SQL("ALTER {} SET {} TO {}").format(of, parts, sql.SQL(", ").join(map(sql.Literal, values)))


def _groups(role: Mapping[str, Any]) -> list[str]:
    """Of the roles that it was a member of those that are no power over the server."""
    return [name for name in role.get("member_of") or () if not _SERVERS_OWN.match(name)]
