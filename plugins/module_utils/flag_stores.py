# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a feature flag is kept: a variable of the container, a key of a ConfigMap, a service of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from .cluster import assignments, config_map, configure, configuring, marks, paths, revisions, snapshot, unproved
from .cluster.client import MERGE_PATCH
from .cluster.config_map import Before
from .cluster.configure import Planned
from .cluster.configuring import Wish
from .cluster.session import Session
from .cluster.snapshot import Snapshot
from .errors import Fault, OperatorError
from .signals import flags
from .signals.flag_service import FlagService
from .signals.flags import Flag

#: How long, in seconds, a change may take to show: kubelet renews files once a minute, and its cache may be as old.
AT_ONCE_SECONDS, BY_VOLUME_SECONDS = 15.0, 150.0
ANNOTATION = "flag.runbooks.linkops.io/"


@dataclass(frozen=True)
class Standing:
    """A flag as its store has it: C(value), of JSON's types, none where it is not set; and what it was C(before) a
    change that was never proved.
    """

    value: Any
    before: Before | None
    workload: Snapshot


@dataclass(frozen=True)
class Rollout:
    """What a new value needs of the workload: the wish, and its plan."""

    wish: Wish
    planned: Planned


class Store(Protocol):
    """One flag's store."""

    settle_seconds: float

    def read(self) -> Standing:
        """The flag as it is. Raises C(OperatorError) where it cannot be set."""

    def rollout(self, standing: Standing, value: str | None, /) -> Rollout | None:
        """The rollout by which pods come to see the value, where they need one."""

    def write(self, value: str | None, before: Before | None, /) -> None:
        """Set the value outside of the template; C(before) is kept until it is proved."""

    def settle(self) -> bool:
        """Forget the value before, since the present one is proved; whether there was one."""


def store(session: Session, flag: Flag) -> Store:
    """The store of a flag."""
    kinds: dict[str, Any] = {"environment": InEnvironment, "config_map": InConfigMap, "http": InService}
    found: Store = kinds[flag.store](session, flag)
    return found


class InEnvironment:
    """A variable of the container: a change is a rollout, and nothing else."""

    settle_seconds = AT_ONCE_SECONDS

    def __init__(self, session: Session, flag: Flag) -> None:
        self._session = session
        self._variable = str(flag.settings.get("variable") or flag.name)
        self._container = _container(session, flag)

    def read(self) -> Standing:
        found = snapshot.read(self._session.cluster, *self._session.workload)
        template = found.workload["spec"]["template"]
        name = configuring.container_of(template, self._container)["name"]
        value, before = self._value(template, name), None
        begun = unproved.read(found.workload, found.revisions)
        if begun and name in revisions.images(begun.left.template):
            before = Before(self._value(begun.left.template, name), begun.passed)
        return Standing(value, before if before and before.value != value else None, found)

    def _value(self, template: Mapping[str, Any], container: str) -> str | None:
        setting = configuring.settings(template, container).get(f"env.{self._variable}")
        return setting if isinstance(setting, str) else None

    def rollout(self, standing: Standing, value: str | None) -> Rollout | None:
        if value is None:
            wish = Wish(self._container, absent=[self._variable])
        else:
            if faults := assignments.value_faults({self._variable: value}):
                raise OperatorError(faults)
            wish = Wish(self._container, environment={self._variable: value})
        return Rollout(wish, configure.plan(self._session, standing.workload, wish))

    def write(self, _value: str | None, _before: Before | None) -> None:
        """The rollout does it."""

    def settle(self) -> bool:
        return _settle_rollout(self._session)


class InConfigMap:
    """A key of a ConfigMap. Pods that read it when they start are rolled, by an annotation of their template."""

    settle_seconds = AT_ONCE_SECONDS

    def __init__(self, session: Session, flag: Flag) -> None:
        self._session = session
        self._name, self._key = str(flag.settings["config_map"]), str(flag.settings["key"])
        self._container = _container(session, flag)
        self._annotation = ANNOTATION + flag.name

    def read(self) -> Standing:
        found = snapshot.read(self._session.cluster, *self._session.workload)
        key = config_map.read(self._session, self._name, self._key)
        if "volume" in config_map.ways(found.workload["spec"]["template"], self._name):
            self.settle_seconds = BY_VOLUME_SECONDS
        return Standing(key.value, key.before, found)

    def rollout(self, standing: Standing, value: str | None) -> Rollout | None:
        if faults := assignments.value_faults({self._key: value}):
            raise OperatorError(faults)
        template = standing.workload.workload["spec"]["template"]
        if "start" not in config_map.ways(template, self._name):
            return None
        digest = hashlib.sha256(str(value).encode()).hexdigest()[:16]
        wish = Wish(self._container, annotations={self._annotation: digest})
        return Rollout(wish, configure.plan(self._session, standing.workload, wish))

    def write(self, value: str | None, before: Before | None) -> None:
        standing = config_map.read(self._session, self._name, self._key)
        if value is not None and (standing.value, standing.before) != (value, before):
            config_map.write(self._session, self._name, self._key, value, standing, before)

    def settle(self) -> bool:
        rolled = _settle_rollout(self._session)
        standing = config_map.read(self._session, self._name, self._key)
        if standing.before is None:
            return rolled
        config_map.write(self._session, self._name, self._key, standing.value, standing, None)
        return True


class InService:
    """A service that keeps flags, asked over HTTP; pods follow by themselves."""

    settle_seconds = AT_ONCE_SECONDS

    def __init__(self, session: Session, flag: Flag) -> None:
        self._session = session
        self._service = FlagService(flag, session.call.environment)
        self._name = flag.name
        self._document: Mapping[str, Any] = {}

    def read(self) -> Standing:
        found = snapshot.read(self._session.cluster, *self._session.workload)
        self._document = self._service.read()
        return Standing(self._service.value(self._document), None, found)

    def rollout(self, _standing: Standing, value: str | None) -> Rollout | None:
        try:
            flags.like(self._service.value(self._document), str(value))
        except ValueError as fault:
            now = assignments.text(self._service.value(self._document))
            told = f"The flag {self._name} is {now} in its service, and {str(value)[:40]} is no such value."
            raise OperatorError(Fault("flag_value", told, "Give a value of the same kind.")) from fault
        return None

    def write(self, value: str | None, _before: Before | None) -> None:
        standing = self._service.value(self._document)
        self._session.held.renew()
        self._service.write(self._document, flags.like(standing, str(value)))
        self._document = self._service.read()
        self._session.call.journal.note("flag_service", flag=self._name)

    def settle(self) -> bool:
        return False


def _settle_rollout(session: Session) -> bool:
    """Forget what the rollout left, which its workload keeps; whether there was anything."""
    namespace, kind, name = session.workload
    found = snapshot.read(session.cluster, namespace, kind, name, with_pods=False)
    if unproved.read(found.workload, found.revisions) is None:
        return False
    session.held.renew()
    body = {"metadata": {"annotations": {marks.UNPROVED: None}}}
    session.cluster.patch(paths.path(kind, namespace, name), body, MERGE_PATCH)
    return True


def _container(session: Session, flag: Flag) -> str:
    return str(flag.settings.get("container") or session.params["container"] or "")
