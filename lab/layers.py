# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Container image layers and archives, byte for byte the same from the same content.

The format is that of the OCI image layout (opencontainers/image-spec: image-layout.md, manifest.md, config.md).
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
    from collections.abc import Callable, Container, Iterable, Mapping

OCI = "application/vnd.oci.image"
BLOBS = "blobs/sha256"


@dataclass(frozen=True)
class Layer:
    """An uncompressed layer: its file and the SHA-256 (hex) of its bytes, which is also its diff id."""

    path: Path
    digest: str

    def descriptor(self) -> dict[str, object]:
        """What a manifest says of the layer."""
        size = self.path.stat().st_size
        return {"mediaType": f"{OCI}.layer.v1.tar", "digest": f"sha256:{self.digest}", "size": size}


@dataclass(frozen=True)
class Image:
    """One image of an archive: its name with tag, its layers from the bottom up and its configuration."""

    name: str
    layers: tuple[Layer, ...]
    entrypoint: tuple[str, ...]
    environment: tuple[str, ...]
    working_directory: str

    @property
    def reference(self) -> str:
        """The whole name, as containerd holds it: one without a host is at docker.io."""
        host = self.name.partition("/")[0]
        return self.name if "." in host else f"docker.io/{self.name}"

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


def write_archive(target: Path, images: Iterable[Image], left_out: Container[Layer] = ()) -> None:
    """Write an image archive with all images; every layer is in it once. The file appears whole or not at all.

    It is an OCI image layout that bears Docker's manifest.json too, as ``docker save`` writes it. Layers in
    ``left_out`` are named but not carried: containerd must hold them already, from an archive imported before.
    """
    blobs: dict[str, Path | bytes] = {}
    index: list[dict[str, object]] = []
    docker: list[dict[str, object]] = []

    def blob(kind: str, data: bytes) -> dict[str, object]:
        digest = hashlib.sha256(data).hexdigest()
        blobs[f"{BLOBS}/{digest}"] = data
        return {"mediaType": f"{OCI}.{kind}.v1+json", "digest": f"sha256:{digest}", "size": len(data)}

    for image in images:
        config = blob("config", image.configuration())
        layers = [layer.descriptor() for layer in image.layers]
        blobs |= {f"{BLOBS}/{layer.digest}": layer.path for layer in image.layers if layer not in left_out}
        content = {"schemaVersion": 2, "mediaType": f"{OCI}.manifest.v1+json", "config": config, "layers": layers}
        manifest = blob("manifest", json.dumps(content).encode())
        index.append({**manifest, "annotations": {"io.containerd.image.name": image.reference}})
        where = [f"{BLOBS}/{layer.digest}" for layer in image.layers]
        docker.append({"RepoTags": [image.name], "Config": _place(config), "Layers": where})
    front = {
        "oci-layout": {"imageLayoutVersion": "1.0.0"},
        "index.json": {"schemaVersion": 2, "manifests": index},
        "manifest.json": docker,
    }
    part = target.with_suffix(".part")
    with tarfile.open(part, "w", format=tarfile.PAX_FORMAT) as archive:
        for name, value in front.items():
            _put(archive, name, json.dumps(value).encode())
        for name, source in sorted(blobs.items()):
            _put(archive, name, source)
    part.replace(target)


def _place(descriptor: Mapping[str, object]) -> str:
    """Where a blob is inside the archive."""
    return f"{BLOBS}/{str(descriptor['digest']).removeprefix('sha256:')}"


def _put(archive: tarfile.TarFile, name: str, source: Path | bytes) -> None:
    if isinstance(source, bytes):
        archive.addfile(_member(name, 0o644, len(source)), io.BytesIO(source))
        return
    with source.open("rb") as file:
        archive.addfile(_member(name, 0o644, source.stat().st_size), file)
