# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which ConfigMaps and Secrets a pod template uses, and a fingerprint of their content.

A ReplicaSet stores names, not contents, so an old revision starts with today's configuration. The fingerprint that
stood when a revision was verified tells whether that is a difference. It is an HMAC, since values are easy to guess.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from .revisions import containers

#: The Secret of the namespace that holds the HMAC key, under C(key).
KEY_SECRET = "linkops-fingerprint"  # noqa: S105 (a name, not a secret)

#: Stands for the fingerprint of an object that the credentials may not read.
UNREADABLE = "unreadable"

Reference = tuple[Literal["ConfigMap", "Secret"], str]


def references(template: Mapping[str, Any]) -> list[Reference]:
    """The ConfigMaps and Secrets that a pod template reads, by env, envFrom, volume or projected volume; sorted."""
    spec = template.get("spec") or {}
    found: set[Reference] = set()
    for container in containers(template):
        for source in container.get("envFrom") or []:
            found |= _named(source.get("configMapRef"), source.get("secretRef"))
        for variable in container.get("env") or []:
            source = variable.get("valueFrom") or {}
            found |= _named(source.get("configMapKeyRef"), source.get("secretKeyRef"))
    for volume in spec.get("volumes") or []:
        found |= _named(volume.get("configMap"), volume.get("secret"))
        for source in (volume.get("projected") or {}).get("sources") or []:
            found |= _named(source.get("configMap"), source.get("secret"))
    return sorted(found)


def fingerprint(entry: Mapping[str, Any], key: bytes | None) -> str:
    """The fingerprint of one ConfigMap or Secret: C(hmac:...) of its data; without a key its uid and resourceVersion.

    An empty entry stands for one that these credentials may not read.
    """
    if not entry:
        return UNREADABLE
    metadata = entry.get("metadata") or {}
    if key is None:
        return f"uid:{metadata.get('uid')}/{metadata.get('resourceVersion')}"
    content = {name: entry.get(name) or {} for name in ("data", "binaryData")}
    text = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
    return "hmac:" + hmac.new(key, text, hashlib.sha256).hexdigest()[:32]


def drift(then: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Sentences for what differs between two fingerprints of the same revision.

    Says "changed" where content was compared, "touched" where only uid and resourceVersion could be.
    """
    sentences = []
    for name in sorted({*then, *now}):
        if name not in now:
            sentences.append(f"{name} is gone")
        elif name not in then:
            sentences.append(f"{name} was not seen when this revision was verified")
        elif UNREADABLE in (then[name], now[name]):
            sentences.append(f"whether {name} changed is unknown, these credentials may not read it")
        elif then[name] != now[name]:
            compared = then[name].startswith("hmac:") and now[name].startswith("hmac:")
            sentences.append(f"{name} was {'changed' if compared else 'touched'} since")
    return sentences


def label(reference: Reference) -> str:
    """C(ConfigMap/name), as fingerprints are keyed."""
    return "/".join(reference)


def summary(fingerprints: Iterable[str]) -> str:
    """A short form for tables: eight hex digits over all parts, or C(-) for none."""
    text = "\n".join(sorted(fingerprints))
    return hashlib.sha256(text.encode()).hexdigest()[:8] if text else "-"


def _named(config_map: Mapping[str, Any] | None, secret: Mapping[str, Any] | None) -> set[Reference]:
    """References call the object C(name), secret volumes call it C(secretName)."""
    found: set[Reference] = set()
    if config_map and config_map.get("name"):
        found.add(("ConfigMap", config_map["name"]))
    if secret and (secret.get("name") or secret.get("secretName")):
        found.add(("Secret", secret.get("name") or secret["secretName"]))
    return found
