# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups in a bucket: brought there or streamed there, whole or not at all, and good for a drill and a restore.

The API is moto's: it keeps the checksums that S3 keeps, but does not compare them with what arrives.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.linkops.runbooks.plugins.module_utils.database import archives
from ansible_collections.linkops.runbooks.plugins.module_utils.errors import Fault, Interrupted, OperatorError
from ansible_collections.linkops.runbooks.plugins.module_utils.shell import perform
from ansible_collections.linkops.runbooks.plugins.module_utils.storage import bucket as storage
from tests.integration.harness.amazon import SECRET, Amazon, amazon
from tests.integration.harness.kept import copied
from tests.integration.harness.postgres import Server, TestDatabase
from tests.integration.harness.stores import until

LEAST_PART = 5 << 20  # S3's own least


@pytest.fixture(scope="module")
def aws() -> Iterator[Amazon]:
    """S3."""
    with amazon() as speaking:
        yield speaking


@pytest.fixture
def bucket(aws: Amazon, request: pytest.FixtureRequest) -> Any:
    """A bucket of the test."""
    return aws.bucket(re.sub("[^a-z0-9]+", "-", request.node.name)[-60:].strip("-"))


@pytest.fixture
def shop(postgres: Server) -> TestDatabase:
    """A database whose dump has several parts when it is not compressed."""
    made = postgres.database("shop")
    made.sql("CREATE TABLE job AS SELECT n AS id, repeat(md5(n::text), 32) AS text FROM generate_series(1, 12000) n")
    return made


class Shop:
    """The modules with the options that all of them share here."""

    def __init__(self, database: TestDatabase, aws: Amazon, address: str, folder: Path) -> None:
        self.database, self.folder = database, folder
        self._aws = aws
        self._told = {
            "directory": str(folder), "s3": address, "client_directory": str(database.server.programs),
            "max_minutes": 3,
        }  # fmt: skip

    def __call__(self, module: str, check_mode: bool = False, **options: Any) -> dict[str, Any]:
        own: dict[str, Any] = {"reserve_bytes": 0, "compress": "none"} if module == "database_backup" else {}
        if module != "database_backup":
            own = {"database": "shop", "login_user": "postgres", "login_password": self.database.server.password}
        found, call = self.database.call(module, check_mode, **{**self._told, **own, **options})
        call.environment = self._aws.environment
        result = perform(found.operation, call, (self.database.password,))
        assert SECRET not in json.dumps(result)
        return result


@pytest.fixture
def ask(shop: TestDatabase, aws: Amazon, bucket: Any, tmp_path: Path) -> Shop:
    """Asks a module."""
    return Shop(shop, aws, f"s3://{bucket.name}/production/", tmp_path / "kept")


def keys(bucket: Any) -> list[str]:
    """What is in the bucket."""
    return [each.key for each in bucket.objects.all()]


def begun(bucket: Any) -> list[str]:
    """Uploads that are not complete."""
    return [each.object_key for each in bucket.multipart_uploads.all()]


def test_a_backup_is_brought_there_and_good_for_a_drill_and_a_restore(
    ask: Shop, bucket: Any, shop: TestDatabase
) -> None:
    planned = ask("database_backup", check_mode=True)
    assert "and bring it to s3://" in planned["msg"], planned
    done = ask("database_backup")
    assert done.get("changed"), done
    name = done["backup"]["name"]
    assert done["backup"]["address"] == f"s3://{bucket.name}/production/{name}"
    there = {each.key.removeprefix(f"production/{name}/"): each.size for each in bucket.objects.all()}
    local = {
        str(p.relative_to(ask.folder / name)): p.stat().st_size for p in (ask.folder / name).rglob("*") if p.is_file()
    }
    assert there == local
    assert ask("database_backup")["changed"] is False
    bucket.Object(f"production/{name}/data/toc.dat").put(Body=b"cut off")
    assert "now in s3://" in ask("database_backup")["msg"]
    assert ask("database_backup")["changed"] is False
    shutil.rmtree(ask.folder)
    again = ask("database_backup")
    assert again["changed"] is False, again
    assert again["backup"]["folder"] is None
    tried = ask("database_drill")
    assert tried["verdict"]["status"] == "pass", tried
    (ask.folder / name / "data" / "toc.dat").unlink()
    shop.sql("DELETE FROM job WHERE id > 5")
    restored = ask("database_restore", confirm="shop")
    assert restored.get("changed"), restored
    assert shop.sql("SELECT count(*) FROM job") == [(12000,)]
    shop.sql(f'DROP DATABASE "{restored["set_aside"]}" WITH (FORCE)', superuser=True)


def test_a_stream_never_touches_the_disk_and_a_second_one_is_not_needed(
    ask: Shop, bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "_LEAST_PART_BYTES", LEAST_PART)
    done = ask("database_backup", format="stream")
    assert done.get("changed"), done
    assert not ask.folder.exists()
    name = done["backup"]["name"]
    assert keys(bucket) == [f"production/{name}/data.dump", f"production/{name}/manifest.json"]
    assert bucket.Object(f"production/{name}/data.dump").content_length > 2 * LEAST_PART
    assert begun(bucket) == []
    assert ask("database_backup", format="stream")["changed"] is False
    tried = ask("database_drill")
    assert tried["verdict"]["status"] == "pass", tried
    (ask.folder / name / "data.dump").unlink()
    shutil.rmtree(ask.folder)
    damaged = bucket.Object(f"production/{name}/data.dump")
    content = damaged.get()["Body"].read()
    damaged.put(Body=content[:-1] + b"x")
    said = ask("database_drill")
    assert said["reason"] == "backup_unfit", said
    assert "its checksum is another" in said["msg"]
    assert list(ask.folder.glob("shop-*")) == []


@pytest.mark.parametrize("how", ["its session is ended", "the run is stopped"])
def test_a_dump_that_does_not_come_to_its_end_leaves_nothing_there(
    ask: Shop, bucket: Any, shop: TestDatabase, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """It ends while its second part is sent: what was written by then is no backup."""
    monkeypatch.setattr(storage, "_LEAST_PART_BYTES", LEAST_PART)
    shop.sql("INSERT INTO job SELECT * FROM job")  # more than fits between server and bucket
    sent, heard = storage.Bucket.part, list[int]()

    def part(self: storage.Bucket, key: str, upload: str, number: int, *more: Any) -> Any:
        if number == 2:
            assert begun(bucket), "it has begun"
            if how == "the run is stopped":
                os.kill(os.getpid(), signal.SIGTERM)
            else:
                end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'COPY%'"
                shop.sql(end, superuser=True)
        return sent(self, key, upload, number, *more)

    with monkeypatch.context() as patched:
        patched.setattr(storage.Bucket, "part", part)
        if how == "the run is stopped":
            former = signal.signal(signal.SIGTERM, lambda number, _frame: heard.append(number))
            with pytest.raises(Interrupted):
                ask("database_backup", format="stream")
            signal.signal(signal.SIGTERM, former)
            assert heard == [signal.SIGTERM], "it is passed on"
        else:
            assert ask("database_backup", format="stream")["reason"] == "connection_lost"
    assert (keys(bucket), begun(bucket)) == ([], [])
    until(lambda: shop.sql("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY%'") == [(0,)], "it is gone")
    assert ask("database_backup", format="stream")["changed"]


def test_what_s3_refuses_is_brought_there_by_the_next_run(
    ask: Shop, bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusal = OperatorError(Fault("s3_refused", "SlowDown: Please reduce your request rate."))

    def refuse(*_words: Any) -> Any:
        raise refusal

    with monkeypatch.context() as patched:
        patched.setattr(storage.Bucket, "part", refuse)
        said = ask("database_backup")
    assert said["reason"] == "not_carried", said
    assert "is whole in" in said["msg"]
    assert "SlowDown" in said["msg"]
    assert (keys(bucket), begun(bucket)) == ([], [])
    (name,) = [each.name for each in ask.folder.glob("shop-*")]
    planned = ask("database_backup", check_mode=True)
    assert "would bring it to" in planned["msg"], planned
    assert keys(bucket) == []
    done = ask("database_backup")
    assert done["changed"], done
    assert done["backup"]["address"].endswith(name)


def test_old_ones_go_in_each_place_by_what_is_there_and_what_killed_runs_left(
    ask: Shop, bucket: Any, shop: TestDatabase
) -> None:
    now = datetime.now(UTC)

    def named(days: int, database: str = "shop") -> str:
        return archives.name_of(database, now - timedelta(days=days))

    half, another, unread, young = named(29), named(30, "shop-two"), named(32), named(0)
    for key in (f"{half}/data.dump", f"{another}/data.dump", f"{unread}/manifest.json"):
        bucket.put_object(Key=f"production/{key}", Body=b"{}")
    for each in (half, young):
        bucket.Object(f"production/{each}/data.dump").initiate_multipart_upload()
    swept = ask("database_backup", format="custom")
    assert half in swept["msg"], swept
    first = swept["backup"]
    for days in (31, 30, 28):
        copy = copied(ask.folder / first["name"], named(days))
        for file in copy.iterdir() if days > 28 else ():
            bucket.upload_file(str(file), f"production/{copy.name}/{file.name}")
    shutil.rmtree(ask.folder / named(31))
    bucket.Object(f"production/{named(30)}/data.dump").put(Body=b"cut off")
    shop.sql("DELETE FROM job WHERE id = 1")
    done = ask("database_backup", keep=3, format="custom")
    assert done["expired"] == [named(30)], done
    new = done["backup"]["name"]
    assert {path.name for path in ask.folder.glob("shop-*")} == {new, first["name"], named(28)}
    assert {key.split("/")[1] for key in keys(bucket)} == {new, first["name"], named(31), another, unread}
    assert begun(bucket) == [f"production/{young}/data.dump"], "another run may be at it"


def test_bad_input_is_said_in_a_sentence(ask: Shop, shop: TestDatabase) -> None:
    said = ask("database_backup", s3="bucket", reserve_bytes=1 << 60)
    assert "bucket is no address of a bucket" in said["msg"], said
    assert "must stay free" in said["msg"]
    assert "NoSuchBucket" in ask("database_backup", s3="s3://there-is-none")["msg"]
    assert ask("database_drill")["reason"] == "no_such_backup"
    assert "s3://test-bad" in ask("database_drill")["msg"]
    lacking = shop.operate("database_backup", directory=str(ask.folder), format="stream")
    assert "s3 names no bucket" in lacking["msg"], lacking
