# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation behind M(linkops.runbooks.workload_environment)."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .. import lines
from ..call import Call
from ..lines import Line
from . import fingerprint, paths, snapshot, variables
from .client import ApiFault, Cluster
from .fingerprint import Reference
from .session import opened
from .variables import Source

MOST_AT_ONCE = 8


def environment(call: Call) -> dict[str, Any]:
    """Each variable of a workload's containers: its source, whether it is set, and a value that may be shown."""
    params = call.params
    with opened(call) as session, ThreadPoolExecutor(MOST_AT_ONCE) as pool:
        template = snapshot.read(session.cluster, *session.workload, with_pods=False).workload["spec"]["template"]
        used = fingerprint.references(template)
        known = pool.map(lambda reference: _source(session.cluster, params["namespace"], reference), used)
        sources = dict(zip(used, known, strict=True))
    found = variables.variables(template, sources, params["shown_variables"], params["container"] or "")
    told = lines.told([Line("environment", variables.verdict(found))])
    call.journal.note("environment", lines=told["lines"])
    return {**told, "variables": [variable.as_result() for variable in found]}


def _source(cluster: Cluster, namespace: str, reference: Reference) -> Source:
    """What is known of an object; the content of a Secret is dropped here."""
    kind, name = reference
    try:
        found = cluster.get(paths.path(kind, namespace, name))
    except ApiFault as fault:
        if fault.status == 404:
            return Source("missing", {})
        if fault.status == 403:
            return Source("unreadable", {})
        raise
    content: Mapping[str, str] = found.get("data") or {}
    if kind == "ConfigMap":
        return Source("there", dict(content))
    return Source("there", dict.fromkeys(content, ""))
