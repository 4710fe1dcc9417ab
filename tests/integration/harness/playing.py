# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks of a test's own: the collection's modules as tasks, for the services that are pressed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

CONNECTION = {"kubeconfig": "{{ kubernetes_kubeconfig }}", "context": "{{ kubernetes_context }}"}


def ours(module: str, _more: dict[str, Any] | None = None, **options: Any) -> dict[str, Any]:
    """A task: one of the collection's modules with these options; C(_more) are the task's own keywords."""
    named = {"name": f"{module} {len(options)}", f"linkops.runbooks.{module}": options}
    return {**named, "async": "{{ patience | default(0) }}", "poll": 1, **(_more or {})}


def play(path: Path, *tasks: dict[str, Any], **keywords: Any) -> str:
    """A playbook with these tasks for the services that are pressed."""
    defaults = {"group/linkops.runbooks.cluster": CONNECTION}
    content = {"hosts": "{{ service }}", "gather_facts": False, "module_defaults": defaults, "tasks": tasks, **keywords}
    path.write_text(yaml.safe_dump([content]))
    return str(path)
