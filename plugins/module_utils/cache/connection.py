# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A thin client of Redis. It asks single servers; nothing here lists keys."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from ..deadline import Deadline
from ..dependency import library
from ..naming import addresses
from .refusals import explain, silent, unresolved
from .target import CacheTarget


class Cache:
    """One connection. C(connect) and C(answer) are seconds."""

    def __init__(self, target: CacheTarget, connect: float, answer: float) -> None:
        self._redis = library("redis")
        self.target = target
        self._seconds = max(connect, answer)
        deadline = Deadline(connect)
        answered = addresses(target.host, deadline)
        if isinstance(answered, OSError):
            raise unresolved(target.host, answered.strerror or str(answered))
        tls = {
            "ssl": True,
            "ssl_cert_reqs": "required" if target.validate_certs else "none",
            "ssl_check_hostname": target.validate_certs,
            "ssl_ca_certs": target.ca_certs,
            "ssl_certfile": target.client_cert_file,
            "ssl_keyfile": target.client_key_file,
        }
        self._client = self._redis.Redis(
            host=target.host,
            port=target.port,
            db=target.db,
            username=target.user or None,
            password=target.password or None,
            socket_connect_timeout=max(0.1, deadline.remaining / len(answered)),  # it tries one address after another
            socket_timeout=answer,
            retry=self._redis.retry.Retry(self._redis.backoff.NoBackoff(), 0),
            decode_responses=True,
            encoding_errors="replace",
            protocol=2,
            **(tls if target.tls else {}),
        )

    def ask(self, *command: str) -> Any:
        """The answer to one command. Raises C(OperatorError) with one sentence."""
        with self._explained():
            return self._client.execute_command(*command)

    def close(self) -> None:
        """Close the connection."""
        with contextlib.suppress(self._redis.RedisError, OSError):
            self._client.close()

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except self._redis.TimeoutError:
            raise silent(self.target, self._seconds) from None
        except (self._redis.RedisError, OSError) as fault:
            raise explain(f"{type(fault).__name__}: {fault}", self.target) from None
