# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One key of a ConfigMap as the place of a setting: how pods see it, and changing it so that it can be taken back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import Fault, OperatorError
from . import paths, revisions
from .client import MERGE_PATCH, ApiFault
from .session import Session

#: What was changed and is not proved yet: by key, its value before. It outlives a run that is killed.
PENDING = "runbooks.linkops.io/pending-keys"

Object = Mapping[str, Any]


@dataclass(frozen=True)
class Before:
    """What a change that is not proved changed: C(value), none where it was not set; C(passed) tells whether the whole
    service passed then.
    """

    value: str | None
    passed: bool = False


@dataclass(frozen=True)
class Key:
    """A key as it was read, and what it was before a change that is not proved."""

    value: str
    version: str
    annotations: Mapping[str, str]
    before: Before | None = None


def read(session: Session, name: str, key: str) -> Key:
    """The key as it is. Raises C(OperatorError) where it is not there, or cannot be changed."""
    try:
        entry = session.cluster.get(paths.path("ConfigMap", session.params["namespace"], name))
    except ApiFault as fault:
        if fault.status != 404:
            raise
        told = f"Namespace {session.params['namespace']} has no ConfigMap {name}."
        raise OperatorError(Fault("config_map_missing", told, "Correct feature_flags in the inventory.")) from fault
    if entry.get("immutable"):
        told = f"ConfigMap {name} is immutable, so its key {key} cannot be changed."
        raise OperatorError(Fault("config_map_immutable", told, "Roll out a new ConfigMap under another name."))
    data = entry.get("data") or {}
    if key not in data:
        told = f"ConfigMap {name} has no key {key}; it has {', '.join(sorted(data)) or 'none'}."
        raise OperatorError(Fault("config_map_missing", told, "Correct feature_flags in the inventory."))
    annotations = entry["metadata"].get("annotations") or {}
    before = pending(annotations).get(key)
    return Key(data[key], entry["metadata"]["resourceVersion"], annotations, before)


def write(session: Session, name: str, key: str, value: str, standing: Key, before: Before | None) -> None:
    """Set the key on exactly the state that was read; C(before) is kept until the value is proved."""
    noted = {each: old for each, old in pending(standing.annotations).items() if each != key}
    if before is not None:
        noted[key] = before
    annotation = json.dumps({each: vars(old) for each, old in noted.items()}, sort_keys=True) if noted else None
    metadata = {"resourceVersion": standing.version, "annotations": {PENDING: annotation}}
    session.held.renew()
    path = paths.path("ConfigMap", session.params["namespace"], name)
    try:
        session.cluster.patch(path, {"metadata": metadata, "data": {key: value}}, MERGE_PATCH)
    except ApiFault as fault:
        if fault.status != 409:
            raise
        told = f"ConfigMap {name} was changed by somebody else while this button planned. Nothing was written."
        raise OperatorError(Fault("concurrent_change", told, "Press again to plan on the new state.")) from fault
    session.call.journal.note("config_map", name=name, key=key)


def pending(annotations: Mapping[str, str]) -> dict[str, Before]:
    """By key what is not proved yet; anybody may have edited it, so unreadable is none."""
    try:
        found = json.loads(annotations.get(PENDING, "{}"))
    except ValueError:
        return {}
    return {
        key: Before(each["value"], each.get("passed") is True)
        for key, each in (found.items() if isinstance(found, dict) else ())
        if isinstance(each, dict) and isinstance(each.get("value"), str)
    }


def ways(template: Object, name: str) -> set[str]:
    """How a template's pods see a ConfigMap: C(start), when a container starts, C(volume), within a minute or so.

    Variables, and files mounted by C(subPath), are never renewed
    (https://kubernetes.io/docs/concepts/configuration/configmap/#mounted-configmaps-are-updated-automatically).
    """
    spec = template.get("spec") or {}
    volumes = {volume["name"] for volume in spec.get("volumes") or [] if name in _config_maps(volume)}
    found = set()
    for container in revisions.containers(template):
        whole = [(each.get("configMapRef") or {}).get("name") for each in container.get("envFrom") or []]
        single = [
            ((each.get("valueFrom") or {}).get("configMapKeyRef") or {}).get("name")
            for each in container.get("env") or []
        ]
        if name in [*whole, *single]:
            found.add("start")
        for mount in container.get("volumeMounts") or []:
            if mount["name"] in volumes:
                found.add("start" if mount.get("subPath") or mount.get("subPathExpr") else "volume")
    return found


def _config_maps(volume: Object) -> Iterator[str]:
    for source in [volume, *((volume.get("projected") or {}).get("sources") or [])]:
        if source.get("configMap"):
            yield str(source["configMap"].get("name"))
