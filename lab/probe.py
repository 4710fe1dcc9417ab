# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small questions to running components; each answers None, or the reason why it is not well."""

from __future__ import annotations

import json
import ssl
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from lab.command import ask

PATIENCE = 5.0  # seconds for one question: the machine may be busy with what the lab is for


def http(url: str, *, authority: Path | None = None, token: str = "") -> str | None:
    """Ask ``url`` and want a 2xx."""
    try:
        read(url, authority=authority, token=token)
    except urllib.error.HTTPError as fault:
        lines = fault.read().decode(errors="replace").strip().splitlines()
        failed = [line for line in lines if line.startswith("[-]")] or lines[:1]
        return f"{url} answers {fault.code}" + (f": {', '.join(failed)}" if failed else "")
    except urllib.error.URLError as fault:
        return f"{url}: {fault.reason}"
    except OSError as fault:
        return f"{url}: {fault}"
    return None


def read(url: str, *, authority: Path | None = None, token: str = "") -> bytes:
    """The body that ``url`` answers. Raises OSError (urllib's errors are)."""
    context = ssl.create_default_context(cafile=str(authority)) if authority else None
    # the operator's proxy, if there is one, does not lead to this machine
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    opener.addheaders = [("Authorization", f"Bearer {token}")] if token else []
    with opener.open(url, timeout=PATIENCE) as answer:
        body: bytes = answer.read()
    return body


def read_json(url: str, *, authority: Path | None = None, token: str = "") -> Any:
    """The JSON that ``url`` answers. Raises OSError."""
    return json.loads(read(url, authority=authority, token=token))


def command(*argv: str, env: dict[str, str] | None = None, wants: str = "") -> str | None:
    """Run a client and want exit code 0 and ``wants`` in its output."""
    try:
        done = ask(*argv, timeout=PATIENCE, env=env)
    except (OSError, subprocess.TimeoutExpired) as fault:
        return f"{Path(argv[0]).name}: {fault}"
    if done.returncode == 0 and wants in done.stdout:
        return None
    said = (done.stderr or done.stdout).strip().splitlines()
    return f"{Path(argv[0]).name}: {said[-1] if said else f'exit code {done.returncode}'}"
