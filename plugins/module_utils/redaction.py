# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeping secrets out of all that leaves the engine: output, diffs, records, evidence and error messages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

HIDDEN = "[hidden]"

# What a secret looks like in free text: credentials in a URL, bearer and basic tokens, vendor keys
# (Stripe, AWS, Slack, OpenAI publish these prefixes), JSON web tokens, and name=value pairs that name a secret.
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?P<keep>[a-z][a-z0-9+.-]*://[^\s:/@]*:)[^\s@]+(?=@)", re.IGNORECASE), rf"\g<keep>{HIDDEN}"),
    (re.compile(r"(?P<keep>\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE), rf"\g<keep>{HIDDEN}"),
    (re.compile(r"\b(?:sk|rk|pk|whsec|xox[abprs])[_-][A-Za-z0-9_-]{8,}"), HIDDEN),
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"), HIDDEN),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"), HIDDEN),
    (
        re.compile(
            r"(?P<keep>[\"']?\b[\w.-]*(?:password|passwd|secret|token|api[_-]?key|credential)[\w.-]*[\"']?\s*[=:]\s*[\"']?)"
            r"(?!\[hidden\])[^\s\"',;&}]{4,}",
            re.IGNORECASE,
        ),
        rf"\g<keep>{HIDDEN}",
    ),
)
_SECRET_NAME = re.compile(
    r"password|passwd|secret|token|api[_-]?key|credential|private[_-]?key|dsn|database_url|redis_url", re.IGNORECASE
)


def redact_text(text: str, secrets: Iterable[str] = ()) -> str:
    """The text without the given secrets and without anything that looks like one."""
    for secret in sorted((each for each in secrets if len(each) >= 4), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def redact(value: Any, secrets: Iterable[str] = ()) -> Any:
    """Plain data with every string in it redacted, keys included."""
    known = tuple(secrets)
    if isinstance(value, str):
        return redact_text(value, known)
    if isinstance(value, Mapping):
        return {redact_text(str(key), known): redact(item, known) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [redact(item, known) for item in value]
    return value


def redact_manifest(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """A Kubernetes object fit for a record: no Secret content, no literal value of a variable that names a secret.

    C(managedFields) and last-applied-configuration go too: the first is noise, the second repeats every value.
    """
    shown = _redact_environment({key: value for key, value in manifest.items() if key not in ("data", "stringData")})
    if manifest.get("kind") != "Secret":
        shown.update({key: _redact_environment(manifest[key]) for key in ("data",) if key in manifest})
    metadata = dict(shown.get("metadata") or {})
    metadata.pop("managedFields", None)
    annotations = dict(metadata.get("annotations") or {})
    if annotations.pop("kubectl.kubernetes.io/last-applied-configuration", None) is not None:
        annotations["kubectl.kubernetes.io/last-applied-configuration"] = HIDDEN
    if annotations:
        metadata["annotations"] = annotations
    if metadata:
        shown["metadata"] = metadata
    redacted: dict[str, Any] = redact(shown)
    return redacted


def _redact_environment(value: Any) -> Any:
    if isinstance(value, Mapping):
        if (
            isinstance(value.get("name"), str)
            and isinstance(value.get("value"), str)
            and _SECRET_NAME.search(value["name"])
        ):
            return {**value, "value": HIDDEN}
        return {key: _redact_environment(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_redact_environment(item) for item in value]
    return value
