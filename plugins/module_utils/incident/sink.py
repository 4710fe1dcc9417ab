# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a record goes when the controller does not outlive the run: a ConfigMap or an S3 prefix."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from .. import aws
from ..errors import Fault, OperatorError

_CONFIG_MAP = re.compile(r"configmap:(?P<name>[a-z0-9]([a-z0-9.-]*[a-z0-9])?)")
# A ConfigMap holds 1 MiB in all (kubernetes/kubernetes:pkg/apis/core/types.go, MaxSecretSize has the same limit).
MOST_BYTES = 900 * 1024
_SECONDS, _ATTEMPTS = 60, 5


@dataclass(frozen=True)
class Sink:
    """A parsed C(record_sink)."""

    kind: Literal["configmap", "s3"]
    name: str
    prefix: str = ""


def parse(address: str) -> Sink:
    """C(configmap:NAME) or C(s3://BUCKET/PREFIX)."""
    if found := _CONFIG_MAP.fullmatch(address):
        return Sink("configmap", found["name"])
    if named := aws.bucket(address):
        return Sink("s3", *named)
    raise OperatorError(
        Fault(
            "record_sink_invalid",
            f"record_sink={address} is no address of a record.",
            "Use configmap:NAME (in the service's namespace) or s3://BUCKET/PREFIX.",
        )
    )


def config_map(sink: Sink, run: str) -> str:
    """The name of a run's ConfigMap: in Kubernetes no name has capital letters or an underscore."""
    return f"{sink.name}-{run.lower().replace('_', '-')}"


def fitting(files: Mapping[str, str], most_bytes: int = MOST_BYTES) -> dict[str, str]:
    """As many files as fit, the record's lines first; a ConfigMap key has no slash."""
    kept: dict[str, str] = {}
    left = most_bytes
    for name, content in sorted(files.items(), key=lambda item: (item[0] != "record.jsonl", item[0])):
        if len(content.encode()) <= left:
            kept[name.replace("/", "_")] = content
            left -= len(content.encode())
    return kept


def to_s3(sink: Sink, run: str, files: Mapping[str, str], environment: Mapping[str, str]) -> str:
    """Put every file under C(PREFIX/RUN/); returns the address."""
    service = aws.service("s3", environment, seconds=_SECONDS, attempts=_ATTEMPTS)
    base = "/".join(part for part in (sink.prefix, run) if part)
    try:
        for name, content in files.items():
            service.client.put_object(Bucket=sink.name, Key=f"{base}/{name}", Body=content.encode())
    except service.errors as fault:
        raise OperatorError(
            Fault(
                "record_sink_failed", f"S3 does not take the record: {fault}.", "Check the bucket and its permissions."
            )
        ) from fault
    return f"s3://{sink.name}/{base}"
