# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a file or a pipe says becomes an object of a bucket, in constant memory, and whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import select
import threading
from collections.abc import Callable, Iterator

from ..errors import OperatorError
from .bucket import Bucket

_TICK_SECONDS = 0.2
_PIECE_BYTES = 1 << 20
#: Who is stopped does not wait longer for an answer of S3.
_ENDING_SECONDS = 15.0


class _Stopped(Exception):
    """Nobody wants it any more."""


class _Part(io.BytesIO):
    """A part that stops being sent once nobody wants it any more."""

    def __init__(self, content: bytes, stopped: threading.Event) -> None:
        super().__init__(content)
        self._stopped = stopped

    def read(self, size: int | None = -1, /) -> bytes:
        """The next bytes."""
        if self._stopped.is_set():
            raise _Stopped
        return super().read(size)


class Pouring:
    """One object as it is written, by a thread, so that its caller can look after other things meanwhile."""

    def __init__(self, bucket: Bucket, key: str, handle: int, part_bytes: int) -> None:
        self._bucket, self._key, self._handle, self._part_bytes = bucket, key, handle, part_bytes
        self._whole, self._digests, self._parts = hashlib.sha256(), list[bytes](), list[dict[str, object]]()
        self._upload = ""
        self._stopped = threading.Event()
        self._fault: BaseException | None = None
        self._thread = threading.Thread(target=self._work, daemon=True)
        self.bytes = 0
        self._thread.start()

    @property
    def sha256(self) -> str:
        """The checksum of all that was read by now."""
        return self._whole.hexdigest()

    def check(self) -> None:
        """Raise what the thread met."""
        if self._fault:
            raise self._fault

    def finish(self, meanwhile: Callable[[], None]) -> None:
        """Wait until all is read and sent, then make it an object and see that it is what was read."""
        while self._thread.is_alive():
            meanwhile()
            self._thread.join(_TICK_SECONDS)
        self.check()
        upload, self._upload = self._upload, ""
        try:
            self._bucket.complete(self._key, upload, self._parts)
        except BaseException:
            self._upload = upload
            raise
        self._bucket.prove(self._key, self.bytes, hashlib.sha256(b"".join(self._digests)).digest())

    def end(self) -> None:
        """End the thread; what is not an object yet is forgotten, so that nothing is left to be paid for."""
        self._stopped.set()
        self._thread.join(_ENDING_SECONDS)
        if self._upload:
            with contextlib.suppress(OperatorError):  # what stays is swept away by the next run
                self._bucket.abort(self._key, self._upload)

    def _work(self) -> None:
        try:
            part = bytearray()
            while not self._stopped.is_set():
                if not select.select([self._handle], [], [], _TICK_SECONDS)[0]:
                    continue
                piece = os.read(self._handle, min(_PIECE_BYTES, self._part_bytes - len(part)))
                self._whole.update(piece)
                self.bytes += len(piece)
                part += piece
                if len(part) == self._part_bytes or (not piece and (part or not self._parts)):
                    self._send(bytes(part))
                    part.clear()
                if not piece:
                    return
        except BaseException as fault:  # noqa: BLE001 # it is the caller's
            self._fault = fault

    def _send(self, part: bytes) -> None:
        self._upload = self._upload or self._bucket.begin(self._key)
        digest = hashlib.sha256(part).digest()
        sending = _Part(part, self._stopped)
        self._parts.append(self._bucket.part(self._key, self._upload, len(self._parts) + 1, sending, digest))
        self._digests.append(digest)


@contextlib.contextmanager
def pouring(bucket: Bucket, key: str, handle: int, part_bytes: int) -> Iterator[Pouring]:
    """Begin to write an object of what the file descriptor says; without C(finish) there is none afterwards."""
    begun = Pouring(bucket, key, handle, part_bytes)
    try:
        yield begun
    finally:
        begun.end()
