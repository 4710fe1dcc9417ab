# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From options, environment, kubeconfig or service account to an authenticated client; no request is made here."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..dependency import absent
from ..errors import Fault, OperatorError
from ..redaction import redact_text
from .arguments import CONNECTION

try:
    import kubernetes.client
    import kubernetes.config
    import kubernetes.config.kube_config
    import yaml
    from kubernetes.config.config_exception import ConfigException

    KUBERNETES_MISSING: str | None = None
    # A kubeconfig that is YAML of another shape makes the library stumble over what it does not find there.
    _UNREADABLE = (ConfigException, OSError, ValueError, TypeError, AttributeError, KeyError, yaml.YAMLError)
except ImportError as missing:
    KUBERNETES_MISSING = str(missing)

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

_EXPLICIT = {"ca_cert": "ssl_ca_cert", "client_cert": "cert_file", "client_key": "key_file", "proxy": "proxy"}
_FILES = {
    "ca_cert": ("ca_missing", "The CA certificate"),
    "client_cert": ("cert_missing", "The client certificate"),
    "client_key": ("cert_missing", "The client key"),
}

_SHARING = threading.Lock()
_shared: list[tuple[Any, tuple[ApiClient, str]]] = []


@contextlib.contextmanager
def connected(params: Mapping[str, Any], environment: Mapping[str, str]) -> Iterator[tuple[ApiClient, str]]:
    """C(connect) for the length of a block; blocks of other threads that ask for the same share it.

    A kubeconfig may hold certificates and keys, which the library puts into temporary files for the whole process. It
    leaves their end to C(atexit), and a forked process as Ansible's workers are never comes to that.
    """
    asked, mine = ({name: params.get(name) for name in CONNECTION}, dict(environment)), None
    try:
        with _SHARING:  # since the library tells other threads of a file before it has written it, too
            made = next((there for known, there in _shared if known == asked), None) or connect(params, environment)
            mine = (asked, made)
            _shared.append(mine)
        yield made
    finally:
        with _SHARING:
            if mine in _shared:
                _shared.remove(mine)
            if not _shared and not KUBERNETES_MISSING:
                kubernetes.config.kube_config._cleanup_temp_files()  # noqa: SLF001 (there is no public name for it)


def connect(params: Mapping[str, Any], environment: Mapping[str, str]) -> tuple[ApiClient, str]:
    """An API client, and a name for the cluster that an operator recognises (its context, or its address).

    Order: an explicit C(host) (an AWX credential), else kubeconfig and context, else the service account of the pod
    that this runs in. Raises C(OperatorError) naming what is missing and what there is instead.
    """
    if KUBERNETES_MISSING:
        raise OperatorError(absent("kubernetes", KUBERNETES_MISSING))
    if params.get("host"):
        return _configured(_explicit(params), params), str(params["host"])
    path, default = params.get("kubeconfig") or environment.get("KUBECONFIG"), Path("~/.kube/config").expanduser()
    if path or params.get("context") or default.exists():
        return _from_kubeconfig(path or str(default), params)
    if environment.get("KUBERNETES_SERVICE_HOST"):
        return _in_cluster(params), "in-cluster"
    raise OperatorError(
        Fault(
            "no_connection",
            "There is nothing that says which cluster to talk to: no kubeconfig, no host, and this is not a pod.",
            "Set kubernetes_kubeconfig and kubernetes_context in the inventory, or K8S_AUTH_HOST and K8S_AUTH_API_KEY.",
        )
    )


def _explicit(params: Mapping[str, Any]) -> Any:
    configuration = kubernetes.client.Configuration()
    configuration.host = params["host"].rstrip("/")
    if params.get("api_key"):
        configuration.api_key = {"authorization": f"Bearer {params['api_key']}"}
    return configuration


def _from_kubeconfig(path: str, params: Mapping[str, Any]) -> tuple[ApiClient, str]:
    named = params.get("context")
    for each in path.split(os.pathsep):
        if each and not Path(each).expanduser().exists():
            raise OperatorError(
                Fault(
                    "kubeconfig_missing",
                    f"The kubeconfig {each} does not exist.",
                    "Give its path as kubernetes_kubeconfig in the inventory, or bring it back.",
                )
            )
    try:
        contexts, active = kubernetes.config.list_kube_config_contexts(path)
    except _UNREADABLE as fault:
        raise OperatorError(
            Fault("kubeconfig_invalid", f"The kubeconfig {path} cannot be read: {_said(fault)}.", "Correct it.")
        ) from fault
    names = sorted(context["name"] for context in contexts)
    if named and named not in names:
        raise OperatorError(
            Fault(
                "context_unknown",
                f"The kubeconfig {path} has no context {named}; it has {', '.join(names) or 'none'}.",
                "Set kubernetes_context in the inventory to one of these.",
            )
        )
    configuration = kubernetes.client.Configuration()
    try:
        kubernetes.config.load_kube_config(path, context=named, client_configuration=configuration)
    except _UNREADABLE as fault:
        raise OperatorError(
            Fault(
                "kubeconfig_invalid",
                f"The context {named or active['name']} of {path} cannot be used: {_said(fault)}.",
                "Correct the kubeconfig; kubectl with the same context shows the same fault.",
            )
        ) from fault
    return _configured(configuration, params), named or active["name"]


def _in_cluster(params: Mapping[str, Any]) -> ApiClient:
    configuration = kubernetes.client.Configuration()
    try:
        kubernetes.config.load_incluster_config(client_configuration=configuration)
    except ConfigException as fault:
        raise OperatorError(
            Fault(
                "no_connection",
                f"This pod's service account cannot be used: {_said(fault)}.",
                "Mount a service account token (automountServiceAccountToken).",
            )
        ) from fault
    return _configured(configuration, params)


def _configured(configuration: Any, params: Mapping[str, Any]) -> ApiClient:
    """Apply the options that override whatever the configuration came from."""
    for option, attribute in _EXPLICIT.items():
        if params.get(option):
            setattr(configuration, attribute, params[option])
    missing = [
        Fault(reason, f"{what} {params[option]} does not exist.", f"Correct {option}.")
        for option, (reason, what) in _FILES.items()
        if params.get(option) and not Path(params[option]).exists()
    ]
    if missing:
        raise OperatorError(missing)
    if params.get("validate_certs") is not None:
        configuration.verify_ssl = params["validate_certs"]
    return kubernetes.client.ApiClient(configuration)


def _said(fault: Exception) -> str:
    """The fault's own words in one line."""
    return redact_text(" ".join(str(fault).split()).rstrip(".")) or type(fault).__name__
