# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A GET to a pod through a port-forward, for where the API server's proxy is forbidden or does not reach the pods.

The way differs: API server, kubelet, pod; so it works where the control plane has no route to the pod network.
"""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING

from .. import bodies
from ..deadline import Deadline

if TYPE_CHECKING:
    from kubernetes.client import ApiClient


def get(
    api: ApiClient, namespace: str, pod: str, port: int, url_path: str, timeout_seconds: float
) -> tuple[int, str, str]:
    """Status, body and who answered, as C(Cluster.proxied) tells it."""
    # Imported where they are needed: the typed API brings a second's worth of models along.
    from kubernetes.client import CoreV1Api  # noqa: PLC0415
    from kubernetes.client.exceptions import ApiException  # noqa: PLC0415
    from kubernetes.stream import portforward  # noqa: PLC0415

    try:
        connect = CoreV1Api(api).connect_get_namespaced_pod_portforward
        forward = portforward(connect, pod, namespace, ports=str(port), _request_timeout=timeout_seconds)
    except ApiException as fault:
        return 0, f"port-forward is refused: {str(fault.reason).partition(' -+-+- ')[0]}", "api server"
    deadline = Deadline(timeout_seconds)
    connection = http.client.HTTPConnection(pod, port, timeout=timeout_seconds)
    try:
        connection.sock = forward.socket(port)
        connection.sock.settimeout(timeout_seconds)
        connection.request("GET", url_path, headers={"User-Agent": "linkops.runbooks", "Connection": "close"})
        answer = connection.getresponse()
        return answer.status, bodies.read(answer.read1, deadline), "service"
    except TimeoutError:
        return 0, f"nothing whole comes by port-forward within {timeout_seconds:g} s", "nobody"
    except (OSError, http.client.HTTPException) as fault:
        return 0, f"port-forward: {forward.error(port) or fault or type(fault).__name__}", "api server"
    finally:
        connection.close()
        forward.close()
