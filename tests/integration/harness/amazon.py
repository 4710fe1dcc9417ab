# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AWS's API as moto speaks it, in this process."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
from moto.server import ThreadedMotoServer

REGION = "eu-central-1"
SECRET = "aws-secret-canary"


@dataclass(frozen=True)
class Amazon:
    """Where it is spoken."""

    endpoint: str

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead a program there."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "lab",
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": REGION,
        }

    def client(self, service: str) -> Any:
        """A client of a service."""
        session = boto3.Session(aws_access_key_id="lab", aws_secret_access_key=SECRET, region_name=REGION)
        return session.client(service, endpoint_url=self.endpoint)

    def bucket(self, name: str) -> Any:
        """A new bucket."""
        client = self.client("s3")
        client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        return boto3.resource(
            "s3", endpoint_url=self.endpoint, aws_access_key_id="lab", aws_secret_access_key=SECRET, region_name=REGION
        ).Bucket(name)


@contextlib.contextmanager
def amazon() -> Iterator[Amazon]:
    """Speak it for a while."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # else every request is a line
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield Amazon(f"http://{host}:{port}")
    finally:
        server.stop()
