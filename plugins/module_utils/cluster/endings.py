# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a command in a container ended: its exit code, or why there is none. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from ..redaction import redact_text
from ..verdict import Verdict

# runc's words; containerd and kubelet put theirs before them.
_CANNOT_START = re.compile(r'exec: "[^"]*": .*?(?=: unknown|$)|exec \S+: exec format error', re.DOTALL)
_NOT_RUNNING = re.compile(r"container not found|container \S+ is not running|no running task", re.IGNORECASE)
MOST_SAID = 200  # characters of what a command wrote, in a sentence about it


def judge(status: bytes, lost: str, stderr: str) -> tuple[int | None, Verdict]:
    """Exit code and verdict from the C(Status) at the end of an exec stream; without one, C(lost) says why.

    A command that could not be started has no exit code and fails; what is not known is C(unknown).
    """
    ended = _loaded(status)
    if not ended:
        return None, Verdict("unknown", lost)
    if ended.get("status") == "Success":
        return 0, Verdict("pass", "exit code 0")
    code = _exit_code(ended)
    if code is not None:
        last = next((line.strip() for line in reversed(stderr.splitlines()) if line.strip()), "")
        return code, Verdict("fail", f"exit code {code}{': ' + last[:MOST_SAID] if last else ''}")
    message = redact_text(str(ended.get("message") or "no message")).strip(" .")
    if cause := _CANNOT_START.search(message):
        return None, Verdict("fail", f"the command cannot be started: {cause.group().strip()}")
    return None, Verdict("unknown", message)


def refused(status: int, message: str, container: str) -> Verdict:
    """Why the API server did not start a command, in words; nothing ran."""
    if status == 404:
        return Verdict("unknown", "the pod is gone")
    if status == 403:
        return Verdict("unknown", f"these credentials may not run a command in it: {message.strip(' .')}")
    if _NOT_RUNNING.search(message):
        return Verdict("unknown", f"container {container} is not running")
    return Verdict("unknown", f"the API server answered {status}: {message.strip(' .')}")


def _loaded(status: bytes) -> dict[str, Any]:
    try:
        loaded = json.loads(status)
    except ValueError:
        return {}
    return loaded if isinstance(loaded, dict) else {}


def _exit_code(ended: Mapping[str, Any]) -> int | None:
    """Kubelet's way to tell it (kubernetes/apimachinery:pkg/util/remotecommand, NonZeroExitCodeReason)."""
    if ended.get("reason") != "NonZeroExitCode":
        return None
    causes = (ended.get("details") or {}).get("causes") or []
    found = [str(each.get("message")) for each in causes if each.get("reason") == "ExitCode"]
    return int(found[0]) if found and found[0].isdigit() else None
