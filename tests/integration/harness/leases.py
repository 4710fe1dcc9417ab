# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Locks of another operator."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from lab.cluster import Cluster

PATH = "/apis/coordination.k8s.io/v1/namespaces/{}/leases"


@contextmanager
def alive(cluster: Cluster, namespace: str, name: str) -> Iterator[None]:
    """A Lease whose holder renews it all the time."""
    path, over = PATH.format(namespace), threading.Event()

    def now() -> str:
        return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    said = {"runbooks.linkops.io/button": "migration", "runbooks.linkops.io/operator": "grace"}
    spec = {"holderIdentity": "run-of-grace", "leaseDurationSeconds": 5, "acquireTime": now(), "renewTime": now()}
    cluster.request("POST", path, {"metadata": {"name": name, "annotations": said}, "spec": spec})

    def renew() -> None:
        while not over.wait(0.3):
            cluster.patch("Lease", namespace, name, {"spec": {"renewTime": now()}})

    renewing = threading.Thread(target=renew)
    renewing.start()
    try:
        yield
    finally:
        over.set()
        renewing.join()
        cluster.request("DELETE", f"{path}/{name}")
