# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""AWS's API as every room asks it: credentials and endpoint are the environment's, else those that boto3 finds."""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .errors import Fault, OperatorError

#: Environment variables that name credentials, by boto3's own argument.
_SESSION = {
    "AWS_ACCESS_KEY_ID": "aws_access_key_id",
    "AWS_SECRET_ACCESS_KEY": "aws_secret_access_key",
    "AWS_SESSION_TOKEN": "aws_session_token",
    "AWS_PROFILE": "profile_name",
}
#: An address that does not answer by then does not answer.
_CONNECT_SECONDS = 5.0
_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
#: Services whose endpoint has another name in the environment than in boto3.
_NAMES = {"elbv2": "ELASTIC_LOAD_BALANCING_V2"}
_BUCKET = re.compile(r"s3://(?P<bucket>[a-z0-9.-]{3,63})(?:/(?P<prefix>.*))?")


@dataclass(frozen=True)
class Service:
    """A client of one of AWS's services, and what it raises."""

    client: Any
    errors: Any  # a tuple of the exceptions that its calls raise; pylint takes the annotation for the value


def service(
    name: str, environment: Mapping[str, str], region: str | None = None, *, seconds: float, attempts: int
) -> Service:
    """The service by boto3's name. An answer may take C(seconds), and is asked for so often.

    Raises C(OperatorError) where boto3 is missing, or finds its own settings wrong.
    """
    try:
        # Imported where it is needed: it would add a fifth of a second to every other run.
        boto3: Any = importlib.import_module("boto3")
        config: Any = importlib.import_module("botocore.config")
        errors: Any = importlib.import_module("botocore.exceptions")
        parsers: Any = importlib.import_module("botocore.parsers")
    except ImportError as missing:
        raise OperatorError(
            Fault("library_missing", f"boto3 cannot be imported ({missing}).", "Install boto3 on the controller.")
        ) from missing
    # A proxy in between may answer with a page of its own, which cannot be parsed.
    raised = (errors.BotoCoreError, errors.ClientError, parsers.ResponseParserError)
    connecting = min(seconds, _CONNECT_SECONDS)
    bounded = config.Config(connect_timeout=connecting, read_timeout=seconds, retries={"total_max_attempts": attempts})
    given = {argument: environment[name] for name, argument in _SESSION.items() if environment.get(name)}
    endpoints = (f"AWS_ENDPOINT_URL_{_NAMES.get(name, name.upper())}", "AWS_ENDPOINT_URL")
    where = region or next((environment[each] for each in _REGIONS if environment.get(each)), None)
    try:
        session = boto3.session.Session(region_name=where, **given)
        endpoint = next((environment[each] for each in endpoints if environment.get(each)), None)
        return Service(session.client(name, endpoint_url=endpoint, config=bounded), raised)
    except (errors.BotoCoreError, ValueError) as fault:
        raise OperatorError(
            Fault("aws_settings", f"boto3 cannot work: {fault}".rstrip(".") + ".", "Correct AWS's settings here.")
        ) from fault


def bucket(address: str) -> tuple[str, str] | None:
    """Bucket and prefix of C(s3://BUCKET/PREFIX), none where it is no such address."""
    found = _BUCKET.fullmatch(address)
    return (found["bucket"], (found["prefix"] or "").strip("/")) if found else None
