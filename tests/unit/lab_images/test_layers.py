# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Layers and archives are the same bytes from the same content."""

from __future__ import annotations

import json
import os
import tarfile
from pathlib import Path

from lab.layers import Image, pack_files, pack_tree, write_archive


def everything(_: str) -> bool:
    return True


def plant(root: Path, order: list[str]) -> Path:
    """A tree whose files are made in this order, at different times."""
    for age, name in enumerate(order):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"content of {name}")
        os.utime(path, (age, age))
    (root / "link").symlink_to("etc/a")
    return root


def members(path: Path) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(path) as archive:
        return {member.name: member for member in archive}


def test_order_and_time_of_creation_do_not_matter(tmp_path: Path) -> None:
    names = ["etc/a", "etc/b", "usr/bin/tool"]
    first = pack_tree(tmp_path / "1.tar", {"": plant(tmp_path / "x", names)}, everything)
    second = pack_tree(tmp_path / "2.tar", {"": plant(tmp_path / "y", names[::-1])}, everything)
    assert first.digest == second.digest
    assert {member.mtime for member in members(first.path).values()} == {0}


def test_content_matters(tmp_path: Path) -> None:
    root = plant(tmp_path / "x", ["etc/a"])
    first = pack_tree(tmp_path / "1.tar", {"": root}, everything)
    (root / "etc/a").write_text("other")
    assert pack_tree(tmp_path / "2.tar", {"": root}, everything).digest != first.digest


def test_what_is_not_kept_is_left_out_with_all_below_it(tmp_path: Path) -> None:
    root = plant(tmp_path / "x", ["var/cache/deep/file", "var/lib/file"])
    layer = pack_tree(tmp_path / "1.tar", {"": root}, lambda name: name != "var/cache")
    assert sorted(members(layer.path)) == ["link", "var", "var/lib", "var/lib/file"]


def test_trees_go_to_their_places_and_links_stay_links(tmp_path: Path) -> None:
    root = plant(tmp_path / "x", ["a"])
    os.link(root / "a", root / "b")
    found = members(pack_tree(tmp_path / "1.tar", {"app/modules": root, "usr/bin/node": root / "a"}, everything).path)
    assert found["app"].isdir()
    assert found["app/modules/link"].linkname == "etc/a"
    assert found["app/modules/b"].islnk()
    assert found["app/modules/b"].linkname == "app/modules/a"
    assert found["usr/bin/node"].isfile() or found["usr/bin/node"].islnk()


def test_scripts_are_executable(tmp_path: Path) -> None:
    found = members(pack_files(tmp_path / "1.tar", {"app/run": b"#!/bin/sh\n", "app/data": b"x"}).path)
    assert (found["app/run"].mode, found["app/data"].mode) == (0o755, 0o644)


def test_an_archive_holds_a_shared_layer_once(tmp_path: Path) -> None:
    shared = pack_files(tmp_path / "base.tar", {"base": b"x" * 100_000})
    images = [
        Image(
            f"a/b:v{number}", (shared, pack_files(tmp_path / f"{number}.tar", {"v": b"%d" % number})), ("/x",), (), "/"
        )
        for number in (1, 2, 3)
    ]
    archive = tmp_path / "images.tar"
    write_archive(archive, images)
    first = archive.read_bytes()
    write_archive(archive, images)
    assert archive.read_bytes() == first
    with tarfile.open(archive) as tar:
        names = tar.getnames()
        content = tar.extractfile("manifest.json")
        assert content is not None
        manifest = json.load(content)
    assert len([name for name in names if name.startswith("blobs/")]) == 4 + 2 * len(images)
    assert [item["RepoTags"] for item in manifest] == [["a/b:v1"], ["a/b:v2"], ["a/b:v3"]]
    assert {item["Layers"][0] for item in manifest} == {f"blobs/sha256/{shared.digest}"}
    assert len(first) < 200_000
    write_archive(archive, images, left_out=[shared])
    assert archive.stat().st_size < 100_000
