# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From options, environment and kubeconfig to a cluster; each fault names what is missing and what there is instead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.linkops.runbooks.plugins.module_utils.cluster.connection import connect, connected
from ansible_collections.linkops.runbooks.plugins.module_utils.errors import OperatorError

KUBECONFIG: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "staging",
    "clusters": [
        {"name": "c1", "cluster": {"server": "https://staging.example"}},
        {"name": "c2", "cluster": {"server": "https://prod.example", "insecure-skip-tls-verify": True}},
    ],
    "users": [{"name": "ops", "user": {"token": "t0k3n-of-ops"}}],
    "contexts": [
        {"name": "staging", "context": {"cluster": "c1", "user": "ops"}},
        {"name": "production", "context": {"cluster": "c2", "user": "ops"}},
    ],
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder without a kubeconfig, and no pod around this process."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def written(folder: Path, content: Any) -> str:
    """A kubeconfig with this content; text stays as it is."""
    path = folder / "kubeconfig"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content), encoding="utf-8")
    return str(path)


def fault_of(params: dict[str, Any], environment: dict[str, str] | None = None) -> tuple[str, str]:
    """Reason and sentence of a connection that cannot be made."""
    with pytest.raises(OperatorError) as fault:
        connect(params, environment or {})
    assert len(fault.value.faults) == 1
    assert fault.value.faults[0].remedy
    return fault.value.reason, str(fault.value)


@pytest.mark.parametrize(
    ("context", "host", "name"),
    [(None, "https://staging.example", "staging"), ("production", "https://prod.example", "production")],
    ids=["the current one", "a named one"],
)
def test_a_context_of_a_kubeconfig(home: Path, context: str | None, host: str, name: str) -> None:
    api, shown = connect({"kubeconfig": written(home, KUBECONFIG), "context": context}, {})
    assert (api.configuration.host, shown) == (host, name)
    assert "t0k3n-of-ops" in str(api.configuration.auth_settings())


@pytest.fixture
def temporary(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files of this process go."""
    folder = home / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def with_key(home: Path, key: str) -> str:
    """A kubeconfig that holds a certificate and a key."""
    user = {"client-certificate-data": "Y2VydA==", "client-key-data": key}
    return written(home, {**KUBECONFIG, "users": [{"name": "ops", "user": user}]})


def test_a_key_of_a_kubeconfig_is_on_disk_for_the_length_of_a_block(home: Path, temporary: Path) -> None:
    for _second_time_as_the_first in range(2):
        with connected({"kubeconfig": with_key(home, "a2V5")}, {}) as (api, _name):
            assert Path(api.configuration.cert_file).read_bytes() == b"cert"
            assert Path(api.configuration.key_file).read_bytes() == b"key"
        assert list(temporary.iterdir()) == []


def test_connections_that_ask_for_the_same_are_shared_and_the_last_one_tidies_up(home: Path, temporary: Path) -> None:
    """Checks of health run in threads, each with a session of its own."""
    params = {"kubeconfig": with_key(home, "a2V5")}
    with connected(params, {}) as (api, _name):
        with connected({**params, "namespace": "other"}, {}) as (same, _name):
            assert same is api
        with connected({**params, "context": "production"}, {}) as (other, _name):
            assert other.configuration.host == "https://prod.example"
        assert Path(api.configuration.key_file).read_bytes() == b"key"
    assert list(temporary.iterdir()) == []


def test_nothing_stays_on_disk_of_a_kubeconfig_that_cannot_be_used(home: Path, temporary: Path) -> None:
    """The certificate is written before the key is found to be no base64."""
    with (
        pytest.raises(OperatorError, match="cannot be used"),
        connected({"kubeconfig": with_key(home, "a")}, {}),
    ):
        pass
    assert list(temporary.iterdir()) == []


def test_the_kubeconfig_of_the_environment(home: Path) -> None:
    assert connect({}, {"KUBECONFIG": written(home, KUBECONFIG)})[1] == "staging"


def test_the_kubeconfig_of_the_home_folder(home: Path) -> None:
    (home / ".kube").mkdir()
    Path(written(home, KUBECONFIG)).rename(home / ".kube/config")
    assert connect({"context": "production"}, {})[1] == "production"


def test_a_host_comes_before_any_kubeconfig(home: Path) -> None:
    params = {"host": "https://awx.example/", "api_key": "k3y", "kubeconfig": written(home, KUBECONFIG)}
    api, shown = connect(params, {})
    assert (api.configuration.host, shown) == ("https://awx.example", "https://awx.example/")
    assert api.configuration.api_key == {"authorization": "Bearer k3y"}


def test_options_override_what_the_kubeconfig_says(home: Path) -> None:
    authority = home / "ca.pem"
    authority.write_text("x")
    api, _name = connect(
        {
            "kubeconfig": written(home, KUBECONFIG),
            "ca_cert": str(authority),
            "validate_certs": False,
            "proxy": "http://p",
        },
        {},
    )
    assert api.configuration.ssl_ca_cert == str(authority)
    assert api.configuration.proxy == "http://p"
    assert api.configuration.verify_ssl is False


def test_nothing_says_which_cluster(home: Path) -> None:
    reason, told = fault_of({})
    assert reason == "no_connection"
    assert "K8S_AUTH_HOST" in told


def test_a_context_without_any_kubeconfig(home: Path) -> None:
    reason, told = fault_of({"context": "production"})
    assert reason == "kubeconfig_missing"
    assert f"{home}/.kube/config" in told


@pytest.mark.parametrize("where", ["option", "environment"])
def test_a_missing_kubeconfig_is_named(home: Path, where: str) -> None:
    path = str(home / "no-such-file")
    params, environment = ({"kubeconfig": path}, {}) if where == "option" else ({}, {"KUBECONFIG": path})
    reason, told = fault_of(params, environment)
    assert reason == "kubeconfig_missing"
    assert path in told


def test_one_missing_of_several_is_named(home: Path) -> None:
    reason, told = fault_of({}, {"KUBECONFIG": f"{written(home, KUBECONFIG)}:{home}/second"})
    assert reason == "kubeconfig_missing"
    assert "second" in told


def test_an_unknown_context_shows_those_that_exist(home: Path) -> None:
    reason, told = fault_of({"kubeconfig": written(home, KUBECONFIG), "context": "prod"})
    assert reason == "context_unknown"
    assert "has no context prod; it has production, staging" in told


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("", id="empty"),
        pytest.param("a: [", id="no yaml"),
        pytest.param("a: b: c", id="no yaml either"),
        pytest.param("just words", id="text"),
        pytest.param("- a\n", id="a list"),
        pytest.param("\x00\x01", id="binary"),
        pytest.param({}, id="nothing in it"),
        pytest.param({**KUBECONFIG, "contexts": []}, id="no contexts"),
        pytest.param({**KUBECONFIG, "current-context": "gone"}, id="current context gone"),
        pytest.param({**KUBECONFIG, "clusters": []}, id="cluster gone"),
        pytest.param({**KUBECONFIG, "contexts": [{"name": "staging"}]}, id="context without content"),
        pytest.param(
            {
                **KUBECONFIG,
                "clusters": [{"name": "c1", "cluster": {"server": "https://x", "certificate-authority": "/no/ca.pem"}}],
            },
            id="certificate authority gone",
        ),
    ],
)
def test_a_kubeconfig_that_cannot_be_used_is_a_sentence(home: Path, content: Any) -> None:
    path = written(home, content)
    reason, told = fault_of({"kubeconfig": path})
    assert reason == "kubeconfig_invalid"
    assert path in told
    assert "t0k3n" not in told
    assert "\n" not in told


def test_a_folder_in_place_of_a_kubeconfig(home: Path) -> None:
    assert fault_of({"kubeconfig": str(home)})[0] == "kubeconfig_invalid"


@pytest.mark.parametrize(
    ("option", "reason"), [("ca_cert", "ca_missing"), ("client_cert", "cert_missing"), ("client_key", "cert_missing")]
)
def test_certificates_that_are_not_there(home: Path, option: str, reason: str) -> None:
    told = fault_of({"host": "https://prod.example", option: "/no/such.pem"})
    assert told[0] == reason
    assert "/no/such.pem does not exist" in told[1]


def test_all_that_is_not_there_is_told_at_once() -> None:
    with pytest.raises(OperatorError) as fault:
        connect({"host": "https://prod.example", "ca_cert": "/no/a", "client_cert": "/no/b", "client_key": "/no/c"}, {})
    assert [each.message.split()[-4] for each in fault.value.faults] == ["/no/a", "/no/b", "/no/c"]


def test_a_pod_without_a_service_account(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    reason, told = fault_of({}, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"})
    assert reason == "no_connection"
    assert "automountServiceAccountToken" in told
