# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Objects below a prefix of an S3 bucket, each with a checksum that S3 compares and keeps."""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO

from .. import aws
from ..errors import Fault, OperatorError

_SECONDS, _ATTEMPTS = 60, 4
_PIECE_BYTES = 1 << 20
_DELETED_AT_ONCE = 1000
#: What an upload may have (docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html); less is more memory for nothing.
_MOST_PARTS, _LEAST_PART_BYTES = 10_000, 16 << 20


def part_bytes(expected: int) -> int:
    """How large the parts of an object are that may have twice the C(expected) bytes."""
    return max(_LEAST_PART_BYTES, -(-2 * expected // _MOST_PARTS))


def shown(digest: bytes) -> str:
    """A checksum as S3 writes it."""
    return base64.b64encode(digest).decode()


class Bucket:
    """The objects below C(s3://BUCKET/PREFIX). Keys are relative to it."""

    def __init__(self, address: str, environment: Mapping[str, str]) -> None:
        named = aws.bucket(address)
        if named is None:
            raise OperatorError(
                Fault("input_invalid", f"{address} is no address of a bucket.", "Give it as s3://BUCKET/PREFIX.")
            )
        self.name, self._prefix = named
        found = aws.service("s3", environment, seconds=_SECONDS, attempts=_ATTEMPTS)
        self._client, self._errors = found.client, found.errors

    def address(self, key: str = "") -> str:
        """An object as an operator knows it."""
        return f"s3://{self.name}/{self._key(key)}".rstrip("/")

    def keys(self, beginning: str) -> dict[str, int]:
        """The keys that begin so, with their sizes in bytes."""
        pages = self._pages("list_objects_v2", "s3:ListBucket", beginning)
        return {self._relative(each["Key"]): each["Size"] for page in pages for each in page.get("Contents", [])}

    def read(self, key: str) -> bytes:
        """A small object."""
        return b"".join(self.pieces(key))

    def pieces(self, key: str) -> Iterator[bytes]:
        """An object, 1 MiB at a time."""
        answer = self._asked("s3:GetObject", key, self._client.get_object)
        with answer["Body"] as body:
            while piece := self._told("s3:GetObject", key, lambda: body.read(_PIECE_BYTES)):
                yield piece

    def write(self, key: str, content: bytes) -> None:
        """Write a small object at once, and see that it is there; S3 refuses other content than was sent."""
        digest = hashlib.sha256(content).digest()
        self._asked("s3:PutObject", key, self._client.put_object, Body=content, **_checked(digest))
        self.prove(key, len(content), digest)

    def prove(self, key: str, size: int, digest: bytes) -> None:
        """Raise C(OperatorError) unless S3 says that the object has this size and checksum.

        The checksum of an object of parts is that of their checksums; S3 writes their number behind it.
        """
        there = self._asked("s3:GetObject", key, self._client.head_object, ChecksumMode="ENABLED")
        said = str(there.get("ChecksumSHA256") or "none").partition("-")[0]
        if (there["ContentLength"], said) != (size, shown(digest)):
            raise OperatorError(
                Fault(
                    "upload_unproved",
                    f"{self.address(key)} has {there['ContentLength']} bytes and the SHA-256 {said}, where {size} bytes"
                    f" and {shown(digest)} were sent.",
                    "Does this store keep SHA-256 checksums (x-amz-checksum-sha256)? If it does, press again.",
                )
            )

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; those that are gone already are as good."""
        left = [{"Key": self._key(key)} for key in keys]
        while left:
            batch = {"Objects": left[:_DELETED_AT_ONCE], "Quiet": True}
            act = functools.partial(self._client.delete_objects, Bucket=self.name, Delete=batch)
            if refused := self._told("s3:DeleteObject", "", act).get("Errors"):
                raise self._refusal("s3:DeleteObject", self._relative(refused[0]["Key"]), refused[0].get("Message", ""))
            left = left[_DELETED_AT_ONCE:]

    def begin(self, key: str) -> str:
        """Begin an object of parts; nobody sees it before it is complete."""
        answer = self._asked("s3:PutObject", key, self._client.create_multipart_upload, ChecksumAlgorithm="SHA256")
        return str(answer["UploadId"])

    def part(self, key: str, upload: str, number: int, content: BinaryIO, digest: bytes) -> dict[str, Any]:
        """Write the part of this number, from 1 on; what C(complete) wants to know of it."""
        what = {"UploadId": upload, "PartNumber": number, "Body": content, **_checked(digest)}
        answer = self._asked("s3:PutObject", key, self._client.upload_part, **what)
        return {"ETag": answer["ETag"], "PartNumber": number, "ChecksumSHA256": shown(digest)}

    def complete(self, key: str, upload: str, parts: Sequence[Mapping[str, Any]]) -> None:
        """Make the parts one object."""
        whole = {"Parts": list(parts)}
        act = self._client.complete_multipart_upload
        self._asked("s3:PutObject", key, act, UploadId=upload, MultipartUpload=whole)

    def abort(self, key: str, upload: str) -> None:
        """Forget an object that was begun, and its parts."""
        self._asked("s3:AbortMultipartUpload", key, self._client.abort_multipart_upload, UploadId=upload)

    def begun(self, beginning: str) -> list[tuple[str, str]]:
        """Objects that were begun and are not complete: key and upload."""
        pages = self._pages("list_multipart_uploads", "s3:ListBucketMultipartUploads", beginning)
        return [(self._relative(each["Key"]), each["UploadId"]) for page in pages for each in page.get("Uploads", [])]

    def _pages(self, what: str, right: str, beginning: str) -> list[dict[str, Any]]:
        pages = self._client.get_paginator(what)
        return list(self._told(right, "", lambda: list(pages.paginate(Bucket=self.name, Prefix=self._key(beginning)))))

    def _key(self, key: str) -> str:
        return f"{self._prefix}/{key}" if self._prefix else key

    def _relative(self, key: str) -> str:
        return key[len(self._prefix) + 1 :] if self._prefix else key

    def _asked(self, right: str, key: str, act: Callable[..., Any], **more: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self._told(right, key, lambda: act(Bucket=self.name, Key=self._key(key), **more))
        return answer

    def _told(self, right: str, key: str, act: Callable[[], Any]) -> Any:
        try:
            return act()
        except self._errors as fault:
            raise self._refusal(right, key, str(fault)) from fault

    def _refusal(self, right: str, key: str, why: str) -> OperatorError:
        return OperatorError(
            Fault(
                "s3_refused",
                f"{self.address(key)}: {why}".rstrip(".") + ".",
                f"Check bucket and region, the AWS credentials and their right {right}.",
            )
        )


def _checked(digest: bytes) -> dict[str, str]:
    """The arguments with which S3 refuses other content than that of this checksum."""
    return {"ChecksumAlgorithm": "SHA256", "ChecksumSHA256": shown(digest)}
