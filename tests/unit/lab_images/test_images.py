# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the images are made of, and when nothing is built."""

from __future__ import annotations

import json
import re
import tarfile
from pathlib import Path

import pytest
import yaml

from lab import images
from lab.layers import pack_files
from lab.workloads import MANIFESTS


def silent(_: str) -> None:
    return None


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A cache in which the two large layers are there already."""
    store = tmp_path / "images"
    store.mkdir()
    pack_files(store / f"debian-{images._debian_key()}.tar", {"etc/debian_version": b"12"})
    pack_files(store / f"libraries-{images._libraries_key()}.tar", {"usr/local/bin/node": b"#!node"})
    return store


def layers_of(archive: Path) -> dict[str, list[str]]:
    with tarfile.open(archive) as tar:
        content = tar.extractfile("manifest.json")
        assert content is not None
        return {item["RepoTags"][0]: item["Layers"] for item in json.load(content)}


def files_of(archive: Path, layer: str) -> dict[str, bytes]:
    with tarfile.open(archive) as outer, tarfile.open(fileobj=outer.extractfile(layer)) as inner:
        return {member.name: inner.extractfile(member).read() for member in inner if member.isfile()}  # type: ignore[union-attr]


def test_every_release_is_built_on_the_same_two_layers(store: Path) -> None:
    (_, archive) = images.build(store.parent, silent)
    built = layers_of(archive)
    assert set(built) == {release.name for release in images.RELEASES}
    assert len({tuple(layers[:2]) for layers in built.values()}) == 1
    assert len({layers[2] for layers in built.values()}) == len(images.RELEASES)


def test_the_shared_layers_travel_once(store: Path) -> None:
    base, archive = images.build(store.parent, silent)
    ((name, shared),) = layers_of(base).items()
    assert name.startswith("lab.local/services-base:")
    with tarfile.open(base) as first, tarfile.open(archive) as second:
        assert set(shared) <= set(first.getnames())
        assert not set(shared) & set(second.getnames())
        assert {layers[2] for layers in layers_of(archive).values()} <= set(second.getnames())


def test_nothing_is_built_twice(store: Path) -> None:
    (base, first) = images.build(store.parent, silent)
    before = first.stat().st_mtime_ns
    said: list[str] = []
    assert images.build(store.parent, said.append) == [base, first]
    assert (first.stat().st_mtime_ns, said) == (before, [])


def test_a_changed_source_makes_a_new_archive_and_removes_the_old(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (base, first) = images.build(store.parent, silent)
    monkeypatch.setattr(images, "RELEASES", images.RELEASES[:1])
    (same, second) = images.build(store.parent, silent)
    assert (base, first != second) == (same, True)
    assert not first.exists()
    assert set(layers_of(second)) == {"servicelink/api:v1.0.0"}


def test_the_same_sources_make_the_same_bytes(store: Path) -> None:
    (_, archive) = images.build(store.parent, silent)
    first = archive.read_bytes()
    archive.unlink()
    assert images.build(store.parent, silent)[1].read_bytes() == first


def test_a_release_knows_its_behaviour_and_its_migrations(store: Path) -> None:
    (_, archive) = images.build(store.parent, silent)
    built = layers_of(archive)
    known = {}
    for name in ("servicelink/api:v1.0.0", "servicelink/api:v1.3.0", "credlink/api:v2.2.1"):
        files = files_of(archive, built[name][2])
        marker = json.loads(files["app/release.json"])
        known[name] = (marker["behaviour"], len([path for path in files if path.endswith("/migration.sql")]))
        assert sum(map(len, files.values())) < 64_000
    assert known == {
        "servicelink/api:v1.0.0": ("good", 1),
        "servicelink/api:v1.3.0": ("never-ready", 4),
        "credlink/api:v2.2.1": ("errors", 0),
    }


def test_the_lock_file_names_no_registry() -> None:
    lock = (images.SERVICES / "package-lock.json").read_text()
    assert '"resolved"' not in lock
    assert (
        json.loads(lock)["packages"][""]["dependencies"]
        == json.loads((images.SERVICES / "package.json").read_text())["dependencies"]
    )


def test_dependencies_are_pinned() -> None:
    wanted = json.loads((images.SERVICES / "package.json").read_text())["dependencies"]
    assert [name for name, version in wanted.items() if not re.fullmatch(r"\d+\.\d+\.\d+(-[\w.]+)?", version)] == []


def test_manifests_use_images_that_are_built_and_hold_no_secret() -> None:
    names = {release.name for release in images.RELEASES}
    for file in MANIFESTS.glob("*.yml"):
        for manifest in yaml.safe_load_all(file.read_text()):
            assert manifest["kind"] != "Secret"
            for container in manifest.get("spec", {}).get("template", {}).get("spec", {}).get("containers", []):
                assert container["image"] in names


def test_the_readme_lists_every_release() -> None:
    readme = (images.SERVICES / "README.md").read_text()
    assert [release.name for release in images.RELEASES if release.version not in readme] == []
    assert [release.behaviour for release in images.RELEASES if f"`{release.behaviour}`" not in readme] == []


def test_a_failing_step_ends_in_one_sentence(tmp_path: Path) -> None:
    log = tmp_path / "step.log"
    with pytest.raises(images.LabError, match=r"^sh failed with 3 \(log: .*\); its last lines: no space$"):
        images._run("sh", "-c", "echo no space >&2; exit 3", log=log)
