# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeping secrets out of all that leaves the engine: output, diffs, records, evidence and error messages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

HIDDEN = "[hidden]"

_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

# Words in the name of a value that must not be shown; the name or the path of a secret is not the secret.
_TELLTALE = r"(?:password|passwd|passphrase|secret|token|(?:api|private|access|signing|encryption)[_-]?key|credential)"
_ABOUT_IT = r"(?<!name)(?<!ref)(?<!file)(?<!path)(?<!seconds)(?<!count)"
_NAME = rf"{_TELLTALE}[\w.-]{{0,60}}+{_ABOUT_IT}"
_PLAIN = r"(?:\[hidden\]|(?:true|false|null|none|yes|no)\b)"
_WORD = r"(?:[A-Z]?[a-z]+(?:[-/][a-z]+)*|[A-Z]+)[.,;:)]*(?:[\s\"']|$)"

# What a secret looks like in free text. Each pattern keeps what its group "keep" holds.
_PATTERNS = tuple(
    re.compile(pattern, flags)
    for pattern, flags in (
        (r"(?P<keep>)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL),
        # In a URL the password ends at the last @, since people leave an @ in it unescaped; a port has a path behind.
        (r"(?P<keep>[a-z][a-z0-9+.-]{0,30}://[^\s:/@\"']*:)(?!\d{1,5}(?:[/?#\s]|$))[^\s\"'<>]+(?=@)", re.IGNORECASE),
        (r"(?P<keep>https?://)[^\s:/@\"']{16,}(?=@)", re.IGNORECASE),
        (r"(?P<keep>\bauthorization[\"']?\s*[:=]\s*[\"']?(?:bearer|basic|token)\s+)[^\s\"',;}]+", re.IGNORECASE),
        # Elsewhere both are words of English too ("basic authentication failed").
        (rf"(?P<keep>\b(?i:bearer|basic)\s+)(?!{_WORD})[A-Za-z0-9._~+/=-]{{8,}}", re.NOFLAG),
        # Prefixes that Stripe, Slack, GitHub, AWS and OpenAI publish, and JSON web tokens.
        (r"(?P<keep>)(?<![A-Za-z0-9])(?:[srp]k_(?:live|test)|whsec)_[A-Za-z0-9+/=_-]{8,}", re.NOFLAG),
        (r"(?P<keep>)(?<![A-Za-z0-9])(?:xox[abeoprs]-[\w-]{8,}|gh[oprsu]_\w{20,}|github_pat_\w{20,})", re.NOFLAG),
        (r"(?P<keep>)\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|(?<![A-Za-z0-9])sk-(?=[\w-]*[A-Z])[\w-]{16,}", re.NOFLAG),
        (r"(?P<keep>)\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*", re.NOFLAG),
        # name=value, "name": "value", and the same within a string; then --name value.
        (
            (
                rf"(?P<keep>{_NAME}\\?[\"']?(?:\s*=\s*|:\s*)(?P<quote>\\?[\"'])?)(?!{_PLAIN})"
                r"(?(quote)(?:(?!(?P=quote))(?:\\.|[^\n]))+|[^\s\"',;&}\\]{4,})"
            ),
            re.IGNORECASE,
        ),
        (rf"(?P<keep>(?<!\S)--[\w-]{{0,60}}?{_NAME}\s+)(?!-|{_PLAIN})\S{{4,}}", re.IGNORECASE),
    )
)
_SECRET_NAME = re.compile(rf"(?:{_TELLTALE}|authorization|dsn|database_url|redis_url)[\w.-]*$", re.IGNORECASE)
_NAME_OF_IT = re.compile(rf"{_ABOUT_IT}$", re.IGNORECASE)

# Below these keys stand variables of an environment, as {NAME: value} or as a list of names with values.
_OF_VARIABLES = frozenset({"env", "environment", "variables"})
# A variable called a key holds a secret as well, though a cautious redaction of all text cannot treat it so.
_KEY = re.compile(r"(?:^|(?<!PUBLIC)(?<!PRIMARY)(?<!CACHE)_)KEYS?$", re.IGNORECASE)
# No secret is a switch or a small number: PASSWORD_RESET=off, TOKEN_LIMIT=20.
_HARMLESS = re.compile(r"(?:true|false|on|off|yes|no|none|null|enabled|disabled|[0-9]{1,7})?", re.IGNORECASE)


def redact_text(text: str, secrets: Iterable[str] = ()) -> str:
    """The text without the given secrets and without anything that looks like one."""
    for secret in sorted((each for each in secrets if len(each) >= 4), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    for pattern in _PATTERNS:
        text = pattern.sub(rf"\g<keep>{HIDDEN}", text)
    return text


def redact(value: Any, secrets: Iterable[str] = ()) -> Any:
    """Plain data with every string in it redacted, keys included.

    Hidden as a whole: the content of a Kubernetes Secret, and text whose name says that it is secret, be that name a
    key or the C(name) beside a C(value), as variables and headers have it; of variables also what their names call a
    key.
    """
    return _redacted(value, tuple(secrets), of_variables=False)


def redact_variable(name: str, value: str) -> str:
    """The value of an environment's variable as it may be shown."""
    shown: str = redact({"env": {name: value}})["env"].popitem()[1]
    return shown


def looks_secret(name: str, value: str) -> bool:
    """Whether the plain value of a variable should be in a Secret, by the variable's name or by the value itself."""
    return not _HARMLESS.fullmatch(value) and (redact_text(name), redact_variable(name, value)) != (name, value)


def redact_manifest(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """A Kubernetes object fit for a record: redacted, without what is noise or repeats every value.

    That is C(managedFields) and the content of last-applied-configuration.
    """
    metadata = {key: item for key, item in (manifest.get("metadata") or {}).items() if key != "managedFields"}
    if _LAST_APPLIED in (metadata.get("annotations") or {}):
        metadata["annotations"] = {**metadata["annotations"], _LAST_APPLIED: HIDDEN}
    redacted: dict[str, Any] = redact({**manifest, "metadata": metadata})
    return redacted


def _redacted(value: Any, known: tuple[str, ...], of_variables: bool) -> Any:
    """As C(redact); C(of_variables) where the keys of a mapping, or the names in a list, are those of variables."""
    if isinstance(value, str):
        return redact_text(value, known)
    if isinstance(value, Mapping):
        return {
            redact_text(str(key), known): HIDDEN
            if _is_secret(value, key, of_variables)
            else _redacted(_shown(value, key), known, key in _OF_VARIABLES)
            for key in value
        }
    if isinstance(value, (list, tuple)):
        return [_redacted(item, known, of_variables) for item in value]
    return value


def _is_secret(holder: Mapping[str, Any], key: Any, of_variables: bool) -> bool:
    """Whether the text under a key is a secret by its name; a variable's value may be a large number as well."""
    text = holder[key]
    if of_variables and isinstance(text, (int, float)):
        text = "" if _HARMLESS.fullmatch(str(text)) else str(text)
    name = holder.get("name") if key == "value" else key
    if not (isinstance(text, str) and text and isinstance(name, str)):
        return False
    if _SECRET_NAME.search(name) and _NAME_OF_IT.search(name):
        return True
    return of_variables and bool(_KEY.search(name)) and not _HARMLESS.fullmatch(text)


def _shown(holder: Mapping[str, Any], key: Any) -> Any:
    """The value under a key; of a Secret's content the keys alone."""
    value = holder[key]
    if holder.get("kind") == "Secret" and key in ("data", "stringData") and isinstance(value, Mapping):
        return dict.fromkeys(value, HIDDEN)
    return value
