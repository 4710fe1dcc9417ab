# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The services keep what the runbooks say of them, and misbehave as lab/services/README.md says."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import re
import subprocess
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import psycopg2
import pytest
import redis
import urllib3

from lab.cluster import Cluster
from lab.images import SERVICES
from lab.seed import CREDLINK, HISTORY, SERVICELINK, seed
from lab.site import Lab
from lab.workloads import RESTARTED_AT, REVISION, Workload, service

pytestmark = pytest.mark.lab
NAMESPACE = "lab-services"
PATIENCE = 60.0  # seconds, for a busy machine


@pytest.fixture(scope="module")
def cluster(lab: Lab) -> Iterator[Cluster]:
    found = Cluster.of(lab)
    yield found
    if found.get("Namespace", "", NAMESPACE):
        found.request("DELETE", f"/api/v1/namespaces/{NAMESPACE}")


@pytest.fixture(scope="module")
def production(lab: Lab, cluster: Cluster) -> Workload:
    """servicelink-api of a seeded production, in which somebody had paused it and left a Lease behind."""
    api = Workload(cluster, SERVICELINK, "servicelink-api")
    if cluster.get("Deployment", SERVICELINK, api.name):
        api.patch({"spec": {"paused": True, "template": {"spec": {"terminationGracePeriodSeconds": 11}}}})
        lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "left-behind"}}
        cluster.apply({**lease, "spec": {"holderIdentity": "nobody"}}, SERVICELINK)
    seed(lab)
    return api


@pytest.fixture(scope="module")
def api(lab: Lab, production: Workload) -> Workload:
    return service(lab, NAMESPACE, "api", ["v1.2.3"], replicas=1)


@pytest.fixture(scope="module")
def credlink(lab: Lab, production: Workload) -> Workload:
    return service(lab, NAMESPACE, "credlink", ["v2.1.1"], replicas=1, image="credlink/api")


@pytest.fixture
def cache(lab: Lab) -> Iterator[redis.Redis]:
    with redis.Redis(lab.node_address, lab.redis_port, password=lab.secrets["redis_password"]) as connection:
        yield connection


def call(workload: Workload, method: str, path: str, **options: Any) -> urllib3.BaseHTTPResponse:
    """One request to the workload's first pod, straight to its address."""
    pod = workload.pods[0]
    port = pod["spec"]["containers"][0]["ports"][0]["containerPort"]
    return urllib3.request(
        method, f"http://{pod['status']['podIP']}:{port}{path}", retries=False, timeout=10, **options
    )


def secret(cluster: Cluster, namespace: str, name: str, key: str) -> str:
    found = cluster.get("Secret", namespace, name)
    assert found is not None
    return b64decode(found["data"][key]).decode()


def container_status(workload: Workload) -> dict[str, Any]:
    for pod in workload.pods:
        for status in pod["status"].get("containerStatuses", []):
            return status
    return {"state": {}, "lastState": {}, "ready": False}


def ended(workload: Workload) -> dict[str, Any]:
    """How the container ended last, or nothing."""
    status = container_status(workload)
    return status["state"].get("terminated") or status["lastState"].get("terminated") or {}


def eventually(workload: Workload, reached: Callable[[], bool]) -> None:
    workload.cluster.until(reached, lambda: f"not reached; the container is {container_status(workload)}", PATIENCE)


def log_of(workload: Workload, *options: str) -> list[dict[str, Any]]:
    lab = workload.cluster.lab
    pod = workload.pods[0]["metadata"]["name"]
    command = [str(lab.kubectl), f"--kubeconfig={lab.kubeconfig}", "-n", workload.namespace, "logs", pod, *options]
    return [json.loads(line) for line in subprocess.check_output(command, text=True).splitlines()]


def test_the_apis_health_is_the_runbooks(api: Workload) -> None:
    answer = call(api, "GET", "/health")
    assert answer.status == 200
    pattern = (
        r'\{"status":"ok","database":"connected","redis":"connected","timestamp":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"\}'
    )
    assert re.fullmatch(pattern, answer.data.decode())
    assert answer.headers["x-version"] == "v1.2.3"


def test_metrics_have_the_runbooks_names(api: Workload, credlink: Workload) -> None:
    for workload, version in ((api, "v1.2.3"), (credlink, "v2.1.1")):
        call(workload, "GET", "/health")
        text = call(workload, "GET", "/metrics").data.decode()
        assert re.search(r'^http_requests_total\{[^}]*route="/health",status="200"\} \d+$', text, re.MULTILINE)
        assert re.search(r'^http_request_duration_seconds_bucket\{le="0\.5",', text, re.MULTILINE)
        assert f'version="{version}"' in text
        assert "process_resident_memory_bytes" in text


def test_login_is_throttled_as_nestjs_users_do(api: Workload, cache: redis.Redis) -> None:
    email = f"nobody-{time.time_ns()}@example.com"
    credentials = {"email": email, "password": "wrong"}
    tracker = hashlib.sha256(f"AuthController-login-login-{email}".encode()).hexdigest()
    pair = [f"{{{tracker}:login}}:{part}".encode() for part in ("hits", "blocked")]
    assert [call(api, "POST", "/auth/login", json=credentials).status for _ in range(10)] == [401] * 10
    refused = call(api, "POST", "/auth/login", json=credentials)
    assert refused.status == 429
    assert 0 < int(refused.headers["retry-after"]) <= 60
    assert sorted(cache.scan_iter(f"*{tracker}*")) == sorted(pair)
    cache.unlink(pair[0])  # half of the pair: still blocked
    assert call(api, "POST", "/auth/login", json=credentials).status == 429
    cache.unlink(*pair)
    assert call(api, "POST", "/auth/login", json=credentials).status == 401


def test_stripe_signatures_are_checked(api: Workload, cluster: Cluster) -> None:
    payload = json.dumps(
        {"id": f"evt_{time.time_ns()}", "object": "event", "type": "payment_intent.succeeded"}
    ).encode()
    now = int(time.time())

    def delivered(key: str, at: int) -> int:
        signature = hmac.new(key.encode(), f"{at}.".encode() + payload, hashlib.sha256).hexdigest()
        headers = {"Stripe-Signature": f"t={at},v1={signature}", "Content-Type": "application/json"}
        return call(api, "POST", "/stripe/webhook", body=payload, headers=headers).status

    key = secret(cluster, NAMESPACE, "servicelink-secrets", "STRIPE_WEBHOOK_SECRET")
    assert delivered(key, now) == 200
    assert delivered("whsec_another", now) == 400
    assert delivered(key, now - 3600) == 400
    assert "Webhook signature verification failed" in log_of(api)[-1]["message"]


def test_the_gateway_shakes_hands_and_joins_its_namespace(api: Workload, cache: redis.Redis) -> None:
    answer = call(api, "GET", "/socket.io/?EIO=4&transport=polling")
    assert (answer.status, answer.data[:1]) == (200, b"0")
    session = f"/socket.io/?EIO=4&transport=polling&sid={json.loads(answer.data[1:])['sid']}"
    assert call(api, "POST", session, body=b"40/ws,").status == 200
    assert call(api, "GET", session).data.startswith(b"40/ws,{")
    assert call(api, "POST", session, body=b"1").status == 200
    assert call(api, "GET", "/socket.io/?transport=polling").status == 400
    assert any(channel.startswith(b"socket.io-request#/ws#") for channel in cache.pubsub_channels())


def test_credlink_wants_a_key(credlink: Workload, cluster: Cluster) -> None:
    key = secret(cluster, NAMESPACE, "credlink-api-keys", "keys").split(",")[1]
    for path in ("/health", "/api/v1/health"):
        assert json.loads(call(credlink, "GET", path).data) == {"status": "ok", "checks": {"database": "ok"}}
    assert call(credlink, "GET", "/api/v1/status").status == 401
    assert call(credlink, "GET", "/api/v1/status", headers={"X-API-Key": "test-key"}).status == 401
    assert call(credlink, "GET", "/api/v1/status", headers={"X-API-Key": key}).status == 200
    signed = call(credlink, "POST", "/api/v1/sign", headers={"X-API-Key": key}, json={"payload": "x"})
    assert (signed.status, len(json.loads(signed.data)["signature"])) == (201, 64)


def test_credlink_answers_preflights_of_its_origins_only(credlink: Workload) -> None:
    def preflight(origin: str) -> urllib3.BaseHTTPResponse:
        headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        return call(credlink, "OPTIONS", "/api/v1/sign", headers=headers)

    allowed = preflight("https://app.credlink.com")
    assert (allowed.status, allowed.headers["access-control-allow-origin"]) == (204, "https://app.credlink.com")
    refused = preflight("https://test.com")
    assert (refused.status, refused.headers.get("access-control-allow-origin")) == (403, None)


def test_sigterm_ends_it_cleanly(lab: Lab) -> None:
    workload = service(lab, NAMESPACE, "leaver", ["v1.2.3"], replicas=1)
    pod = workload.pods[0]["metadata"]["name"]
    kubectl = [str(lab.kubectl), f"--kubeconfig={lab.kubeconfig}", "-n", NAMESPACE]
    subprocess.check_call([*kubectl, "exec", pod, "--", "sh", "-c", "kill -TERM 1"])
    eventually(workload, lambda: bool(ended(workload)))
    assert ended(workload)["exitCode"] == 0
    assert log_of(workload, "--previous")[-1]["message"] == "stopped"


def test_a_lost_dependency_turns_health_bad(lab: Lab) -> None:
    gone = {"REDIS_URL": f"redis://{lab.node_address}:1"}
    workload = service(lab, NAMESPACE, "lonely", ["v1.2.3"], replicas=1, environment=gone, wait=False)
    eventually(workload, lambda: "running" in container_status(workload)["state"] and not refuses(workload))
    answer = call(workload, "GET", "/health")
    body = json.loads(answer.data)
    assert (answer.status, body["status"], body["database"], body["redis"]) == (
        503,
        "error",
        "connected",
        "disconnected",
    )


def refuses(workload: Workload) -> bool:
    """Whether nobody listens on the pod's port yet."""
    try:
        call(workload, "GET", "/")
    except urllib3.exceptions.HTTPError:
        return True
    return False


@pytest.mark.parametrize(
    ("behaviour", "last_line"),
    [
        ("bad-exit", "cannot start: the licence file is from another environment"),
        ("crash", "cannot start: loading price rules failed: unexpected end of JSON input"),
        ("crash-ready", 'uncaught exception: cannot read properties of undefined (reading "tenant")'),
    ],
)
def test_versions_that_crash_say_why(lab: Lab, behaviour: str, last_line: str) -> None:
    workload = service(lab, NAMESPACE, behaviour, ["v1.2.3"], replicas=1, behaviour=behaviour, wait=False)
    eventually(workload, lambda: container_status(workload).get("restartCount", 0) > 0)
    assert ended(workload)["exitCode"] == 1

    def told() -> bool:
        with contextlib.suppress(json.JSONDecodeError, IndexError):  # the kubelet has just deleted that log
            return bool(log_of(workload, "--previous")[-1]["message"] == last_line)
        return False

    eventually(workload, told)


def test_a_version_that_never_gets_ready(lab: Lab) -> None:
    workload = service(lab, NAMESPACE, "never", ["v1.3.0"], replicas=1, wait=False)
    eventually(workload, lambda: "running" in container_status(workload)["state"] and not refuses(workload))
    answer = call(workload, "GET", "/health")
    assert (answer.status, json.loads(answer.data)["status"]) == (503, "starting")
    assert not container_status(workload)["ready"]


def test_a_slow_version_gets_ready(lab: Lab) -> None:
    slow = {"SLOW_START_SECONDS": "3"}
    workload = service(lab, NAMESPACE, "slow", ["v1.2.3"], replicas=1, behaviour="slow-start", environment=slow)
    assert container_status(workload)["ready"]


def test_a_version_with_a_fifth_of_errors(lab: Lab, production: Workload) -> None:
    workload = service(lab, NAMESPACE, "errors", ["v1.3.2"], replicas=1)
    assert [call(workload, "GET", "/jobs").status for _ in range(20)].count(500) == 4
    assert {call(workload, "GET", "/health").status for _ in range(10)} == {200}


def test_a_version_that_lies(lab: Lab) -> None:
    answer = call(service(lab, NAMESPACE, "liar", ["v1.3.4"], replicas=1), "GET", "/health")
    body = json.loads(answer.data)
    assert (answer.status, body["status"], body["database"]) == (200, "ok", "disconnected")


def test_a_version_that_leaks_is_killed_for_memory(lab: Lab) -> None:
    workload = service(lab, NAMESPACE, "leak", ["v1.3.3"], replicas=1, wait=False)
    eventually(workload, lambda: ended(workload).get("reason") == "OOMKilled")
    assert ended(workload)["exitCode"] == 137


def test_a_version_that_does_not_exist_is_not_found(lab: Lab) -> None:
    workload = service(lab, NAMESPACE, "nowhere", ["v9.9.9"], replicas=1, wait=False)
    messages: set[str] = set()

    def refused() -> bool:
        waiting = container_status(workload)["state"].get("waiting", {})
        messages.add(waiting.get("message", "") if waiting.get("reason") == "ErrImagePull" else "")
        return any("not found" in message for message in messages)

    eventually(workload, refused)


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
def test_other_kinds_have_a_history_too(lab: Lab, kind: str) -> None:
    workload = service(lab, NAMESPACE, kind.lower(), ["v1.2.0", "v1.2.1", "v1.2.3"], replicas=1, kind=kind)
    revisions = workload.cluster.request("GET", f"/apis/apps/v1/namespaces/{NAMESPACE}/controllerrevisions")["items"]
    own = [
        item for item in revisions if item["metadata"]["ownerReferences"][0]["uid"] == workload.live["metadata"]["uid"]
    ]
    assert sorted(item["revision"] for item in own) == [1, 2, 3]
    assert {pod["spec"]["containers"][0]["image"] for pod in workload.pods} == {"servicelink/api:v1.2.3"}


def test_a_rollout_can_be_left_stuck(lab: Lab) -> None:
    workload = service(lab, NAMESPACE, "stuck", ["v1.2.0"], replicas=1, then="v1.3.0")
    eventually(workload, lambda: len(workload.pods) == 2)
    assert workload.live["status"]["availableReplicas"] == 1


def test_the_seed_makes_the_history(production: Workload, cluster: Cluster) -> None:
    held = cluster.list("ReplicaSet", SERVICELINK, "app=servicelink-api")
    by_number = {int(item["metadata"]["annotations"][REVISION]): item for item in held}
    templates = {number: item["spec"]["template"] for number, item in by_number.items()}
    images = {number: template["spec"]["containers"][0]["image"] for number, template in templates.items()}
    assert images == {
        number: f"servicelink/api:{tag}"
        for number, tag in enumerate(("v1.0.0", "v1.1.0", "v1.2.0", "v1.2.0", "v1.2.1", "v1.3.0", "v1.3.4"), start=1)
    }
    assert RESTARTED_AT in templates[4]["metadata"]["annotations"]
    assert RESTARTED_AT not in templates[3]["metadata"]["annotations"]
    causes = [by_number[number]["metadata"]["annotations"]["kubernetes.io/change-cause"] for number in range(1, 8)]
    assert causes == [revision.cause for revision in HISTORY]
    assert (len(production.pods), production.live["spec"].get("paused")) == (2, None)
    assert cluster.get("Lease", SERVICELINK, "left-behind") is None
    autoscaler = cluster.get("HorizontalPodAutoscaler", CREDLINK, "credlink-api")
    assert autoscaler is not None
    assert (autoscaler["spec"]["minReplicas"], autoscaler["spec"]["maxReplicas"]) == (3, 10)


def test_the_seed_migrates_as_prisma_does(lab: Lab, production: Workload) -> None:
    address: dict[str, Any] = {
        "host": lab.node_address,
        "port": lab.postgres_port,
        "dbname": "servicelink",
        "user": "servicelink",
    }
    address["password"] = lab.secrets["servicelink_password"]
    with closing(psycopg2.connect(**address)) as connection, connection.cursor() as cursor:
        cursor.execute(
            'SELECT migration_name, checksum, finished_at IS NULL, applied_steps_count FROM "_prisma_migrations"'
        )
        recorded = sorted(cursor.fetchall())
    folders = sorted((SERVICES / "servicelink/prisma/migrations").glob("*/migration.sql"))
    expected = [(path.parent.name, hashlib.sha256(path.read_bytes()).hexdigest(), False, 1) for path in folders]
    assert recorded == expected


def test_production_works_from_end_to_end(lab: Lab, production: Workload, cluster: Cluster) -> None:
    """A user logs in and orders; the worker sends the reminder; all three Services answer on the node."""
    demo = {key: secret(cluster, SERVICELINK, "servicelink-demo-user", key) for key in ("email", "password")}
    login = call(production, "POST", "/auth/login", json=demo)
    bearer = {"Authorization": f"Bearer {json.loads(login.data)['accessToken']}"}
    assert call(production, "POST", "/jobs", json={"title": "Mow the lawn"}, headers=bearer).status == 201
    worker = Workload(cluster, SERVICELINK, "servicelink-worker")
    eventually(worker, lambda: b'reminders_total{result="completed"} 1' in call(worker, "GET", "/metrics").data)
    for port, path in ((30000, "/"), (30001, "/health"), (30080, "/health")):
        assert urllib3.request("GET", f"http://{lab.node_address}:{port}{path}", timeout=10).status == 200
