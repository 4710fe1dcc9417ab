# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read becomes an object in parts, whole or not at all, whatever S3 says and whoever loses interest."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils import aws
from ansible_collections.linkops.runbooks.plugins.module_utils.errors import Fault, OperatorError
from ansible_collections.linkops.runbooks.plugins.module_utils.storage import bucket
from ansible_collections.linkops.runbooks.plugins.module_utils.storage.pouring import pouring

PART = 1000


class Kept:
    """What a bucket keeps, and what it says of it."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.events: list[str] = []
        self.refuses_part = 0
        self.reads = threading.Event()

    def begin(self, _key: str) -> str:
        self.events.append("begin")
        return "1"

    def part(self, _key: str, _upload: str, number: int, content: BinaryIO, _digest: bytes) -> dict[str, Any]:
        self.reads.set()
        if number == self.refuses_part:
            raise OperatorError(Fault("s3_refused", "no"))
        self.parts.append(content.read())
        return {"PartNumber": number}

    def complete(self, _key: str, _upload: str, parts: list[dict[str, Any]]) -> None:
        assert [each["PartNumber"] for each in parts] == list(range(1, len(self.parts) + 1))
        self.events.append("complete")

    def abort(self, _key: str, _upload: str) -> None:
        self.events.append("abort")

    def prove(self, _key: str, size: int, digest: bytes) -> None:
        assert size == sum(map(len, self.parts))
        assert digest == hashlib.sha256(b"".join(hashlib.sha256(each).digest() for each in self.parts)).digest()
        self.events.append("prove")


@pytest.fixture
def kept() -> Kept:
    """A bucket that keeps everything in memory."""
    return Kept()


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Both ends of a pipe."""
    ends = os.pipe()
    yield ends
    os.close(ends[0])


@pytest.mark.parametrize(("size", "parts"), [(0, 1), (1, 1), (PART, 1), (PART + 1, 2), (3 * PART, 3), (2500, 3)])
def test_what_is_read_is_what_is_kept(kept: Kept, tmp_path: Path, size: int, parts: int) -> None:
    content = os.urandom(size)
    (tmp_path / "dump").write_bytes(content)
    looked = []
    with (
        (tmp_path / "dump").open("rb", buffering=0) as file,
        pouring(cast(bucket.Bucket, kept), "dump", file.fileno(), PART) as poured,
    ):
        poured.finish(lambda: looked.append(1))
    assert b"".join(kept.parts) == content
    assert len(kept.parts) == parts
    assert (poured.bytes, poured.sha256) == (size, hashlib.sha256(content).hexdigest())
    assert kept.events == ["begin", "complete", "prove"]


def test_what_s3_refuses_is_forgotten_and_the_caller_hears_it(kept: Kept, pipe: tuple[int, int]) -> None:
    kept.refuses_part = 2
    os.write(pipe[1], b"x" * 2 * PART)  # and the program does not end
    with pytest.raises(OperatorError), pouring(cast(bucket.Bucket, kept), "dump", pipe[0], PART) as poured:
        poured.finish(poured.check)
    assert kept.events == ["begin", "abort"]
    os.close(pipe[1])


def test_what_nobody_wants_any_more_is_forgotten_while_its_program_hangs(kept: Kept, pipe: tuple[int, int]) -> None:
    os.write(pipe[1], b"x" * PART)
    with pouring(cast(bucket.Bucket, kept), "dump", pipe[0], PART):
        assert kept.reads.wait(10)
    assert kept.events == ["begin", "abort"]
    os.close(pipe[1])


def test_a_large_object_has_no_more_parts_than_s3_takes() -> None:
    assert bucket.part_bytes(0) == bucket.part_bytes(1 << 30) == 16 << 20
    for expected in (100 << 30, 1 << 40, (1 << 40) + 1):
        assert 2 * expected / bucket.part_bytes(expected) <= 10_000


@pytest.mark.parametrize(
    ("address", "named"),
    [("s3://backups", ("backups", "")), ("s3://backups/a/b/", ("backups", "a/b")), ("backups", None), ("s3://B", None)],
)
def test_an_address_names_bucket_and_prefix(address: str, named: tuple[str, str] | None) -> None:
    assert aws.bucket(address) == named


def test_settings_of_aws_that_are_wrong_are_said_in_a_sentence() -> None:
    with pytest.raises(OperatorError, match="nobody") as refused:
        aws.service("s3", {"AWS_PROFILE": "nobody"}, seconds=1, attempts=1)
    assert refused.value.reason == "aws_settings"
