# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Container image layers and docker archives, byte for byte the same from the same content.

The archive format is that of ``docker save``: ``manifest.json``, one configuration per image and one tar per layer;
images that share a layer share its file (moby/docker-image-spec, spec v1.2).
"""

from __future__ import annotations

import hashlib
import io
import json
import stat
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

CHUNK = 1 << 20  # bytes


@dataclass(frozen=True)
class Layer:
    """An uncompressed layer: its file and the SHA-256 (hex) of its bytes, which is also its diff id."""

    path: Path
    digest: str


@dataclass(frozen=True)
class Image:
    """One image of an archive: its name with tag, its layers from the bottom up and its configuration."""

    name: str
    layers: tuple[Layer, ...]
    entrypoint: tuple[str, ...]
    environment: tuple[str, ...]
    working_directory: str

    def configuration(self) -> bytes:
        """The image's configuration as JSON; its SHA-256 is the image id. It holds no time, so it never changes."""
        return json.dumps(
            {
                "architecture": "amd64",
                "os": "linux",
                "config": {
                    "Entrypoint": list(self.entrypoint),
                    "Env": list(self.environment),
                    "WorkingDir": self.working_directory,
                    "StopSignal": "SIGTERM",
                },
                "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer.digest}" for layer in self.layers]},
                "history": [{"created_by": "lab"} for _ in self.layers],
            },
            sort_keys=True,
        ).encode()


def _member(name: str, mode: int, size: int = 0) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.mode, info.size, info.mtime = mode, size, 0
    return info


def digest_of(path: Path) -> str:
    """The SHA-256 of a file in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def pack_tree(target: Path, sources: Mapping[str, Path], keep: Callable[[str], bool]) -> Layer:
    """Write ``target`` from directory trees or files, each at its place (no leading slash) in the image.

    ``keep`` gets each path in the image and drops what it refuses, directories with all below them. Names are sorted,
    times are zero, owners are numbers only; sockets and devices are left out (the runtime makes /dev itself).
    """
    part = target.with_suffix(".part")
    with tarfile.open(part, "w", format=tarfile.PAX_FORMAT) as archive:
        seen: dict[tuple[int, int], str] = {}
        made: set[str] = set()
        for place, source in sorted(sources.items()):
            for parent in reversed(Path(place).parents):
                if parent.name and str(parent) not in made:
                    made.add(str(parent))
                    directory = _member(str(parent), 0o755)
                    directory.type = tarfile.DIRTYPE
                    archive.addfile(directory)
            for path, name in _walk(source, place, keep):
                _pack(archive, path, name, seen)
    part.replace(target)
    return Layer(target, digest_of(target))


def _walk(source: Path, place: str, keep: Callable[[str], bool]) -> Iterable[tuple[Path, str]]:
    """Every path of the tree with its name in the image, parents first, sorted."""
    if place and not keep(place):
        return
    if place:
        yield source, place
    if source.is_dir() and not source.is_symlink():
        for entry in sorted(source.iterdir(), key=lambda path: path.name):
            yield from _walk(entry, f"{place}/{entry.name}" if place else entry.name, keep)


def _pack(archive: tarfile.TarFile, path: Path, name: str, seen: dict[tuple[int, int], str]) -> None:
    status = path.lstat()
    info = _member(name, stat.S_IMODE(status.st_mode))
    info.uid, info.gid = status.st_uid, status.st_gid
    if stat.S_ISLNK(status.st_mode):
        info.type, info.linkname = tarfile.SYMTYPE, str(path.readlink())
    elif stat.S_ISDIR(status.st_mode):
        info.type = tarfile.DIRTYPE
    elif stat.S_ISREG(status.st_mode):
        first = seen.setdefault((status.st_dev, status.st_ino), name)
        if first != name:
            info.type, info.linkname = tarfile.LNKTYPE, first
        else:
            info.size = status.st_size
            with path.open("rb") as file:
                archive.addfile(info, file)
            return
    else:
        return
    archive.addfile(info)


def pack_files(target: Path, files: Mapping[str, bytes]) -> Layer:
    """Write ``target`` from file contents by their place in the image; scripts (``#!``) become executable."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.PAX_FORMAT) as archive:
        directories = sorted({str(parent) for name in files for parent in Path(name).parents if parent.name})
        for name in directories:
            directory = _member(name, 0o755)
            directory.type = tarfile.DIRTYPE
            archive.addfile(directory)
        for name, data in sorted(files.items()):
            mode = 0o755 if data.startswith(b"#!") else 0o644
            archive.addfile(_member(name, mode, len(data)), io.BytesIO(data))
    target.write_bytes(content.getvalue())
    return Layer(target, hashlib.sha256(content.getvalue()).hexdigest())


def write_archive(target: Path, images: Iterable[Image]) -> None:
    """Write a docker archive with all images; every layer is in it once. The file appears whole or not at all."""
    part = target.with_suffix(".part")
    manifest: list[dict[str, object]] = []
    configurations: dict[str, bytes] = {}
    layers: dict[str, Path] = {}
    for image in images:
        configuration = image.configuration()
        name = f"{hashlib.sha256(configuration).hexdigest()}.json"
        configurations[name] = configuration
        layers |= {f"{layer.digest}/layer.tar": layer.path for layer in image.layers}
        paths = [f"{layer.digest}/layer.tar" for layer in image.layers]
        manifest.append({"Config": name, "RepoTags": [image.name], "Layers": paths})
    with tarfile.open(part, "w", format=tarfile.PAX_FORMAT) as archive:
        for name, path in sorted(layers.items()):
            with path.open("rb") as file:
                archive.addfile(_member(name, 0o644, path.stat().st_size), file)
        configurations["manifest.json"] = json.dumps(manifest).encode()
        for name, data in sorted(configurations.items()):
            archive.addfile(_member(name, 0o644, len(data)), io.BytesIO(data))
    part.replace(target)
