# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers of the tests' own: one that never says a word, and a way to the lab's Prometheus through the API server."""

from __future__ import annotations

import socket
import socketserver
import threading
import time

from kubernetes.client.exceptions import ApiException

from lab.cluster import Cluster
from lab.site import Lab


class silence:  # noqa: N801 (used as a function is)
    """A server that takes connections and never says a word."""

    def __enter__(self) -> tuple[str, int]:
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Mute)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return "127.0.0.1", self._server.server_address[1]

    def __exit__(self, *_exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Mute(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        time.sleep(60)


def reachable(cluster: Cluster, namespace: str) -> str:
    """The lab's Prometheus as a Service: it listens on loopback, and the API server's proxy goes to pods only.

    So a pod passes all on to a relay on the node's address, and that to Prometheus.
    """
    lab = cluster.lab
    server = socketserver.ThreadingTCPServer((lab.node_address, 0), relay(lab))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    pass_on = f"net.connect({server.server_address[1]}, '{lab.node_address}')"
    program = f"net = require('net'); net.createServer(c => c.pipe({pass_on}).pipe(c)).listen(9090)"
    metadata = {"name": "prometheus", "labels": {"app": "prometheus"}}
    made = {"name": "relay", "image": "servicelink/api:v1.2.1", "command": ["node", "-e", program]}
    pod = {"terminationGracePeriodSeconds": 0, "containers": [made]}
    spec = {"selector": {"app": "prometheus"}, "ports": [{"port": 9090}]}
    cluster.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod}, namespace)
    cluster.create({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}, namespace)

    def listens() -> bool:
        path = f"/api/v1/namespaces/{namespace}/services/prometheus:9090/proxy/api/v1/query"
        try:
            return bool(cluster.request("GET", path, query={"query": "up"}))
        except ApiException:
            return False

    cluster.until(listens, lambda: "Prometheus is not reached through the API server")
    return f"service://{namespace}/prometheus:9090"


def relay(lab: Lab) -> type[socketserver.StreamRequestHandler]:
    """Passes one request on to Prometheus, and its answer back."""

    class Relay(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with socket.create_connection(("127.0.0.1", lab.prometheus_port)) as upstream:
                head = b""
                while not head.endswith(b"\r\n\r\n"):
                    head += self.rfile.readline()
                upstream.sendall(head.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
                while chunk := upstream.recv(1 << 16):
                    self.wfile.write(chunk)

    return Relay
