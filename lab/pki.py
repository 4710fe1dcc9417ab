# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's certificates: one authority, one serving certificate, one client certificate for each component."""

from __future__ import annotations

import json
import secrets
import shutil
from base64 import b64encode
from typing import TYPE_CHECKING

from lab.command import ask
from lab.site import Lab, LabError

if TYPE_CHECKING:
    from pathlib import Path

DAYS = "3650"
# user and group of each client, as the API server's built-in roles name them
CLIENTS = {
    "controller-manager": "/CN=system:kube-controller-manager",
    "scheduler": "/CN=system:kube-scheduler",
    "proxy": "/CN=system:kube-proxy",
    "kubelet": "/O=system:nodes/CN=system:node:{node}",
    "apiserver-to-kubelet": "/O=system:masters/CN=linkops-lab:apiserver",
    "metrics-server": "/O=system:masters/CN=linkops-lab:metrics-server",
    "prometheus": "/O=system:masters/CN=linkops-lab:prometheus",
}
SECRETS = ("admin_token", "postgres_password", "servicelink_password", "credlink_password", "redis_password")


def ensure(lab: Lab) -> None:
    """Make what is missing of keys, certificates and passwords; what is whole stays as it is."""
    lab.state.mkdir(parents=True, exist_ok=True)
    lab.mark.touch()
    lab.state.chmod(0o711)  # the databases run without privileges and must reach their own folders
    _ensure_secrets(lab)
    if not lab.service_account_key.exists():
        fresh = lab.service_account_key.with_suffix(".new")
        _openssl("genrsa", "-out", str(fresh), "2048")
        fresh.rename(lab.service_account_key)
    names = ["ca", "server", "front-proxy-ca", "front-proxy", *CLIENTS]
    if not all((lab.pki / f"{name}.{kind}").exists() for name in names for kind in ("crt", "key")):
        _issue_all(lab)
    _write_private(lab.kubeconfig, json.dumps(_admin_kubeconfig(lab), indent=1))


def component_kubeconfig(lab: Lab, client: str) -> str:
    """The kubeconfig (JSON, which is YAML) of a component that identifies itself by its certificate."""
    return _kubeconfig(
        lab.context,
        {"server": lab.api_url, "certificate-authority": str(lab.pki / "ca.crt")},
        {"client-certificate": str(lab.pki / f"{client}.crt"), "client-key": str(lab.pki / f"{client}.key")},
    )


def _ensure_secrets(lab: Lab) -> None:
    known = json.loads(lab.secrets_file.read_text()) if lab.secrets_file.exists() else {}
    if missing := [name for name in SECRETS if name not in known]:
        known |= {name: secrets.token_hex(24) for name in missing}
        _write_private(lab.secrets_file, json.dumps(known, indent=1))
    roles = ("postgres", "servicelink", "credlink")
    _write_private(
        lab.pgpass, "\n".join(f"*:{lab.postgres_port}:*:{role}:{known[f'{role}_password']}" for role in roles)
    )


def _issue_all(lab: Lab) -> None:
    """Issue everything into a new folder and swap it in whole: a kill in the middle leaves no half set."""
    fresh = lab.pki.with_suffix(".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    # the distribution's configuration would add extensions of its own
    (fresh / "openssl.cnf").write_text("[req]\ndistinguished_name = dn\n[dn]\n")
    for authority in ("ca", "front-proxy-ca"):
        _issue(fresh, authority, f"/CN=linkops-lab {authority}", "basicConstraints=critical,CA:TRUE",
               "keyUsage=critical,keyCertSign,cRLSign")  # fmt: skip
    alternatives = (
        f"IP:127.0.0.1,IP:{lab.node_address},IP:10.96.0.1,DNS:localhost,DNS:{lab.node_name},DNS:kubernetes,"
        "DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local,"
        "DNS:metrics-server.kube-system.svc"
    )
    _issue(fresh, "server", "/CN=linkops-lab", f"subjectAltName={alternatives}", "extendedKeyUsage=serverAuth", by="ca")
    for name, subject in CLIENTS.items():
        _issue(fresh, name, subject.format(node=lab.node_name), "extendedKeyUsage=clientAuth", by="ca")
    _issue(fresh, "front-proxy", "/CN=front-proxy-client", "extendedKeyUsage=clientAuth", by="front-proxy-ca")
    shutil.rmtree(lab.pki, ignore_errors=True)
    fresh.rename(lab.pki)


def _issue(folder: Path, name: str, subject: str, *extensions: str, by: str = "") -> None:
    authority = ["-CA", str(folder / f"{by}.crt"), "-CAkey", str(folder / f"{by}.key")] if by else []
    # key identifiers: Python 3.13 verifies strictly (RFC 5280) and refuses certificates without them
    identified = (*extensions, "subjectKeyIdentifier=hash", *(["authorityKeyIdentifier=keyid"] if by else []))
    _openssl(
        "req", "-x509", "-config", str(folder / "openssl.cnf"), "-newkey", "ec", "-pkeyopt",
        "ec_paramgen_curve:prime256v1", "-noenc", "-days", DAYS, "-subj", subject, *authority,
        "-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.crt"),
        *(word for extension in identified for word in ("-addext", extension)),
    )  # fmt: skip


def _admin_kubeconfig(lab: Lab) -> dict[str, object]:
    authority = b64encode((lab.pki / "ca.crt").read_bytes()).decode()
    loaded: dict[str, object] = json.loads(
        _kubeconfig(
            lab.context,
            {"server": lab.api_url, "certificate-authority-data": authority},
            {"token": lab.secrets["admin_token"]},
        )
    )
    return loaded


def _kubeconfig(context: str, cluster: dict[str, str], user: dict[str, str]) -> str:
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": context, "cluster": cluster}],
            "users": [{"name": context, "user": user}],
            "contexts": [{"name": context, "context": {"cluster": context, "user": context}}],
            "current-context": context,
        },
        indent=1,
    )


def _write_private(path: Path, content: str) -> None:
    fresh = path.with_suffix(".new")
    fresh.touch(mode=0o600)
    fresh.write_text(content + "\n")
    fresh.rename(path)


def _openssl(*arguments: str) -> None:
    done = ask("openssl", *arguments)
    if done.returncode:
        raise LabError(f"openssl {arguments[0]} failed: {done.stderr.strip()}")
